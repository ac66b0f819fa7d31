"""What a server answered, as the output of a tool."""

from typing import Any

from ..text import shorten
from .errors import ServerError

_LONGEST_ADDRESS = 200  # characters


def output(answer: Any) -> Any:
    """The output in an ``mcp.types.CallToolResult``.

    Its structured content, else its text. What is neither text nor structured (an image, a sound,
    a file) is told by kind, MIME type and size: ``[image, image/png, 2,048 bytes]``.

    Raises:
        ServerError: the answer says that it is an error; the text is the server's.
    """
    if answer.is_error:
        raise ServerError(_text_of(answer.content) or "the server says that it failed, and no more")
    if answer.structured_content is None:
        return _text_of(answer.content)
    others = [_told(block) for block in answer.content if block.type != "text"]
    return [answer.structured_content, *others] if others else answer.structured_content


def _text_of(content: list[Any]) -> str:
    return "\n".join(_told(block) for block in content)


def _told(block: Any) -> str:
    """A block's text, or what it is."""
    if block.type == "text":
        return block.text
    if block.type == "resource":
        return _told_resource(block.resource)
    if block.type == "resource_link":
        return _label("link", str(block.uri), block.mime_type, _bytes(block.size))
    return _label(block.type, block.mime_type, _bytes(_decoded(block.data)))


def _told_resource(resource: Any) -> str:
    address = str(resource.uri)
    if hasattr(resource, "blob"):
        size = _bytes(_decoded(resource.blob))
        return _label("file", address, resource.mime_type, size)
    return f"{_label('file', address, resource.mime_type)}\n{resource.text}"


def _label(*parts: str | None) -> str:
    return f"[{', '.join(shorten(part, _LONGEST_ADDRESS) for part in parts if part)}]"


def _decoded(base64: str) -> int:
    """How many bytes a text in base64 stands for."""
    return len(base64.rstrip("=")) * 3 // 4


def _bytes(count: int | None) -> str | None:
    return None if count is None else f"{count:,} bytes"
