"""A JSON Schema from a function's type hints, and pydantic's check of what a model sent."""

import math
from collections.abc import Callable, Mapping
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Unpack,
    get_args,
    get_origin,
    get_type_hints,
)

from ..text import describe, shorten
from .faults import MOST_QUOTED, wrong_arguments
from .parameters import Parameters, read_hints

Validate = Callable[[dict[str, Any]], dict[str, Any]]


def from_hints(
    name: str, fn: Callable[..., Any], parameters: Parameters
) -> tuple[dict[str, Any], Validate]:
    """The JSON Schema of a function's parameters, and a check that turns arguments into theirs.

    pydantic's lax mode: ``"7"`` is 7 for an ``int``. Arguments without a parameter are refused,
    and so are those that a ``functools.partial`` has bound.

    >>> from ptc.schemas import read_parameters
    >>> def double(n: int) -> int: ...
    >>> schema, validate = from_hints("double", double, read_parameters(double))
    >>> schema["properties"], validate({"n": "21"})
    ({'n': {'type': 'integer'}}, {'n': 21})

    Raises:
        TypeError: the type hints make no schema, or a parameter can't be given by name.
    """
    from pydantic import PydanticUserError, TypeAdapter, ValidationError
    from pydantic.json_schema import GenerateJsonSchema
    from pydantic_core import SchemaError

    class Untitled(GenerateJsonSchema):
        def field_title_should_be_set(self, schema: Any) -> bool:
            return False

    try:
        adapter = TypeAdapter(_typed_dict(name, fn, parameters))
        schema = adapter.json_schema(schema_generator=Untitled)
    except (PydanticUserError, SchemaError, NameError) as error:
        reason = " ".join(describe(error).partition("\n\n")[0].split())
        raise TypeError(
            f"the type hints of {name!r} make no schema; change them, or give schema=: {reason}"
        ) from error
    schema.pop("title", None)
    schema.setdefault("properties", {})
    check = adapter.validator.validate_python
    known, kept = list(schema["properties"]), parameters.bound

    def validate(arguments: dict[str, Any]) -> dict[str, Any]:
        if kept and (bound := [key for key in arguments if key in kept]):
            faults = (_unknown(key, arguments[key], known) for key in bound)
            raise wrong_arguments(name, faults)
        try:
            return check(arguments)
        except ValidationError as error:
            faults = (_fault(one, known) for one in error.errors(include_url=False))
            raise wrong_arguments(name, faults) from None

    return schema, validate


def _typed_dict(name: str, fn: Callable[..., Any], parameters: Parameters) -> type:
    """A TypedDict with a key for each parameter; unlike a model, it allows any parameter name."""
    from pydantic import ConfigDict
    from typing_extensions import TypedDict  # pydantic's condition before Python 3.12

    hints = read_hints(fn, parameters.open)
    fields: dict[str, Any] = {}
    extra: Literal["allow", "forbid"] = "forbid"
    extra_items: dict[str, Any] = {}
    for parameter in parameters.open:
        if parameter.kind is parameter.VAR_POSITIONAL:
            continue
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise TypeError(f"parameter {parameter.name!r} of {name!r} can't be given by name")
        if parameter.kind is not parameter.VAR_KEYWORD:
            fields[parameter.name] = _field(name, parameter, hints.get(parameter.name, Any))
        elif get_origin(hint := hints.get(parameter.name, Any)) is Unpack:
            fields |= _unpacked(get_args(hint)[0])
        else:
            extra = "allow"
            extra_items = {} if hint is Any else {"extra_items": hint}
    make: Any = TypedDict  # a type checker wants its fields written out
    made = make(name, fields, **extra_items)
    made.__pydantic_config__ = ConfigDict(extra=extra, arbitrary_types_allowed=False)
    return made


def _field(name: str, parameter: Any, hint: Any) -> Any:
    """The hint of a key: that of its parameter, with what its default says."""
    from pydantic import Field
    from pydantic.fields import FieldInfo

    if parameter.default is parameter.empty:
        return hint
    if isinstance(parameter.default, FieldInfo):
        raise TypeError(
            f"parameter {parameter.name!r} of {name!r} has a Field as its default; "
            "write Annotated[…, Field(…)], and a default after it"
        )
    if parameter.default is None:
        hint = hint | None
    return NotRequired[Annotated[hint, Field(json_schema_extra=_shown(parameter.default))]]


def _unpacked(options: Any) -> dict[str, Any]:
    """The keys of the TypedDict in ``**options: Unpack[Options]``."""
    hints = get_type_hints(options, include_extras=True)
    said = {key for key, hint in hints.items() if get_origin(hint) in (Required, NotRequired)}
    optional = options.__optional_keys__ - said
    return {key: NotRequired[hint] if key in optional else hint for key, hint in hints.items()}


def _shown(default: object) -> dict[str, Any]:
    """What the schema says of a default: nothing where JSON has no such value."""
    is_plain = default is None or isinstance(default, (str, int, float))
    is_finite = not isinstance(default, float) or math.isfinite(default)
    return {"default": default} if is_plain and is_finite else {}


def _fault(error: Mapping[str, Any], known: list[str]) -> str:
    where = ".".join(map(str, error["loc"])) or "arguments"
    if error["type"] == "missing":
        return f"{where} is required"
    if error["type"] == "extra_forbidden":
        return _unknown(where, error["input"], known)
    return f"{where}={_quoted(error['input'])}: {error['msg']}"


def _unknown(where: str, value: object, known: list[str]) -> str:
    return f"{where}={_quoted(value)} is not a parameter; known: {known}"


def _quoted(value: object) -> str:
    return shorten(repr(value), MOST_QUOTED)
