"""The latency lab as a reader has it: in a real JupyterLab, moved by keyboard and mouse."""

import contextlib
import secrets
import statistics
import subprocess
import sys
import time

import jlab
import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from jlab import open_lab, run_all
from nbformat.v4 import new_code_cell, new_notebook

from ptc.workbook import build

LAB = "from ptc.lab import LatencyLab\nlab = LatencyLab()\nlab"
INTERACT = """\
import matplotlib.pyplot as plt
from ipywidgets import interact

@interact(workers=(1, 16), time=(0.0, 2.0, 0.05))
def draw(workers=4, time=0.3):
    figure, axes = plt.subplots(figsize=(9.2, 4.36))
    axes.barh(range(workers), time)
    plt.show()"""

# Notes when a new value came in, and when the picture that follows it was decoded and painted:
# the lab's is a new SVG element, that of interact an image with a new address.
WATCH = """cell => {
  const root = document.querySelectorAll('.jp-Cell')[cell].querySelector('.jp-OutputArea');
  const seen = new WeakMap();
  const picture = () => root.querySelector('svg.ptc-timeline') || root.querySelector('img');
  window.painted = []; window.moved = []; window.blank = 0;
  const paint = () => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => window.painted.push(performance.now());
    channel.port2.postMessage(0);
  });
  const look = () => {
    const shown = picture();
    const address = shown && (shown.src || 'inline');
    if (!shown || seen.get(shown) === address) return;
    seen.set(shown, address);
    if (shown.src) shown.decode().then(paint, () => {}); else paint();
  };
  look();
  new MutationObserver(look).observe(root,
    {subtree: true, childList: true, attributes: true, attributeFilter: ['src']});
  new MutationObserver(() => window.moved.push(performance.now())).observe(
    root.querySelector('.widget-readout'), {childList: true, characterData: true, subtree: true});
  const tick = () => { window.blank += !picture(); requestAnimationFrame(tick); };
  requestAnimationFrame(tick);
}"""
RESTART = "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
PICTURE = ".ptc-lab svg.ptc-timeline"
FORGET = "() => { window.painted.length = 0; window.moved.length = 0; window.blank = 0; }"


def open_cells(page, lab, name, *sources):
    nb = new_notebook(metadata=build.METADATA, cells=[new_code_cell(s) for s in sources])
    nbformat.write(nb, lab.root / name)
    open_lab(page, lab, name)
    run_all(page)
    page.wait_for_selector(PICTURE)


@contextlib.contextmanager
def serve_notebook_7(root, home):
    """`jupyter notebook` instead of `jupyter lab`."""
    command = [
        *(sys.executable, "-m", "notebook", "--no-browser", "--allow-root"),
        *("--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.root_dir={root}"),
        *(f"--IdentityProvider.token={(token := secrets.token_hex(16))}",),
        "--JupyterNotebookApp.expose_app_in_browser=True",
    ]
    log = home / "notebook.log"
    with log.open("w") as file:
        server = subprocess.Popen(
            command, cwd=root, env=jlab.environment(home, "light"), stdout=file, stderr=file
        )
    try:
        yield jlab.Lab(jlab.address(server, home, log), token, root)
    finally:
        jlab.stop(server)


@pytest.fixture
def live(page, lab):
    """A page with the lab alone, and no error in its console."""
    errors = []
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    open_cells(page, lab, "lab.ipynb", LAB)
    yield page
    assert errors == []


def slider(page, name):
    return page.get_by_role("slider", name=name, exact=True)


def picture(page, other_than=""):
    """What the lab's picture is made of, once it isn't the one of before."""
    page.wait_for_function(
        "([picture, old]) => document.querySelector(picture)?.outerHTML !== old",
        arg=[PICTURE, other_than],
    )
    return page.locator(PICTURE).evaluate("svg => svg.outerHTML")


def wait_for_words(page, *words):
    page.wait_for_function(
        """([picture, words]) => { const said = document.querySelector(picture).ariaLabel;
        return words.every(part => said.includes(part)); }""",
        arg=[PICTURE, words],
    )


def run_for_real(page):
    page.get_by_role("button", name="Run it for real").click()
    page.get_by_text("times as fast; predicted").wait_for()


def test_a_slider_moves_by_keyboard(live):
    """Arrow keys on a slider's handle change the number, the table and the picture."""
    before = picture(live)
    slider(live, "workers").press("ArrowLeft")
    picture(live, other_than=before)
    wait_for_words(live, "on 3 workers")
    live.get_by_text("3 calls on 3 workers").wait_for()


def test_a_slider_moves_by_mouse(live):
    """A drag to the right end makes the weather take two seconds."""
    before = picture(live)
    handle = slider(live, "get_weather takes (s)")
    start = handle.bounding_box()
    live.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    live.mouse.down()
    live.mouse.move(start["x"] + 600, start["y"] + 4, steps=12)
    live.mouse.up()
    picture(live, other_than=before)
    wait_for_words(live, "In parallel: 2.0", " s on 4 workers")


def test_a_real_run_shows_measured_bars(live, screenshots):
    """Predict, run, see: bars, numbers and history come, and a challenge is solved."""
    live.get_by_label("guess the speedup").fill("2.5")
    slider(live, "workers").press("Home")
    live.get_by_text("on 1 worker").first.wait_for()
    slider(live, "workers").press("ArrowRight")
    wait_for_words(live, "on 2 workers")
    before = picture(live)
    run_for_real(live)
    picture(live, other_than=before)
    wait_for_words(live, "measured on 2 workers")
    live.get_by_text("You guessed 2.5 times").wait_for()
    live.get_by_text("1 run,").wait_for()
    live.screenshot(path=screenshots / "lab-measured.png")


def test_a_run_by_keyboard_alone(live):
    """From the first slider on, Tab leads to every control: a guess, a hidden prediction, a run."""
    slider(live, "workers").focus()
    live.keyboard.press("End")
    live.get_by_text("3 calls on 16 workers").wait_for()
    tab_to(live, live.get_by_label("guess the speedup"))
    live.keyboard.type("3")
    tab_to(live, live.get_by_label("hide the prediction until I run"))
    live.keyboard.press("Space")
    wait_for_words(live, "how long on 16 workers?")
    tab_to(live, live.get_by_role("button", name="Run it for real"), "Shift+Tab")
    live.keyboard.press("Enter")
    live.get_by_text("You guessed 3 times").wait_for()
    tab_to(live, live.get_by_label("start order"))
    live.keyboard.press("ArrowDown")
    wait_for_words(live, "how long on 16 workers?")
    tab_to(live, live.get_by_label("your conclusion"))
    live.keyboard.type("Until the slowest call binds.")
    tab_to(live, live.get_by_role("button", name="Compare"))
    live.keyboard.press("Enter")
    live.get_by_text("One way to say it:").wait_for()


def test_the_focus_stays_where_it_was(live):
    """Whoever starts a run by keyboard is on the same button when it ends, and can start the next."""
    button = live.get_by_role("button", name="Run it for real")
    slider(live, "workers").focus()
    tab_to(live, button)
    for runs in ("1 run,", "2 runs,"):
        live.keyboard.press("Enter")
        live.get_by_text(runs).wait_for()
        button.wait_for()
        assert button.evaluate("button => button === document.activeElement")


def test_after_a_restart_the_lab_says_that_it_sleeps(page, lab):
    """Its pictures are still whole, and nobody moves a slider in vain without being told why."""
    open_cells(page, lab, "restart.ipynb", LAB)
    told = "() => getComputedStyle(document.querySelector('.ptc-lab'), '::before').content"
    assert page.evaluate(told) == "none"
    page.evaluate(RESTART)
    page.wait_for_function(f"() => ({told})().includes('run its cell again')")
    assert page.locator(PICTURE).is_visible()


def test_stored_and_not_run_the_lab_says_so(page, lab):
    """A notebook as it comes shows a still with its words, and says which cell wakes it."""
    stored = build.normal(build.run(new_notebook(cells=[new_code_cell(LAB)]), lab.root))
    nbformat.write(stored, lab.root / "asleep.ipynb")
    open_lab(page, lab, "asleep.ipynb")
    page.get_by_text("Run its cell").wait_for()
    [still] = page.locator(".jp-OutputArea-output img").all()
    assert "times as fast" in still.get_attribute("alt")


def test_calls_that_meet(live):
    """The switch lets calls of a city wait, and the picture says which for which."""
    live.get_by_label("calls of one city meet").select_option("in order")
    wait_for_words(live, "In Paris, get_date waits for get_time", "get_weather waits for get_date")
    live.get_by_text("bound: longest chain").wait_for()


def test_it_follows_the_dark_theme(live):
    how = "svg => getComputedStyle(svg).filter"
    assert live.locator(PICTURE).evaluate(how) == "none"
    live.evaluate("() => { document.body.dataset.jpThemeLight = 'false' }")
    assert live.locator(PICTURE).evaluate(how) == "invert(0.93) hue-rotate(180deg)"


def tab_to(page, control, key="Tab"):
    """Press Tab until the control has the focus."""
    for _ in range(40):
        if control.evaluate("control => control === document.activeElement"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"no {key} led to {control}")


def test_a_challenge_is_solved(live):
    """A slow tool on two workers gains less than a tenth."""
    live.get_by_label("start order").select_option("longest first")
    slider(live, "get_weather takes (s)").press("End")
    for tool in ("get_time", "get_date"):
        slider(live, f"{tool} takes (s)").press("Home")
    wait_for_words(live, "In parallel: 2.0", " s on 4 workers")
    run_for_real(live)
    live.get_by_text("✓ Solved: With two workers or more").wait_for()


def test_the_page_lives_while_it_runs_and_stop_ends_it(live):
    """Six seconds of calls: a slider still moves the picture, and Stop ends the run at once."""
    live.get_by_label("scenario").select_option("more calls than workers")
    wait_for_words(live, "on 3 workers")
    live.get_by_role("button", name="Run it for real").click()
    live.get_by_text("one after the other: ").first.wait_for()
    live.get_by_role("button", name="It runs").wait_for()
    before = picture(live)
    slider(live, "workers").press("ArrowRight")
    picture(live, other_than=before)
    live.get_by_role("button", name="Stop").click()
    live.get_by_text("Stopped.").wait_for(timeout=3000)
    live.get_by_text("0 runs,").wait_for()
    live.get_by_role("button", name="Run it for real").wait_for()


def test_it_works_in_notebook_7(browser, tmp_path, screenshots):
    """By keyboard and with a real run in the other front end, which wants the arrow keys itself."""
    page, errors = browser.new_page(viewport={"width": 1200, "height": 900}), []
    root, home = tmp_path / "root", tmp_path / "home"
    root.mkdir()
    home.mkdir()
    nb = new_notebook(metadata=build.METADATA, cells=[new_code_cell(LAB)])
    nbformat.write(nb, root / "lab.ipynb")
    with serve_notebook_7(root, home) as server:
        page.goto(f"{server.url}/notebooks/lab.ipynb?token={server.token}")
        page.wait_for_function(jlab.READY, timeout=60_000)
        page.on("pageerror", lambda error: errors.append(str(error)))  # it has one as it loads
        run_all(page)
        before = picture(page)
        slider(page, "workers").press("ArrowLeft")
        picture(page, other_than=before)
        wait_for_words(page, "on 3 workers")
        run_for_real(page)
        wait_for_words(page, "measured on 3 workers")
        page.screenshot(path=screenshots / "lab-notebook-7.png")
        page.close()
    assert errors == []


def test_everything_has_a_name_and_a_contrast(live, page):
    """The axe engine finds nothing to mend within the lab, before a run and after one."""
    for _ in range(2):
        found = Axe().run(page, context=".ptc-lab").response["violations"]
        told = [(v["id"], [node["html"][:200] for node in v["nodes"]]) for v in found]
        print(f"axe: {len(told)} violations", told)
        assert told == []
        run_for_real(live)


def test_the_lab_is_faster_than_interact(page, lab):
    """From a slider's move to the painted picture; the numbers are printed, and no frame is blank."""
    open_cells(page, lab, "latency.ipynb", LAB, INTERACT)
    page.wait_for_timeout(1500)
    ours, theirs = latencies(page, 0), latencies(page, 1)
    for name, times in (("lab", ours), ("interact", theirs)):
        late = sorted(times)[int(0.95 * (len(times) - 1))]
        print(f"\n{name}: median {statistics.median(times):.0f} ms, 95th {late:.0f} ms", end="")
    print(f", ratio {statistics.median(ours) / statistics.median(theirs):.2f}")
    assert statistics.median(ours) < statistics.median(theirs)
    last, pictures, blank = drag(page)
    print(f"drag: {pictures} pictures in 2 s, the last {last:.0f} ms after the last move")
    assert blank == 0


def latencies(page, cell):
    """Milliseconds from each of 8 arrow keys to the picture."""
    page.evaluate(WATCH, cell)
    handle = page.locator(".jp-Cell").nth(cell).locator(".noUi-handle").first
    handle.scroll_into_view_if_needed()
    page.wait_for_timeout(800)
    times = []
    for number in range(8):
        page.evaluate(FORGET)
        handle.press("ArrowRight" if number < 4 else "ArrowLeft")
        page.wait_for_function("() => window.painted.length && window.moved.length", polling=20)
        times.append(page.evaluate("() => window.painted[0] - window.moved[0]"))
        page.wait_for_timeout(700)  # until the chart below has followed
    return times


def drag(page):
    """Two seconds of dragging: when the last picture came, how many came, how many frames had none."""
    page.evaluate(WATCH, 0)
    handle = page.locator(".noUi-handle").first
    handle.scroll_into_view_if_needed()
    box, track = handle.bounding_box(), page.locator(".noUi-base").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.evaluate(FORGET)
    began = time.monotonic()
    while (gone := time.monotonic() - began) < 2:
        page.mouse.move(track["x"] + track["width"] * abs(gone % 2 - 1), track["y"] + 4)
        page.wait_for_timeout(16)
    page.mouse.up()
    page.wait_for_timeout(1000)
    workers = page.locator(".widget-readout").first.text_content()
    wait_for_words(page, f"on {workers} worker")  # the last picture is that of the last value
    painted, moved, blank = page.evaluate("() => [window.painted, window.moved, window.blank]")
    return painted[-1] - moved[-1], len(painted), blank
