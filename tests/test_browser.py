"""What a reader sees: every notebook, run in a real JupyterLab in a real browser."""

import contextlib
import os
import re

import nbconvert
import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
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
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

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


# What the two pages bring with them, whatever the notebook is: nbconvert's numbers beside the cells
# and its colours of code; of JupyterLab's page only what a notebook fills is looked at.
NBCONVERTS_OWN = [".jp-InputPrompt", ".jp-OutputPrompt", ".highlight"]
OURS_IN_JUPYTERLAB = [".jp-MarkdownOutput", ".jp-OutputArea-output"]


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
                check_words_of_stored_pictures(pages[name], name)
                start_all(pages[name])
        with begun[path]:
            yield pages[path]

    return page_of


@pytest.mark.parametrize("path", NOTEBOOKS)
def test_a_notebook_runs_to_its_end(under_way, screenshots, path):
    """No cell fails, the page throws nothing, and axe finds nothing of ours to mend.

    As it comes, before it is run, each of its pictures has its words.
    """
    with under_way(path) as page:
        wait_for_end(page)
        assert to_mend(page, {"include": [[part] for part in OURS_IN_JUPYTERLAB]}) == []
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


PICTURES = ".jp-OutputArea-output img, .jp-RenderedImage img"


def words_of_pictures(page):
    """What a reader who can't see gets of each picture: its own words, and those in its fold."""
    said = [img.get_attribute("alt") for img in page.locator(PICTURES).all()]
    return said, page.locator(".jp-OutputArea-output details p").all_text_contents()


def check_words_of_stored_pictures(page, path):
    """Each picture that the notebook's file holds is in the page, with its words and its fold."""
    nb = nbformat.read(build.TOP / path, as_version=4)
    stored = [output for cell in build.code_cells(nb) for output in build.pictures(cell)]
    page.wait_for_function(
        "([pictures, n]) => document.querySelectorAll(pictures).length === n",
        arg=[PICTURES, len(stored)],
    )
    said, folds = words_of_pictures(page)
    assert said == folds
    assert all(len(words) > 60 for words in said)


def to_mend(page, context):
    """What the axe engine finds: the rule, and the elements that break it."""
    found = Axe().run(page, context=context).response["violations"]
    return [(v["id"], [node["html"][:200] for node in v["nodes"]]) for v in found]


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


@pytest.fixture(scope="module")
def plain_page(browser):
    """A page for files of HTML, which fetches nothing else."""
    with new_page(browser) as page:
        page.route(re.compile("^https?:"), lambda route: route.abort())
        yield page


@pytest.mark.parametrize("path", NOTEBOOKS)
def test_its_page_of_html_can_be_read_by_everybody(plain_page, tmp_path, path):
    """Each picture has its words, and axe finds nothing of ours, light or dark."""
    nb = nbformat.read(build.TOP / path, as_version=4)
    about = {"metadata": {"name": path}}
    for theme in ("light", "dark"):
        shown, _ = nbconvert.HTMLExporter(theme=theme).from_notebook_node(nb, about)
        file = tmp_path / f"{theme}.html"
        file.write_text(shown, encoding="utf-8")
        plain_page.goto(file.as_uri(), wait_until="domcontentloaded")
        check_words_of_stored_pictures(plain_page, path)
        assert to_mend(plain_page, {"exclude": [[part] for part in NBCONVERTS_OWN]}) == []


def test_what_axe_would_find_is_found(plain_page, tmp_path):
    """A link that only its colour tells from the text; the page's own faults are left out."""
    cells = [new_markdown_cell("# A\n\nSee [there](b.ipynb), and go on."), new_code_cell("0.5")]
    shown, _ = nbconvert.HTMLExporter().from_notebook_node(new_notebook(cells=cells))
    (tmp_path / "bad.html").write_text(shown, encoding="utf-8")
    plain_page.goto((tmp_path / "bad.html").as_uri(), wait_until="domcontentloaded")
    found = to_mend(plain_page, {"exclude": [[part] for part in NBCONVERTS_OWN]})
    assert [rule for rule, _ in found] == ["link-in-text-block"]


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
