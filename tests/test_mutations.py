"""Mistakes that real runners make (see mistakes.py): a test must notice each."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mistakes import MISTAKES, NOTICED_BY

from ptc.workbook.build import TOP

TESTS = TOP / "tests"
ENVIRONMENT = dict(os.environ)  # pytest changes it before and after each test, and we use threads


@pytest.fixture(scope="module")
def tried(request, tmp_path_factory):
    """Each mistake that is asked for is on its way, two at a time: much of it is waiting."""
    asked = [i for i in request.session.items if getattr(i, "module", None) is request.module]
    names = {item.callspec.params["name"] for item in asked if hasattr(item, "callspec")}
    with ThreadPoolExecutor(2) as pool:
        yield {
            name: pool.submit(outcome, name, tmp_path_factory.mktemp("mistake"))
            for name in MISTAKES
            if name in names
        }


@pytest.mark.parametrize("name", MISTAKES)
def test_a_test_notices(name, tried):
    done = tried[name].result()
    assert done.returncode == 1, done.stdout[-2000:]
    assert " failed" in done.stdout or "Timeout" in done.stdout


def test_those_tests_pass_without_a_mistake(tmp_path):
    """Else they would notice what isn't there."""
    done = run_tests(sorted(set(NOTICED_BY.values())), tmp_path, seconds=60)
    assert done.returncode == 0, done.stdout[-2000:]


def outcome(name: str, folder: Path) -> subprocess.CompletedProcess:
    """What the test says that must notice the mistake, with the mistake made in every process."""
    (folder / "sitecustomize.py").write_text(f"import mistakes\nmistakes.make({name!r})\n")
    return run_tests([NOTICED_BY[name]], folder, seconds=6)


def run_tests(tests: list[str], folder: Path, seconds: int) -> subprocess.CompletedProcess:
    """Python looks into ``folder`` first, and runs a sitecustomize.py there before anything."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    command += [f"--timeout={seconds}"]
    path = os.pathsep.join(map(str, (folder, TESTS, TOP)))
    return subprocess.run(
        [*command, *(str(TESTS / test) for test in tests)],
        cwd=TOP,
        env=ENVIRONMENT | {"PYTHONPATH": path, "PTC_PATIENCE": "3"},
        capture_output=True,
        text=True,
    )
