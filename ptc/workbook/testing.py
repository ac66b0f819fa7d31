"""What pytest needs besides nbval to test notebooks; pyproject.toml loads it with ``-p``.

A run asks no real model and touches no reader's files. A cell that was never run fails: without
outputs nbval has nothing to compare, and passes. With pytest-xdist (``-n 4``) the cells of one
notebook stay together, as they share a kernel, and so do the tests of a file, which may share
something that takes long to make. Two settings of pyproject.toml say otherwise: ``scattered`` are
files whose tests share nothing, and those that ``begun_first`` names take longest. A test that its
process dies of fails once.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from .build import forget_the_user

# On import, not in a fixture: the kernels that run the notebooks inherit this process's variables.
# A pytest that another one started finds them set, and keeps what that one gave it.
_home: tempfile.TemporaryDirectory | None = None
if "PTC_TESTS_HOME" not in os.environ:
    _home = tempfile.TemporaryDirectory(prefix="ptc-tests-")
    os.environ["PTC_TESTS_HOME"] = _home.name
    forget_the_user(Path(_home.name))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("scattered", "files whose tests xdist may run in any process", type="linelist")
    parser.addini("begun_first", "files that xdist begins with, in this order", type="linelist")


def pytest_configure(config: pytest.Config) -> None:
    """Let pytest be called from any folder."""
    given = config.option.nbval_sanitize_with
    config.option.nbval_sanitize_with = given and str(config.rootpath / given)


def pytest_unconfigure() -> None:
    if _home is not None:
        _home.cleanup()


def pytest_runtest_setup(item: pytest.Item) -> None:
    cell = getattr(item, "cell", None)  # nbval's, of a notebook
    if cell is None or not item.config.option.nbval or not cell.source.strip():
        return
    if cell.execution_count is None:
        pytest.fail(
            "this cell is stored without having been run, so there is no output to compare; "
            "python -m ptc.workbook.build NOTEBOOK runs and stores it",
            pytrace=False,
        )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep a file's tests in one process, where xdist would scatter them all."""
    if config.getvalue("dist") not in ("load", "worksteal"):
        return None  # somebody's own choice, which keeps files together or says what it does
    from xdist.scheduler.loadscope import LoadScopeScheduling

    scattered = config.getini("scattered")

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return nodeid if file in scattered else file

        def remove_node(self, node: Any) -> str | None:
            """The test that its process died of; it isn't begun again elsewhere."""
            units = self.assigned_work[node].values()
            begun = [(unit, test) for unit in units for test, done in unit.items() if not done]
            if not begun:
                return super().remove_node(node)
            unit, test = begun[0]
            unit[test] = True
            super().remove_node(node)
            return test

        def _reschedule(self, node: Any) -> None:
            """A process runs a test only when it knows the next one, or that there is none."""
            super()._reschedule(node)
            if not node.shutting_down and self._pending_of(self.assigned_work[node]) < 2:
                self._reschedule(node)

    config.option.loadscopereorder = False  # the order is that of the collection
    return Scheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In each of xdist's processes: what takes longest comes first, and the rest as it stood."""
    if hasattr(config, "workerinput"):
        places = {file: place for place, file in enumerate(config.getini("begun_first"))}
        items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))
