"""Where things are, and which way they lean: the agreements that no other test would notice."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
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

# The rooms of the package, from the roof to the ground: one imports only what stands below it.
FLOORS = """
    lab workbook
    exercises
    aio mcp
    loop
    stream
    execute
    executors
    machine
    conflicts
    tools
    registry
    retry check schemas wire timeline client
    making
    calls options provider
    text
"""
# The machine is private: these doors alone lead to it.
DOORS = {"execute", "stream", "aio", "mcp", "executors"}  # and given_up, by the package's own face
# These two faces hold their room's public functions; every other one hands names on.
FACES_WITH_FUNCTIONS = {"wire", "client"}

# Raised and caught within the package; a reader meets their text in a result.
INNER_ERRORS = {
    "AdvisedError",
    "ArgumentsError",
    "GivenUpError",
    "NeverEndsError",
    "UntellableError",
}

LEARNERS = "calls registry schemas.hints retry execute stream check loop text.words".split()
HEAVY = {"mcp", "matplotlib", "ipywidgets", "IPython", "openai", "pydantic", "httpx2", "jsonschema"}


def git_files() -> list[Path]:
    """What is or may be committed: git's own list, so that a reader's files don't count."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=True).stdout
    return [TOP / name for name in names.split("\0") if name and (TOP / name).exists()]


def modules() -> dict[str, Path]:
    """``lab.picture`` and its file, ``lab`` and its face, ``calls``; not ``ptc`` itself."""
    paths = {path.relative_to(PACKAGE).with_suffix(""): path for path in PACKAGE.rglob("*.py")}
    names = {
        ".".join(path.parts).removesuffix("__init__").rstrip("."): paths[path] for path in paths
    }
    return {name: names[name] for name in sorted(names) if name}


MODULES = modules()
ROOMS = sorted({name.split(".")[0] for name in MODULES})


def room(module: str) -> str:
    """``lab`` for ``lab.picture``, ``calls`` for ``calls``."""
    return module.split(".")[0]


def floor(name: str) -> int:
    """The number of the room's floor, counted from the roof."""
    for number, names in enumerate(FLOORS.split("\n")):
        if name in names.split():
            return number
    raise AssertionError(f"say in FLOORS on which floor ptc/{name} stands")


def imports(module: str) -> set[str]:
    """The modules of ptc that a module imports, wherever in it; not those for types only."""
    found = {module_of(name) for name in imported_names(module)}
    return {name for name in found if name and name != module}


def imported_names(module: str) -> Iterator[str]:
    """``wire.formats.Format`` where the file says ``from ..wire.formats import Format``."""
    path = MODULES[module]
    package = ["ptc", *module.split(".")]
    if path.name != "__init__.py":
        package.pop()
    for node in nodes(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.removeprefix("ptc.") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            whole = ".".join([*above, *filter(None, [node.module])])
            if whole == "ptc" or whole.startswith("ptc."):
                yield from (f"{whole}.{alias.name}".removeprefix("ptc.") for alias in node.names)


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes of the tree but those below ``if TYPE_CHECKING:``."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            yield node
            yield from nodes(node)


def module_of(name: str) -> str:
    """The module that a name is in: ``wire.formats`` for ``wire.formats.Format``."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name


def lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def test_the_top_level_has_the_agreed_names_only():
    found = {path.relative_to(TOP).parts[0] for path in git_files()}
    assert {name for name in found if not name.startswith(".")} <= AT_THE_TOP


def test_imports_of_rooms_point_strictly_down():
    """No room imports one beside it or above it, so no circle can arise between rooms."""
    edges = {(room(module), room(other)) for module in MODULES for other in imports(module)}
    up = {(one, other) for one, other in edges if one != other and floor(other) <= floor(one)}
    assert up == set()


@pytest.mark.parametrize("name", ROOMS)
def test_no_circle_within_a_room(name):
    inside = {module for module in MODULES if room(module) == name}
    order = TopologicalSorter({module: imports(module) & inside for module in inside})
    assert set(order.static_order()) == inside


def test_only_the_doors_lead_to_the_machine():
    enter = {room(name) for name in MODULES if "machine" in {room(m) for m in imports(name)}}
    assert enter - {"machine"} <= DOORS


def test_there_are_few_rooms_and_each_has_its_floor():
    assert len(ROOMS) <= 24
    assert sorted(FLOORS.split()) == ROOMS


def test_faces_hand_names_on_and_do_nothing_else():
    faces = {name: lines(path) for name, path in MODULES.items() if path.name == "__init__.py"}
    assert {name for name, count in faces.items() if count > 15} <= FACES_WITH_FUNCTIONS


def test_importing_ptc_is_light():
    """What draws, what talks to a provider and what validates enters where it is used."""
    code = "import sys, ptc; print(*{name.split('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(run.stdout.split())


def test_what_a_learner_reads_is_short():
    counts = {name: lines(MODULES[name]) for name in [*LEARNERS, "text.words"]}
    assert max(counts.values()) < 150, counts


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
    assert "-m ptc.workbook" in command("open the workbook")
    assert "tests/requirements.txt" in command("run the tests")


@pytest.mark.skipif(shutil.which("bash") is None, reason="CI's script needs bash")
def test_ci_runs_the_command_of_the_readme():
    bash = shutil.which("bash")  # by its name alone, Windows would find that of its subsystem first
    assert bash is not None
    shown = subprocess.run(
        [bash, ".ci/run", "show"], cwd=TOP, capture_output=True, text=True, check=True
    )
    assert shown.stdout == command("run the tests")


def test_no_checkout_changes_the_ends_of_lines(tmp_path):
    """Git on Windows would: then bash can't read the script that CI runs."""
    copy = ["git", "-c", "core.autocrlf=true", "-c", "safe.directory=*", "clone", "-q"]
    subprocess.run([*copy, TOP, tmp_path / "copy"], check=True)
    texts = [path for path in git_files() if path.suffix != ".png"]
    copies = [tmp_path / "copy" / path.relative_to(TOP) for path in texts]
    assert not [path for path in copies if path.exists() and b"\r\n" in path.read_bytes()]


def test_windows_has_the_same_command_in_its_own_shell():
    """Windows ships PowerShell 5.1, which knows no `&&`."""
    unix = command("open the workbook").strip().replace("python3 -m venv", "py -m venv")
    windows = unix.replace(" &&", ";").replace(".venv/bin/", ".venv\\Scripts\\")
    assert f"```powershell\n{windows}\n```" in README.read_text("utf-8")


def test_the_twelve_lines_print_what_the_readme_says():
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said = re.findall(r"^# (\{.*)$", code, re.MULTILINE)
    printed = run.stdout.splitlines()
    assert len(said) == len(printed) == 2
    for line, shown in zip(printed, said, strict=True):
        start, _, end = shown.partition("…")
        assert line.startswith(start) and line.endswith(end)


def test_the_readme_describes_each_room_and_each_learners_file():
    text = README.read_text("utf-8")
    described = set(re.findall(r"^\| \[(\w+)\]\(ptc/", text, re.MULTILINE))
    assert described == set(ROOMS)


def test_every_error_class_of_the_package_is_in_the_readme():
    text = README.read_text("utf-8")
    named = re.compile(r"^class (\w+(?:Error|Warning))\(", re.MULTILINE)
    raised = {name for path in MODULES.values() for name in named.findall(path.read_text("utf-8"))}
    assert raised - INNER_ERRORS == {
        name for name in raised if f".{name}`" in text or f"`{name}`" in text
    }


def test_the_repository_has_one_address():
    """The one in pyproject.toml: whoever fills it in there is told here where else it stands."""
    urls = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
    name = urls["Repository"].removeprefix("https://github.com/")
    texts = [README.read_text("utf-8"), urls["Issues"]]
    found = re.findall(r"(?:github\.com|mybinder\.org/v2/gh)/([\w.-]+/[\w.-]+)", "\n".join(texts))
    assert len(found) == 4
    assert set(found) == {name}


def test_pre_commit_runs_the_ruff_of_the_tests():
    hooks = (TOP / ".pre-commit-config.yaml").read_text("utf-8")
    assert re.findall(r"rev: v(\S+)", hooks) == list(pins("tests/requirements.txt")["ruff"])


def test_binder_installs_the_same_packages():
    asked = (TOP / ".binder" / "requirements.txt").read_text("utf-8")
    assert asked == "-r ../requirements.txt\n"


def test_nothing_is_left_to_do():
    leftover = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME)\b")
    kinds = {".py", ".md", ".toml", ".ipynb", ".cfg", ".json"}
    texts = [path for path in git_files() if path.suffix in kinds]
    assert not [path for path in texts if leftover.search(path.read_text("utf-8"))]
