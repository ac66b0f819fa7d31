"""Exercises in a notebook: ``check("00.1", my_answer)``, ``hint("00.1")``, ``solution("00.1")``.

All of them print and give nothing back. What is done is kept in a small file,
``.ptc-progress.json`` in the notebook's folder, or for those of ``further/`` beside the others'
(or where ``PTC_PROGRESS`` says); ``progress(forget=True)`` removes it.
"""

import inspect
import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from typing import Any

from ..text import describe, explain
from . import record
from .bounded import NeverEndsError, Stopped, bounded
from .saying import say

__all__ = ["Exercise", "check", "hint", "progress", "solution"]

MODULES = {  # a notebook's number, and the module with its exercises
    path.stem[-2:]: path.stem for path in sorted(Path(__file__).parent.glob("notebook_*.py"))
}
PATIENCE = 10.0  # seconds that an answer may take, with all that it is tried on
hints_shown: dict[str, int] = {}
_tried = ""  # what the answer was last called with


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


# --- what a reader calls ------------------------------------------------------------------------


def check(number: str, answer: Any) -> None:
    """Say whether an answer is right and, if not, what is wrong with it.

    check("00.1", max)
    """
    exercise = _find(number)
    if exercise is None:
        return
    head = f"{number} {exercise.title}"
    try:
        _judge(exercise, answer)
    except NotAttempted:
        say(f"○ {head}: not attempted yet.")
    except Wrong as wrong:
        say(f"✗ {head}: {wrong}\n  Stuck? hint({number!r}) gives a hint.")
    else:
        say(f"✓ {head}: right. {exercise.notice}\n  {_keep(number)}")


def hint(number: str) -> None:
    """Show the next hint; after the last one, begin again."""
    exercise = _find(number)
    if exercise is None:
        return
    shown = hints_shown.get(number, 0) % len(exercise.hints)
    hints_shown[number] = shown + 1
    say(f"Hint {shown + 1} of {len(exercise.hints)}: {exercise.hints[shown]}")
    if shown + 1 == len(exercise.hints):
        say(f"That was the last one; solution({number!r}) shows an answer.")


def solution(number: str) -> None:
    """Show a right answer."""
    exercise = _find(number)
    if exercise is not None:
        say(dedent(exercise.solution).strip())


def progress(forget: bool = False) -> None:
    """Show what is done of all exercises; with ``forget``, begin anew."""
    if forget:
        try:
            said = record.forget()
        except OSError as error:
            said = f"nothing is forgotten: {explain(error)}"
        if said:
            say(f"({said})")
    for notebook in MODULES:
        say(f"{notebook}: {_count(notebook, record.done())}")


# --- what the judges share ----------------------------------------------------------------------


def call(function: Callable[..., Any], *args: Any) -> Any:
    """What the learner's function gives; raises NotAttempted for None, Wrong if it raises."""
    global _tried
    _tried = f"for {', '.join(map(_argument, args))} " if args else ""
    if not callable(function):
        raise Wrong(f"give the function itself, not {shown(function)}.")
    try:
        value = function(*args)
    except (KeyboardInterrupt, Stopped):
        raise
    except BaseException as error:
        raise Wrong(f"{_tried}it raised {explain(error)}.") from error
    if value is None:
        raise NotAttempted
    if inspect.iscoroutine(value):
        value.close()
        raise Wrong("it gives a coroutine, which nobody awaits: write def, not async def.")
    return value


def quiz(right: str, wrong: dict[str, str]) -> Callable[[Any], None]:
    """A judge of one letter; ``wrong`` says of each other choice why it isn't the one."""

    def judge(answer: Any) -> None:
        letter = str(answer).strip().lower()
        if letter in wrong:
            raise Wrong(f"not {letter}: {wrong[letter]}")
        if letter != right:
            letters = ", ".join(sorted([right, *wrong]))
            raise Wrong(
                f"{shown(answer)} is none of the choices; answer with one letter of {letters}."
            )

    return judge


def is_number(value: Any) -> bool:
    """Is it a real number, of whatever type? A bool isn't, nor is a number in quotes."""
    return isinstance(value, numbers.Real | Decimal) and not isinstance(value, bool)


def close(a: Any, b: float) -> bool:
    """Are two numbers the same, but for rounding?"""
    return is_number(a) and abs(float(a) - b) < 1e-9


def why_not(answer: Any, known: Mapping[float, str], otherwise: str) -> str:
    """What is wrong with a number: the text of the known mistake that gives it, or another."""
    return next((text for number, text in known.items() if close(answer, number)), otherwise)


def shown(value: Any, most: int = 80) -> str:
    """The value as Python writes it, cut to ``most`` characters with its last one kept.

    A cut text or list stays closed, and doesn't run into the sentence around it:

        shown("a" * 100, 9)  # "'aaaaaa…'"
    """
    try:
        text = repr(value)
    except Exception:
        text = describe(value)
    return text if len(text) <= most else f"{text[: most - 2]}…{text[-1]}"


def _argument(value: Any) -> str:
    name = getattr(value, "__name__", "")
    return name if name and callable(value) else shown(value, 100)


# --- how an answer is judged ---------------------------------------------------------------------


def _judge(exercise: Exercise, answer: Any) -> None:
    """Raise NotAttempted or Wrong, or return: whatever the answer does, nothing else comes out."""
    global _tried
    _tried = ""
    if answer is None:
        raise NotAttempted
    raised = bounded(lambda: exercise.judge(answer), PATIENCE)
    if raised is None:
        return
    if isinstance(raised, Wrong) or (isinstance(raised, NotAttempted) and _is_starter(answer)):
        raise raised
    raise Wrong(_why_not_judged(raised)) from raised


def _why_not_judged(raised: BaseException) -> str:
    if isinstance(raised, NotAttempted):
        return (
            f"{_tried}it gives None, as a function does that ends without return. Does yours "
            "return its answer?"
        )
    if isinstance(raised, NeverEndsError):
        return (
            f"{_tried}it hasn't ended after {PATIENCE:g} s. Look for a loop, or a wait, that "
            "never ends."
        )
    return f"checking it raised {explain(raised)}."


def _is_starter(answer: Any) -> bool:
    """Does the function do nothing but return None, as each starter does?"""
    code = getattr(answer, "__code__", None)
    return not callable(answer) or (code is not None and code.co_code in _starter_codes())


def _starter_codes() -> set[bytes]:
    def with_a_docstring():
        """The answer."""
        return None

    def without():
        return None

    async def awaited_with_a_docstring():
        """The answer."""
        return None

    async def awaited():
        return None

    starters = (with_a_docstring, without, awaited_with_a_docstring, awaited)
    return {starter.__code__.co_code for starter in starters}


# --- which exercises there are, and which are done -----------------------------------------------


def _find(number: str) -> Exercise | None:
    """The exercise of that number; where there is none, say which there are."""
    notebook, dot, _ = str(number).strip().partition(".")
    known = _exercises(notebook.zfill(2)) if dot else {}
    if number in known:
        return known[number]
    if known:
        say(f"There is no exercise {number!r}; this notebook has {', '.join(sorted(known))}.")
    else:
        notebooks = ", ".join(MODULES)
        say(f"There is no exercise {number!r}; write one as '00.1'. Notebooks: {notebooks}.")
    return None


def _exercises(notebook: str) -> dict[str, Exercise]:
    if notebook not in MODULES:
        return {}
    return import_module(f".{MODULES[notebook]}", __package__).EXERCISES


def _keep(number: str) -> str:
    """Keep that it is done, and say how many are."""
    try:
        said = record.add(number)
    except OSError as error:
        said = f"progress is not kept: {explain(error)}"
    counted = _count(number[:2], record.done() | {number})
    return counted + (f"\n  ({said})" if said else "")


def _count(notebook: str, done: set[str]) -> str:
    here = _exercises(notebook)
    return f"{len(done & set(here))} of {len(here)} exercises of this notebook done."
