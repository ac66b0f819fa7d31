"""A streamed reply put together again, from Chat Completions chunks.

Providers send less than they promise: an index may be missing, repeated or always 0, an id may
come once or with each delta, a name in pieces or with each delta, arguments after an empty object,
and a whole call in one chunk. ``events`` does the same for the other providers' streams.
"""

import json
from bisect import insort
from collections.abc import Collection
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from .reading import (
    CallBody,
    UnreadableReplyError,
    cut_by,
    dict_at,
    excerpt,
    list_at,
    read_arguments,
    string_at,
    text_at,
)


class JsonScanner:
    """Sees where a JSON object or list ends, in pieces; each character is looked at once.

    >>> scanner = JsonScanner()
    >>> scanner.feed('{"x": "}')
    >>> scanner.is_complete
    False
    >>> scanner.feed('"}')
    >>> scanner.is_complete
    True
    """

    def __init__(self) -> None:
        self.is_complete = False
        self._depth = 0
        self._in_string = self._escaped = False

    def feed(self, piece: str) -> None:
        for character in piece:
            if self._in_string:
                self._string(character)
            elif character == '"':
                self._in_string = True
            elif character in "{[":
                self._depth += 1
                self.is_complete = False
            elif character in "}]":
                self._depth -= 1
                self.is_complete = self._depth == 0
            elif not character.isspace():
                self.is_complete = False

    def _string(self, character: str) -> None:
        if self._escaped:
            self._escaped = False
        elif character == "\\":
            self._escaped = True
        elif character == '"':
            self._in_string = False


@dataclass(eq=False)
class PartialCall:
    """One tool call as far as it has come. Calls are ordered by ``index``."""

    index: int
    id: str | None = None
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    other: dict[str, Any] = field(default_factory=dict)
    scanner: JsonScanner = field(default_factory=JsonScanner)
    was_named_again: bool = False
    has_gone_on: bool = False  # after the end of its arguments

    @property
    def text(self) -> str:
        """The arguments so far."""
        return "".join(self.pieces)

    @property
    def is_complete(self) -> bool:
        """Are its arguments complete? Empty ones never are, before the stream ends."""
        return self.scanner.is_complete

    @property
    def is_blank(self) -> bool:
        return not self.text.strip()

    @property
    def may_be_placeholder(self) -> bool:
        """Some send ``{}`` or ``null`` first, and then the arguments."""
        return len(self.pieces) <= 2 and self.text.strip() in ("{}", "null")

    @property
    def body(self) -> CallBody:
        """What it asks for, as of now."""
        if self.name:
            return self.name, *read_arguments(self.text)
        problem = f"no function is named beside {excerpt(self.text)}; send its name and arguments"
        return "", {}, problem

    def add(self, piece: str) -> None:
        """Take one more piece of the arguments."""
        if piece.strip() and not self.has_gone_on and self._is_at_an_end(piece):
            if piece == self.text:
                return  # some send all of it once more
            if self.may_be_placeholder:
                self.pieces, self.scanner = [], JsonScanner()
            else:
                self.has_gone_on = True
        self.pieces.append(piece)
        self.scanner.feed(piece)

    def _is_at_an_end(self, piece: str) -> bool:
        return self.is_complete or (piece.lstrip().startswith("{") and self.may_be_placeholder)

    def put(self, arguments: Any) -> None:
        """Take all of the arguments, where a provider sends them once more at the end."""
        text = as_text(arguments)
        is_better = not self.is_blank and text.strip() == "{}"  # what came in pieces
        if text.strip() and text != self.text and not is_better:
            self.pieces, self.scanner = [], JsonScanner()
            self.add(text)


def as_text(arguments: Any) -> str:
    """Arguments, or a piece of them, as text; some send the object itself."""
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    if isinstance(arguments, dict | list):
        return json.dumps(arguments, ensure_ascii=False)
    raise UnreadableReplyError(f"arguments that are neither text nor an object: {arguments!r:.200}")


def index_at(data: dict[str, Any], key: str) -> int | None:
    """The number at a key; None where there is none."""
    index = data.get(key)
    if isinstance(index, bool) or not isinstance(index, int | None):
        raise UnreadableReplyError(f"broken reply: {key!r} is not a number in {excerpt(data)}")
    return index


def insert_call(calls: list[PartialCall], call: PartialCall) -> None:
    """Put a new call in its place; calls that share an index stay in the order in which they came.

    To sort all of them for each one would take a long reply ever longer.
    """
    insort(calls, call, key=attrgetter("index"))


class _Pieces(list[str]):
    """One text, in the pieces in which it came."""


class ChatDeltas:
    """Chat Completions chunks. ``calls`` are in request order.

    ``has_ended`` says that a reason for the end has come, which isn't always in the last chunk;
    ``cut`` is that reason where it means that the reply was cut. ``tools`` are the known names:
    they tell two names that follow each other from two pieces of one.
    """

    def __init__(self, tools: Collection[str] = ()) -> None:
        self.calls: list[PartialCall] = []
        self.has_ended = False
        self.cut: str | None = None
        self._tools = tools
        self._fields: dict[str, Any] = {}
        self._at_index: dict[int, PartialCall] = {}
        self._by_id: dict[str, PartialCall] = {}
        self._latest: PartialCall | None = None

    def feed(self, chunk: Any) -> list[PartialCall]:
        """The calls that a chunk brought news of. Only its first choice counts."""
        choices = list_at(chunk, "choices")
        if chunk.get("error"):
            raise ConnectionError(f"the provider broke off: {excerpt(chunk['error'])}")
        return [call for choice in choices for call in self._choice(choice)]

    def _choice(self, choice: Any) -> list[PartialCall]:
        delta = dict_at(choice, "delta")
        if choice.get("index") not in (0, None):
            return []
        if end := choice.get("finish_reason"):
            self.has_ended = True
            self.cut = self.cut or cut_by("finish_reason", end)
        for key, value in delta.items():
            if key not in ("role", "tool_calls"):
                self._add_field(key, value)
        return [self._call(call) for call in list_at(delta, "tool_calls")]

    def _add_field(self, key: str, value: Any) -> None:
        known = self._fields.get(key)
        if key == "content" and not isinstance(value, str | list | None):
            raise UnreadableReplyError(f"content that is neither text nor a list: {excerpt(value)}")
        if isinstance(value, str) and isinstance(known, _Pieces):
            known.append(value)
        elif isinstance(value, str):
            self._fields[key] = _Pieces([value])
        elif isinstance(value, list) and type(known) is list:
            known.extend(value)
        elif isinstance(value, list):
            self._fields[key] = list(value)
        elif value is not None or key not in self._fields:
            self._fields[key] = value

    def _call(self, delta: Any) -> PartialCall:
        function = dict_at(delta, "function")
        id, name = text_at(delta, "id"), string_at(function, "name")
        piece = as_text(function.get("arguments"))
        index = index_at(delta, "index")
        call = self._pointed_to(id, index, name)
        if call is None or self._begins_another(call, id, name, piece):
            if call and not id:  # its name came with a delta of the call before
                name = name or call.name
            call = self._new(len(self.calls) if index is None else index)
        if index is not None:
            self._at_index[index] = call
        if id:
            call.id = call.id or id
            self._by_id[id] = call
        if name != call.name:  # some repeat it with each delta
            call.name += name
        own = ("index", "id", "function")
        call.other |= {key: value for key, value in delta.items() if key not in own and value}
        if piece:
            call.add(piece)
        self._latest = call
        return call

    def _new(self, index: int) -> PartialCall:
        call = PartialCall(index)
        insert_call(self.calls, call)
        return call

    def _pointed_to(self, id: str | None, index: int | None, name: str) -> PartialCall | None:
        """The call that a delta's id or index points to; None where it is a new one's."""
        if index is None:
            return self._by_id.get(id) if id else self._latest
        if index in self._at_index:
            return self._at_index[index]
        if not id and not name:  # some change the index in the middle of a call
            return self._latest
        return None

    def _begins_another(self, call: PartialCall, id: str | None, name: str, piece: str) -> bool:
        """Does a delta begin a new call, though it points to one that is there already?"""
        if id and call.id:
            is_other = id != call.id  # some send a new id with each piece
            return is_other and (bool(name) or call.is_complete)
        if not name:
            return call.was_named_again and call.is_complete and piece.lstrip().startswith("{")
        if name == call.name and not piece.strip():
            call.was_named_again = call.is_complete
            return False
        if call.is_complete:
            return name != call.name or not (call.id and call.may_be_placeholder)
        return name != call.name and self._are_two_names(call, name)

    def _are_two_names(self, call: PartialCall, name: str) -> bool:
        """Is a name not the next piece of a call's name, but another's?"""
        if not call.is_blank:
            return True
        both = call.name + name
        is_piece = any(known.startswith(both) for known in self._tools)
        return call.name in self._tools and name in self._tools and not is_piece

    def reply(self) -> dict[str, Any]:
        """The whole reply, as it would have come unstreamed."""
        message: dict[str, Any] = {"role": "assistant", "content": None}
        for key, value in self._fields.items():
            message[key] = "".join(value) if isinstance(value, _Pieces) else value
        if self.calls:
            message["tool_calls"] = [
                {"id": call.id, "type": "function"}
                | call.other
                | {"function": {"name": call.name, "arguments": call.text}}
                for call in self.calls
            ]
        return {"choices": [{"message": message}]}
