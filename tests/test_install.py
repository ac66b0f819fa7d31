"""`pip install .`: the wheel, with what it needs and nothing else, as whoever wants only the runner.

Without a network: the wheel is built here, and the packages that it names (and those that they
name) are lent from this environment to one that has nothing else.
"""

import email
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ptc.workbook.build import TOP

TWELVE_LINES = re.search(r"```python\n(.*?)```", (TOP / "README.md").read_text("utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """The interpreter of an environment with the runner alone."""
    folder = tmp_path_factory.mktemp("runner")
    run("-m", "venv", "--without-pip", folder / "venv")
    python = next(folder.glob("venv/bin/python"), folder / "venv" / "Scripts" / "python.exe")
    said = run("-c", "import sysconfig; print(sysconfig.get_path('purelib'))", python=python)
    site = Path(said.strip())
    built = zipfile.ZipFile(wheel(folder))
    built.extractall(site)
    metadata = next(name for name in built.namelist() if name.endswith(".dist-info/METADATA"))
    named = email.message_from_bytes(built.read(metadata)).get_all("Requires-Dist") or []
    for top in set(lent(needed(named))):
        (site / top.name).symlink_to(top)
    return python


def wheel(folder: Path) -> Path:
    """Built from what git knows of, so that leftovers of an earlier build don't count."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "ptc", "README.md", "LICENSE", "pyproject.toml"],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, names.split("\0")):
        target = folder / "source" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((TOP / name).read_bytes())
    options = ["--no-deps", "--no-build-isolation", "--no-index", "-q"]
    run("-m", "pip", "wheel", *options, "-w", folder, folder / "source")
    return next(folder.glob("*.whl"))


def needed(requirements: list[str]) -> set[str]:
    """The packages that these requirements bring here, without any extra that isn't asked for."""
    found: set[str] = set()
    todo = [(Requirement(text), "") for text in requirements]
    while todo:
        requirement, extra = todo.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        known = name in found
        found.add(name)
        for wanted in requirement.extras if known else {"", *requirement.extras}:
            todo += [(Requirement(text), wanted) for text in requires(requirement.name) or []]
    return found


def lent(packages: set[str]) -> Iterator[Path]:
    """The files and folders of these packages at the top of this environment."""
    for package in packages:
        installed = distribution(package)
        tops = {file.parts[0] for file in installed.files or []} - {"..", "__pycache__"}
        yield from (Path(str(installed.locate_file(top))) for top in tops)


def run(*arguments: object, python: object = sys.executable) -> str:
    """What Python prints, in a folder without this package and with no path to it."""
    here = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(python), *map(str, arguments)], cwd=Path(sys.prefix), env=here, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_the_readmes_twelve_lines_run_with_the_runner_alone(python):
    assert TWELVE_LINES
    said = run("-c", TWELVE_LINES.group(1), python=python)
    assert said.count("tool_call_id") == 2


def test_the_runner_brings_no_jupyter_and_no_pictures(python):
    heavy = "jupyterlab ipykernel IPython ipywidgets matplotlib numpy PIL nbval pytest".split()
    code = f"from importlib.util import find_spec; print([n for n in {heavy} if find_spec(n)])"
    assert run("-c", code, python=python).strip() == "[]"


def test_a_whole_conversation_and_its_timeline_run_with_the_runner_alone(python):
    code = """
        from ptc import answer, connect
        from ptc.timeline import makespan, spans
        from ptc.tools import CityTools
        client, model = connect()
        registry = CityTools(time=0, date=0, weather=0).registry()
        found = answer("What time is it in Paris?", registry, client)
        print(bool(found.text), makespan(spans(found.turns[0].results)) >= 0)
    """
    said = run("-c", "\n".join(line.strip() for line in code.splitlines()), python=python)
    assert said.split() == ["True", "True"]


def test_the_wheel_has_the_data_that_its_code_reads(python):
    site = Path(run("-c", "import ptc; print(ptc.__path__[0])", python=python).strip())
    here = TOP / "ptc"
    data = {path.relative_to(here) for path in here.rglob("*") if path.suffix in DATA}
    assert {path.relative_to(site) for path in site.rglob("*") if path.suffix in DATA} >= data
    assert (site / "py.typed").exists()


DATA = {".json", ".cfg", ".css", ".js", ".txt", ".svg", ".png"}


def test_the_workbook_is_an_extra_and_says_so(python):
    """Where it isn't installed, one sentence says what to run."""
    done = subprocess.run(
        [python, "-m", "ptc.workbook"], cwd=Path(sys.prefix), capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "README.md" in done.stderr
    assert "Traceback" not in done.stderr
