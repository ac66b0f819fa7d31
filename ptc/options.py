"""A tool's options and a batch's timeout: what they may be, and what an unusable one is told."""

import math
import re
from collections.abc import Callable, Collection
from functools import lru_cache
from inspect import iscoroutinefunction
from numbers import Integral, Real
from string import Formatter
from threading import TIMEOUT_MAX
from typing import Any, Literal

Declared = None | Literal[True] | str | Callable[..., Any]
"""Nothing that another call touches, everything, a text or template, or a function."""

_LONGEST_NAME = 64
_NAME = re.compile(rf"[a-zA-Z0-9_-]{{1,{_LONGEST_NAME}}}")


def check_name(name: Any) -> str:
    """The name, if it is one that every provider takes.

    >>> check_name("get_time")
    'get_time'

    Raises:
        ValueError: it is not.
    """
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    raise ValueError(f"{name!r} is not a tool name; give name= of letters, digits, _ and -")


@lru_cache(maxsize=1000)
def fit_name(name: str) -> str:
    """The name that a model sent, as every provider takes it back in a history.

    >>> fit_name("get_time"), fit_name("get time"), fit_name("")
    ('get_time', 'get_time', 'unnamed')
    """
    if _NAME.fullmatch(name):
        return name
    return re.sub("[^a-zA-Z0-9_-]", "_", name)[:_LONGEST_NAME] or "unnamed"


def check_timeout(owner: str, timeout: Any, *, may_be_zero: bool = False) -> float | None:
    """The seconds, or None for no timeout: one that no thread could wait for is none either.

    ``owner`` says in the error whose timeout it is: ``"'get_time'"``, ``"the batch"``.

    >>> check_timeout("the batch", 2.5), check_timeout("the batch", float("inf"))
    (2.5, None)

    Raises:
        ValueError: it is not a number above 0 (or, where that may be, 0).
    """
    if timeout is None:
        return None
    if _is_number(timeout) and (timeout > 0 or (may_be_zero and timeout == 0)):
        return float(timeout) if timeout < TIMEOUT_MAX else None
    least = "0 seconds or more" if may_be_zero else "above 0 seconds"
    raise ValueError(f"timeout={timeout!r} of {owner} must be {least}, or None")


def check_max_concurrency(owner: str, most: Any) -> int | None:
    """The whole number, or None where there is no such limit.

    >>> check_max_concurrency("'get_time'", 1)
    1

    Raises:
        ValueError: it is not a whole number from 1 up.
    """
    if most is None:
        return None
    if isinstance(most, Integral) and not isinstance(most, bool) and int(most) >= 1:
        return int(most)
    raise ValueError(
        f"max_concurrency={most!r} of {owner} must be a whole number, at least 1, or None"
    )


def check_idempotent(owner: str, idempotent: Any) -> bool:
    """True or False, as given: a word such as "no" would count as yes.

    >>> check_idempotent("'get_time'", False)
    False

    Raises:
        ValueError: it is neither.
    """
    if isinstance(idempotent, bool):
        return idempotent
    raise ValueError(f"idempotent={idempotent!r} of {owner} must be True or False")


def check_expected_seconds(owner: str, seconds: Any) -> Any:
    """The seconds, the function that tells them from a call's arguments, or None.

    >>> check_expected_seconds("'get_time'", 0.5)
    0.5

    Raises:
        ValueError: it is none of these, or the number is below 0.
    """
    if seconds is None or (_is_number(seconds) and seconds >= 0):
        return seconds
    if callable(seconds) and not iscoroutinefunction(seconds):
        return seconds
    raise ValueError(
        f"expected_seconds={seconds!r} of {owner} must be 0 seconds or more, "
        "a function that tells them (not an async one), or None"
    )


def check_declared(owner: str, option: str, declared: Any, known: Collection[str]) -> Declared:
    """What was declared, if it can be used; ``known`` are the parameters of the tool.

    >>> check_declared("'pay'", "writes", "account:{iban}", ["iban", "amount"])
    'account:{iban}'

    Raises:
        ValueError: it is something else, or a template names what is not a parameter.
    """
    if isinstance(declared, str):
        _check_template(f"{option}={declared!r} of {owner}", declared, known)
    elif iscoroutinefunction(declared):
        raise ValueError(f"{option}={declared!r} of {owner} must not be async")
    elif declared is not None and declared is not True and not callable(declared):
        raise ValueError(
            f"{option}={declared!r} of {owner} must be None (nothing), True (everything), "
            "a text or template, or a function of the call's arguments"
        )
    return declared


def fields_of(template: str) -> list[str]:
    """The parameters that a template names, as often as it names them.

    >>> fields_of("account:{iban}"), fields_of("inbox")
    (['iban'], [])
    """
    named: list[str] = []
    for _, name, form, _ in Formatter().parse(template):
        if name is not None:
            named += [name.partition(".")[0].partition("[")[0], *fields_of(form or "")]
    return named


def _check_template(what: str, template: str, known: Collection[str]) -> None:
    try:
        named = fields_of(template)
    except ValueError as error:
        raise ValueError(
            f"{what} is not a template: {error}; write {{{{ and }}}} for braces"
        ) from None
    for name in named:
        if name not in known:
            raise ValueError(f"{what} names {name!r}, not a parameter; known: {list(known)}")


def _is_number(value: Any) -> bool:
    """Numpy's numbers count; True and NaN don't, and a text never did."""
    return isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(value)
