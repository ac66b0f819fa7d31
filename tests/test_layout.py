"""Where things are, and which way they lean: the agreements that no other test would notice."""

import ast
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from ptc.workbook.build import TOP

PACKAGE = TOP / "ptc"
README = TOP / "README.md"
AT_THE_TOP = {
    *("README.md", "LICENSE", "pyproject.toml", "requirements.txt"),
    *("notebooks", "ptc", "tests"),
}

# Every module stands on a floor, and what it imports stands below it, or beside it where said so.
FLOORS = [
    {"text", "calls"},
    {"wire", "registry", "schemas"},
    {"retry", "machine", "tools", "client", "provider"},
    {"execute", "executors", "timeline", "check"},
    {"loop", "stream"},
    {"lab", "exercises", "workbook"},
]
BESIDE = {
    "calls": {"text"},
    "loop": {"stream"},
    "registry": {"wire", "schemas", "machine"},
    "machine": {"retry"},
    "client": {"provider"},
    "execute": {"executors"},
}

LEARNERS = ("calls", "registry", "schemas", "retry", "execute", "stream", "check", "loop", "text")
HEAVY = {"matplotlib", "ipywidgets", "IPython", "openai", "pydantic", "httpx2", "jsonschema"}


def git_files() -> list[Path]:
    """What is or may be committed: git's own list, so that a reader's files don't count."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=True).stdout
    return [TOP / name for name in names.split("\0") if name and (TOP / name).exists()]


def floor(module: str) -> int:
    for number, modules in enumerate(FLOORS):
        if module in modules:
            return number
    raise AssertionError(f"say in FLOORS on which floor ptc/{module} stands")


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def top_module(path: Path) -> str:
    """``lab`` for ptc/lab.py, ``exercises`` for every file in ptc/exercises/."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The modules of ptc that a file imports, wherever in it; not those it needs for types only."""
    inside = len(path.relative_to(PACKAGE).parts)
    tree = ast.parse(path.read_text("utf-8"))
    names: set[str] = set()
    for node in ast.walk(without_type_checking(tree)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level in (0, inside):
            module = ".".join(filter(None, ["ptc" if node.level else "", node.module]))
            names.update(f"{module}.{alias.name}" for alias in node.names)
    parts = (name.split(".") for name in names if name.startswith("ptc."))
    return {part[1] for part in parts if exists(part[1])} - {top_module(path)}


def without_type_checking(tree: ast.Module) -> ast.Module:
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    ]
    return tree


def exists(module: str) -> bool:
    return (PACKAGE / f"{module}.py").exists() or (PACKAGE / module).is_dir()


def lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def test_the_top_level_has_the_agreed_names_only():
    found = {path.relative_to(TOP).parts[0] for path in git_files()}
    assert {name for name in found if not name.startswith(".")} <= AT_THE_TOP


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_down(path):
    module = top_module(path)
    up = [other for other in imported(path) if floor(other) >= floor(module)]
    assert set(up) <= BESIDE.get(module, set())


def test_what_stands_beside_does_not_import_back():
    """No circle: whoever may be imported from beside imports only what was there before."""
    assert list(TopologicalSorter(BESIDE).static_order())


def test_importing_ptc_is_light():
    """What draws, what talks to a provider and what validates enters where it is used."""
    code = "import sys, ptc; print(*{name.split('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(run.stdout.split())


def test_what_a_learner_reads_is_short():
    counts = {name: lines(PACKAGE / f"{name}.py") for name in LEARNERS}
    assert max(counts.values()) <= 170, counts


@pytest.mark.parametrize("name", ["requirements.txt", "tests/requirements.txt"])
def test_requirements_are_pins_and_nothing_else(name):
    """No index, no address, no path of some machine; only this folder itself, editable."""
    stated = [
        line for line in (TOP / name).read_text("utf-8").splitlines() if not line.startswith("#")
    ]
    for line in stated:
        pin = r"[a-z0-9][a-z0-9._-]*(\[[a-z,]+\])?==[^ ]+( ; .+)?|-e \.|\s+#.*"
        assert re.fullmatch(pin, line), line
        assert "://" not in line and "file:" not in line
    assert stated.count("-e .") == (name == "requirements.txt")


def test_both_requirements_agree():
    """A package that is in both files has the same versions in both."""
    tests = pins("tests/requirements.txt")
    assert not {name for name, found in pins("requirements.txt").items() if tests[name] - found}


def pins(name: str) -> dict[str, set[str]]:
    versions: dict[str, set[str]] = defaultdict(set)
    text = (TOP / name).read_text("utf-8")
    for package, version in re.findall(r"^([\w.-]+)(?:\[.+\])?==(\S+)", text, re.MULTILINE):
        versions[package].add(version)
    return versions


def command(name: str) -> str:
    """The README's command below the comment of that name."""
    block = rf"<!-- {name} -->\s*```sh\n(.*?)```"
    found = re.findall(block, README.read_text("utf-8"), re.DOTALL)
    assert len(found) == 1, f"README.md marks one `sh` block with <!-- {name} -->"
    return found[0]


def test_the_readme_has_both_commands():
    assert "00_start_here.ipynb" in command("open the workbook")
    assert "tests/requirements.txt" in command("run the tests")


@pytest.mark.skipif(shutil.which("bash") is None, reason="CI's script needs bash")
def test_ci_runs_the_command_of_the_readme():
    shown = subprocess.run(
        ["bash", str(TOP / ".ci" / "run"), "show"], capture_output=True, text=True, check=True
    )
    assert shown.stdout == command("run the tests")


def test_nothing_is_left_to_do():
    leftover = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME)\b")
    kinds = {".py", ".md", ".toml", ".ipynb", ".cfg", ".json"}
    texts = [path for path in git_files() if path.suffix in kinds]
    assert not [path for path in texts if leftover.search(path.read_text("utf-8"))]
