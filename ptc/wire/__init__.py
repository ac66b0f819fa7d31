"""From a provider's reply to tool calls, and from tool results to the messages that answer it."""

import warnings
from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any

from ..calls import ToolCall, ToolResult
from ..text import secrets
from .formats import _SHAPES, WIRES, WireFormat
from .mending import faults
from .reading import as_sent, quote, read_call, text_at, unique


def extract_parallel_calls(response: Any) -> list[ToolCall]:
    """The tool calls of a model's whole reply (a dict, or an SDK's object), in request order.

    One that can't be run as it came has a ``problem``. Raises ValueError at an unknown shape.
    """
    wire, message = _opened(response)
    entries = [holder[place] for holder, place in wire.calls(message)]
    ids = [text_at(entry, wire.keys[0]) for entry in entries]
    made = zip(unique(ids), entries, ids, strict=True)
    return [ToolCall(new, *read_call(entry, wire), sent) for new, entry, sent in made]


def _opened(response: Any) -> tuple[WireFormat, Any]:
    """A reply's wire format, and the model's own message in it."""
    reply = as_sent(response)
    whole = isinstance(reply, dict) and "tool_calls" not in reply  # there: a message taken out
    signs = [(w, *sign) for w in _SHAPES.values() for sign in w.signs.items() if whole]
    fits = [wire for wire, key, kind in signs if isinstance(reply.get(key), kind)]
    if len(set(map(id, fits))) != 1 or reply.get("object") == "chat.completion.chunk":
        came = quote(list(reply) if isinstance(reply, dict) else type(reply).__name__)
        known = "; ".join(f"{name} ({', '.join(w.signs)})" for name, w in _SHAPES.items())
        raise ValueError(f"no whole reply: {came}; known shapes: {known}")
    return fits[0], fits[0].message(reply)


def _named(wire: str) -> WireFormat:
    if wire not in list(WIRES):
        raise ValueError(f"no wire format named {wire!r}; known: {list(WIRES)}")
    return WIRES[wire]


def format_parallel_results(results: Iterable[ToolResult], wire: str = "openai") -> list[dict]:
    """The messages that answer a batch, in request order; no results gives ``[]``."""
    form, hidden = _named(wire), secrets()
    answers = [form.answer(r.call, r.content_hiding(hidden), r.success) for r in results]
    return form.turn(answers) if answers else []


def describe_tools(tools: Iterable[Any], wire: str) -> list[dict]:
    """A provider's ``tools=`` list, of objects with ``name``, ``description`` and ``schema``."""
    form = _named(wire)
    described = [form.tool(tool) for tool in tools]
    return form.tools(described) if described else []


def assistant_message(response: Any, calls: Sequence[ToolCall]) -> dict | list:
    """The model's own message, which the history needs before the results of its ``calls``.

    Untouched but for what makes every later request fail: an id missing or doubled, arguments
    that are no JSON object, no name. These are mended on a copy, and a UserWarning says which.
    """
    wire, message = _opened(response)
    if not message or len(wire.calls(message)) != len(calls):
        raise ValueError(f"these {len(calls)} calls are not those of the reply's message")
    if any(faults(message, calls, wire)):
        message = deepcopy(message)  # the response stays as it came
        for holder, place in wire.calls(message):
            holder[place] = deepcopy(holder[place])  # one object may stand in two places
        found = list(faults(message, calls, wire))
        for part, key, value, _ in found:
            part[key] = value
        mended = ", ".join(f"{key} of {call_id}" for _, key, _, call_id in found)
        warnings.warn(f"mended in the model's message: {mended}", stacklevel=2)
    return message
