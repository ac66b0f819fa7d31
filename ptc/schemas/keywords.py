"""JSON Schema's keywords whose work, as jsonschema does it, could grow without bounds.

The same verdicts and words, but for three: a number is a multiple as it is written, so that 0.3 is
one of 0.1; the branches of ``anyOf`` and ``oneOf`` are left at their first fault; and unexpected
names are told in the order in which they came.
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from math import isfinite
from typing import Any

from jsonschema.exceptions import ValidationError
from referencing.jsonschema import lookup_recursive_ref

from .clock import look_at_the_clock, search

_MOST_LISTED = 5


def pattern(validator: Any, wanted: str, instance: Any, schema: Any) -> Iterator[Any]:
    if validator.is_type(instance, "string") and not search(wanted, instance):
        yield ValidationError(f"{instance!r} does not match {wanted!r}")


def pattern_properties(validator: Any, patterns: Any, instance: Any, schema: Any) -> Iterator[Any]:
    if not validator.is_type(instance, "object"):
        return
    for wanted, part in patterns.items():
        for name, value in instance.items():
            if search(wanted, name):
                yield from validator.descend(value, part, path=name, schema_path=wanted)


def additional_properties(validator: Any, part: Any, instance: Any, schema: Any) -> Iterator[Any]:
    if not validator.is_type(instance, "object"):
        return
    patterns = schema.get("patternProperties", {})
    extras = [name for name in instance if not _is_named(name, schema)]
    if part is not False:
        for name in extras:
            yield from validator.descend(instance[name], part, path=name)
    elif extras and patterns:
        listed = ", ".join(repr(name) for name in extras[:_MOST_LISTED])
        verb = "does" if len(extras) == 1 else "do"
        yield ValidationError(f"{listed} {verb} not match any of the regexes: {list(patterns)}")
    elif extras:
        yield ValidationError(f"Additional properties are not allowed ({_unexpected(extras)})")


def unique_items(validator: Any, unique: bool, instance: Any, schema: Any) -> Iterator[Any]:
    if not unique or not validator.is_type(instance, "array"):
        return
    seen = set()
    for item in instance:
        look_at_the_clock()
        seen.add(_hashable(item))
    if len(seen) < len(instance):
        yield ValidationError(f"{instance!r} has non-unique elements")


def enum(validator: Any, values: list[Any], instance: Any, schema: Any) -> Iterator[Any]:
    wanted, is_large = _hashable(instance), isinstance(instance, (dict, list))
    for value in values:
        if is_large:
            look_at_the_clock()
        if isinstance(value, (dict, list)) == is_large and _hashable(value) == wanted:
            return
    yield ValidationError(f"{instance!r} is not one of {values!r}")


def multiple_of(validator: Any, step: Any, instance: Any, schema: Any) -> Iterator[Any]:
    if not validator.is_type(instance, "number"):
        return
    endless = isinstance(instance, float) and not isfinite(instance)
    if endless or _as_written(instance) % _as_written(step):
        yield ValidationError(f"{instance!r} is not a multiple of {step}")


def any_of(validator: Any, branches: Any, instance: Any, schema: Any) -> Iterator[Any]:
    if not any(_fits(validator, instance, branch) for branch in branches):
        yield ValidationError(f"{instance!r} is not valid under any of the given schemas")


def one_of(validator: Any, branches: Any, instance: Any, schema: Any) -> Iterator[Any]:
    fitting = [branch for branch in branches if _fits(validator, instance, branch)]
    if not fitting:
        yield ValidationError(f"{instance!r} is not valid under any of the given schemas")
    elif len(fitting) > 1:
        listed = ", ".join(repr(branch) for branch in fitting[:_MOST_LISTED])
        yield ValidationError(f"{instance!r} is valid under each of {listed}")


def unevaluated_properties(validator: Any, part: Any, instance: Any, schema: Any) -> Iterator[Any]:
    if not validator.is_type(instance, "object"):
        return
    evaluated = _evaluated(validator, instance, schema)
    extras = [name for name in instance if name not in evaluated]
    if part is not False:
        for name in extras:
            yield from validator.descend(instance[name], part, path=name)
    elif extras:
        yield ValidationError(f"Unevaluated properties are not allowed ({_unexpected(extras)})")


def unevaluated_items(validator: Any, part: Any, instance: Any, schema: Any) -> Iterator[Any]:
    if not validator.is_type(instance, "array"):
        return
    evaluated = _evaluated(validator, instance, schema)
    extras = [index for index in range(len(instance)) if index not in evaluated]
    if part is not False:
        for index in extras:
            yield from validator.descend(instance[index], part, path=index)
    elif extras:
        items = [instance[index] for index in extras]
        yield ValidationError(f"Unevaluated items are not allowed ({_unexpected(items)})")


KEYWORDS = {
    "additionalProperties": additional_properties,
    "anyOf": any_of,
    "enum": enum,
    "multipleOf": multiple_of,
    "oneOf": one_of,
    "pattern": pattern,
    "patternProperties": pattern_properties,
    "unevaluatedItems": unevaluated_items,
    "unevaluatedProperties": unevaluated_properties,
    "uniqueItems": unique_items,
}


def _fits(validator: Any, instance: Any, part: Any) -> bool:
    return next(validator.descend(instance, part), None) is None


def _unexpected(values: list[Any]) -> str:
    listed = ", ".join(repr(value) for value in values[:_MOST_LISTED])
    if len(values) > _MOST_LISTED:
        listed = f"{listed} and {len(values) - _MOST_LISTED} more"
    return f"{listed} {'was' if len(values) == 1 else 'were'} unexpected"


def _is_named(name: str, schema: Any) -> bool:
    """Do ``properties`` or ``patternProperties`` speak of the property of that name?"""
    if name in schema.get("properties", {}):
        return True
    return any(search(wanted, name) for wanted in schema.get("patternProperties", {}))


def _hashable(value: Any) -> Any:
    """Equal for what is equal in JSON: 1 and 1.0, but not 1 and true."""
    if isinstance(value, bool):
        return bool, value
    if isinstance(value, dict):
        return dict, frozenset((name, _hashable(part)) for name, part in value.items())
    if isinstance(value, (list, tuple)):
        return list, tuple(_hashable(part) for part in value)
    return value


def _as_written(number: Any) -> Fraction:
    return Fraction(number) if isinstance(number, int) else Fraction(str(number))


def _evaluated(validator: Any, instance: Any, schema: Any) -> set[Any]:
    """The names or indices that the schema, or what it applies in place, has looked at."""
    look_at_the_clock()
    if isinstance(schema, bool):
        return set()
    own = _own_names if isinstance(instance, dict) else _own_indices
    evaluated = set(own(validator, instance, schema))
    for there, part in _in_place(validator, instance, schema):
        if _fits(there, instance, part):
            evaluated |= _evaluated(there, instance, part)
    return evaluated


def _own_names(validator: Any, instance: Any, schema: Any) -> Iterable[str]:
    if "additionalProperties" in schema:
        return instance
    if (part := schema.get("unevaluatedProperties")) is None:
        return [name for name in instance if _is_named(name, schema)]
    return [
        name
        for name, value in instance.items()
        if _is_named(name, schema) or _fits(validator, value, part)
    ]


def _own_indices(validator: Any, instance: Any, schema: Any) -> Iterable[int]:
    items = schema.get("items")
    if isinstance(items, (dict, bool)) or (items is not None and "additionalItems" in schema):
        return range(len(instance))
    first = len(schema.get("prefixItems", items or ()))
    parts = [schema[key] for key in ("unevaluatedItems", "contains") if key in schema]
    if "prefixItems" not in validator.VALIDATORS and "contains" in schema:
        parts.pop()  # before draft 2020-12
    return [
        index
        for index, value in enumerate(instance)
        if index < first or any(_fits(validator, value, part) for part in parts)
    ]


def _in_place(validator: Any, instance: Any, schema: Any) -> Iterator[tuple[Any, Any]]:
    """The schemas that a schema applies to the instance itself, each with who may check it."""
    resolver = validator._resolver
    found = [resolver.lookup(schema[key]) for key in ("$ref", "$dynamicRef") if key in schema]
    if "$recursiveRef" in schema:
        found.append(lookup_recursive_ref(resolver))
    for one in found:
        yield validator.evolve(schema=one.contents, _resolver=one.resolver), one.contents
    for key in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(key, ()):
            yield validator, part
    if isinstance(instance, dict):
        for name, part in schema.get("dependentSchemas", {}).items():
            if name in instance:
                yield validator, part
    if "if" in schema:
        fits = _fits(validator, instance, schema["if"])
        for key in ("if", "then") if fits else ("else",):
            if key in schema:
                yield validator, schema[key]
