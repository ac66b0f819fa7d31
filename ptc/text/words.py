"""Text that goes to a model: always valid JSON, never a traceback, never too long."""

import json
import re
from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple

from .values import told_apart, unpack

__all__ = ["Advised", "describe", "explain", "shorten", "split_advice", "to_json", "with_advice"]
__all__ += ["without_surrogates", "without_traceback"]

_TRACEBACK = re.compile(r"Traceback \(most recent call last\):\n(?:[ \t].*(?:\n|$))*")
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def to_json(value: object) -> str:
    """JSON text of any Python value: what JSON doesn't know is written as text, nothing raises.

    Dates become ISO text, sets and tuples lists, bytes text (URL-safe base64 where they are not
    UTF-8), NaN and infinities text, models and dataclasses objects. Numbers of numpy are numbers,
    arrays lists, tables lists of records (:mod:`ptc.text.values`). Anything else becomes
    its ``str()``.

        >>> to_json([date(2026, 1, 2), numpy.int64(5)])
        '["2026-01-02",5]'
    """
    if type(value) is int:  # for which json would set up an encoder
        return int.__repr__(value)
    try:
        text = _encode(value)
    except KeyboardInterrupt:
        raise
    except BaseException:
        text = _by_the_first(value, _encode_more, _encode_parts)
    return text if text.isascii() else without_surrogates(text)


def _by_the_first(value: object, *ways: Callable[[object], str]) -> str:
    """The text by the first of the ways that doesn't fail, else that of ``str(value)``."""
    for way in ways:
        try:
            return way(value)
        except KeyboardInterrupt:
            raise
        except BaseException:
            continue
    return _encode(describe(value))


def _encode_more(value: object, bytes_mode: Literal["utf8", "base64"] = "utf8") -> str:
    from pydantic_core import to_json as encode

    data = encode(value, fallback=_unpacked, bytes_mode=bytes_mode, inf_nan_mode="strings")
    json.loads(data)  # an integer of thousands of digits is JSON that few can read
    return data.decode()


def _encode_parts(value: object) -> str:
    """Part by part, so that one that can't be encoded doesn't turn the others into text."""
    return _encode(_plain(value))


def _plain(value: object) -> object:
    value = unpack(value)
    if isinstance(value, dict):
        keys = told_apart(map(describe, value))
        return dict(zip(keys, map(_plain, value.values()), strict=True))
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    in_base64 = partial(_encode_more, bytes_mode="base64")
    return json.loads(_by_the_first(value, _encode, _encode_more, in_base64))


def _unpacked(value: object) -> object:
    """What pydantic is given for a value that it doesn't know."""
    unpacked = unpack(value)
    return describe(value) if unpacked is value else unpacked


def describe(value: object) -> str:
    """``str(value)``, or the name of its type where even that raises, SystemExit included.

    >>> describe(2.0)
    '2.0'
    """
    try:
        return str(value)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return f"<{type(value).__name__}>"


def explain(error: BaseException) -> str:
    """The exception's type and message: ``explain(ValueError("no"))`` is "ValueError: no"."""
    name, message = type(error).__name__, describe(error)
    return f"{name}: {message}" if message else name


class Advised(NamedTuple):
    """An error's text in its two parts."""

    what: str
    advice: str


def with_advice(what: str, advice: str) -> str:
    """The text of an error for the model: what was wrong, and after the last "; " what to do.

    >>> with_advice("no tool named 'wether'", "known: weather")
    "no tool named 'wether'; known: weather"
    """
    return f"{what}; {advice.replace('; ', ', ')}"


def split_advice(error: str) -> Advised:
    """The two parts of such a text; the advice is "" where there is none.

    >>> split_advice("no tool named 'wether'; known: weather").advice
    'known: weather'
    """
    what, found, advice = error.rpartition("; ")
    return Advised(what, advice) if found else Advised(error, "")


def without_surrogates(text: str) -> str:
    """The text with lone surrogates replaced, which UTF-8 can't carry."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def without_traceback(text: str) -> str:
    """The text without the lines of a Python traceback but for the last, which says what failed."""
    return _TRACEBACK.sub("", text)


def shorten(text: str, most: int) -> str:
    """The text cut to ``most`` characters, an ellipsis at the cut.

    >>> shorten("abcdef", 4)
    'abc…'
    """
    return text if len(text) <= most else text[: most - 1] + "…"
