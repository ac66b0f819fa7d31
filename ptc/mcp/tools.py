"""A server's tools as tools of a registry."""

import re
from collections.abc import Callable
from typing import Any, TypedDict
from weakref import WeakKeyDictionary

from ..registry import ToolRegistry
from .servers import Resource
from .session import Session

_LONGEST_NAME = 64  # characters that every provider takes
_sessions: "WeakKeyDictionary[Callable[..., Any], Session]" = WeakKeyDictionary()

Touches = Callable[..., Resource]


class Hints(TypedDict, total=False):
    """The options of a tool that hints decide."""

    idempotent: bool
    reads: Touches
    writes: Touches


def add(
    name: str,
    tool: Any,
    session: Session,
    registry: ToolRegistry,
    *,
    trust_hints: bool,
    timeout: float | None,
) -> None:
    """Register one of the server's tools; its calls go through the session.

    Raises:
        ValueError: its schema is unusable.
    """
    resource = Resource(session.resource.identity, session.name)
    registry.register(
        _function(tool.name, session),
        name=name,
        description=tool.description or tool.title or "",
        schema=tool.input_schema,
        timeout=timeout,
        **options_from_hints(tool.annotations if trust_hints else None, resource),
    )


def options_from_hints(hints: Any, resource: Resource) -> Hints:
    """What ``mcp.types.ToolAnnotations`` say; None says what the specification assumes."""

    def touches(**_: Any) -> Resource:
        return resource

    if hints is not None and hints.read_only_hint:
        return {"idempotent": True, "reads": touches}
    return {"idempotent": bool(hints and hints.idempotent_hint), "writes": touches}


def usable_names(names: list[str], prefix: str) -> list[str]:
    """The names with the prefix, as providers take them, and no two the same.

    >>> usable_names(["files.read", "files/read"], "my_")
    ['my_files_read', 'my_files_read_2']
    """
    usable: dict[str, None] = {}
    for name in names:
        plain = re.sub(r"[^a-zA-Z0-9_-]", "_", prefix + name)[:_LONGEST_NAME]
        number, found = 1, plain or "_"
        while found in usable:
            number += 1
            found = f"{plain[: _LONGEST_NAME - 5]}_{number}"
        usable[found] = None
    return list(usable)


def check_free(names: list[str], registry: ToolRegistry, session: Session) -> None:
    """Raise ValueError for a name that something else has.

    A tool of this same connection, or of one that is closed, is replaced by the new one.
    """
    for name in names:
        holder = _sessions.get(registry[name].fn) if name in registry else session
        if holder is None or not (holder is session or holder.is_over):
            owner = "" if holder is None else f" by {holder.name}"
            raise ValueError(
                f"a tool named {name!r} is registered already{owner}: register those of "
                f"{session.name} with a prefix=, such as prefix='other_'"
            )


def _function(name: str, session: Session) -> Callable[..., Any]:
    """The function that the registry calls. To it, all of these are one definition, made anew."""

    async def call_of_a_server(**arguments: Any) -> Any:
        return await session.call(name, arguments)

    _sessions[call_of_a_server] = session
    return call_of_a_server
