"""The tools that a model may call: their schemas, their checks, and how each wants to be run."""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import schemas, wire
from .machine.permits import Places

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True, eq=False)
class Tool:
    """One registered function. ``validate`` maps the sent arguments to those that it is given."""

    name: str
    fn: Callable[..., Any]
    description: str
    schema: dict[str, Any]
    validate: Callable[[dict[str, Any]], dict[str, Any]]
    timeout: float | None = None
    idempotent: bool = True
    expected_seconds: float | Callable[..., float] | None = None
    places: Places | None = None


class ToolRegistry:
    """Tools by name. Fill it with :meth:`tool` or :meth:`register`, then hand it to a runner."""

    def __init__(self) -> None:
        self._tools: dict[str, Tool] = {}

    def tool(self, fn: Callable[..., Any] | None = None, **options: Any) -> Any:
        """Decorator form of :meth:`register`, bare or with options; gives the function back."""
        if fn is None:
            return lambda function: self.register(function, **options)
        return self.register(fn, **options)

    def register(
        self,
        fn: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        schema: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        max_concurrency: int | None = None,
        idempotent: bool = True,
        expected_seconds: float | Callable[..., float] | None = None,
    ) -> Callable[..., Any]:
        """Add a function, ``async def`` included, and give it back.

        Its schema comes from the type hints, unless one is given (then jsonschema checks the
        arguments). ``timeout``: seconds for all attempts of a call, from its first start.
        ``max_concurrency``: calls at once, over all batches. ``idempotent=False``: never retried.
        ``expected_seconds``: a number, or a function of the arguments; the longest start first.

        Raises:
            ValueError: an option, the schema or the name is unusable, or the name is taken.
            TypeError: the function can't be called with named arguments, or its type hints make
                no schema.
        """
        name = name or getattr(fn, "__name__", "")
        if not (isinstance(name, str) and _NAME.fullmatch(name)):
            raise ValueError(f"{name!r} is no tool name; give name= of letters, digits, _ and -")
        if name in self._tools and not _redefines(fn, self._tools[name].fn):
            raise ValueError(f"a tool named {name!r} is registered already; give another name=")
        schemas.check_options(name, timeout, max_concurrency, expected_seconds)
        if schema is None:
            schema, validate = schemas.from_hints(name, fn)
        else:
            schema, validate = schemas.from_schema(name, schema)
        self._tools[name] = Tool(
            name=name,
            fn=fn,
            description=description or inspect.getdoc(schemas.unwrapped(fn)) or "",
            schema=schema,
            validate=validate,
            timeout=timeout,
            idempotent=idempotent,
            expected_seconds=expected_seconds,
            places=Places(max_concurrency) if max_concurrency else None,
        )
        return fn

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def __len__(self) -> int:
        return len(self._tools)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tools)

    def __getitem__(self, name: str) -> Tool:
        """The tool of that name. Raises KeyError, with the known names, where there is none."""
        try:
            return self._tools[name]
        except KeyError:
            raise KeyError(f"no tool named {name!r}; known: {list(self)}") from None

    def get_schema(self, name: str) -> dict[str, Any]:
        """The JSON Schema of a tool's parameters."""
        return self[name].schema

    def to_wire(self, wire_format: str = "openai") -> list[dict[str, Any]]:
        """The ``tools=`` list of a request in a provider's wire format."""
        return wire.describe_tools(self._tools.values(), wire_format)


def _redefines(new: Callable[..., Any], old: Callable[..., Any]) -> bool:
    """Is it the same definition made again, as when a notebook's cell is run a second time?"""
    return all(
        getattr(new, part, None) == getattr(old, part, None) is not None
        for part in ("__module__", "__qualname__")
    )
