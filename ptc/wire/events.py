"""A streamed reply put together again, from the events of Anthropic, Bedrock and Responses."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from .deltas import ChatDeltas, PartialCall, as_text, index_at, insert_call
from .formats import WIRES
from .reading import (
    UnreadableReplyError,
    cut_by,
    dict_at,
    excerpt,
    list_at,
    string_at,
    text_at,
)

KNOWN_STREAMS = (
    "a stream gives Chat Completions chunks, events of Responses or Anthropic's, or Bedrock's: "
    "what client.chat.completions.create(stream=True, …) gives"
)


class StreamFormat(Protocol):
    """What the chunks of one kind of stream have said so far.

    ``calls`` are in request order. ``has_ended``: the provider said that the reply is over, and
    ``cut`` why it ended early, if it did.
    """

    has_ended: bool
    cut: str | None

    @property
    def calls(self) -> list[PartialCall]: ...

    def feed(self, chunk: Any) -> list[PartialCall]:
        """The calls that a chunk brought news of."""
        ...

    def reply(self) -> dict[str, Any]:
        """The whole reply, as it would have come unstreamed."""
        ...


@dataclass
class _Block:
    """A content block: its fields, its texts in pieces, and its input where it calls a tool."""

    fields: dict[str, Any]
    texts: dict[str, list[str]] = field(default_factory=dict)
    call: PartialCall | None = None
    is_ours: bool = False

    def add(self, key: str, piece: str) -> None:
        self.texts.setdefault(key, []).append(piece)

    def whole(self) -> dict[str, Any]:
        """The block with its texts, and with its input unless that isn't a JSON object."""
        whole = dict(self.fields)
        for key, pieces in self.texts.items():
            whole[key] = (text_at(whole, key) or "") + "".join(pieces)
        if self.call:
            _, arguments, problem = self.call.body
            whole["input"] = self.call.text if problem and self.is_ours else arguments
        return whole


class _Blocks:
    """Content blocks by their index, which both Anthropic and Bedrock send."""

    def __init__(self) -> None:
        self.has_ended = False
        self.cut: str | None = None
        self.calls: list[PartialCall] = []
        self._blocks: dict[int, _Block] = {}

    def _in_order(self) -> list[_Block]:
        return [self._blocks[index] for index in sorted(self._blocks)]

    def _start(self, index: int, block: _Block) -> None:
        if index in self._blocks:
            raise UnreadableReplyError(f"two content blocks with the index {index}")
        self._blocks[index] = block
        if block.call and block.is_ours:
            insert_call(self.calls, block.call)


_TEXTS = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}


class AnthropicEvents(_Blocks):
    """Anthropic's events; calls are ``tool_use`` blocks. Unknown types are passed over."""

    def feed(self, chunk: Any) -> list[PartialCall]:
        kind, index = string_at(chunk, "type"), index_at(chunk, "index") or 0
        if kind == "error":
            raise ConnectionError(f"the provider broke off: {excerpt(chunk)}")
        if kind == "content_block_start":
            self._start(index, self._new_block(index, dict_at(chunk, "content_block")))
        elif kind == "content_block_delta" and index in self._blocks:
            return self._delta(self._blocks[index], dict_at(chunk, "delta"))
        elif kind == "message_delta":
            end = dict_at(chunk, "delta").get("stop_reason")
            self.cut = self.cut or cut_by("stop_reason", end)
        elif kind == "message_stop":
            self.has_ended = True
        return []

    def _new_block(self, index: int, fields: dict[str, Any]) -> _Block:
        if not fields:
            raise UnreadableReplyError(f"no content block with the index {index}")
        kind, block = string_at(fields, "type"), _Block(dict(fields))
        if kind in ("tool_use", "server_tool_use", "mcp_tool_use"):
            block.is_ours = kind == "tool_use"
            block.call = PartialCall(index, text_at(fields, "id"), string_at(fields, "name"))
            if fields.get("input"):
                block.call.add(as_text(fields["input"]))
        return block

    def _delta(self, block: _Block, delta: dict[str, Any]) -> list[PartialCall]:
        kind = string_at(delta, "type")
        if kind == "input_json_delta" and block.call:
            block.call.add(string_at(delta, "partial_json"))
            return [block.call] if block.is_ours else []
        if kind in _TEXTS:
            block.add(_TEXTS[kind], string_at(delta, _TEXTS[kind]))
        elif kind == "citations_delta":
            block.fields["citations"] = list_at(block.fields, "citations")
            block.fields["citations"].append(delta.get("citation"))
        return []

    def reply(self) -> dict[str, Any]:
        blocks = [block.whole() for block in self._in_order()]
        if not self.has_ended:
            blocks = [block for block in blocks if not _is_refused(block)]
        return {"content": blocks}


def _is_refused(block: dict[str, Any]) -> bool:
    """Was a block cut so early that Anthropic would refuse it in the history?"""
    if block.get("type") == "text":
        return not block.get("text")
    return block.get("type") == "thinking" and not block.get("signature")


class BedrockEvents(_Blocks):
    """The events of Bedrock's ConverseStream; calls are ``toolUse`` blocks."""

    NAMES = (
        *("messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop"),
        *("messageStop", "metadata"),
    )

    def feed(self, chunk: Any) -> list[PartialCall]:
        start, delta = dict_at(chunk, "contentBlockStart"), dict_at(chunk, "contentBlockDelta")
        if any(str(name).endswith("Exception") for name in chunk):
            raise ConnectionError(f"the provider broke off: {excerpt(chunk)}")
        if "messageStop" in chunk:
            self.has_ended = True
            self.cut = cut_by("stopReason", dict_at(chunk, "messageStop").get("stopReason"))
        index = index_at(start or delta, "contentBlockIndex") or 0
        if start:
            self._start(index, self._new_block(index, dict_at(start, "start")))
        if delta:
            block = self._blocks.setdefault(index, _Block({}))  # text has no start
            return self._delta(block, dict_at(delta, "delta"))
        return []

    def _new_block(self, index: int, start: dict[str, Any]) -> _Block:
        use = dict_at(start, "toolUse")
        if not use:
            return _Block({})
        call = PartialCall(index, text_at(use, "toolUseId"), string_at(use, "name"))
        return _Block(dict(use), call=call, is_ours=use.get("type") != "server_tool_use")

    def _delta(self, block: _Block, delta: dict[str, Any]) -> list[PartialCall]:
        block.add("block_text", string_at(delta, "text"))
        if block.call and "toolUse" in delta:
            block.call.add(as_text(dict_at(delta, "toolUse").get("input")))
            return [block.call] if block.is_ours else []
        reasoning = dict_at(delta, "reasoningContent")
        for key in ("text", "signature"):
            if key in reasoning:
                block.add(key, string_at(reasoning, key))
        if "redactedContent" in reasoning:
            block.fields["redactedContent"] = reasoning["redactedContent"]
        return []

    def reply(self) -> dict[str, Any]:
        blocks = [self._written(block) for block in self._in_order()]
        message = {"role": "assistant", "content": [block for block in blocks if block]}
        return {"output": {"message": message}}

    def _written(self, block: _Block) -> dict[str, Any]:
        whole = block.whole()
        text = whole.pop("block_text", "")
        if block.call:
            return {"toolUse": whole}
        if "redactedContent" in whole:
            return {"reasoningContent": {"redactedContent": whole["redactedContent"]}}
        if whole:
            return {"reasoningContent": {"reasoningText": whole}}
        return {"text": text} if text else {}


class ResponsesEvents:
    """The events of OpenAI's Responses; calls are ``function_call`` items, by their index.

    The last event has all of the reply's items once more.
    """

    ENDS = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")

    def __init__(self) -> None:
        self.has_ended = False
        self.cut: str | None = None
        self._items: dict[int, dict[str, Any]] = {}
        self._next = 0  # an index that no item has
        self._texts: dict[int, list[str]] = {}
        self._calls: dict[int, PartialCall] = {}
        self._in_order: list[PartialCall] = []
        self._by_item: dict[str | None, PartialCall] = {}  # by the item's own id
        self._by_id: dict[str, PartialCall] = {}
        self._last_items: list[dict[str, Any]] = []  # of the last event, if they are all
        self._last_calls: list[PartialCall] = []  # in their order

    @property
    def calls(self) -> list[PartialCall]:
        return self._last_calls or self._in_order

    def feed(self, chunk: Any) -> list[PartialCall]:
        kind, index = string_at(chunk, "type"), index_at(chunk, "output_index") or 0
        if kind == "error":
            raise ConnectionError(f"the provider broke off: {excerpt(chunk)}")
        if self.has_ended:
            return []
        if kind == "response.output_item.added":
            return self._item(index, dict_at(chunk, "item"), is_new=True)
        if kind == "response.output_item.done":
            return self._item(index, dict_at(chunk, "item"))
        if kind == "response.output_text.delta":
            self._texts.setdefault(index, []).append(string_at(chunk, "delta"))
        elif kind.startswith("response.function_call_arguments."):
            call = self._by_item.get(text_at(chunk, "item_id")) or self._calls.get(index)
            return self._arguments(call, kind, chunk) if call else []
        elif kind in self.ENDS:
            return self._end(dict_at(chunk, "response"), kind)
        return []

    def _item(self, index: int, item: dict[str, Any], is_new: bool = False) -> list[PartialCall]:
        """Take an item that begins or that is complete: the later one counts."""
        self._next = max(self._next, index + 1)
        if not _is_call(item):
            if index in self._calls:
                raise UnreadableReplyError(
                    f"a call at {index} became something else: {excerpt(item)}"
                )
            self._items[index] = item
            return []
        call = self._new(index) if is_new else self._known(index, item) or self._new(index)
        call.id = call.id or text_at(item, "call_id")
        call.name = call.name or string_at(item, "name")
        self._items[call.index] = item
        if item_id := text_at(item, "id"):
            self._by_item.setdefault(item_id, call)
        if call.id:
            self._by_id.setdefault(call.id, call)
        call.put(item.get("arguments"))
        return [call]

    def _known(self, index: int, item: dict[str, Any]) -> PartialCall | None:
        """The call that an item is of. Some send another id, or index, with each event."""
        id, item_id = text_at(item, "call_id"), text_at(item, "id")
        if item_id in self._by_item:
            return self._by_item[item_id]
        call = self._calls.get(index)
        if call and (id is None or call.id in (None, id)):
            return call
        return self._by_id.get(id) if id and self.has_ended else None

    def _new(self, index: int) -> PartialCall:
        if index in self._items or index in self._calls:
            index = self._next
            self._next += 1
        call = self._calls[index] = PartialCall(index)
        insert_call(self._in_order, call)
        return call

    def _arguments(self, call: PartialCall, kind: str, event: Any) -> list[PartialCall]:
        if kind.endswith(".delta"):
            call.add(string_at(event, "delta"))
        else:
            call.put(event.get("arguments"))
        return [call]

    def _end(self, response: dict[str, Any], kind: str) -> list[PartialCall]:
        self.has_ended = True
        items = [item for item in list_at(response, "output") if isinstance(item, dict)]
        status = {"status": kind.removeprefix("response.")}
        self.cut = WIRES["openai-responses"].cut(status | response | {"output": items})
        asked = [(index, item) for index, item in enumerate(items) if _is_call(item)]
        calls = [call for index, item in asked for call in self._item(index, item)]
        if len(set(calls)) == len(calls) == len(self._calls):
            self._last_items, self._last_calls = items, calls
        return calls

    def reply(self) -> dict[str, Any]:
        indices = sorted({*self._items, *self._calls})
        came = [item for index in indices if (item := self._written(index))]
        return {"output": self._last_items or came}

    def _written(self, index: int) -> dict[str, Any] | None:
        """An item as far as it has come; None for words and thoughts of which nothing has."""
        item, call = self._items.get(index, {}), self._calls.get(index)
        if call:
            item = {"type": "function_call"} | item
            return item | {"call_id": call.id, "name": call.name, "arguments": call.text}
        is_begun = text_at(item, "status") == "in_progress"
        if text_at(item, "type") == "message" and is_begun:
            part = {"type": "output_text", "text": "".join(self._texts.get(index, []))}
            content = [part | {"annotations": []}]
            return item | {"status": "incomplete", "content": content} if part["text"] else None
        return None if is_begun else item


def _is_call(item: Any) -> bool:
    return text_at(item, "type") == "function_call"


def check_stream(stream: Any) -> None:
    """Raise TypeError for what can't be a stream: None, a number, a whole reply, an async one."""
    if hasattr(stream, "__aiter__"):
        raise TypeError(f"stream={excerpt(stream)} is async; {KNOWN_STREAMS}, from a plain client")
    if isinstance(stream, dict | str | bytes) or not isinstance(stream, Iterable):
        raise TypeError(f"stream={excerpt(stream)} is not a stream of chunks; {KNOWN_STREAMS}")


_ANTHROPIC = ("message_start", "ping", "error")


def stream_format(chunk: Any, tools: Collection[str] = ()) -> StreamFormat:
    """The format of a stream, by its first chunk. Raises UnreadableReplyError for others."""
    kind = text_at(chunk, "type") or ""
    if kind.startswith("response."):
        return ResponsesEvents()
    if kind in _ANTHROPIC or kind.startswith(("message_", "content_block_")):
        return AnthropicEvents()
    if isinstance(chunk, dict) and not chunk.keys().isdisjoint(BedrockEvents.NAMES):
        return BedrockEvents()
    if _is_chat_chunk(chunk):
        return ChatDeltas(tools)
    raise UnreadableReplyError(f"{excerpt(chunk)} is not a chunk of a stream; {KNOWN_STREAMS}")


def _is_chat_chunk(chunk: Any) -> bool:
    if not isinstance(chunk, dict):
        return False
    choices = chunk.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else {}
    is_whole_reply = isinstance(first, dict) and "message" in first and "delta" not in first
    return ("choices" in chunk or "error" in chunk) and not is_whole_reply
