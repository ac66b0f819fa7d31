"""What tests share. What holds for each of them, notebooks too, is in ptc.workbook.testing.

A browser test asks for the fixtures ``lab`` and ``page``. Playwright keeps an event loop running
in the main thread while its browser is open, so a module with browser tests has no others.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import jlab
import pytest
from hypothesis import settings

from ptc import ToolRegistry
from ptc.workbook import build

settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture
def registry() -> ToolRegistry:
    """Without tools. A module that registers the same for all its tests has one of its own."""
    return ToolRegistry()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[jlab.Lab]:
    """A JupyterLab in a home of its own, on a copy of the notebooks."""
    home = tmp_path_factory.mktemp("lab")
    root = home / "root"
    root.mkdir()
    if (build.TOP / "notebooks").exists():
        shutil.copytree(build.TOP / "notebooks", root / "notebooks")
    with jlab.serve(root, home) as lab:
        yield lab


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium; without one a skip that says so, and a failure in CI."""
    if os.environ.get("PTC_WITHOUT_BROWSER"):
        pytest.skip("without a browser, as PTC_WITHOUT_BROWSER asks")
    if jlab.chromium() is None:
        pytest.fail(jlab.NO_CHROMIUM) if os.environ.get("CI") else pytest.skip(jlab.NO_CHROMIUM)
    with jlab.launch() as browser:
        yield browser


@pytest.fixture
def page(browser):
    with jlab.new_page(browser) as page:
        yield page


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    """The folder for pictures that a person may want to see: ``PTC_SCREENSHOTS``, if it's set."""
    folder = Path(os.environ.get("PTC_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
