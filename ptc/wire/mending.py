"""What a provider would refuse in the model's own message, and what stands there instead."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..calls import ToolCall
from ..options import fit_name
from .formats import Format
from .reading import Slot, read_arguments, text_at

_ALL = ""  # in place of a key: the whole call
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

    Raises ValueError where the calls are not those of the message.
    """
    entries = form.entries(message)
    if message == {}:
        raise ValueError("the reply has no message that a history could keep")
    if len(entries) != len(calls):
        raise ValueError(
            f"the calls are not those of the reply's message: given {len(calls)}, "
            f"in the message {len(entries)}"
        )
    faults = [_faults(entry, call, form) for entry, call in zip(entries, calls, strict=True)]
    if not any(faults):
        return Mended(message, [])
    copy = _copied(message, _LEVELS)
    changes = []
    for slot, call, keys in zip(form.slots(copy), calls, faults, strict=True):
        for key in keys:
            _mend(slot, call, form, key)
            changes.append(f"{slot.key if key == _ALL else key} of {call.id}")
    return Mended(copy, changes)


def _copied(value: Any, levels: int) -> Any:
    """A copy of the upper levels; what lies below, arguments above all, is never changed."""
    if not levels:
        return value
    if isinstance(value, dict):
        return {key: _copied(item, levels - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item, levels - 1) for item in value]
    return value


def _faults(entry: Any, call: ToolCall, form: Format) -> list[str]:
    """The keys of what its provider would refuse in a call; the whole call, if not an object."""
    if not isinstance(entry, dict):
        return [_ALL]
    found = []
    if form.needs_ids and entry.get(form.id_key) != call.id:
        found.append(form.id_key)
    kind = text_at(entry, "type")
    if kind == "custom":
        return found
    if form.needs_type and not kind:
        found.append("type")
    body = form.body(entry)
    if body is None or (form.needs_type and body is entry):
        return [*found, form.function_key]
    name = text_at(body, "name")
    if not name or name != fit_name(name):
        found.append("name")
    if not _has_sound_arguments(body, call, form):
        found.append(form.arguments_key)
    return found


def _mend(slot: Slot, call: ToolCall, form: Format, key: str) -> None:
    """Put what its provider takes in the place of one fault."""
    entry = slot.entry
    if key == _ALL:
        slot.put(form.new_call(call))
    elif key == form.id_key:
        entry[key] = call.id
    elif key == "type":
        entry[key] = "function"
    elif key == form.function_key:
        entry[key] = form.new_body(call)
    else:
        body = form.body(entry)
        assert body is not None  # or the whole of it would be the fault
        _mend_body(body, form, key)


def _mend_body(body: dict[str, Any], form: Format, key: str) -> None:
    if key == "name":
        body[key] = fit_name(text_at(body, key) or "")
    else:
        arguments, _ = read_arguments(body.get(key))
        body[key] = form.written(arguments)


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
