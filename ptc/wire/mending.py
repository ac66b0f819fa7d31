"""What a provider would refuse in the model's own message, and what stands there instead."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ..calls import ToolCall
from .formats import UNNAMED, Format
from .reading import Slot, read_arguments, text_at

_LEVELS = 5  # from a list of messages down to a call's function


class Mended(NamedTuple):
    """A message that its provider takes, and what was changed in it: ``["id of call_2"]``."""

    message: Any
    changes: list[str]


def mend(message: Any, calls: Sequence[ToolCall], form: Format) -> Mended:
    """The message with what its provider would refuse mended on a copy; itself if all is well.

    >>> from ptc.wire.formats import WIRES
    >>> message = {"content": [{"type": "tool_use", "name": "get_time", "input": "{"}]}
    >>> mend(message, [ToolCall("new", "get_time")], WIRES["anthropic"]).changes
    ['id of new', 'input of new']
    """
    copy = _copied(message, _LEVELS)
    changes: list[str] = []
    for slot, call in zip(form.slots(copy), calls, strict=True):
        changes += [f"{key} of {call.id}" for key in _mend_call(slot, call, form)]
    return Mended(copy if changes else message, changes)


def _copied(value: Any, levels: int) -> Any:
    """A copy of the upper levels; what lies below, arguments above all, is never changed."""
    if not levels:
        return value
    if isinstance(value, dict):
        return {key: _copied(item, levels - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item, levels - 1) for item in value]
    return value


def _mend_call(slot: Slot, call: ToolCall, form: Format) -> Iterator[str]:
    """Mend a call in its slot, and give the keys of what was wrong."""
    entry = slot.entry
    if not isinstance(entry, dict):
        slot.put(form.new_call(call))
        yield str(slot.key)
        return
    if form.needs_ids and entry.get(form.id_key) != call.id:
        entry[form.id_key] = call.id
        yield form.id_key
    if text_at(entry, "type") == "custom":
        return
    if form.needs_type and not text_at(entry, "type"):
        entry["type"] = "function"
        yield "type"
    body = form.body(entry)
    if body is None or (form.needs_type and body is entry):
        entry[form.function_key] = form.new_body(call)
        yield form.function_key
        return
    if not text_at(body, "name"):
        body["name"] = UNNAMED
        yield "name"
    if not _has_sound_arguments(body, call, form):
        arguments, _ = read_arguments(body.get(form.arguments_key))
        body[form.arguments_key] = form.written(arguments)
        yield form.arguments_key


def _has_sound_arguments(body: dict[str, Any], call: ToolCall, form: Format) -> bool:
    """Does the provider take the arguments as they came? Only JSON objects, as text or as such."""
    sent = body.get(form.arguments_key)
    if sent is None:
        return not form.needs_arguments
    if not form.arguments_are_text:
        return isinstance(sent, dict)
    if not isinstance(sent, str) or sent.strip() in ("", "null"):
        return False
    # A problem of another kind, such as a reply that was cut, says nothing of the arguments.
    return call.problem is None or read_arguments(sent)[1] is None
