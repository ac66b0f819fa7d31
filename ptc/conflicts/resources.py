"""What a call touches: keys in one tree, where two meet if one lies above the other or is it.

The root is everything there is. Below it stand the plain resources, each by itself, and the tree of
the file system: a path meets what lies above it and below it.
"""

import os
import warnings
from collections.abc import Awaitable, Iterator, Mapping, MutableMapping
from inspect import iscoroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..options import Declared
from ..text import explain

if TYPE_CHECKING:
    from ..registry import Tool

Key = tuple[Any, ...]
Resources = frozenset[Key]

EVERYTHING: Key = ()
"""The root of the tree: it lies above all other keys."""


def meet(one: Key, other: Key) -> bool:
    """Is one of the keys the other, or above it in the tree?

    >>> meet(("/", "etc"), ("/", "etc", "hosts")), meet(("/", "etc"), ("/", "usr"))
    (True, False)
    """
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def prefixes(key: Key) -> list[Key]:
    """The keys above this one, from the root down.

    >>> prefixes(("/", "etc", "hosts"))
    [(), ('/',), ('/', 'etc')]
    """
    return [key[:length] for length in range(len(key))]


def describe_key(key: Key) -> str:
    """The resource, for an error message.

    >>> describe_key(EVERYTHING), describe_key((("account:DE1",),))
    ('everything', "'account:DE1'")
    """
    if key == EVERYTHING:
        return "everything"
    if isinstance(key[0], tuple):
        return repr(key[0][0])
    return repr(os.path.join(*key))


def resources(
    declared: Declared,
    tool: "Tool",
    arguments: Mapping[str, Any],
    folders: MutableMapping[str, Key] | None = None,
) -> Resources:
    """The keys of what a call with these checked arguments reads, or writes: as ``declared`` says.

    A template is filled with the arguments, a function is called with them as keywords; the
    tool's defaults count among them. What it gives is one resource, or a list or set of them:

    - a ``pathlib.Path`` is its real path, as it is on the disk now;
    - anything else that can be hashed is itself, a tuple too: 1 and 1.0 are the same, 1 and "1"
      are not;
    - None and False are nothing, and so is an empty list; True is everything.

    Where it fails, or gives what can't be compared (an unhashable object, NaN, an iterator, a
    coroutine), the call touches :data:`EVERYTHING`, and a warning says so.

    ``folders`` keeps the real paths of folders, for as long as you take them to stay the same: give
    one dict for the calls of a batch.

    >>> from ptc import ToolRegistry
    >>> registry = ToolRegistry()
    >>> @registry.tool
    ... def pay(iban: str, amount: float, bank: str = "north"): ...
    >>> resources("{bank}:{iban}", registry["pay"], {"iban": "DE1", "amount": 3})
    frozenset({(('north:DE1',),)})
    """
    if declared is None:
        return frozenset()
    if declared is True:
        return frozenset([EVERYTHING])
    try:
        if isinstance(declared, str):
            filled = declared.format_map({**tool.bound, **tool.defaults, **arguments})
            return frozenset([((filled,),)])
        given = declared(**{**tool.defaults, **arguments})
        listed = given if isinstance(given, (list, set, frozenset)) else [given]
        known = {} if folders is None else folders
        return frozenset(key for one in listed for key in _keys(one, known))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        warnings.warn(
            f"what a call of {tool.name!r} with {dict(arguments)!r} touches is not known "
            f"({explain(error)}); it counts as everything",
            stacklevel=2,
        )
        return frozenset([EVERYTHING])


def _keys(resource: Any, folders: MutableMapping[str, Key]) -> Iterator[Key]:
    """The key of one resource; none for nothing."""
    if resource is True:
        yield EVERYTHING
    elif isinstance(resource, Path):
        yield _path_key(resource, folders)
    elif resource is not None and resource is not False:
        _check_comparable(resource)
        yield ((resource,),)


def _check_comparable(resource: Any) -> None:
    """Raise TypeError for what can't be a resource, though it can be hashed."""
    if isinstance(resource, Awaitable):
        if iscoroutine(resource):
            resource.close()
        raise TypeError(f"{resource!r} is not a resource: the function must not be async")
    if isinstance(resource, Iterator):
        raise TypeError(f"{resource!r} is not a resource: give a list")
    for part in resource if isinstance(resource, tuple) else [resource]:
        if part != part:
            raise TypeError(f"{part!r} is not a resource: it doesn't equal itself")


def _path_key(path: Path, folders: MutableMapping[str, Key]) -> Key:
    """The parts of the real path, in the system's own case; folders are looked up once."""
    written = os.path.join(os.getcwd(), path)
    folder, name = os.path.split(written)
    named_as_it_is = os.name == "posix" and name not in ("", ".", "..")
    if not named_as_it_is or os.path.islink(written):
        return _parts(written)
    if folder not in folders:
        folders[folder] = _parts(folder)
    return (*folders[folder], os.path.normcase(name))


def _parts(path: str) -> Key:
    """``("/", "etc", "hosts")``; with the drive first where there are drives."""
    return Path(os.path.normcase(os.path.realpath(path))).parts
