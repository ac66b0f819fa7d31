"""What stands in a model's reply: its calls, their ids, names and arguments."""

import json
from collections.abc import Collection, Iterator, Sequence
from itertools import chain, count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ..text import describe, shorten

if TYPE_CHECKING:
    from .formats import WireFormat

_decoder = json.JSONDecoder(parse_constant=int)  # int("NaN") raises: NaN is no JSON


def as_sent(response: Any) -> Any:
    """The plain data that an SDK's object was made from, without its SDK; other things as is."""
    try:
        dump = getattr(response, "model_dump", None)
        options = {"mode": "json", "by_alias": True, "exclude_unset": True, "warnings": False}
        return dump(**options) if dump else response
    except Exception as error:
        raise ValueError(f"unreadable {type(response).__name__}: {describe(error)}") from error


def get(data: Any, key: str, kind: type) -> Any:
    """The list or object at a key, empty if there is none. Raises ValueError for other things."""
    if not isinstance(data, dict) or not isinstance(data.get(key), kind | None):
        raise ValueError(f"broken reply: no {kind.__name__} as {key!r}")
    return data.get(key) or kind()


def places(*lists: list, kind: str | None = None) -> list[tuple]:
    every = [(items, place) for items in lists for place in range(len(items))]
    return [(i, at) for i, at in every if kind is None or text_at(i[at], "type") == kind]


def text_at(data: Any, key: str) -> str | None:
    value = data.get(key) if isinstance(data, dict) else None
    return value if isinstance(value, str) and value else None


def unique(sent_ids: Sequence[str | None]) -> Iterator[str]:
    """An id for each call: as sent, numbered from its second use on; a new one where missing."""
    taken, uses, batch = set(sent_ids), dict.fromkeys(sent_ids, 0), uuid4().hex[:16]
    for place, sent in enumerate(sent_ids):
        new = sent or f"call_{batch}_{place}"
        uses[sent] += 1
        while sent and uses[sent] > 1 and (new := f"{sent}-{uses[sent]}") in taken:
            uses[sent] += 1
        taken.add(new)
        yield new


def new_id(sent: str | None, taken: Collection[str]) -> str:
    """An id for one more call: as sent, numbered where it's taken, a new one where missing."""
    first = sent or f"call_{uuid4().hex[:16]}"
    candidates = chain([first], (f"{first}-{n}" for n in count(2)))
    return next(candidate for candidate in candidates if candidate not in taken)


def read_arguments(sent: Any) -> tuple[dict[str, Any], str | None]:
    """The arguments, and what is wrong with them. None and blank text mean no arguments."""
    why, value = "", {} if sent is None else sent
    try:
        if isinstance(sent, str):
            value = _parse(sent)
    except ValueError as error:
        why = f" ({quote(error)})"
    except RecursionError:  # its words and its depth differ from one Python to the next
        why = " (nested too deeply)"
    if isinstance(value, dict):
        return value, None
    return {}, f"no JSON object: {quote(sent)}{why}; send the arguments as one JSON object"


def _parse(text: str) -> Any:
    if text.startswith("{"):  # as nearly all do: `decode` first looks for white space
        value, end = _decoder.raw_decode(text)
        if end == len(text):
            return value
    return _decoder.decode(text) if text.strip() else {}


def quote(sent: Any) -> str:
    return shorten(describe(sent), 200)


def body_of(call: Any, wire: "WireFormat") -> dict | None:
    """The part of a call that has its name and arguments; the chapter's may be flat."""
    key = wire.keys[1]
    if isinstance(call, dict) and key and (key in call or "name" not in call):
        call = call.get(key)
    return call if isinstance(call, dict) else None


def read_call(call: Any, wire: "WireFormat") -> tuple[str, dict[str, Any], str | None]:
    """Name, arguments and problem of a call."""
    body = body_of(call, wire)
    if name := text_at(body, "name"):
        return name, *read_arguments(body.get(wire.keys[2]))
    return "", {}, f"no function is named in {quote(call)}; send its name and arguments"
