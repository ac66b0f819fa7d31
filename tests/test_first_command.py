"""README's first command: where its address leads, in a home where Jupyter has never been."""

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from ptc.workbook.build import TOP
from ptc.workbook.start import is_root

ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/\S+")
OPEN = """() => window.jupyterapp?.shell.currentWidget?.context?.path"""
NOTIFICATIONS = """() => [...document.querySelectorAll('.Toastify__toast, .jp-toast-message')]
  .map(node => node.textContent)"""
OVERTURES = 3_000  # milliseconds in which JupyterLab would have put its question


class Printed(NamedTuple):
    """What `python -m ptc.workbook` printed until it was ready, and the address in it."""

    text: str
    address: str


@pytest.fixture(scope="module")
def printed(tmp_path_factory) -> Iterator[Printed]:
    """The command's words where no browser can be opened."""
    home = tmp_path_factory.mktemp("home")
    homes = {name: str(home) for name in ("HOME", "USERPROFILE", "APPDATA")}
    others = {name: value for name, value in os.environ.items() if "JUPYTER" not in name}
    options = ["--no-browser", "--ServerApp.port=0", "--LabApp.expose_app_in_browser=True"]
    command = [sys.executable, "-m", "ptc.workbook", "open", *options]
    log = home / "log.txt"
    with log.open("w") as file:  # no pipe: a kernel that outlives its server would keep it open
        server = subprocess.Popen(
            command, cwd=TOP, env=others | homes, stdout=file, stderr=subprocess.STDOUT
        )
    try:
        address = printed_address(server, log)
        yield Printed(log.read_text("utf-8"), address)
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


def test_the_printed_address_is_that_of_notebook_00_and_answers(printed):
    """Whoever has no browser on this machine copies it to one that has."""
    assert urlsplit(printed.address).path == "/lab/tree/notebooks/00_start_here.ipynb"
    with urllib.request.urlopen(printed.address, timeout=60) as answer:
        assert "<title>JupyterLab</title>" in answer.read().decode()


def test_root_is_told_before_the_server_starts(printed):
    """Also where the words go to a file, which gets them when they are said, not at the end."""
    assert printed.text.startswith("You are root") is is_root()


def test_a_browser_shows_notebook_00_there_and_no_news_greet_the_reader(page, printed):
    page.goto(printed.address)
    page.wait_for_function(f"({OPEN})() === 'notebooks/00_start_here.ipynb'")
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    page.wait_for_timeout(OVERTURES)
    assert page.evaluate(NOTIFICATIONS) == []
