"""Temporary."""

from typing import Any

Key = tuple[Any, ...]
EVERYTHING: Key = ()


def prefixes(key: Key):
    return [key[:n] for n in range(len(key))]


def describe_key(key: Key) -> str:
    return repr(key)


def resources(declared: Any, tool: Any, arguments: Any) -> frozenset[Key]:
    if declared is None:
        return frozenset()
    if declared is True:
        return frozenset([()])
    value = declared(**arguments) if callable(declared) else declared.format(**arguments)
    return frozenset(((v,),) for v in (value if isinstance(value, (list, set)) else [value]))
