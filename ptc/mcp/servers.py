"""What a server is called, and what its calls touch."""

import shlex
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import urlsplit

_LONGEST_LOG = 10_000  # characters
_SECONDS = 30.0  # for anything but reading, and
_SECONDS_TO_READ = 300.0  # for the next piece of an answer: the SDK's own limits


@dataclass(frozen=True)
class Resource:
    """All that a server may read or change, as one resource.

    That of two connections is the same one where the command, or the address, is the same.
    """

    identity: Any
    name: str = field(compare=False)

    def __repr__(self) -> str:
        return self.name


def resource_of(server: Any) -> Resource:
    """The one resource of whatever ``mcp.Client`` takes; its name tells people which server it is.

    >>> resource_of("https://me:secret@example.org/mcp")
    the server 'https://example.org/mcp'
    """
    if isinstance(server, str):
        return Resource(server, f"the server {_without_user(server)!r}")
    command = getattr(server, "command", None)
    if isinstance(command, str):
        words = (command, *server.args)
        return Resource((*words, str(server.cwd)), f"the server {shlex.join(words)!r}")
    name = getattr(server, "name", None)
    named = repr(name) if isinstance(name, str) else f"on a {type(server).__name__}"
    return Resource((type(server), id(server)), f"the server {named}")


def _without_user(address: str) -> str:
    try:
        parts = urlsplit(address)
        host = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=host, query="", fragment="").geturl()
    except ValueError:
        return address


@asynccontextmanager
async def without_proxy(address: str) -> AsyncIterator[Any]:
    """The SDK's transport to a server on this machine, which no proxy can reach."""
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    limits = httpx2.Timeout(_SECONDS, read=_SECONDS_TO_READ)
    async with (
        httpx2.AsyncClient(trust_env=False, timeout=limits) as client,
        streamable_http_client(address, http_client=client) as streams,
    ):
        yield streams


class Log:
    """What a server writes to its standard error: kept in a file without a name."""

    def __init__(self) -> None:
        kept = tempfile.TemporaryFile("a+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self.file: IO[str] = kept
        self._end = ""

    def read(self) -> str:
        """The end of what it has written."""
        if self.file.closed:
            return self._end
        self.file.seek(0)  # what is written goes to the end all the same
        end = ""
        while piece := self.file.read(_LONGEST_LOG):
            end = (end + piece)[-_LONGEST_LOG:]
        return end

    def close(self) -> None:
        """No more comes."""
        self._end = self.read()
        self.file.close()
