"""Text that goes to a model: always valid JSON, never a secret, never too long."""

import json
import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

_SECRET_NAME = re.compile("KEY|TOKEN|SECRET|PASSWORD", re.IGNORECASE)
_SHORTEST_SECRET = 4  # shorter values (a digit, "on") would turn ordinary text into stars
_FLAGS = {"true", "false", "none", "null"}  # as in TOKENIZERS_PARALLELISM=false
_STARS = "***"

_TRACEBACK = re.compile(r"Traceback \(most recent call last\):\n(?:[ \t].*(?:\n|$))*")
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def to_json(value: object) -> str:
    """JSON text of any Python value: what JSON doesn't know is written as text, nothing raises.

    Dates become ISO text, sets and tuples lists, bytes text (URL-safe base64 where they are no
    UTF-8), NaN and infinities text, models and dataclasses objects; anything else its ``str()``.
    """
    encode = int.__repr__ if type(value) is int else _encode  # which sets up an encoder each time
    text = _by_the_first(value, encode, _encode_more, _encode_parts)
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

    data = encode(value, fallback=describe, bytes_mode=bytes_mode, inf_nan_mode="strings")
    json.loads(data)  # an integer of thousands of digits is JSON that few can read
    return data.decode()


def _encode_parts(value: object) -> str:
    """Part by part, so that one that can't be encoded doesn't turn the others into text."""
    return _encode(_plain(value))


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {describe(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    in_base64 = partial(_encode_more, bytes_mode="base64")
    return json.loads(_by_the_first(value, _encode, _encode_more, in_base64))


def describe(value: object) -> str:
    """``str(value)``, or the name of its type where even that raises, SystemExit included."""
    try:
        return str(value)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return f"<{type(value).__name__}>"


def explain(error: BaseException) -> str:
    """The exception's type and message, without a traceback."""
    name, message = type(error).__name__, describe(error)
    return f"{name}: {message}" if message else name


def without_surrogates(text: str) -> str:
    """The text with lone surrogates replaced, which UTF-8 can't carry."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def without_traceback(text: str) -> str:
    """The text without the lines of a Python traceback but for the last, which says what failed."""
    return _TRACEBACK.sub("", text)


def shorten(text: str, most: int) -> str:
    """The text cut to ``most`` characters, an ellipsis at the cut."""
    return text if len(text) <= most else text[: most - 1] + "…"


def secrets() -> list[str]:
    """The values of environment variables named like a secret, longest first.

    Each as it is, and as Python and JSON write it in quotes.
    """
    named = [name for name in list(os.environ) if _SECRET_NAME.search(name)]
    values = {os.environ.get(name, "").strip() for name in named}
    values = {v for v in values if len(v) >= _SHORTEST_SECRET and v.lower() not in _FLAGS}
    values |= {quoted[1:-1] for v in values for quoted in (repr(v), _encode(v))}
    return sorted(values, key=len, reverse=True)


def mask(text: str, hidden: Sequence[str]) -> str:
    """The text with each of the ``hidden`` values shown as ``***``."""
    for secret in hidden:
        text = text.replace(secret, _STARS)
    return text


def mask_json(text: str, hidden: Sequence[str]) -> str:
    """JSON text with the ``hidden`` values masked in its strings, still valid JSON."""
    if not any(secret in text or _encode(secret)[1:-1] in text for secret in hidden):
        return text
    try:
        return _encode(_mask_tree(json.loads(text), hidden))
    except RecursionError:
        return _encode(mask(text, hidden))


def _mask_tree(value: object, hidden: Sequence[str]) -> object:
    if isinstance(value, str):
        return mask(value, hidden)
    if isinstance(value, list):
        return [_mask_tree(item, hidden) for item in value]
    if isinstance(value, dict):
        return {mask(key, hidden): _mask_tree(item, hidden) for key, item in value.items()}
    return _STARS if str(value) in hidden else value
