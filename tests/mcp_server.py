"""An MCP server for the tests: ``python mcp_server.py stdio``, or ``http``, which prints its port.

It keeps a journal of what began and ended, and does on request what servers do wrong.
"""

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import Audio, Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import (
    BlobResourceContents,
    CallToolResult,
    EmbeddedResource,
    ResourceLink,
    TextContent,
    TextResourceContents,
    ToolAnnotations,
)

READ_ONLY = ToolAnnotations(read_only_hint=True)
REPEATABLE = ToolAnnotations(idempotent_hint=True)


def make_server(name: str = "stranger") -> MCPServer:
    """A new one, with a journal of its own."""
    server = MCPServer(name, log_level="CRITICAL")
    journal: list[str] = []
    inside, met = [0], asyncio.Condition()

    @server.tool(annotations=READ_ONLY)
    def read_journal() -> list[str]:
        """What began and ended so far."""
        return journal

    @server.tool(annotations=READ_ONLY)
    async def meet(count: int) -> str:
        """Answers when so many calls of it are there at once."""
        async with met:
            inside[0] += 1
            met.notify_all()
            await met.wait_for(lambda: inside[0] >= count)
        return f"{count} met"

    @server.tool(annotations=REPEATABLE)
    async def write(item: str) -> str:
        """Takes a moment, in which another call could begin."""
        journal.append(f"{item} begins")
        for _ in range(20):
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        journal.append(f"{item} ends")
        return f"wrote {item}"

    @server.tool()
    async def hang(file: str) -> str:
        """Never answers. Says in a file that it has begun, and whether it was cancelled."""
        Path(file).write_text("begun")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            Path(file).write_text("cancelled")
            raise
        return "never"

    @server.tool()
    async def die_when_there(files: list[str]) -> str:
        """Ends the whole process when all these files are there."""
        while not all(Path(file).exists() for file in files):
            await asyncio.sleep(0.01)
        os._exit(1)

    @server.tool()
    def fail(why: str) -> str:
        """Fails."""
        raise ToolError(why)

    @server.tool()
    def crash() -> str:
        """Has a bug."""
        raise ZeroDivisionError("the server's own secret")

    @server.tool(structured_output=False)
    def add(a: int, b: int) -> int:
        """The sum, as a text."""
        return a + b

    @server.tool()
    def shout(text: str, self: str = "", name: str = "") -> dict[str, Any]:
        """A structured answer, with parameters of awkward names."""
        return {"text": text.upper(), "self": self, "name": name}

    @server.tool(structured_output=False)
    def picture() -> list[Any]:
        """A text and a picture."""
        return ["look:", Image(data=b"\x89PNG" + bytes(2044), format="png")]

    @server.tool(structured_output=False)
    def sound() -> Audio:
        """A sound."""
        return Audio(data=bytes(1000), format="wav")

    @server.tool()
    def files() -> CallToolResult:
        """A link, a text file and a binary one."""
        note = TextResourceContents(uri="file:///note.txt", mime_type="text/plain", text="hello")
        blob = BlobResourceContents(uri="file:///a.bin", blob="AAAA")
        link = ResourceLink(name="log", uri="file:///log", mime_type="text/plain", size=12345)
        contents = [
            link,
            EmbeddedResource(resource=note),
            EmbeddedResource(resource=blob),
        ]
        return CallToolResult(content=contents)

    @server.tool()
    def both() -> CallToolResult:
        """Structured, with a text that says the same, and a picture."""
        picture = Image(data=bytes(3), format="png").to_image_content()
        content = [TextContent(text="3 birds"), picture]
        return CallToolResult(content=content, structured_content={"birds": 3})

    @server.tool(structured_output=False)
    def nothing() -> list[Any]:
        """No content at all."""
        return []

    @server.tool()
    def grow() -> str:
        """Has another tool from now on, and no `add` any more."""
        server.remove_tool("add")
        server.add_tool(lambda: "here I am", name="newcomer", description="New.")
        return "grown"

    return server


def serve_http() -> None:
    import uvicorn

    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    app = make_server().streamable_http_app()
    config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=0)
    asyncio.run(uvicorn.Server(config).serve([listener]))


if __name__ == "__main__":
    serve_http() if sys.argv[1:] == ["http"] else make_server().run("stdio")
