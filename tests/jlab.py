"""A real JupyterLab in a real browser: for tests, and for a person who wants to look.

    python tests/jlab.py notebooks/00_start_here.ipynb out.png --theme dark --width 800

runs the notebook and saves what a reader sees as out-1.png, out-2.png, …, a screen each.
"""

import argparse
import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ptc.workbook.build import forget_the_user

NO_CHROMIUM = "no Chromium found: install one, or name its program in PTC_CHROMIUM"

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
)
_SWITCHES = (  # a browser that only looks at this machine
    *("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)

# The toolbar says idle before the kernel is attached; the session's own kernel is the one to ask.
READY = """() => {
  const panel = window.jupyterapp?.shell.currentWidget;
  const kernel = panel?.sessionContext?.session?.kernel;
  return !!kernel && panel.context.isReady
    && kernel.connectionStatus === 'connected' && kernel.status === 'idle';
}"""
# A number at every cell that has source, or an error that stopped the run; and a kernel at rest.
_DONE = """() => {
  const panel = window.jupyterapp.shell.currentWidget;
  const cells = panel.content.widgets.map(w => w.model)
    .filter(m => m.type === 'code' && m.sharedModel.source.trim());
  const stopped = cells.some(m => !(m.getMetadata('tags') || []).includes('raises-exception')
    && m.sharedModel.outputs.some(o => o.output_type === 'error'));
  return panel.sessionContext.session.kernel.status === 'idle'
    && (stopped || cells.every(m => m.executionCount));
}"""
_CLEAR_AND_RUN = """() => {
  const commands = window.jupyterapp.commands;
  commands.execute('notebook:clear-all-cell-outputs')
    .then(() => commands.execute('notebook:run-all-cells'));
}"""
_ERRORS = """() => window.jupyterapp.shell.currentWidget.content.widgets.map(w => w.model)
  .filter(m => m.type === 'code' && !(m.getMetadata('tags') || []).includes('raises-exception'))
  .flatMap(m => m.sharedModel.outputs).filter(o => o.output_type === 'error')
  .map(o => `${o.ename}: ${o.evalue}`)"""
_NEW_PICTURE = """([n, old]) => {
  const img = document.querySelectorAll('.jp-OutputArea-output img')[n];
  return img && img.src !== old && img.complete && img.naturalWidth > 0;
}"""
_READOUT_CHANGED = """([n, old]) =>
  document.querySelectorAll('.jp-OutputArea-output .widget-readout')[n].textContent !== old"""
_HIDE_LEFT = """() => window.jupyterapp.shell.leftCollapsed
  || window.jupyterapp.commands.execute('application:toggle-left-area')"""
_SCROLL = """top => {
  const notebook = window.jupyterapp.shell.currentWidget.node;
  const panel = notebook.querySelector('.jp-WindowedPanel-outer');
  panel.scrollTop = top;
  return [panel.scrollTop, panel.clientHeight, panel.scrollHeight];
}"""


class Lab(NamedTuple):
    """A running JupyterLab: its address, the token it asks for, the folder it shows."""

    url: str
    token: str
    root: Path


def chromium() -> str | None:
    """The program of a Chromium or Chrome on this machine."""
    found = (shutil.which(name) for name in (os.environ.get("PTC_CHROMIUM", ""), *_NAMES) if name)
    return next(filter(None, [*found, *filter(os.path.exists, _PLACES)]), None)


@contextlib.contextmanager
def launch() -> Iterator:
    """A headless browser; while it is open, this thread has a running event loop."""
    from playwright.sync_api import sync_playwright

    root = hasattr(os, "geteuid") and os.geteuid() == 0
    switches = [*_SWITCHES, *(["--no-sandbox"] if root else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=switches)
        yield browser
        browser.close()


@contextlib.contextmanager
def new_page(browser) -> Iterator:
    """A page of the browser; an exception that nobody caught in it is an AssertionError."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.set_default_timeout(30_000)
    uncaught: list[str] = []
    page.on("pageerror", lambda error: uncaught.append(str(error)))
    yield page
    page.close()
    assert not uncaught


@contextlib.contextmanager
def serve(root: Path, home: Path, theme: str = "light") -> Iterator[Lab]:
    """JupyterLab on the folder ``root``, its settings and whatever it writes in ``home``."""
    token = secrets.token_hex(16)
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        *("--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.root_dir={root}"),
        *(f"--IdentityProvider.token={token}", "--LabApp.expose_app_in_browser=True"),
    ]
    log = home / "jupyterlab.log"
    with log.open("w") as file:
        server = subprocess.Popen(
            command, cwd=root, env=environment(home, theme), stdout=file, stderr=file
        )
    try:
        yield Lab(address(server, home, log), token, root)
    finally:
        stop(server)


def environment(home: Path, theme: str) -> dict[str, str]:
    folders = {
        f"JUPYTER{name}_DIR": home / f"jupyter{name.lower()}"
        for name in ("_CONFIG", "_DATA", "_RUNTIME", "LAB_SETTINGS", "LAB_WORKSPACES")
    } | {"IPYTHONDIR": home / "ipython"}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        "apputils-extension/themes": {"theme": f"JupyterLab {theme.capitalize()}"},
        "notebook-extension/tracker": {
            "windowingMode": "none",  # every cell is in the page
            "scrollPastEnd": False,
        },
    }
    for name, values in settings.items():
        file = folders["JUPYTERLAB_SETTINGS_DIR"] / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    return os.environ | {name: str(folder) for name, folder in folders.items()}


def address(server: subprocess.Popen, home: Path, log: Path) -> str:
    """The server's address, once it answers there."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError, StopIteration, ValueError):
            info = json.loads(next((home / "jupyter_runtime").glob("jpserver-*.json")).read_text())
            url = info["url"].rstrip("/")
            urllib.request.urlopen(f"{url}/api/status?token={info['token']}", timeout=5).close()
            return url
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start: {log.read_text()[-2000:]}")


def stop(server: subprocess.Popen) -> None:
    server.terminate()
    try:
        server.wait(15)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def open_lab(page, lab: Lab, path: str) -> None:
    """Opens the notebook at ``path`` (below the lab's root) and waits for its kernel."""
    page.goto(f"{lab.url}/lab/tree/{path}?reset&token={lab.token}")
    page.wait_for_function(READY, timeout=60_000)


def run_all(page, seconds: float = 120) -> None:
    """Runs every cell of the open notebook; a cell's error is an AssertionError here."""
    start_all(page)
    wait_for_end(page, seconds)


def start_all(page) -> None:
    """Sets every cell of the open notebook going."""
    # The stored outputs go first: their numbers would pass for those of this run.
    page.evaluate(_CLEAR_AND_RUN)


def wait_for_end(page, seconds: float = 120) -> None:
    """Waits until every cell was run; a cell's error is an AssertionError here."""
    page.wait_for_function(_DONE, timeout=seconds * 1000)
    if errors := page.evaluate(_ERRORS):
        raise AssertionError(f"cells failed: {errors}")


def picture(page, number: int = 0) -> str:
    """The address of a picture among the outputs; it changes when the picture does."""
    pictures = page.locator(".jp-OutputArea-output img")
    return pictures.nth(number).get_attribute("src")


def wait_for_picture(page, number: int = 0, other_than: str = "") -> str:
    """The address of a picture that is fully loaded and isn't the one of before."""
    page.wait_for_function(_NEW_PICTURE, arg=[number, other_than])
    return picture(page, number)


def drag_slider(page, fraction: float, number: int = 0) -> str:
    """Drags a slider to a fraction of its track, as a mouse does; gives what it then reads."""
    track = page.locator(".jp-OutputArea-output .noUi-base").nth(number)
    handle = page.locator(".jp-OutputArea-output .noUi-handle").nth(number)
    readout = page.locator(".jp-OutputArea-output .widget-readout").nth(number)
    old = readout.text_content()
    handle.scroll_into_view_if_needed()
    start, whole = handle.bounding_box(), track.bounding_box()
    page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(
        whole["x"] + whole["width"] * fraction, whole["y"] + whole["height"] / 2, steps=8
    )
    page.mouse.up()
    page.wait_for_function(_READOUT_CHANGED, arg=[number, old])
    return readout.text_content()


def screens(page, path: Path) -> list[Path]:
    """The open notebook from top to bottom, a screen a file: out-1.png, out-2.png, …"""
    page.evaluate(_HIDE_LEFT)
    saved: list[Path] = []
    top, height, whole = page.evaluate(_SCROLL, 0)
    while True:
        saved.append(path.with_stem(f"{path.stem}-{len(saved) + 1}"))
        page.wait_for_timeout(300)
        page.screenshot(path=saved[-1])
        if top + height >= whole - 1:
            return saved
        top, height, whole = page.evaluate(_SCROLL, top + height)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("notebook", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--theme", choices=["light", "dark"], default="light")
    parser.add_argument("--width", type=int, default=1200)
    parser.add_argument("--height", type=int, default=1600)
    parser.add_argument("--stored", action="store_true", help="show it as it comes, not run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        forget_the_user(home)
        root = shutil.copytree(options.notebook.resolve().parent, home / "root")
        with serve(root, home, options.theme) as lab, launch() as browser:
            page = browser.new_page(viewport={"width": options.width, "height": options.height})
            open_lab(page, lab, options.notebook.name)
            if not options.stored:
                run_all(page)
            for path in screens(page, options.picture):
                print(path)


if __name__ == "__main__":
    main()
