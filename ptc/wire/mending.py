"""What a provider would refuse in the model's own message, and what to put there."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..calls import ToolCall
from ..text import to_json
from .reading import body_of, read_arguments, text_at

if TYPE_CHECKING:
    from .formats import WireFormat

UNNAMED = "unnamed"  # stands where a call has no name: providers refuse an empty one


def faults(message: Any, calls: Sequence[ToolCall], wire: "WireFormat") -> Iterator[tuple]:
    """What a provider would refuse: part and key, what to put there, and the call's id."""
    (id_key, body_key, key), as_text = wire.keys, wire.arguments is str
    nothing = "{}" if as_text else {}
    for (holder, place), call in zip(wire.calls(message), calls, strict=True):
        entry, body = holder[place], body_of(holder[place], wire)
        if not isinstance(entry, dict):
            function = {"name": UNNAMED, key: nothing}
            sound = {"type": "function", body_key: function} if body_key else function
            yield holder, place, {id_key: call.id} | sound, call.id
            continue
        if wire.strict and entry.get(id_key) != call.id:
            yield entry, id_key, call.id, call.id
        kind = text_at(entry, "type")
        if kind == "custom":
            continue
        if wire.typed and not kind:
            yield entry, "type", "function", call.id
        if body is None or (wire.typed and body is entry):  # no function, or a flat call
            arguments = to_json(call.arguments) if as_text else call.arguments
            yield entry, body_key, {"name": call.name or UNNAMED, key: arguments}, call.id
            continue
        if not text_at(body, "name"):
            yield body, "name", UNNAMED, call.id
        sent = body.get(key)
        sound = isinstance(sent, wire.arguments) and not (as_text and not sent.strip())
        if sound and call.problem is None:
            continue
        read, problem = read_arguments(sent)
        if problem or (not sound and (wire.strict or sent is not None)):
            yield body, key, to_json(read) if as_text else read, call.id
