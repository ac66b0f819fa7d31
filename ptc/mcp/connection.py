"""A connection to an MCP server, and its tools in a registry."""

import asyncio
import warnings
from typing import Any

from .. import options
from ..machine.loops import tool_loop
from ..registry import ToolRegistry
from .servers import resource_of
from .session import Session
from .tools import add, check_free, usable_names

_STOP_SECONDS = 10  # the SDK gives a command some 6 to end, and then kills it


class Connection:
    """A connection to the server that an ``mcp.Client`` would be given; a context manager.

    ``server`` is an ``mcp.StdioServerParameters`` (a command), a URL (Streamable HTTP), a transport
    of the SDK, or a server of this process. Entered by ``with``, it lives on the process's own
    event loop, where the async tools of :func:`ptc.execute_parallel` run; by ``async with``, on the
    caller's, for :mod:`ptc.aio`. What a command writes to its standard error is kept: :meth:`log`.

        >>> from mcp import StdioServerParameters
        >>> clock = StdioServerParameters(command="python", args=["-m", "mcp_server_time"])
        >>> with Connection(clock) as connection:
        ...     connection.register(registry)
        ['get_current_time', 'convert_time']

    Raises:
        ImportError: the MCP SDK isn't installed.
        ServerStartError: (on entering) the server can't be started, or says nothing for 30 s.
        RuntimeError: (on entering) it is open already.
    """

    def __init__(self, server: Any) -> None:
        _check_sdk()
        self.server = server
        self._resource = resource_of(server)
        self._session: Session | None = None

    def __repr__(self) -> str:
        return f"Connection to {self._resource}"

    def __enter__(self) -> "Connection":
        loop = tool_loop()
        if loop is _running_loop():
            raise RuntimeError("an async tool can't wait for its own loop: use `async with`")
        session = self._new_session(loop)
        owner = asyncio.run_coroutine_threadsafe(session.live(), loop)
        try:
            session.ready.result()
        except BaseException:  # an interrupt, too; the server must not outlive it
            owner.cancel()
            session.ended.result(_STOP_SECONDS)
            raise
        self._session = session
        return self

    def __exit__(self, *_: object) -> None:
        session = self._any_session()
        session.leave()
        session.ended.result()

    async def __aenter__(self) -> "Connection":
        loop = asyncio.get_running_loop()
        session = self._new_session(loop)
        self._owner = loop.create_task(session.live())
        try:
            await asyncio.wrap_future(session.ready)
        except BaseException:
            self._owner.cancel()
            await asyncio.wait([self._owner])
            raise
        self._session = session
        return self

    async def __aexit__(self, *_: object) -> None:
        session = self._any_session()
        session.leave()
        await asyncio.wait([self._owner])

    @property
    def tools(self) -> list[Any]:
        """What the server said of its tools on entering: ``mcp.types.Tool``, hints included.

        >>> clock.tools[0].annotations.read_only_hint
        True
        """
        return list(self._open_session().tools)

    def register(
        self,
        registry: ToolRegistry,
        *,
        prefix: str = "",
        trust_hints: bool = False,
        timeout: float | None = None,
    ) -> list[str]:
        """Add the server's tools, and give the names that they have in the registry.

        What a server says of its tools may be wrong, or a lie. So each of them counts as one that
        must not be repeated, and that writes to the server's one resource: calls of this server run
        one at a time, in request order. With ``trust_hints=True`` its word is taken: a tool with
        ``readOnlyHint`` only reads that resource, and may be repeated; one with ``idempotentHint``
        may be repeated.

        ``timeout``: seconds for a call of each tool; a call that is given up is cancelled on the
        server. Called again, it takes the list of tools as it is then (inside ``async with``, as it
        was on entering). Characters that providers don't take become ``_``.

        Raises:
            ValueError: a name is taken by something other than this server's tool of that name.
            RuntimeError: the connection isn't open.
            ServerStartError: the server can't list its tools any more.
        """
        options.check_timeout("the server's tools", timeout)
        session = self._open_session()
        tools = _latest_tools(session)
        names = usable_names([tool.name for tool in tools], prefix)
        check_free(names, registry, session)
        added = []
        for name, tool in zip(names, tools, strict=True):
            try:
                add(name, tool, session, registry, trust_hints=trust_hints, timeout=timeout)
            except ValueError as error:  # all but its schema is known to be right
                warnings.warn(f"{name!r} of {session.name} is left out: {error}", stacklevel=2)
            else:
                added.append(name)
        return added

    def log(self) -> str:
        """The end of what the server's command has written to its standard error."""
        log = self._any_session().log
        return "" if log is None else log.read()

    def _new_session(self, loop: asyncio.AbstractEventLoop) -> Session:
        if self._session is not None and not self._session.is_over:
            raise RuntimeError(f"the {self!r} is open already: make another Connection")
        return Session(self.server, self._resource, loop)

    def _open_session(self) -> Session:
        if self._any_session().is_over:
            raise RuntimeError(f"the {self!r} is closed: enter it again")
        return self._any_session()

    def _any_session(self) -> Session:
        if self._session is None:
            raise RuntimeError(f"the {self!r} isn't open: enter it with `with` or `async with`")
        return self._session


def _latest_tools(session: Session) -> list[Any]:
    """As the server lists them now, where we may wait for that; else as it did at the start.

    A loop other than the process's own may be the one that runs us, or that waits for us.
    """
    may_wait = session.loop is tool_loop() and session.loop is not _running_loop()
    return session.list_now() if may_wait else session.tools


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _check_sdk() -> None:
    try:
        from mcp import Client as Client
    except ImportError:
        raise ImportError(
            'ptc.mcp needs the MCP SDK, version 2, which is installed with: pip install "mcp>=2,<3"'
        ) from None
