"""The machine behind ``execute``: only execute, stream, aio, mcp and the executors enter here."""

from .state import given_up

__all__ = ["given_up"]
