"""Tools of MCP servers: a :class:`Connection` adds those of one server to a registry."""

from .connection import Connection
from .errors import ConnectionEndedError, ServerError, ServerStartError

__all__ = ["Connection", "ConnectionEndedError", "ServerError", "ServerStartError"]
