"""The tools that a model may call: their schemas, their checks, and how each wants to be run."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from . import options, schemas, wire


@dataclass(frozen=True, slots=True, eq=False)
class Tool:
    """One registered function. ``validate`` maps the sent arguments to those that it is given.

    ``defaults`` are the arguments of a call that leaves them out, ``bound`` those that a
    ``functools.partial`` keeps from the model.
    """

    name: str
    fn: Callable[..., Any]
    description: str
    schema: dict[str, Any]
    validate: Callable[[dict[str, Any]], dict[str, Any]]
    timeout: float | None = None
    idempotent: bool = True
    expected_seconds: float | Callable[..., float] | None = None
    max_concurrency: int | None = None
    reads: options.Declared = None
    writes: options.Declared = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    bound: Mapping[str, Any] = field(default_factory=dict)


class ToolRegistry:
    """Tools by name. Fill it with :meth:`tool` or :meth:`register`, then hand it to a runner.

    >>> registry = ToolRegistry()
    >>> @registry.tool
    ... def double(n: int) -> int:
    ...     return 2 * n
    >>> "double" in registry, len(registry), list(registry)
    (True, 1, ['double'])
    """

    def __init__(self) -> None:
        self._tools: dict[str, Tool] = {}

    def tool(self, fn: Callable[..., Any] | None = None, **how: Any) -> Any:
        """Decorator form of :meth:`register`, bare or with options; gives the function back.

        >>> @ToolRegistry().tool(timeout=5, idempotent=False)
        ... def pay(amount: float) -> str: ...
        """
        if fn is None:
            return partial(self.register, **how)
        return self.register(fn, **how)

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
        reads: options.Declared = None,
        writes: options.Declared = None,
    ) -> Callable[..., Any]:
        """Add a function, ``async def`` included, and give it back.

        Its schema comes from the type hints, unless one is given (then jsonschema checks the
        arguments). What a ``functools.partial`` has bound is not the model's to give.
        ``timeout``: seconds for all attempts of a call, from its first start.
        ``max_concurrency``: calls at once, over all batches. ``idempotent=False``: never retried.
        ``expected_seconds``: a number, or a function of the arguments; the longest start first.
        ``reads``, ``writes``: what its calls touch (:func:`ptc.conflicts.resources`): nothing,
        True for everything, ``"inbox"``, ``"account:{iban}"``, or a function of the arguments.

        >>> registry = ToolRegistry()
        >>> found = registry.register(len, name="count", schema={}, description="Counts.")

        Raises:
            ValueError: an option, the schema or the name is unusable, or the name is taken.
            TypeError: the function can't be called with named arguments, or its type hints make
                no schema.
        """
        name = options.check_name(name or getattr(fn, "__name__", None))
        if name in self._tools and not schemas.is_redefined(fn, self._tools[name].fn):
            raise ValueError(f"a tool named {name!r} is registered already; give another name=")
        checked = {
            "timeout": options.check_timeout(repr(name), timeout),
            "max_concurrency": options.check_max_concurrency(repr(name), max_concurrency),
            "idempotent": options.check_idempotent(repr(name), idempotent),
            "expected_seconds": options.check_expected_seconds(repr(name), expected_seconds),
        }
        if schema is None:
            parameters = schemas.read_parameters(fn)
            schema, validate = schemas.from_hints(name, fn, parameters)
        else:
            schema, validate = schemas.from_schema(name, schema)
            parameters = schemas.read_if_told(fn, schema)
        known = {**schema["properties"], **parameters.defaults, **parameters.bound}
        self._tools[name] = Tool(
            name=name,
            fn=fn,
            description=description or inspect.getdoc(schemas.innermost(fn)) or "",
            schema=schema,
            validate=validate,
            defaults=parameters.defaults,
            bound=parameters.bound,
            reads=options.check_declared(repr(name), "reads", reads, known),
            writes=options.check_declared(repr(name), "writes", writes, known),
            **checked,
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

    def get(self, name: str) -> Tool | None:
        """The tool of that name, or None."""
        return self._tools.get(name)

    def get_schema(self, name: str) -> dict[str, Any]:
        """The JSON Schema of a tool's parameters: a copy, to change as you like."""
        return deepcopy(self[name].schema)

    def to_wire(self, wire_format: str = "openai") -> list[dict[str, Any]]:
        """The ``tools=`` list of a request in a provider's wire format: a copy, too."""
        return wire.describe_tools(self._tools.values(), wire_format)
