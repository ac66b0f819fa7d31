"""What stands in a reply, whoever sent it: plain data, ids, arguments, and why it ended early."""

import json
import string
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from ..calls import ToolCall
from ..making import make_call
from ..text import describe, shorten, split_advice, with_advice

_decoder = json.JSONDecoder(parse_constant=int)  # int("NaN") raises: NaN is not JSON
_ID_CHARACTERS = string.ascii_letters + string.digits
_ID_LENGTH = 9  # Mistral takes no other length; every provider takes this one

# Why a reply ended early, in the words of all providers that name the reason of a normal end too.
_CUTS = {
    *("length", "max_tokens", "model_length", "model_context_window_exceeded"),
    *("content_filter", "content_filtered", "refusal", "safety", "guardrail_intervened"),
    *("error", "abort", "insufficient_system_resource"),
    *("malformed_model_output", "malformed_tool_use"),
}
_LIMITS = ("length", "max_", "context_window")


class UnreadableReplyError(ValueError):
    """A reply, or a chunk of one, that is broken, empty, or of no known shape."""


CallBody = tuple[str, dict[str, Any], str | None]
"""What a call asks for: its name, its arguments, and why it can't be run, or None if it can."""


@dataclass(slots=True)
class Slot:
    """The place of one call in a message: what holds it, and the key or index there."""

    holder: Any
    key: Any

    @property
    def entry(self) -> Any:
        return self.holder[self.key]

    def put(self, entry: Any) -> None:
        self.holder[self.key] = entry


def as_sent(response: Any) -> Any:
    """The plain data that an SDK's object was made from, without its SDK; other things as is."""
    dump = getattr(response, "model_dump", None)
    if dump is None:
        return response
    try:
        return dump(mode="json", by_alias=True, exclude_unset=True, warnings=False)
    except Exception as error:
        name = type(response).__name__
        raise UnreadableReplyError(f"unreadable {name}: {describe(error)}") from error


def excerpt(sent: Any) -> str:
    """At most 200 characters of what was sent."""
    return shorten(describe(sent), 200)


def dict_at(data: Any, key: str) -> dict[str, Any]:
    """The object at a key, empty where there is none. Raises UnreadableReplyError for others."""
    return _at(data, key, dict, "an object") or {}


def list_at(data: Any, key: str) -> list[Any]:
    """The list at a key, empty where there is none. Raises UnreadableReplyError for others."""
    return _at(data, key, list, "a list") or []


def string_at(data: Any, key: str) -> str:
    """The text at a key, empty where there is none. Raises UnreadableReplyError for others."""
    return _at(data, key, str, "text") or ""


def _at(data: Any, key: str, kind: type, wanted: str) -> Any:
    value = data.get(key) if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(value, kind | None):
        raise UnreadableReplyError(f"broken reply: {key!r} is not {wanted} in {excerpt(data)}")
    return value


def text_at(data: Any, key: str) -> str | None:
    """The text at a key; None where there is none, or something else."""
    if isinstance(data, dict):
        value = data.get(key)
        if value and isinstance(value, str):
            return value
    return None


def read_arguments(sent: Any) -> tuple[dict[str, Any], str | None]:
    """The arguments, and what is wrong with them. None, ``null`` and blank text mean none."""
    why = ""
    try:
        value = _parse(sent) if isinstance(sent, str) else sent
        if isinstance(value, dict):
            return value, None
        if value is None:
            return {}, None
    except ValueError as error:
        why = f" ({excerpt(error)})"
    except RecursionError:  # its words and its depth differ from one Python to the next
        why = " (nested too deeply)"
    what = f"not a JSON object: {excerpt(sent)}{why}"
    return {}, with_advice(what, "send the arguments as one JSON object")


def _parse(text: str) -> Any:
    if text.startswith("{"):  # as nearly all do: `decode` first looks for white space
        value, end = _decoder.raw_decode(text)
        if end == len(text):
            return value
    return _decoder.decode(text) if text.strip() else None


class CallMaker:
    """Makes the calls of one reply, each with an id of its own.

    An id is kept as it was sent. Where it is missing or was used before, the call gets a new one.
    """

    def __init__(self) -> None:
        self._made: dict[str, ToolCall] = {}
        self._seen: defaultdict[str, set[str]] = defaultdict(set)  # of ids that came again

    def make(self, body: CallBody, sent_id: str | None) -> ToolCall:
        """The call, with a ``problem`` where it repeats one that was made before."""
        name, arguments, problem = body
        id = sent_id
        if not id or id in self._made:
            id = self._new_id()
            if sent_id and problem is None:
                problem = self._repeated(name, arguments, sent_id)
        call = self._made[id] = make_call(id, name, arguments, problem, sent_id)
        return call

    def _new_id(self) -> str:
        from random import SystemRandom  # a seed of the user's must not give two replies one id

        random, new = SystemRandom(), ""
        while not new or new in self._made:
            new = "".join(random.choices(_ID_CHARACTERS, k=_ID_LENGTH))
        return new

    def _repeated(self, name: str, arguments: dict[str, Any], sent_id: str) -> str | None:
        """Why a call isn't run that was sent before: with one id, name and arguments."""
        seen, text = self._seen[sent_id], _as_text(name, arguments)
        if not seen:
            first = self._made[sent_id]
            seen.add(_as_text(first.name, first.arguments))
        if not text or text not in seen:
            seen.add(text)
            return None
        what = (
            "not run: this very call, with the same id and arguments, came before in the same "
            "reply, and its answer is there"
        )
        return with_advice(what, "ask for it again in the next reply if you want it twice")


def _as_text(name: str, arguments: dict[str, Any]) -> str:
    """Equal for equal calls; "" for one that is nested too deeply to say."""
    try:  # as text: 1 and true are equal to Python, and not to a tool
        return repr((name, arguments))
    except RecursionError:
        return ""


def cut_by(key: str, reason: Any) -> str | None:
    """``finish_reason: length`` where the reason for a reply's end means that it was cut."""
    return f"{key}: {reason}" if describe(reason).lower() in _CUTS else None


def cut_problem(cut: str, problem: str | None = None) -> str:
    """Why the last call of a reply that was cut is not run, whatever came of it."""
    who = "a limit" if any(limit in cut for limit in _LIMITS) else "its provider"
    what = (
        f"not run: the reply was cut off by {who} ({cut}), and this call, its last, may not be "
        "complete"
    )
    if problem:
        what += f" ({split_advice(problem).what})"
    return with_advice(what, "send it again, in a shorter reply")
