"""Runs the notebooks again and stores their outputs in one normal form.

    python -m ptc.workbook.build                                   all of them, in order
    python -m ptc.workbook.build notebooks/00_start_here.ipynb     some
    python -m ptc.workbook.build --fresh …                         keep nothing of what is stored

A rerun without an edit leaves no difference: a cell's stored outputs, text and picture, are kept
where the new text says the same but for times printed after ``≈``. A picture remembers the source
it was drawn from and is drawn again when that changes. Where something else changed it (the
package, an earlier cell) and no number beside it says so, ``--fresh`` is needed.
"""

import argparse
import copy
import hashlib
import os
import re
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

TOP = Path(__file__).parents[2]

# A run for the record asks no real model and no real service, and draws where it always draws.
CLEARED = (
    *("PTC_MODEL", "PTC_ANTHROPIC_MODEL", "PTC_LIVE"),
    *("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"),
    *("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"),
    *("GEMINI_API_KEY", "GOOGLE_API_KEY", "OLLAMA_HOST", "MPLBACKEND"),
)
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_CELL_METADATA = ("tags", "jupyter")
_WIDGET = "application/vnd.jupyter.widget-view+json"
_DRAWN_FROM = "drawn_from"


def notebooks() -> list[Path]:
    """All notebooks in reading order, those of ``further/`` last."""
    folder = TOP / "notebooks"
    return sorted(folder.glob("*.ipynb")) + sorted(folder.glob("further/*.ipynb"))


def forget_the_user(home: Path) -> None:
    """Clears providers' variables, and keeps what a reader's own runs left out of this process."""
    for name in CLEARED:
        os.environ.pop(name, None)
    os.environ["PTC_PROGRESS"] = str(home / "progress.json")
    os.environ["IPYTHONDIR"] = str(home / "ipython")
    os.environ["JUPYTER_CONFIG_DIR"] = str(home / "jupyter")


def build(path: Path, fresh: bool = False) -> bool:
    """Runs the notebook, stores it again, and says whether its file changed."""
    before = path.read_text("utf-8")
    stored = normal(nbformat.reads(before, as_version=4))
    made = normal(run(stored, path.parent))
    for new, old in zip(code_cells(made), code_cells(stored), strict=True):
        mark_pictures(new)
        if not fresh and facts(new) == facts(old) and marks(new) == marks(old):
            new.outputs = old.outputs
    after = text_of(made)
    path.write_text(after, encoding="utf-8", newline="\n")
    return after != before


def run(nb: NotebookNode, folder: Path) -> NotebookNode:
    """A copy of the notebook with the outputs of a new kernel, started in ``folder``."""
    return NotebookClient(
        copy.deepcopy(nb),
        timeout=300,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
    ).execute()


def code_cells(nb: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def normal(nb: NotebookNode) -> NotebookNode:
    """A copy without what differs from machine to machine and from run to run."""
    nb = copy.deepcopy(nb)
    nb.metadata = nbformat.from_dict(METADATA)
    nb.nbformat, nb.nbformat_minor = 4, 5
    for number, cell in enumerate(nb.cells):
        cell.setdefault("id", f"cell-{number:02}")
        kept = {name: cell.metadata[name] for name in _CELL_METADATA if name in cell.metadata}
        cell.metadata = nbformat.from_dict(kept)
        if cell.cell_type == "code":
            cell.outputs = _merged(cell.outputs)
    return nb


def _merged(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Pieces of one stream joined; no live widget, which a page without a kernel can't show."""
    merged: list[NotebookNode] = []
    for output in outputs:
        output.get("data", {}).pop(_WIDGET, None)
        if merged and "name" in output and merged[-1].get("name") == output.name:
            merged[-1].text += output.text
        else:
            merged.append(output)
    return merged


def text_of(nb: NotebookNode) -> str:
    """The text of the notebook's file: one normal form, so that differences mean something."""
    return nbformat.writes(nb, indent=1, sort_keys=True, ensure_ascii=False).rstrip("\n") + "\n"


def facts(cell: NotebookNode) -> list[object]:
    """What the cell's outputs say: their kinds and their text, no measured times, no pixels."""
    return [
        (
            output.output_type,
            sanitized(output.get("text", "")),
            output.get("evalue"),
            [_without_pixels(*item) for item in sorted(output.get("data", {}).items())],
        )
        for output in cell.outputs
    ]


def _without_pixels(kind: str, data: object) -> tuple[str, str]:
    return kind, "" if kind.startswith("image/") else sanitized(str(data))


def sanitized(text: str) -> str:
    """The text with its measured times masked, by the same rules as in the tests."""
    rules = Path(__file__).with_name("sanitize.cfg").read_text("utf-8")
    for regex, replace in re.findall("^regex: (.*)\n^replace: (.*)$", rules, re.MULTILINE):
        text = re.sub(regex, replace, text)
    return text


def marks(cell: NotebookNode) -> list[str | None]:
    """For each picture of the cell, the mark of the source that it was drawn from."""
    return [output.metadata.get(_DRAWN_FROM) for output in pictures(cell)]


def mark_pictures(cell: NotebookNode) -> None:
    for output in pictures(cell):
        output.metadata[_DRAWN_FROM] = source_mark(cell)


def source_mark(cell: NotebookNode) -> str:
    return hashlib.sha256(cell.source.encode()).hexdigest()[:12]


def pictures(cell: NotebookNode) -> list[NotebookNode]:
    """The cell's outputs that hold a picture."""
    return [o for o in cell.outputs if any(k.startswith("image/") for k in o.get("data", {}))]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m ptc.workbook.build", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("notebooks", nargs="*", type=Path, default=notebooks())
    parser.add_argument("--fresh", action="store_true", help="keep no stored output")
    options = parser.parse_args()
    for path in options.notebooks:
        with tempfile.TemporaryDirectory() as home:
            forget_the_user(Path(home))
            changed = build(path, options.fresh)
        print(f"{'changed' if changed else 'same   '} {path}")


if __name__ == "__main__":
    main()
