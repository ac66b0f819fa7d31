"""jsonschema within a limit: no schema and no arguments keep a check busy for long.

Three things bound it. Each keyword looks at the clock before it starts. The keywords whose own work
grows faster than what they look at are written anew (:mod:`ptc.schemas.keywords`). And patterns are
matched by the ``regex`` package, which stops at a time limit; Python's ``re`` never does, and holds
up all other threads meanwhile.
"""

from collections.abc import Callable
from functools import lru_cache
from itertools import islice
from typing import Any

from ..text import explain
from .clock import Unchecked, compiled, limited, look_at_the_clock
from .faults import MOST_TOLD

MOST_SECONDS = 0.5
"""How much processor time the check of a call's arguments may take; most take 0.05 ms."""

MOST_SECONDS_FOR_A_SCHEMA = 3
"""How much the check of a schema itself may take; 500 properties take 0.2 s."""


class Bounded:
    """The checks that one schema makes, each within its limit; the root says which draft it is.

    Both methods raise :class:`~ptc.schemas.clock.Unchecked` at the limit.
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        from jsonschema.validators import Draft202012Validator, validator_for
        from jsonschema_specifications import REGISTRY

        self._schema = schema
        named = isinstance(schema.get("$schema"), str)
        dialect = validator_for(schema if named else {}, default=Draft202012Validator)
        self._dialect = _bounded(dialect)
        self._check = self._dialect(schema, registry=REGISTRY)

    def fault_of_the_schema(self) -> str | None:
        """What makes it no schema of its draft, or None.

        >>> Bounded({"type": "objet"}).fault_of_the_schema()
        "'objet' is not valid under any of the given schemas"
        """
        import regex
        from jsonschema import FormatChecker

        formats = FormatChecker(formats=())
        formats.checks("regex", raises=regex.error)(_is_a_pattern)
        check = self._dialect(self._dialect.META_SCHEMA, format_checker=formats)
        with limited(MOST_SECONDS_FOR_A_SCHEMA):
            error = next(check.iter_errors(self._schema), None)
        return error and error.message

    def first_errors(self, instance: Any) -> list[Any]:
        """jsonschema's errors: as many as are told, and one more.

        >>> [error.message for error in Bounded({"required": ["city"]}).first_errors({})]
        ["'city' is a required property"]
        """
        try:
            with limited(MOST_SECONDS):
                return list(islice(self._check.iter_errors(instance), MOST_TOLD + 1))
        except Unchecked:
            raise
        except Exception as error:
            raise Unchecked(_what_is_wrong(error)) from None


def _what_is_wrong(error: Exception) -> str:
    """Why jsonschema itself fails at a schema that was found to be one."""
    from referencing.exceptions import Unresolvable

    if isinstance(error, Unresolvable):
        return f"the tool's schema refers to {error.ref!r}, which is not in it; nothing is fetched"
    return f"a part of the tool's schema is not a schema: {explain(error)}"  # a reference led there


def _is_a_pattern(text: object) -> bool:
    return not isinstance(text, str) or compiled(text) is not None


@lru_cache
def _bounded(dialect: Any) -> Any:
    """The dialect's class, with keywords that keep to the limit."""
    from attrs import fields
    from jsonschema.validators import extend

    from .keywords import KEYWORDS

    known = {name: KEYWORDS.get(name, check) for name, check in dialect.VALIDATORS.items()}
    made = extend(dialect, {name: _timed(check) for name, check in known.items()})
    kept = [(each.name, each.alias) for each in fields(made) if each.init]

    def evolve(self: Any, **changes: Any) -> Any:
        """jsonschema's own would leave this class where a part of the schema names its draft."""
        for name, parameter in kept:
            if parameter not in changes:
                changes[parameter] = getattr(self, name)
        return type(self)(**changes)

    made.evolve = evolve
    return made


def _timed(check: Callable[..., Any]) -> Callable[..., Any]:
    def timed(*arguments: Any) -> Any:
        look_at_the_clock()
        return check(*arguments)

    return timed
