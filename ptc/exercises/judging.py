"""Exercises in a notebook: ``check("00.1", my_answer)``, ``hint("00.1")``, ``solution("00.1")``.

All three print and give nothing back. What is done is kept in a small file, ``.ptc-progress.json``
in the notebook's folder, or for those of ``further/`` beside the others' (or where
``PTC_PROGRESS`` says); ``progress(forget=True)`` removes it.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from typing import Any

from ..text import describe, explain, shorten

__all__ = ["Exercise", "check", "hint", "progress", "solution"]

_MODULES = {  # a notebook's number, and the module with its exercises
    path.stem[-2:]: path.stem for path in sorted(Path(__file__).parent.glob("notebook_*.py"))
}
_hints_shown: dict[str, int] = {}


class NotAttempted(Exception):
    """The answer is still the starter's None."""


class Wrong(Exception):
    """The answer isn't right; the text says what is wrong, with an input that shows it."""


@dataclass(frozen=True)
class Exercise:
    """``judge(answer)`` returns when the answer is right and raises :class:`Wrong` when not.

    ``notice`` is said on success; ``solution`` is code, shown on request alone.
    """

    title: str
    judge: Callable[[Any], object]
    notice: str
    hints: tuple[str, ...]
    solution: str
    required: bool = True


def check(number: str, answer: Any) -> None:
    """Say whether an answer is right and, if not, what is wrong with it."""
    exercise = _exercise(number)
    try:
        if answer is None:
            raise NotAttempted
        exercise.judge(answer)
    except NotAttempted:
        begun = getattr(getattr(answer, "__code__", None), "co_names", ())
        told = "it gives None so far; does it return its answer?" if begun else "not attempted yet."
        print(f"○ {number} {exercise.title}: {told}")
    except Wrong as wrong:
        print(f"✗ {number} {exercise.title}: {wrong}\n  Stuck? hint({number!r}) gives a hint.")
    else:
        _write(_done() | {number})
        print(f"✓ {number} {exercise.title}: right. {exercise.notice}")
        print(f"  {_count(number)}")


def hint(number: str) -> None:
    """Show the next hint; after the last one, begin again."""
    hints = _exercise(number).hints
    shown = _hints_shown.get(number, 0) % len(hints)
    _hints_shown[number] = shown + 1
    print(f"Hint {shown + 1} of {len(hints)}: {hints[shown]}")
    if shown + 1 == len(hints):
        print(f"That was the last one; solution({number!r}) shows an answer.")


def solution(number: str) -> None:
    """Show a right answer."""
    print(dedent(_exercise(number).solution).strip())


def progress(forget: bool = False) -> None:
    """Show what is done of all exercises; with ``forget``, begin anew."""
    if forget:
        _file().unlink(missing_ok=True)
    for notebook in _MODULES:
        print(f"{notebook}: {_count(notebook)}")


def call(function: Callable[..., Any], *args: Any) -> Any:
    """What the learner's function gives; raises NotAttempted for None, Wrong if it raises."""
    shown = shorten(", ".join(map(repr, args)), 120)
    if not callable(function):
        raise Wrong(f"give the function itself, not {shorten(describe(function), 80)}.")
    try:
        value = function(*args)
    except Exception as error:
        raise Wrong(f"for {shown} it raised {explain(error)}.") from error
    if value is None:
        raise NotAttempted
    return value


def quiz(right: str, wrong: dict[str, str]) -> Callable[[Any], None]:
    """A judge of one letter; ``wrong`` says of each other choice why it isn't the one."""

    def judge(answer: Any) -> None:
        letter = str(answer).strip().lower()
        if letter in wrong:
            raise Wrong(f"not {letter}: {wrong[letter]}")
        if letter != right:
            letters = ", ".join(sorted([right, *wrong]))
            raise Wrong(f"{answer!r} is none of the choices; answer with one letter of {letters}.")

    return judge


def close(a: Any, b: float) -> bool:
    """Are two numbers the same, but for rounding?"""
    return isinstance(a, int | float) and abs(a - b) < 1e-9


def why_not(answer: Any, known: Mapping[float, str], otherwise: str) -> str:
    """What is wrong with a number: the text of the known mistake that gives it, or another."""
    return next((text for number, text in known.items() if close(answer, number)), otherwise)


def _exercise(number: str) -> Exercise:
    notebook = str(number)[:2]
    known = _exercises(notebook) if notebook in _MODULES else {}
    if number not in known:
        raise KeyError(f"no exercise {number!r}; known: {list(known) or list(_MODULES)}")
    return known[number]


def _exercises(notebook: str) -> dict[str, Exercise]:
    return import_module(f".{_MODULES[notebook]}", __package__).EXERCISES


def _count(number: str) -> str:
    here = _exercises(number[:2])
    return f"{len(_done() & set(here))} of {len(here)} exercises of this notebook done."


def _file() -> Path:
    here = Path.cwd()
    folder = here.parent if here.name == "further" else here
    return Path(os.environ.get("PTC_PROGRESS") or folder / ".ptc-progress.json")


def _done() -> set[str]:
    try:
        return set(json.loads(_file().read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return set()


def _write(done: Iterable[str]) -> None:
    try:
        _file().write_text(json.dumps(sorted(done)), encoding="utf-8")
    except OSError as error:
        print(f"  (progress is not kept: {explain(error)})")
