"""What a function may be given by name: read through partials, decorators, methods and classes."""

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from types import MethodType
from typing import Any, get_type_hints

if sys.version_info >= (3, 14):
    from annotationlib import Format

    _LENIENT: dict[str, Any] = {"annotation_format": Format.FORWARDREF}
else:
    _LENIENT = {}


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters that a model may give, and what the function is given without it.

    ``bound`` holds the arguments that a ``functools.partial`` keeps: none of them is a model's to
    give. ``defaults`` holds the values of the other parameters that have one.
    """

    open: list[inspect.Parameter] = field(default_factory=list)
    defaults: dict[str, Any] = field(default_factory=dict)
    bound: dict[str, Any] = field(default_factory=dict)


def read_parameters(fn: Callable[..., Any]) -> Parameters:
    """The parameters of whatever can be called.

    >>> from functools import partial
    >>> def transfer(account, amount, currency="EUR"): ...
    >>> found = read_parameters(partial(transfer, account="alice"))
    >>> [parameter.name for parameter in found.open], found.defaults, found.bound
    (['amount', 'currency'], {'currency': 'EUR'}, {'account': 'alice'})

    Raises:
        ValueError: it is a builtin that doesn't say what it takes.
        TypeError: it can't be called, or a partial binds what its function doesn't have.
    """
    plain = _undecorated(fn)
    bound = _bound_arguments(plain) if isinstance(plain, partial) else {}
    found = inspect.signature(plain, **_LENIENT).parameters.values()
    parameters = [parameter for parameter in found if parameter.name not in bound]
    given = [parameter for parameter in parameters if parameter.default is not parameter.empty]
    return Parameters(parameters, {one.name: one.default for one in given}, bound)


def read_if_told(fn: Callable[..., Any], schema: dict[str, Any]) -> Parameters:
    """The parameters of a function whose schema is given, and the defaults that either tells.

    >>> read_if_told(dict, {"properties": {"city": {"default": "Paris"}}}).defaults
    {'city': 'Paris'}
    """
    parts = {name: part for name, part in schema["properties"].items() if isinstance(part, dict)}
    told = {name: part["default"] for name, part in parts.items() if "default" in part}
    try:
        found = read_parameters(fn)
    except ValueError:  # a builtin that doesn't say what it takes
        found = Parameters()
    return replace(found, defaults={**told, **found.defaults})


def _undecorated(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function without its decorators, or one flat partial of such a function.

    What ``functools.update_wrapper`` writes on a partial would lead ``inspect`` past the partial.
    """
    while not isinstance(fn, (partial, MethodType)) and not hasattr(fn, "__signature__"):
        inside = getattr(fn, "__wrapped__", None)
        if inside is None:
            return fn
        fn = inside
    if isinstance(fn, partial):
        return partial(_undecorated(fn.func), *fn.args, **fn.keywords)
    return fn


def _bound_arguments(bound: partial) -> dict[str, Any]:
    """By name, what a partial keeps, whether it was bound by keyword or by position."""
    signature = inspect.signature(bound.func, **_LENIENT)
    arguments = signature.bind_partial(*bound.args, **bound.keywords).arguments
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            arguments.pop(parameter.name, None)
        elif parameter.kind is parameter.VAR_KEYWORD:
            arguments |= arguments.pop(parameter.name, {})
    return arguments


def innermost(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function inside all partials and decorators, or the function itself.

    >>> from functools import partial
    >>> innermost(partial(partial(sorted, reverse=True))) is sorted
    True
    """
    plain = _undecorated(fn)
    return plain.func if isinstance(plain, partial) else plain


def is_redefined(new: Callable[..., Any], old: Callable[..., Any]) -> bool:
    """Is it the same definition made again, as when a notebook's cell is run a second time?

    >>> is_redefined(len, len), is_redefined(len, sorted)
    (True, False)
    """
    if type(new) is not type(old):
        return False
    inner, other = innermost(new), innermost(old)
    return all(
        getattr(inner, part, None) == getattr(other, part, None) is not None
        for part in ("__module__", "__qualname__")
    )


def read_hints(fn: Callable[..., Any], parameters: list[inspect.Parameter]) -> dict[str, Any]:
    """The type hints of these parameters alone; those of others need not exist when it runs.

    Raises:
        NameError: a hint names what isn't there.
    """

    def stand_in() -> None: ...

    hinted = [parameter for parameter in parameters if parameter.annotation is not parameter.empty]
    stand_in.__annotations__ = {parameter.name: parameter.annotation for parameter in hinted}
    inner = innermost(fn)
    method = inner
    if isinstance(inner, type):
        method = inner.__init__
    elif not inspect.isroutine(inner):
        method = type(inner).__call__
    module = sys.modules.get(getattr(inner, "__module__", None) or "")
    around = vars(module) if module else {}
    names = getattr(inspect.unwrap(method), "__globals__", around)
    return get_type_hints(stand_in, names, {**around, **names}, include_extras=True)
