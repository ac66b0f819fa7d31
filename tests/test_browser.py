"""What a reader sees: every notebook, run in a real JupyterLab in a real browser."""

import contextlib
import os
import re

import nbconvert
import nbformat
import pytest
from jlab import (
    drag_slider,
    new_page,
    open_lab,
    run_all,
    screens,
    start_all,
    wait_for_end,
    wait_for_picture,
)
from nbformat.v4 import new_code_cell, new_notebook

from ptc.timeline import describe_timeline, schedule
from ptc.workbook import build

TIMELINE = """
from ptc.timeline import schedule, show_timeline

show_timeline(schedule([0.1, 0.1, 0.4], 2), "Three calls")"""
WORDS = describe_timeline(schedule([0.1, 0.1, 0.4], 2))
SLIDER = """
import io
import ipywidgets
from matplotlib.figure import Figure

figure = Figure(figsize=(3, 2))
axes = figure.add_subplot()
image = ipywidgets.Image(format="png")
slider = ipywidgets.IntSlider(value=4, min=1, max=16, description="workers")

def draw(change=None):
    axes.clear()
    axes.barh(range(slider.value), 1)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    image.value = file.getvalue()

slider.observe(draw, "value")
draw()
ipywidgets.VBox([slider, image])
"""


def write(path, source):
    nb = new_notebook(metadata=build.METADATA, cells=[new_code_cell(source)])
    nbformat.write(nb, path)


NOTEBOOKS = [path.relative_to(build.TOP).as_posix() for path in build.notebooks()]


@pytest.fixture(scope="module")
def under_way(browser, lab, request):
    """Gives the page of a notebook that runs; so does the next one then: much of it is waiting."""
    asked = [
        item.callspec.params["path"]
        for item in request.session.items
        if getattr(item, "function", None) is test_a_notebook_runs_to_its_end
    ]
    begun: dict[str, contextlib.ExitStack] = {}
    pages: dict = {}

    @contextlib.contextmanager
    def page_of(path):
        for name in asked[asked.index(path) :][:2]:
            if name not in begun:
                begun[name] = contextlib.ExitStack()
                pages[name] = begun[name].enter_context(new_page(browser))
                open_lab(pages[name], lab, name)
                start_all(pages[name])
        with begun[path]:
            yield pages[path]

    return page_of


@pytest.mark.parametrize("path", NOTEBOOKS)
def test_a_notebook_runs_to_its_end(under_way, screenshots, path):
    """No cell fails, and the page throws nothing."""
    with under_way(path) as page:
        wait_for_end(page)
        if "PTC_SCREENSHOTS" in os.environ:
            assert screens(page, screenshots / path.replace("/", "-").replace(".ipynb", ".png"))


def test_a_slider_changes_its_picture(page, lab):
    """The helpers work: a drag reaches the kernel, and a new picture comes back."""
    write(lab.root / "slider.ipynb", SLIDER)
    open_lab(page, lab, "slider.ipynb")
    run_all(page)
    before = wait_for_picture(page)
    assert int(drag_slider(page, 1.0)) > 4
    assert wait_for_picture(page, other_than=before) != before


def words_of_pictures(page):
    """What a reader who can't see gets of each picture: its own words, and those in its fold."""
    pictures = page.locator(".jp-OutputArea-output img, .jp-RenderedImage img")
    said = [img.get_attribute("alt") for img in pictures.all()]
    return said, page.locator(".jp-OutputArea-output details p").all_text_contents()


def test_a_timeline_says_in_words_what_it_shows(page, lab, tmp_path):
    """In a notebook that was never run here, and so isn't trusted; run; and as a page of HTML."""
    stored = build.run(new_notebook(cells=[new_code_cell(TIMELINE)]), lab.root)
    nbformat.write(stored, lab.root / "timeline.ipynb")
    open_lab(page, lab, "timeline.ipynb")
    page.wait_for_selector(".jp-OutputArea-output img")
    assert words_of_pictures(page) == ([WORDS], [WORDS])
    page.get_by_text("The picture in words").click()
    assert page.get_by_text(WORDS).is_visible()
    run_all(page)
    assert words_of_pictures(page) == ([WORDS], [WORDS])
    exported, _ = nbconvert.HTMLExporter().from_notebook_node(stored)
    (tmp_path / "timeline.html").write_text(exported, encoding="utf-8")
    page.goto((tmp_path / "timeline.html").as_uri())
    assert words_of_pictures(page) == ([WORDS], [WORDS])


@pytest.mark.parametrize("path", NOTEBOOKS)
def test_every_stored_picture_has_its_words(path):
    """As a page of HTML, which is what GitHub and nbconvert make of a notebook."""
    nb = nbformat.read(build.TOP / path, as_version=4)
    shown, _ = nbconvert.HTMLExporter().from_notebook_node(nb)
    said = re.findall(r'<img[^>]*\balt="([^"]*)"', shown)
    pictures = [output for cell in build.code_cells(nb) for output in build.pictures(cell)]
    assert len([alt for alt in said if len(alt) > 60]) >= len(pictures)
    assert shown.count("The picture in words") >= len(pictures)


def test_a_timeline_follows_the_dark_theme(page, lab):
    """A run one does; white paper turns nearly black, and is as it was in the light."""
    write(lab.root / "dark.ipynb", TIMELINE)
    open_lab(page, lab, "dark.ipynb")
    run_all(page)
    picture = page.locator(".jp-OutputArea-output img")
    how = "img => getComputedStyle(img).filter"
    assert picture.evaluate(how) == "none"
    page.evaluate("() => { document.body.dataset.jpThemeLight = 'false' }")
    assert picture.evaluate(how) == "invert(0.93) hue-rotate(180deg)"


def test_an_error_in_a_cell_is_noticed(page, lab):
    write(lab.root / "error.ipynb", "1 / 0")
    open_lab(page, lab, "error.ipynb")
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        run_all(page)


def test_every_screen_of_a_notebook_is_saved(page, lab, screenshots):
    write(lab.root / "long.ipynb", "for line in range(100):\n    print(line)")
    open_lab(page, lab, "long.ipynb")
    run_all(page)
    saved = screens(page, screenshots / "long.png")
    assert [path.name for path in saved][:2] == ["long-1.png", "long-2.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in saved)
