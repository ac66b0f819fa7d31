"""The client of one connection: entered, used and left on one event loop.

One task enters the SDK's client and leaves it again, since the task groups inside demand that.
Calls may come from any task of that loop, and through :meth:`Session.call` from any other loop.
"""

import asyncio
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import AsyncExitStack
from typing import Any

from ..client import may_use_proxy
from ..text import explain, shorten
from . import answers
from .errors import (
    ConnectionEndedError,
    ServerError,
    ServerStartError,
    failed_error,
    silent_error,
)
from .servers import Log, Resource, without_proxy

START_SECONDS = 30.0
"""How long a server may take until it has listed its tools."""

BLOCKED_SECONDS = 10.0
"""How long the loop of a connection may leave a call from another loop alone."""

MOST_PAGES = 100
"""How many pages of tools are asked for: a list has an end."""

_ALL_IS_OVER = "Connection closed"  # the SDK's words to each open call when a connection ends


class Session:
    """One connection to a server, from its start to its end.

    ``ready`` is done when the tools are listed, or fails with what kept them from being so;
    ``ended`` is done when all is closed again. Both are for any thread. ``client``, ``tools`` and
    ``name`` (the server as a model reads of it) are written by the task in :meth:`live` alone.
    """

    def __init__(self, server: Any, resource: Resource, loop: asyncio.AbstractEventLoop) -> None:
        self.resource, self.loop = resource, loop
        self.name = str(resource)
        self.ready: Future[None] = Future()
        self.ended: Future[None] = Future()
        self.log: Log | None = None
        self.tools: list[Any] = []
        self.client: Any = None
        self._server = server
        self._leave = asyncio.Event()
        self._leaving = self._is_gone = False
        self._open: set[Any] = set()

    @property
    def is_over(self) -> bool:
        return self.ended.done()

    async def live(self) -> None:
        """Enter the client, wait until it is to be left, and leave it, all in this one task."""
        try:
            async with AsyncExitStack() as stack:
                await self._enter(stack)
                self.ready.set_result(None)
                try:
                    await self._leave.wait()
                finally:
                    self._give_up_calls()
        except BaseException as error:
            if not self.ready.done():
                self.ready.set_exception(self._why_not_started(error))
            # What goes wrong on leaving doesn't matter: the server is gone, or about to be.
            if not isinstance(error, Exception):
                raise
        finally:
            self.client = None
            if self.log is not None:
                self.log.close()
            self.ended.set_result(None)

    def leave(self) -> None:
        """Have the connection closed. From any thread; ``ended`` says when it is."""
        self._leaving = True
        try:
            self.loop.call_soon_threadsafe(self._leave.set)
        except RuntimeError:  # the loop is closed, and what ran on it was cancelled
            pass

    async def call(self, name: str, arguments: dict[str, Any]) -> Any:
        """The output of one call, from whatever loop it is awaited on. Cancelling passes through.

        Raises:
            ServerError: the server answered with an error.
            ConnectionEndedError: it didn't answer, and never will.
        """
        if asyncio.get_running_loop() is self.loop:
            return await self._request(name, arguments)
        if self.is_over or self.loop.is_closed():
            raise self._over(was_sent=False)
        begun: Future[None] = Future()
        there = asyncio.run_coroutine_threadsafe(self._begin(begun, name, arguments), self.loop)
        answer = asyncio.wrap_future(there)
        try:
            await self._wait_for(begun)
            return await answer
        finally:
            answer.cancel()

    def list_now(self) -> list[Any]:
        """:meth:`list_tools` for another thread than the loop's, which waits here meanwhile."""
        listing = asyncio.run_coroutine_threadsafe(self.list_tools(), self.loop)
        try:
            return listing.result(START_SECONDS)
        except FutureTimeoutError:
            listing.cancel()
            raise silent_error(str(self.resource), START_SECONDS, self._written()) from None
        except Exception as error:
            raise failed_error(
                str(self.resource), "list its tools", error, self._written()
            ) from None

    async def list_tools(self) -> list[Any]:
        """The server's tools as they are now, from all pages. On this session's loop."""
        tools, cursor, seen = [], None, set()
        for _ in range(MOST_PAGES):
            page = await self.client.list_tools(cursor=cursor, cache_mode="bypass")
            tools += page.tools
            cursor = page.next_cursor
            if cursor is None or cursor in seen:
                break
            seen.add(cursor)
        return tools

    async def _enter(self, stack: AsyncExitStack) -> None:
        from mcp import Client

        limit = asyncio.timeout(START_SECONDS)
        try:
            async with limit:
                client = Client(self._transport())
                self.client = await stack.enter_async_context(client)
                self.name = self._own_name()
                self.tools = await self.list_tools()
        except TimeoutError:
            if limit.expired():
                raise silent_error(str(self.resource), START_SECONDS, self._written()) from None
            raise

    def _own_name(self) -> str:
        """The server as it calls itself, for what a model reads; else as it was given."""
        info = self.client.server_info
        return self.name if info is None else f"the server {shorten(info.name, 60)!r}"

    def _transport(self) -> Any:
        """The server; a command's standard error is kept, and no proxy stands before our own."""
        from mcp import StdioServerParameters
        from mcp.client.stdio import stdio_client

        if isinstance(self._server, str) and not may_use_proxy(self._server):
            return without_proxy(self._server)
        if not isinstance(self._server, StdioServerParameters):
            return self._server
        self.log = Log()
        return stdio_client(self._server, errlog=self.log.file)  # type: ignore[arg-type]

    def _why_not_started(self, error: BaseException) -> BaseException:
        if isinstance(error, ServerStartError):
            return error
        return failed_error(str(self.resource), "be started", error, self._written())

    def _written(self) -> str:
        return "" if self.log is None else self.log.read()

    async def _wait_for(self, begun: Future[None]) -> None:
        try:
            await asyncio.wait_for(asyncio.wrap_future(begun), BLOCKED_SECONDS)
        except TimeoutError:
            raise self._blocked() from None

    async def _begin(self, begun: Future[None], name: str, arguments: dict[str, Any]) -> Any:
        begun.set_result(None)
        return await self._request(name, arguments)

    async def _request(self, name: str, arguments: dict[str, Any]) -> Any:
        """Ask, and read the answer.

        Not by the client's own ``call_tool``: that checks what comes back against the server's
        schema, on this loop and without a limit, and a pattern in it may take for ever.
        """
        import anyio
        from mcp import MCPError, types
        from pydantic import ValidationError

        if self.client is None or self._leaving or self._is_gone:
            raise self._over(was_sent=False)
        params = types.CallToolRequestParams(name=name, arguments=arguments)
        request = types.CallToolRequest(params=params)
        scope = anyio.CancelScope()
        self._open.add(scope)
        try:
            with scope:
                answer = await self.client.session.send_request(request, types.CallToolResult)
                return answers.output(answer)
        except MCPError as error:
            raise self._explained(error) from error
        except (anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            raise self._over(was_sent=True) from error
        except ValidationError as error:
            raise ServerError(
                f"the answer of {self.name} is not a result that a tool may have",
                "go on without it, as it is the server that has to change",
            ) from error
        finally:
            self._open.discard(scope)
        raise self._over(was_sent=True)  # the scope was cancelled

    def _give_up_calls(self) -> None:
        """End the calls that are open: not every transport does, when it is left."""
        for scope in self._open:
            scope.cancel()

    def _explained(self, error: Any) -> Exception:
        """What a JSON-RPC error means for the call."""
        from mcp import types

        if error.code == types.CONNECTION_CLOSED:
            if error.message != _ALL_IS_OVER:  # an HTTP answer was cut, and others may come
                return ConnectionEndedError(
                    f"{self.name} broke its answer off: {error.message}", was_sent=True
                )
            self._is_gone = True
            return self._over(was_sent=True)
        if error.code in (types.INVALID_PARAMS, types.METHOD_NOT_FOUND):
            return ServerError(error.message)
        return ServerError(error.message or explain(error), "go on without it, or ask again later")

    def _over(self, *, was_sent: bool) -> ConnectionEndedError:
        closed = f"the connection to {self.name} is closed"
        why = closed if self._leaving else f"{self.name} is gone"
        return ConnectionEndedError(why, was_sent=was_sent)

    def _blocked(self) -> ServerError:
        return ServerError(
            f"the event loop of the connection to {self.name} is blocked: await "
            "ptc.aio.execute_parallel there, or enter the connection with `with`, not `async with`",
            "go on without it, as it is the program that has to change",
        )
