"""JSON Schemas of tools, the checks of what a model sent against them, and of a tool's options."""

import inspect
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, NotRequired, get_type_hints

from .text import describe, shorten

Validate = Callable[[dict[str, Any]], dict[str, Any]]


class ArgumentsError(ValueError):
    """Arguments that don't fit a tool's schema; its text tells the model what to send instead."""


def from_hints(name: str, fn: Callable[..., Any]) -> tuple[dict[str, Any], Validate]:
    """The JSON Schema of a function's parameters, and a check that turns arguments into theirs.

    pydantic's lax mode: ``"7"`` is 7 for an ``int``. Arguments without a parameter are refused.
    """
    from pydantic import PydanticUserError, TypeAdapter, ValidationError
    from pydantic.json_schema import GenerateJsonSchema

    class Untitled(GenerateJsonSchema):
        def field_title_should_be_set(self, schema: Any) -> bool:
            return False

    try:
        adapter = TypeAdapter(_parameters(name, fn))
        schema = adapter.json_schema(schema_generator=Untitled)
    except (PydanticUserError, NameError) as error:
        why = describe(error).partition("\n")[0]
        told = f"the type hints of {name!r} make no schema; change them, or give schema="
        raise TypeError(f"{told}: {why}") from error
    schema.pop("title", None)
    check = adapter.validator.validate_python
    known = list(schema.get("properties", ()))

    def validate(arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            return check(arguments)
        except ValidationError as error:
            faults = "; ".join(_fault(e, known) for e in error.errors(include_url=False))
            raise ArgumentsError(f"wrong arguments for {name!r}: {faults}") from None

    return schema, validate


def _parameters(name: str, fn: Callable[..., Any]) -> type:
    """A TypedDict with a key for each parameter; unlike a model, it allows any parameter name."""
    from pydantic import ConfigDict, Field
    from pydantic.fields import FieldInfo
    from typing_extensions import TypedDict  # pydantic's condition before Python 3.12

    hints = get_type_hints(_hinted(unwrapped(fn)), include_extras=True)
    fields, extra = {}, "forbid"
    for parameter in inspect.signature(fn).parameters.values():
        hint = hints.get(parameter.name, Any)
        if isinstance(parameter.default, FieldInfo):
            told = f"parameter {parameter.name!r} of {name!r} has a Field as its default"
            raise TypeError(f"{told}; write Annotated[…, Field(…)], and a default after it")
        if parameter.kind is parameter.VAR_KEYWORD:
            extra = "allow"
        elif parameter.kind is parameter.VAR_POSITIONAL:
            continue
        elif parameter.kind is parameter.POSITIONAL_ONLY:
            raise TypeError(f"parameter {parameter.name!r} of {name!r} can't be given by name")
        elif parameter.default is parameter.empty:
            fields[parameter.name] = hint
        else:
            shown = Field(json_schema_extra=_default_shown(parameter.default))
            hint = hint | None if parameter.default is None else hint
            fields[parameter.name] = NotRequired[Annotated[hint, shown]]
    parameters = TypedDict(name, fields)
    parameters.__pydantic_config__ = ConfigDict(extra=extra, arbitrary_types_allowed=False)
    return parameters


def unwrapped(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function inside a ``functools.partial``, or the function itself."""
    return fn.func if isinstance(fn, partial) else fn


def _hinted(fn: Callable[..., Any]) -> Callable[..., Any]:
    """What has the type hints of the parameters: of an object or class, its method."""
    if isinstance(fn, type):
        return fn.__init__
    return fn if inspect.isroutine(fn) else type(fn).__call__


def _default_shown(value: object) -> dict[str, Any]:
    plain = value is None or isinstance(value, (str, int, float))
    plain = plain and not (isinstance(value, float) and not math.isfinite(value))  # no JSON
    return {"default": value} if plain else {}


def _fault(error: Mapping[str, Any], known: list[str]) -> str:
    where = ".".join(map(str, error["loc"])) or "arguments"
    if error["type"] == "missing":
        return f"{where} is required"
    got = shorten(repr(error["input"]), 100)
    if error["type"] == "extra_forbidden":
        return f"{where}={got} is no parameter; known: {known}"
    return f"{where}={got}: {error['msg']}"


def from_schema(name: str, schema: Mapping[str, Any]) -> tuple[dict[str, Any], Validate]:
    """A schema that came from elsewhere, and a check by jsonschema that changes nothing.

    Nothing is fetched: a reference to somewhere else can't be checked.

    Raises:
        ValueError: it is no JSON Schema of an object.
    """
    from jsonschema import SchemaError, validators
    from jsonschema_specifications import REGISTRY

    if not isinstance(schema, Mapping) or schema.get("type", "object") != "object":
        raise ValueError(f"the schema of {name!r} is none of a JSON object: {schema!r}")
    schema = dict(schema)
    cls = validators.validator_for(schema, default=validators.Draft202012Validator)
    try:
        cls.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"the schema of {name!r} is no JSON Schema: {error.message}") from None
    check = cls(schema, registry=REGISTRY)

    def validate(arguments: dict[str, Any]) -> dict[str, Any]:
        faults = [_mismatch(e) for e in check.iter_errors(arguments)]
        if faults:
            raise ArgumentsError(f"wrong arguments for {name!r}: {'; '.join(faults[:5])}")
        return arguments

    return schema, validate


def _mismatch(error: Any) -> str:
    where = ".".join(map(str, error.absolute_path))
    got = repr(error.instance)
    message = error.message.replace(got, shorten(got, 100))
    return shorten(f"{where}: {message}" if where else message, 200)


def check_options(name: str, timeout: Any, max_concurrency: Any, expected_seconds: Any) -> None:
    """Raise ValueError for an option of a tool that is unusable."""
    given, number, whole = f"of {name!r} must be", (int, float), isinstance(max_concurrency, int)
    if timeout is not None and not (isinstance(timeout, number) and timeout > 0):
        raise ValueError(f"timeout={timeout!r} {given} above 0 seconds, or None")
    if max_concurrency is not None and not (whole and max_concurrency >= 1):
        told = "a whole number, at least 1, or None"
        raise ValueError(f"max_concurrency={max_concurrency!r} {given} {told}")
    if expected_seconds is None or callable(expected_seconds):
        return
    if not (isinstance(expected_seconds, number) and expected_seconds >= 0):
        told = "0 seconds or more, a function that tells them, or None"
        raise ValueError(f"expected_seconds={expected_seconds!r} {given} {told}")
