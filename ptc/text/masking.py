"""What must not reach a model: the secrets of the environment, however they are written."""

import json
import os
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from typing import Any
from urllib.parse import quote, quote_plus, unquote

from .values import told_apart

_STARS = "***"
_SHORTEST = 4  # shorter values (a digit, "on") would turn ordinary text into stars
_SHORTEST_ENCODED = 8  # fewer characters of an encoding are found by chance
_LONGEST_NUMBER = 15  # a limit or a port; with more digits it may be a key
_FLAGS = {"true", "false", "none", "null"}  # as in TOKEN_CACHE=false

# The words of a name: API_KEY, apiKey and APIKey are "api" and "key", KEYBOARD is one word.
_WORD = "[A-Z]+(?![a-z])|[A-Z]?[a-z]+"
_SECRET_WORD = """(?x)
    (KEY | CREDENTIAL | JWT | PAT) S?
    | PASS | PWD | DBPASS | BEARER
    | .* (API | ACCESS | ACCOUNT | AUTH | PRIVATE | SECRET | SIGNING | SSH) KEYS?
    | .* (TOKEN | SECRET | PASSWORD | PASSWD | PASSPHRASE | PASSCODE) S?
"""

__all__ = ["mask", "mask_json", "secrets"]
_NO_SECRETS = {"PWD", "OLDPWD"}  # the folder of a shell

# The password in postgres://user:password@host/db, and a token in https://token@host.
_IN_URL = [
    r"://[^\s:/@]*:([^\s/]+)@",
    r"://[^\s:/@]*:([^\s@]+)@",
    r"://([^\s:/@]{20,})(?::[^\s/@]*)?@",
]
# Password=password; in settings and in the query of an address, also as password='pass word'.
_IN_SETTINGS = r"""(?xi)
    (?<![a-z]) (?: [a-z]+ [_-] | api | access | account | private | shared ?access )?
    (?: password | passwd | pwd | passphrase | secret | token | (?<=[a-z_-])key )
    \s*=\s* (?: '([^']*)' | "([^"]*)" | \{([^}]*)\} | ([^\s;&'"{]+) )
"""

# A line break inside a text, with what is around it: indentation, and the backslashes of a shell
# or of JSON in JSON. It starts where such a run starts, or a long run would be read many times.
_AROUND = r"[ \t\\]*"
_LINE_END = r"[\r\n\u2028\u2029\u200b\xad]"  # or where a line may end: no width, a soft hyphen
_BREAK = rf"{_AROUND}(?:(?:{_LINE_END}|(?<=\\)[nr]){_AROUND})+"
_BREAKS = rf"(?<![ \t\\]){_BREAK}"

_encode = json.JSONEncoder(ensure_ascii=False).encode


def secrets() -> list[str]:
    """What to hide: the secrets of the environment in all their spellings, longest first.

    A secret is the value of a variable whose name has one of the words key, token, secret,
    password, passwd, pass, pwd, passphrase, passcode, bearer, pat, jwt or credentials in it
    (``API_KEY``, ``githubToken``; not ``KEYBOARD``), the same of the keys of a JSON object, and
    the password in a value such as ``postgres://user:password@host``. Numbers, flags such as
    "false" and values of fewer than four characters are not secrets.

    Each is also found as Python, JSON and HTML quote it (JSON in JSON too), as URLs escape it, in
    base64 and in hexadecimal digits.

        >>> os.environ["DEMO_API_KEY"] = "sk-hunter2"
        >>> {"sk-hunter2", "c2staHVudGVyM"} <= set(secrets())
        True
    """
    environment = ((name, os.environ.get(name, "")) for name in list(os.environ))
    found = {secret for name, value in environment for secret in _secrets_in(name, value)}
    return list(_spelled(frozenset(found)))


def mask(text: str, hidden: Sequence[str]) -> str:
    """The text with each of the ``hidden`` values shown as ``***``, also one split over lines.

    >>> mask("key: hunter2", ["hunter2"])
    'key: ***'
    """
    for secret in hidden:
        text = text.replace(secret, _STARS)
    return _mask_split(text, hidden)


def mask_json(text: str, hidden: Sequence[str]) -> str:
    """JSON text with the ``hidden`` values masked in its strings, still valid JSON.

    Two keys of an object that would be masked to the same text stay two.

        >>> mask_json('{"k1-hunter2": 1, "k2": "hunter2"}', ["hunter2"])
        '{"k1-***": 1, "k2": "***"}'
    """
    present = _present(text, hidden)
    if not present:
        return text
    try:
        pairs = partial(_masked_object, hidden=present)
        return _encode(_masked(json.loads(text, object_pairs_hook=pairs), present))
    except RecursionError:
        return _encode(mask(text, present))


# Which values are secrets.


@lru_cache(maxsize=1000)
def _secrets_in(name: str, value: str) -> frozenset[str]:
    """The secrets in one variable of the environment."""
    found = set(_passwords_in(value))
    for key, part in _parts_of(value):
        found |= _secrets_in(key, part)
    if _names_a_secret(name):
        found.add(value)
        found.update(line for line in value.splitlines() if len(line) >= 16 and line[0] != "-")
    return frozenset(secret.strip() for secret in found if _is_secret(secret.strip()))


def _parts_of(value: str) -> Iterator[tuple[str, str]]:
    """The texts in a value that is a JSON object, each with its key."""
    if not value.lstrip().startswith("{"):
        return
    try:
        inner = [json.loads(value)]
    except (ValueError, RecursionError):
        return
    while inner:
        holder = inner.pop()
        items = holder.items() if isinstance(holder, dict) else (("", item) for item in holder)
        for key, item in items:
            if isinstance(item, str):
                yield key, item
            elif isinstance(item, dict | list):
                inner.append(item)


def _names_a_secret(name: str) -> bool:
    words = [word.upper() for word in re.findall(_WORD, name)]
    names_one = any(re.fullmatch(_SECRET_WORD, word) for word in words)
    return names_one and name.upper() not in _NO_SECRETS


def _passwords_in(value: str) -> Iterator[str]:
    found = [password for pattern in _IN_URL for password in re.findall(pattern, value)]
    found += ["".join(forms) for forms in re.findall(_IN_SETTINGS, value)]
    for password in found:
        yield password
        yield unquote(password)


def _is_secret(value: str) -> bool:
    return len(value) >= _SHORTEST and value.lower() not in _FLAGS and not _is_number(value)


def _is_number(value: str) -> bool:
    try:
        return len(value) <= _LONGEST_NUMBER and isinstance(float(value), float)
    except ValueError:
        return False


# How they may be spelled.


@lru_cache(maxsize=10)
def _spelled(found: frozenset[str]) -> tuple[str, ...]:
    spellings = {spelling for secret in found for spelling in _spellings(secret)}
    return tuple(sorted(spellings, key=len, reverse=True))


def _spellings(secret: str) -> Iterator[str]:
    import html

    data = secret.encode("utf-8", "surrogateescape")
    in_ascii = json.dumps(secret)[1:-1]
    in_python = (repr(secret)[1:-1], ascii(secret)[1:-1])
    for quoted in (secret, *in_python, in_ascii, in_ascii.replace("/", r"\/"), _quoted(secret)):
        yield from (quoted, _quoted(quoted), _quoted(_quoted(quoted)))
    for escaped in _in_urls(data):
        yield escaped
        yield re.sub("%..", lambda code: code[0].lower(), escaped)
    in_html = html.escape(secret)
    yield from (in_html, html.escape(secret, quote=False))
    yield in_html.replace("&quot;", "&#34;").replace("&#x27;", "&#39;")  # markupsafe's
    for encoded in (data.hex(), data.hex().upper(), *_in_base64(data)):
        if len(encoded) >= _SHORTEST_ENCODED:
            yield from (encoded, quote(encoded, safe=""))


def _in_urls(data: bytes) -> Iterator[str]:
    yield from (quote(data), quote_plus(data))
    yield quote(data, safe="!~*'()")  # JavaScript's encodeURIComponent
    yield quote(quote(data, safe=""))
    yield quote(data, safe="")


def _in_base64(data: bytes) -> Iterator[str]:
    """What is always there in the base64 of a text with this in it, at each of three alignments."""
    import base64

    for before, shared in ((0, 0), (1, 2), (2, 3)):
        whole = 8 * (before + len(data)) // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(bytes(before) + data).decode()[shared:whole]


@lru_cache(maxsize=10_000)
def _quoted(secret: str) -> str:
    return _encode(secret)[1:-1]


@lru_cache(maxsize=10_000)
def _in_one_line(secret: str) -> str:
    return re.sub(_BREAKS, "", secret)


# Where they are.


def _present(text: str, hidden: Sequence[str]) -> list[str]:
    """Those of the values that are in a JSON text: mostly none, and then nothing is left to do."""
    line = re.sub(_BREAKS, "", text)
    whole = [secret for secret in hidden if _quoted(secret) in text]
    if len(line) == len(text):
        return whole
    return whole + [secret for secret in hidden if _is_split_in(line, _quoted(secret))]


def _is_split_in(line: str, secret: str) -> bool:
    """Is the secret in a text whose line breaks are gone?"""
    return len(secret) >= _SHORTEST_ENCODED and _in_one_line(secret) in line


def _mask_split(text: str, hidden: Sequence[str]) -> str:
    line = re.sub(_BREAKS, "", text)
    if len(line) == len(text):
        return text
    for secret in hidden:
        if _is_split_in(line, secret):
            letters = map(re.escape, _in_one_line(secret))
            text = re.sub(f"(?:{_BREAK})?".join(letters), _STARS, text)
    return text


def _masked(value: Any, hidden: Sequence[str]) -> Any:
    if isinstance(value, str):
        return mask(value, hidden)
    if isinstance(value, list):
        return [_masked(item, hidden) for item in value]
    if isinstance(value, dict):  # masked already, as it was read
        return value
    return _STARS if str(value) in hidden else value


def _masked_object(pairs: list[tuple[str, Any]], hidden: Sequence[str]) -> dict[str, Any]:
    names = told_apart(mask(key, hidden) for key, _ in pairs)
    items = (_masked(item, hidden) for _, item in pairs)
    return dict(zip(names, items, strict=True))
