"""README's first command: where its address leads, in a home where Jupyter has never been."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ptc.workbook.build import TOP

ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/\S+")
OPEN = """() => window.jupyterapp?.shell.currentWidget?.context?.path"""
NOTIFICATIONS = """() => [...document.querySelectorAll('.Toastify__toast, .jp-toast-message')]
  .map(node => node.textContent)"""
OVERTURES = 3_000  # milliseconds in which JupyterLab would have put its question


@pytest.fixture
def address(tmp_path) -> Iterator[str]:
    """What `python -m ptc.workbook` prints where no browser can be opened."""
    homes = {name: str(tmp_path) for name in ("HOME", "USERPROFILE", "APPDATA")}
    others = {name: value for name, value in os.environ.items() if "JUPYTER" not in name}
    options = ["--no-browser", "--ServerApp.port=0", "--LabApp.expose_app_in_browser=True"]
    command = [sys.executable, "-m", "ptc.workbook", "open", "notebooks/00_start_here.ipynb"]
    log = tmp_path / "log.txt"
    with log.open("w") as file:  # no pipe: a kernel that outlives its server would keep it open
        server = subprocess.Popen(
            [*command, *options], cwd=TOP, env=others | homes, stdout=file, stderr=file
        )
    try:
        yield printed_address(server, log)
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:  # it waits for a kernel that has only begun to start
            server.kill()


def printed_address(server: subprocess.Popen, log: Path) -> str:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and server.poll() is None:
        if found := ADDRESS.search(log.read_text("utf-8")):
            return found.group()
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start: {log.read_text('utf-8')}")


def test_the_printed_address_leads_to_notebook_00_and_no_news_greet_the_reader(page, address):
    page.goto(address)
    page.wait_for_function(f"({OPEN})() === 'notebooks/00_start_here.ipynb'")
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    page.wait_for_timeout(OVERTURES)
    assert page.evaluate(NOTIFICATIONS) == []
