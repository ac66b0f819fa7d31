"""For who teaches: a copy of the notebooks without outputs, and a room's progress at a glance."""

import json
import shutil
from collections.abc import Iterable
from importlib import import_module
from itertools import count
from pathlib import Path

import nbformat

from ..exercises.judging import Exercise
from .build import TOP, code_cells, notebooks, text_of

_MOST_NAMES = 6  # of those who haven't done an exercise


def copy(folder: Path) -> None:
    """Write all notebooks, without outputs and counts, and their pictures into a new folder.

    Raises:
        FileExistsError: there is such a folder, with somebody's work in it perhaps.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} is there already; `reset` makes it anew and keeps it")
    for path in notebooks():
        target = folder / path.relative_to(TOP / "notebooks")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(blank(path.read_text("utf-8")), encoding="utf-8", newline="\n")
    for picture in (TOP / "notebooks").glob("*.png"):
        shutil.copy(picture, folder)


def reset(folder: Path) -> Path | None:
    """Make the copy anew. What was there keeps its files in a folder beside it, which is given."""
    kept = None
    if folder.exists():
        names = (folder.with_name(f"{folder.name}-{number}") for number in count(1))
        kept = folder.rename(next(name for name in names if not name.exists()))
    copy(folder)
    return kept


def blank(text: str) -> str:
    """A notebook's text without the outputs and counts of its cells."""
    nb = nbformat.reads(text, as_version=4)
    for cell in code_cells(nb):
        cell.outputs, cell.execution_count = [], None
    return text_of(nb)


def overview(folder: Path) -> str:
    """For each exercise how many learners have done it, and who of them has not.

    A learner is a file of the folder: what ``PTC_PROGRESS`` named while they worked. One that
    can't be read, as while it is being written, counts as empty.
    """
    done = {path.stem: _done(path) for path in sorted(folder.glob("*.json"))}
    if not done:
        return f"no progress files in {folder}: each learner sets PTC_PROGRESS to one of their own"
    lines = [f"{len(done)} learners in {folder}"]
    for number, exercise in _exercises().items():
        missing = [name for name, numbers in done.items() if number not in numbers]
        if exercise.required or len(missing) < len(done):
            stretch = "" if exercise.required else " (stretch)"
            names = _names(missing) if exercise.required and len(missing) < len(done) else ""
            share = f"{len(done) - len(missing)} of {len(done)}"
            lines.append(f"{number}  {share:9} {exercise.title}{stretch}{names}")
    return "\n".join(lines)


def _done(path: Path) -> set[str]:
    try:
        return set(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return set()


def _names(missing: list[str]) -> str:
    """Who has not done it yet, where some have."""
    if not missing:
        return ""
    more = len(missing) - _MOST_NAMES
    named = ", ".join(missing[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
    return f"; not yet: {named}"


def _exercises() -> dict[str, Exercise]:
    """All exercises by number, in the notebooks' order."""
    folder = TOP / "ptc" / "exercises"
    modules: Iterable[str] = sorted(path.stem for path in folder.glob("notebook_*.py"))
    parts = [import_module(f"ptc.exercises.{name}").EXERCISES for name in modules]
    return {number: exercise for part in parts for number, exercise in part.items()}
