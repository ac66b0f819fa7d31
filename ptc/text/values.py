"""A tool's output as it is at one moment: copied, read to its end, or refused with a reason."""

import copy
import sys
from collections import ChainMap, Counter, UserDict, UserList, deque
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    ItemsView,
    Iterable,
    Iterator,
    KeysView,
    ValuesView,
)
from dataclasses import fields, is_dataclass
from functools import lru_cache
from inspect import iscoroutine
from math import prod
from types import MappingProxyType, NoneType
from typing import Any

__all__ = [
    "DEEPEST",
    "MOST_VALUES",
    "Stopped",
    "UntellableError",
    "snapshot",
    "told_apart",
    "unpack",
]

DEEPEST = 200
"""How many containers may stand in one another; many JSON parsers refuse a little more."""

MOST_VALUES = 100_000
"""How many values an array or a table may have: with more it is not an answer, but a file."""

_PLAIN = frozenset({NoneType, bool, int, float, str, bytes})

# What tells a model nothing: what to return instead, and the classes, in the modules that have
# them. A module that nobody has imported has no objects, so none is imported for this.
_REFUSED = {
    "a future": ("its result", "concurrent.futures.Future asyncio.Future distributed.Future"),
    "a context manager": ("what it gives when it is entered", "contextlib.*"),
    "an open file": ("what it holds", "io.IOBase tempfile.*"),
    "a socket": (
        "what came through it",
        "socket.socket multiprocessing.connection._ConnectionBase",
    ),
    "a lock": (
        "what it guards",
        "_thread.LockType _thread.RLock threading.Condition threading.Event threading.Semaphore "
        "threading.Barrier asyncio.Lock asyncio.Condition asyncio.Event asyncio.Semaphore",
    ),
    "a queue": ("what came through it", "queue.Queue queue.SimpleQueue asyncio.Queue"),
    "a thread, a process or a pool of them": (
        "what it has computed",
        "threading.Thread subprocess.Popen multiprocessing.process.BaseProcess "
        "concurrent.futures.Executor",
    ),
    "a module": ("a value", "types.ModuleType"),
    "a class": ("an object of it", "builtins.type"),
    "a function": (
        "its result",
        "types.FunctionType types.BuiltinFunctionType types.MethodType types.MethodWrapperType "
        "types.WrapperDescriptorType types.MethodDescriptorType functools.partial",
    ),
}


class Stopped(Exception):
    """Nobody waits for the output any more, so the rest of it was not read."""


class UntellableError(TypeError):
    """A tool returned what a model can't be told: ``what`` that is, and ``advice`` for the tool."""

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(what, advice)
        self.what, self.advice = what, advice

    def __str__(self) -> str:
        return f"{self.what}; {self.advice}"


def snapshot(value: Any, stopped: Callable[[], bool] = lambda: False) -> Any:
    """A tool's output as it is now, whatever becomes of the object later.

    Containers are copied: lists, dicts, sets, tuples, deques, dataclasses, and what is in them.
    Iterators, generators, views, ranges and the like are read into lists, wherever they stand;
    ``stopped()`` is asked between two items. Arrays and tables are copied whole. Other objects
    are left as they are, since a model can be told their ``str()``.

    What would tell a model nothing is refused: context managers that nobody entered, futures,
    coroutines and async generators, open files, sockets, locks, queues, threads, processes,
    executors, modules, functions and classes; arrays and tables of more than 100,000 values, and
    containers that contain themselves, or stand in one another more than 200 deep.

        >>> snapshot({"pairs": zip("ab", range(2))})
        {'pairs': [('a', 0), ('b', 1)]}

    Raises:
        UntellableError: the value, or one in it, is of a kind that is refused.
        Stopped: ``stopped()`` was true before the end was reached.
        Exception: whatever an iterator raises while it is read.
    """
    return value if type(value) in _PLAIN else _Snapshot(stopped).of(value)


class _Snapshot:
    """One snapshot under way. ``around`` has the ids of the containers that it is inside of."""

    def __init__(self, stopped: Callable[[], bool]) -> None:
        self.stopped = stopped
        self.around: set[int] = set()

    def of(self, value: Any) -> Any:
        kind = type(value)
        if kind in _PLAIN:
            return value
        way = _way(kind)
        if way is None:
            return value
        self.check_depth(value)
        if self.stopped():
            raise Stopped("nobody waits for this output")
        self.around.add(id(value))
        taken = way(self, value)
        self.around.discard(id(value))
        return taken

    def check_depth(self, value: Any) -> None:
        if id(value) in self.around:
            what = f"the tool returned a {type(value).__name__} that contains itself"
            raise UntellableError(what, "let it return a tree of values")
        if len(self.around) >= DEEPEST:
            what = f"the tool returned containers in one another, more than {DEEPEST} deep"
            raise UntellableError(what, "let it return something flatter")

    def items(self, container: Iterable[Any]) -> list[Any]:
        """The items of a container, listed in one go, since another thread may change it."""
        return [item if type(item) in _PLAIN else self.of(item) for item in list(container)]

    def read(self, iterator: Iterable[Any]) -> list[Any]:
        """The items of an iterator, which may be slow, or endless."""
        taken = []
        for item in iterator:
            if self.stopped():
                raise Stopped(f"nobody waits for this output, {len(taken)} items of it were read")
            taken.append(self.of(item))
        return taken

    def pairs(self, mapping: Any) -> dict[Any, Any]:
        pairs = list(mapping.items())
        return {key: v if type(v) in _PLAIN else self.of(v) for key, v in pairs}

    def kind_of_dict(self, value: Any) -> Any:
        """A Counter stays a Counter; of a class that can't be copied, a dict is left."""
        taken = self.pairs(value)
        copied = _copy_of(value, otherwise=taken)
        for key, item in taken.items():
            if copied[key] is not item:
                copied[key] = item
        return copied

    def kind_of_list(self, value: Any) -> Any:
        taken = self.items(value)
        copied = _copy_of(value, otherwise=taken)
        copied[:] = taken
        return copied

    def kind_of_tuple(self, value: Any) -> Any:
        """The same tuple where nothing in it can change; a namedtuple stays one."""
        taken = self.items(value)
        if _are_same(taken, value):
            return value
        make = getattr(type(value), "_make", tuple)
        return make(taken)

    def kind_of_set(self, value: Any) -> Any:
        """A list where something in it had to be read, since lists can't stand in a set."""
        before = list(value)
        taken = self.items(before)
        return _copy_of(value, otherwise=taken) if _are_same(taken, before) else taken

    def kind_of_deque(self, value: deque[Any]) -> deque[Any]:
        return deque(self.items(value), value.maxlen)

    def dataclass(self, value: Any) -> Any:
        """A copy with copied fields; the object itself where it can't be copied."""
        copied = _copy_of(value, otherwise=value)
        for field in fields(value):
            item = getattr(value, field.name, None)
            taken = self.of(item)
            if taken is not item and copied is not value:
                object.__setattr__(copied, field.name, taken)
        return copied

    def array(self, value: Any) -> Any:
        count = prod(value.shape)
        if count > MOST_VALUES:
            name, shape = type(value).__name__, tuple(value.shape)
            what = f"the tool returned {count:,} values in one {name} of shape {shape}"
            advice = f"let it return a part or a summary, of {MOST_VALUES:,} at most"
            raise UntellableError(what, advice)
        return copy.deepcopy(value)


def _copy_of(value: Any, otherwise: Any) -> Any:
    try:
        return copy.copy(value)
    except Exception:
        return otherwise


def _are_same(taken: Iterable[Any], before: Iterable[Any]) -> bool:
    return all(new is old for new, old in zip(taken, before, strict=True))


_Way = Callable[[_Snapshot, Any], Any]

_WAYS: list[tuple[tuple[type, ...], _Way]] = [
    ((list, UserList), _Snapshot.kind_of_list),
    ((dict,), _Snapshot.kind_of_dict),
    ((tuple,), _Snapshot.kind_of_tuple),
    ((set, frozenset), _Snapshot.kind_of_set),
    ((deque,), _Snapshot.kind_of_deque),
    ((UserDict, ChainMap, MappingProxyType), _Snapshot.pairs),
    ((bytearray,), lambda _, value: bytearray(value)),
    ((memoryview,), lambda _, value: value.tobytes()),
    ((Iterator, KeysView, ValuesView, ItemsView, range), _Snapshot.read),
]


@lru_cache(maxsize=1000)
def _way(kind: type) -> _Way | None:
    """How a value of this class is taken; None for one that is left as it is."""
    if kind is list:
        return _Snapshot.items
    if kind is dict:
        return _Snapshot.pairs
    if refused := _refusal(kind):
        return refused
    for kinds, way in _WAYS:
        if issubclass(kind, kinds):
            return way
    if is_dataclass(kind):
        return _Snapshot.dataclass
    if is_array(kind) or is_table(kind):
        return _Snapshot.array
    return None


def _refusal(kind: type) -> _Way | None:
    """What raises the error for a class that is refused; None for another."""
    advice = "let it return {}"
    for what, (instead, names) in _REFUSED.items():
        if any(_is_of(kind, name) for name in names.split()):
            return _refuse(what, advice.format(instead))
    if issubclass(kind, (Awaitable, AsyncIterator)):
        return _refuse("what has to be awaited", "let the tool be async, and await it there")
    return None


def _refuse(what: str, advice: str) -> _Way:
    def refuse(_: _Snapshot, value: Any) -> Any:
        name = type(value).__name__
        if iscoroutine(value):
            value.close()  # or Python warns that nobody awaited it
        raise UntellableError(
            f"the tool returned {what} ({name}), which tells a model nothing", advice
        )

    return refuse


def _is_of(kind: type, name: str) -> bool:
    """Is it the class of that name, or one below it? ``module.*`` is any class of a module."""
    module, _, attribute = name.rpartition(".")
    if attribute == "*":
        return kind.__module__ == module
    known = getattr(sys.modules.get(module), attribute, None)
    return isinstance(known, type) and issubclass(kind, known)


def told_apart(names: Iterable[str]) -> list[str]:
    """The names, with a number behind each that was there before, so that an object has them all.

    >>> told_apart(["a", "b", "a"])
    ['a', 'b', 'a (2)']
    """
    times: Counter[str] = Counter()
    apart: dict[str, None] = {}
    for name in names:
        told = name
        while told in apart:
            times[name] += 1
            told = f"{name} ({times[name] + 1})"
        apart[told] = None
    return list(apart)


# Arrays and tables, known by what they can do: the libraries that make them are never imported.


def is_array(kind: type) -> bool:
    """Is it a class like numpy's arrays and numbers, or like a column of pandas or polars?"""
    lists = hasattr(kind, "tolist") or hasattr(kind, "to_list")
    return lists and hasattr(kind, "dtype") and hasattr(kind, "shape")


def is_table(kind: type) -> bool:
    """Is it a class like the DataFrame of pandas, or of polars?"""
    return hasattr(kind, "shape") and hasattr(kind, "columns") and hasattr(kind, "to_dict")


def unpack(value: Any) -> Any:
    """Python's own numbers, lists and dicts for an array or a table; anything else as it is.

    A table is a list of records. Where that would lose something (two columns of one name), it is
    an object with its ``columns``, ``index`` and ``data``; labels of rows become a column.

        >>> unpack(numpy.arange(3))
        [0, 1, 2]
    """
    kind = type(value)
    if kind.__name__ in ("NAType", "NaTType") and kind.__module__.startswith("pandas"):
        return None
    if is_table(kind):
        return value.to_dicts() if hasattr(kind, "to_dicts") else _unpack_frame(value)
    if not is_array(kind):
        return value
    if hasattr(kind, "__array_interface__"):
        return _unpack_numpy(value)
    if hasattr(kind, "index") and hasattr(kind, "to_dict"):
        return _unpack_series(value)
    return value.tolist() if hasattr(kind, "tolist") else value.to_list()


def _unpack_numpy(value: Any) -> Any:
    dtype = value.dtype
    wide = dtype.kind == "f" and dtype.itemsize > 8
    if not (wide or dtype.names or dtype.kind in "mM"):
        return value.tolist()
    if value.shape:
        return [_unpack_numpy(item) for item in value]
    if dtype.names:
        return {name: unpack(value[name]) for name in dtype.names}
    return float(value) if wide else str(value)


def _unpack_frame(frame: Any) -> Any:
    if _are_distinct(frame.columns) and _is_counted(frame.index):
        return frame.to_dict("records")
    if _are_distinct([*frame.index.names, *frame.columns]):
        return frame.reset_index().to_dict("records")
    rows = [list(row) for row in frame.itertuples(index=False, name=None)]
    return {"columns": list(frame.columns), "index": list(frame.index), "data": rows}


def _unpack_series(series: Any) -> Any:
    values, labels = series.tolist(), series.index.tolist()
    if _is_counted(labels):
        return values
    pairs = zip(labels, values, strict=True)
    return dict(pairs) if _are_distinct(labels) else [list(pair) for pair in pairs]


def _is_counted(labels: Iterable[Any]) -> bool:
    """Are the labels only the rows' numbers?"""
    return all(label == number for number, label in enumerate(labels))


def _are_distinct(labels: Iterable[Any]) -> bool:
    """Do the labels differ as texts, as the keys of a JSON object must?"""
    names = [str(label) for label in labels]
    return len(set(names)) == len(names)
