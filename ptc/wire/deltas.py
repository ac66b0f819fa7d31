"""A streamed reply put together again: which calls are whole already, and the message in the end.

Providers send less than they promise: an index may be missing, repeated or always 0, an id may
come once or with each delta, a name in pieces, and a whole call in one chunk.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from .reading import quote, read_arguments


class JsonEnd:
    """Sees where a JSON object or list ends, in pieces; each character is looked at once."""

    def __init__(self) -> None:
        self.whole = False
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
                self.whole = False
            elif character in "}]":
                self._depth -= 1
                self.whole = self._depth == 0
            elif not character.isspace():
                self.whole = False

    def _string(self, character: str) -> None:
        if self._escaped:
            self._escaped = False
        elif character == "\\":
            self._escaped = True
        elif character == '"':
            self._in_string = False


@dataclass(eq=False)
class Part:
    """One tool call as far as it has come. ``ended``: its provider said that it is complete."""

    index: int
    id: str | None = None
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    other: dict[str, Any] = field(default_factory=dict)
    ended: bool = False
    scan: JsonEnd = field(default_factory=JsonEnd)

    @property
    def text(self) -> str:
        """The arguments so far."""
        return "".join(self.pieces)

    @property
    def whole(self) -> bool:
        """Are its arguments complete? Not known of empty ones before their call has ended."""
        return self.ended or self.scan.whole

    def add(self, piece: str) -> None:
        self.pieces.append(piece)
        self.scan.feed(piece)


class ChatDeltas:
    """Chat Completions chunks, as the wire has them. ``parts`` are in the order of the calls."""

    def __init__(self) -> None:
        self.finished = False
        self._fields: dict[str, Any] = {}
        self._parts: list[Part] = []
        self._at: dict[Any, Part] = {}

    @property
    def parts(self) -> list[Part]:
        return sorted(self._parts, key=lambda part: part.index)

    def feed(self, chunk: dict[str, Any]) -> list[Part]:
        """The calls that a chunk brought news of. Only its first choice counts."""
        if chunk.get("error"):
            raise ConnectionError(f"the provider broke off: {quote(chunk['error'])}")
        news: list[Part] = []
        for choice in chunk.get("choices") or []:
            if choice.get("index", 0) == 0:
                news += self._delta(choice.get("delta") or {})
                if choice.get("finish_reason"):
                    news = self._finish()
        return news

    def _finish(self) -> list[Part]:
        self.finished = True
        for part in self._parts:
            part.ended = True
        return self.parts

    def _delta(self, delta: dict[str, Any]) -> list[Part]:
        self._add_fields({key: value for key, value in delta.items() if key != "tool_calls"})
        return [self._call(call) for call in delta.get("tool_calls") or []]

    def _add_fields(self, delta: dict[str, Any]) -> None:
        for key, value in delta.items():
            known = self._fields.get(key)
            grows = isinstance(value, str | list) and isinstance(known, type(value))
            if grows and key != "role":
                self._fields[key] = known + value
            elif value is not None or key not in self._fields:
                self._fields[key] = value

    def _call(self, delta: dict[str, Any]) -> Part:
        function = delta.get("function") or {}
        part = self._part(delta, function.get("name"))
        part.id = part.id or delta.get("id") or None
        name = function.get("name") or ""
        if name != part.name:  # some repeat it with each delta
            part.name += name
        part.other |= {k: v for k, v in delta.items() if k not in ("index", "id", "function") and v}
        if piece := function.get("arguments"):
            part.add(piece if isinstance(piece, str) else json.dumps(piece, ensure_ascii=False))
        return part

    def _part(self, delta: dict[str, Any], name: str | None) -> Part:
        """The call that a delta goes on with, or a new one."""
        id, index = delta.get("id"), delta.get("index")
        part = self._at.get(index) if index is not None else None
        if index is None:
            part = next((p for p in self._parts if id and p.id == id), None)
            part = part or (self._parts[-1] if self._parts and not id else None)
        if part is None and not id and not name and self._parts:  # another index in the middle
            part = self._parts[-1]
        other_id = part is not None and id and part.id and id != part.id
        other_id = other_id and (name or part.scan.whole)  # some send a new id with each piece
        next_call = part is not None and not id and name and part.scan.whole
        if part is None or other_id or next_call:
            part = Part(len(self._parts) if index is None else index)
            self._parts.append(part)
        self._at[index] = part
        return part

    def reply(self) -> dict[str, Any]:
        """The whole reply, as it would have come unstreamed."""
        message = {"role": "assistant", "content": None} | self._fields
        if self._parts:
            message["tool_calls"] = [
                {"id": part.id, "type": "function"}
                | part.other
                | {"function": {"name": part.name, "arguments": part.text}}
                for part in self.parts
            ]
        return {"choices": [{"message": message}]}


_TEXTS = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}


class AnthropicEvents:
    """Anthropic's stream events; calls are ``tool_use`` blocks."""

    def __init__(self) -> None:
        self.finished = False
        self._blocks: dict[int, dict[str, Any]] = {}
        self._calls: dict[int, Part] = {}

    @property
    def parts(self) -> list[Part]:
        return [self._calls[index] for index in sorted(self._calls)]

    def feed(self, event: dict[str, Any]) -> list[Part]:
        """The calls that an event brought news of; events of unknown types are passed over."""
        kind, index = event.get("type"), event.get("index", 0)
        if kind == "error":
            raise ConnectionError(f"the provider broke off: {quote(event.get('error'))}")
        if kind == "content_block_start":
            self._start(index, dict(event["content_block"]))
        elif kind == "content_block_delta" and index in self._blocks:
            self._delta(index, event["delta"])
        elif kind == "content_block_stop" and index in self._calls:
            self._calls[index].ended = True
        elif kind == "message_stop":
            self.finished = True
            return self.parts
        return [self._calls[index]] if index in self._calls else []

    def _start(self, index: int, block: dict[str, Any]) -> None:
        self._blocks[index] = block
        if block.get("type") == "tool_use":
            self._calls[index] = part = Part(index, block.get("id"), block.get("name") or "")
            if block.get("input"):
                part.add(json.dumps(block["input"], ensure_ascii=False))

    def _delta(self, index: int, delta: dict[str, Any]) -> None:
        block, kind = self._blocks[index], delta.get("type")
        if kind == "input_json_delta" and index in self._calls:
            self._calls[index].add(delta.get("partial_json") or "")
        elif kind in _TEXTS:
            key = _TEXTS[kind]
            block[key] = (block.get(key) or "") + delta[key]
        elif kind == "citations_delta":
            block["citations"] = [*(block.get("citations") or []), delta["citation"]]

    def reply(self) -> dict[str, Any]:
        """The whole reply, as it would have come unstreamed."""
        for index, part in self._calls.items():
            arguments, problem = read_arguments(part.text)
            self._blocks[index]["input"] = part.text if problem else arguments
        return {"content": [self._blocks[index] for index in sorted(self._blocks)]}
