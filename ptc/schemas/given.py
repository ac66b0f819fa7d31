"""A JSON Schema that came from elsewhere: put into the form that providers take, and checked."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from ..text import shorten
from .bounded import Bounded
from .clock import Unchecked
from .faults import MOST_QUOTED, ArgumentsError, wrong_arguments

Validate = Callable[[dict[str, Any]], dict[str, Any]]

DEEPEST = 100
"""How many objects and lists of a given schema may stand in one another."""

_LONGEST_FAULT = 200


def from_schema(name: str, schema: Mapping[str, Any]) -> tuple[dict[str, Any], Validate]:
    """A copy of the schema as providers take it, and a check by jsonschema that changes nothing.

    No check takes longer than :data:`~ptc.schemas.bounded.MOST_SECONDS`: arguments that would are
    refused, whatever the schema asks for. Nothing is fetched: a reference to somewhere else can't
    be checked.

    >>> schema, validate = from_schema("ping", {})
    >>> schema, validate({"any": "thing"})
    ({'type': 'object', 'properties': {}}, {'any': 'thing'})

    Raises:
        ValueError: it is not the JSON Schema of an object, or is nested too deep.
    """
    schema = _plain_copy(name, schema)
    bounded = Bounded(schema)
    try:
        fault = bounded.fault_of_the_schema()
    except Unchecked as error:
        raise ValueError(f"the schema of {name!r} can't be checked: {error}") from None
    if fault is not None:
        raise ValueError(f"the schema of {name!r} is not a JSON Schema: {fault}")

    def validate(arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            faults = [_mismatch(error) for error in bounded.first_errors(arguments)]
        except Unchecked as error:
            raise ArgumentsError(f"the arguments for {name!r} can't be checked: {error}") from None
        if faults:
            raise wrong_arguments(name, faults)
        return arguments

    return schema, validate


def _plain_copy(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema made of plain dicts and lists, as one of an object with properties."""
    if not isinstance(schema, Mapping):
        raise ValueError(f"the schema of {name!r} is not a JSON object: {_quoted(schema)}")
    if _is_deeper(schema, DEEPEST):
        raise ValueError(f"the schema of {name!r} is not usable: nested more than {DEEPEST} deep")
    try:
        plain = json.loads(json.dumps(dict(schema), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(f"the schema of {name!r} is not JSON: {error}") from None
    plain = _mended(plain)
    kind = plain.setdefault("type", "object")
    if kind != "object" and not (isinstance(kind, list) and "object" in kind):
        raise ValueError(
            f"the schema of {name!r} is not that of a JSON object, "
            f"which arguments are: type={_quoted(kind)}"
        )
    plain["type"] = "object"
    plain.setdefault("properties", {})
    return plain


def _is_deeper(value: Any, most: int) -> bool:
    """Do more than so many dicts and lists stand in one another? A circle does."""
    level = [value]
    for _ in range(most):
        inner = {}  # by identity: what stands in several places is looked at once
        for holder in level:
            parts = holder.values() if isinstance(holder, Mapping) else holder
            inner |= {id(part): part for part in parts if isinstance(part, (Mapping, list, tuple))}
        level = list(inner.values())
    return bool(level)


# Where the schemas stand that a schema is made of.
_ONE_SCHEMA = {
    "additionalItems",
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
}
_LIST_OF_SCHEMAS = {"allOf", "anyOf", "items", "oneOf", "prefixItems"}
_SCHEMAS_BY_NAME = {
    "$defs",
    "definitions",
    "dependencies",
    "dependentSchemas",
    "patternProperties",
    "properties",
}
# Null is a value in these, and means "none" in all others.
_VALUES = {"const", "default", "example", "examples"}


def _mended(schema: Any) -> Any:
    """The schema without what providers refuse and what says nothing.

    A null that stands for "none" (``"required": null``) is dropped, and a list that doesn't say
    what it holds may hold anything.
    """
    if not isinstance(schema, dict):
        return schema
    made = {key: part for key, part in schema.items() if part is not None or key in _VALUES}
    for key, part in made.items():
        if key in _ONE_SCHEMA and isinstance(part, dict):
            made[key] = _mended(part)
        elif key in _LIST_OF_SCHEMAS and isinstance(part, list):
            made[key] = [_mended(one) for one in part]
        elif key in _SCHEMAS_BY_NAME and isinstance(part, dict):
            made[key] = {name: _mended(one) for name, one in part.items()}
    kinds = made.get("type")
    is_list = kinds == "array" or (isinstance(kinds, list) and "array" in kinds)
    if is_list and not {"items", "prefixItems", "unevaluatedItems"} & made.keys():
        made["items"] = {}
    return made


def _mismatch(error: Any) -> str:
    where = ".".join(map(str, error.absolute_path))
    message = error.message.replace(repr(error.instance), _quoted(error.instance))
    return shorten(f"{where}: {message}" if where else message, _LONGEST_FAULT)


def _quoted(value: object) -> str:
    return shorten(repr(value), MOST_QUOTED)
