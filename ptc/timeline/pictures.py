"""A picture in a notebook, with its words for who can't see it, in light and dark themes."""

import base64
import html
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

from ..text import without_surrogates

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Output", "picture_output", "small_png", "with_words"]

# JupyterLab and nbconvert ignore the alternative text in an output's metadata, so HTML of our own
# carries it. It is one line, which nbval masks as a whole: see workbook/sanitize.cfg.
_HTML = (
    '<div class="ptc-figure">'
    '<style>body[data-jp-theme-light="false"] .ptc-figure img'
    "{{filter:invert(0.93) hue-rotate(180deg)}}</style>"
    '<img alt="{words}" width="{width}" src="data:image/png;base64,{data}">'
    "<details><summary>The picture in words</summary><p>{words}</p></details>"
    "{note}</div>"
)


class Output(NamedTuple):
    """What IPython stores of an output: its forms by type, and what is known about each."""

    data: dict[str, Any]
    metadata: dict[str, Any]


def with_words(figure: "Figure", words: str, plain: str = "<Figure>") -> "Figure":
    """The figure, which a notebook then shows with what it says in words, in a fold below it.

        display(with_words(figure, "Makespan against workers: it falls from 1.8 s to 0.4 s."))

    Timelines have words of their own. ``plain`` stands where only text can be shown; tests of
    stored notebooks compare it, so it has no measured times in it.
    """

    def output(**_: Any) -> Output:
        data = BytesIO()
        figure.savefig(data, format="png", dpi=2 * figure.dpi, metadata={"Software": None})
        width = int(figure.get_size_inches()[0] * figure.dpi)
        return picture_output(small_png(data.getvalue()), words, width, plain)

    figure.__dict__["_repr_mimebundle_"] = output  # where IPython looks for it
    return figure


def picture_output(png: bytes, words: str, width: int, plain: str, note: str = "") -> Output:
    """A picture as a notebook's output, ``width`` pixels wide on the page.

    As HTML it has its words as the image's alternative text and in a fold below it, and a dark
    theme darkens it; as PNG it is for who shows no HTML. ``note`` is a line below the fold.

        data, metadata = picture_output(png, "A rising line.", 800, "<Figure>")
    """
    words = without_surrogates(words)
    as_html = _HTML.format(
        words=html.escape(" ".join(words.split())),
        width=width,
        data=base64.b64encode(png).decode(),
        note=f"<p>{html.escape(note)}</p>" if note else "",
    )
    data = {"text/html": as_html, "image/png": png, "text/plain": plain}
    return Output(data, {"image/png": {"alt": words, "width": width}})


def small_png(data: bytes) -> bytes:
    """The same chart in 64 colours: a third of the bytes in a notebook's file, and looks alike.

    stored = small_png(drawn)
    """
    from PIL import Image

    small = BytesIO()
    Image.open(BytesIO(data)).convert("RGB").quantize(64).save(small, "PNG", optimize=True)
    return small.getvalue()
