"""The exercises of the further notebook "Tools of MCP servers"."""

from itertools import product
from typing import Any

from .judging import Exercise, Wrong, call, quiz, shown

# --- 13.1: what a hint decides -----------------------------------------------------------------

_READS, _WRITES = "reads", "writes"
_HINTS = [
    {"readOnlyHint": reads, "idempotentHint": repeats}
    for reads, repeats in product((True, False), repeat=2)
]
_HINTS += [{}, {"readOnlyHint": True}, {"idempotentHint": True}, {"destructiveHint": False}]
_HINTS += [  # hints that decide nothing here beside one that does
    {decides: True, other: value}
    for decides in ("readOnlyHint", "idempotentHint")
    for other in ("destructiveHint", "openWorldHint")
    for value in (True, False)
]
_CASES = [(hints, trusted) for hints in _HINTS for trusted in (True, False)]


def _expected(hints: dict[str, bool], trusted: bool) -> dict[str, Any]:
    reads = trusted and hints.get("readOnlyHint", False)
    repeats = trusted and (reads or hints.get("idempotentHint", False))
    return {"idempotent": repeats, "touches": _READS if reads else _WRITES}


def _hints(options: Any) -> None:
    for hints, trusted in _CASES:
        given = dict(hints)
        got, expected = call(options, given, trusted), _expected(hints, trusted)
        if got != expected or type(got.get("idempotent")) is not bool or given != hints:
            kind = "trusted" if trusted else "a stranger"
            told = f"hints {hints}, and the server is {kind}: it gives {shown(got)}."
            raise Wrong(f"{told} {_why_not(got, expected, hints, trusted, given)}")


def _why_not(got: Any, expected: dict, hints: dict, trusted: bool, given: dict) -> str:
    if given != hints:
        return f"It has changed the hints to {shown(given)}: they are not yours."
    if not isinstance(got, dict) or set(got) != set(expected):
        return "Give a dict with 'idempotent' and 'touches'."
    if type(got["idempotent"]) is not bool:
        return "'idempotent' should be True or False."
    if got["touches"] not in (_READS, _WRITES):
        return f"'touches' should be {_READS!r} or {_WRITES!r}."
    if not trusted:
        return "A stranger may say what it likes: we assume the worst, whatever the hints are."
    if {"destructiveHint", "openWorldHint"} & hints.keys():
        return "destructiveHint and openWorldHint decide neither of the two: leave them out."
    if got["touches"] != expected["touches"]:
        if hints.get("readOnlyHint"):
            return "A tool that only reads can't be in the way of another one that does."
        if hints.get("idempotentHint"):
            return "A tool that may be repeated may still write: only readOnlyHint says no."
        return "Without a readOnlyHint that is True, a tool counts as one that writes."
    if hints.get("readOnlyHint"):
        return "What only reads changes nothing, so it may be read again: it is idempotent, too."
    if hints.get("idempotentHint"):
        return "idempotentHint says that a second run does no more than the first."
    return "A hint that is absent counts as False: so says the specification."


EXERCISES = {
    "13.1": Exercise(
        title="what a hint decides",
        judge=_hints,
        notice=(
            "These are the rules of connection.register: trust_hints=False is the first line, and "
            "the rest is two hints of four. destructiveHint and openWorldHint decide nothing here."
        ),
        hints=(
            "Begin with the stranger: one answer, whatever the hints are.",
            "hints.get('readOnlyHint', False) is False also where the hint is absent.",
            "It may be repeated if it only reads, or if its idempotentHint is True.",
        ),
        solution="""
            def options(hints, trusted):
                reads = trusted and hints.get("readOnlyHint", False)
                repeats = trusted and hints.get("idempotentHint", False)
                return {
                    "idempotent": reads or repeats,
                    "touches": "reads" if reads else "writes",
                }
        """,
    ),
    "13.2": Exercise(
        title="the bank's server",
        judge=quiz(
            right="d",
            wrong={
                "a": "the transfer may have been made before the server died. Asked again, it may "
                "be made twice.",
                "b": "a closed connection is no proof that nothing happened: the server may have "
                "made the transfer, and died while it wrote the answer.",
                "c": "the hint only says that a second run does no more than the first, if it's "
                "true. The server is a stranger's, and its word is all we have.",
            },
        ),
        notice=(
            "An error tells what we know, and that is: no answer came. Only another question can "
            "tell what happened to the money."
        ),
        hints=(
            "At which moments could the server have died? Is the money moved in each of them?",
            "Which of the four is right at all of these moments?",
        ),
        solution="choice = 'd'",
        required=False,
    ),
}
