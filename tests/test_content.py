"""What goes on the wire for a result: JSON whatever the tool returned, and never a secret."""

import asyncio
import base64
import collections
import concurrent.futures
import contextlib
import dataclasses
import datetime as dt
import doctest
import enum
import functools
import html
import io
import itertools
import json
import pickle
import queue
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import types
import urllib.parse
import uuid
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from ptc import ToolCall, ToolResult
from ptc.making import make_call, make_result
from ptc.text import (
    DEEPEST,
    MOST_VALUES,
    Stopped,
    UntellableError,
    describe,
    explain,
    mask,
    mask_json,
    secrets,
    shorten,
    snapshot,
    split_advice,
    to_json,
    with_advice,
)

SECRET = "sk-hunter2-0123456789"


def no_constant(name):
    raise ValueError(f"{name} is no JSON")


def content(output):
    """The content of a tool's output, as a provider decodes it: strict JSON in UTF-8."""
    text = ToolResult(ToolCall("c", "tool"), True, output).content
    return json.loads(text.encode(), parse_constant=no_constant)


@pytest.fixture
def secret(monkeypatch):
    monkeypatch.setenv("TEST_API_KEY", SECRET)
    return SECRET


# --- calls and results


def test_a_call_remembers_the_id_that_the_model_sent():
    """By default its own; None where the model sent none."""
    assert ToolCall("a", "tool").sent_id == "a"
    assert ToolCall("a-2", "tool", sent_id="a").sent_id == "a"
    assert ToolCall("call_1", "tool", sent_id=None).sent_id is None


def test_calls_can_be_kept_in_a_set_and_sent_to_another_process():
    """Although their arguments are a dict."""
    call = ToolCall("a", "tool", {"x": [1]}, sent_id=None)
    assert {call, pickle.loads(pickle.dumps(call))} == {call}
    assert call != ToolCall("a", "tool", {"x": [2]}, sent_id=None)


def test_what_is_made_faster_is_the_same():
    """With some values, with the defaults, and with an argument that isn't there."""
    call = ToolCall("a", "tool")
    for make, right, values in [
        (make_call, ToolCall, {"id": "a", "name": "tool"}),
        (make_call, ToolCall, {"id": "a", "name": "tool", "arguments": {"x": 1}, "sent_id": None}),
        (make_result, ToolResult, {"call": call, "success": True, "output": {"x": [1]}}),
        (make_result, ToolResult, {"call": call, "success": False, "error": "no"}),
    ]:
        made, expected = make(**values), right(**values)
        assert made == expected and repr(made) == repr(expected) and type(made) is right
        assert pickle.loads(pickle.dumps(made)) == dataclasses.replace(made) == made
        with pytest.raises(TypeError, match="wrong"):
            make(**values, wrong=1)
    assert make_call("a", "tool").arguments is not make_call("a", "tool").arguments
    assert make_result(call, False, error="no").content == '{"error": "no"}'


@pytest.mark.parametrize(
    "frozen",
    [
        ToolCall("a", "tool"),
        ToolResult(ToolCall("a", "t"), True),
        make_call("a", "tool"),
        make_result(ToolCall("a", "t"), True),
    ],
)
def test_calls_and_results_do_not_change(frozen):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(frozen, dataclasses.fields(frozen)[0].name, "other")


def test_text_is_quoted_and_an_error_is_an_object():
    """So a model can tell a tool that says "error" from one that failed."""
    call = ToolCall("c", "tool")
    assert ToolResult(call, True, "fine").content == '"fine"'
    assert ToolResult(call, True, None).content == "null"
    assert ToolResult(call, False, "unused", error="no").content == '{"error": "no"}'


def test_a_copy_of_a_result_has_its_own_content():
    """Where the output is replaced, and where something else is."""
    result = ToolResult(ToolCall("c", "tool"), True, [1])
    assert dataclasses.replace(result, output=[2]).content == "[2]"
    assert dataclasses.replace(result, finished=1.0).content == "[1]"
    assert dataclasses.replace(result, finished=0.0) == result
    assert "_json" not in repr(result)


# --- what JSON doesn't know


class Point(BaseModel):
    x: int = 1
    password: SecretStr = SecretStr("hidden")


@dataclasses.dataclass
class Line:
    ends: set[int]


class Colour(enum.Enum):
    RED = "red"


Pair = collections.namedtuple("Pair", "x y")


class Named:
    def __str__(self):
        return "named"

    __repr__ = __str__


@pytest.mark.parametrize(
    ("output", "decoded"),
    [
        ({"a": [1, 2.5, True, None, "é"]}, {"a": [1, 2.5, True, None, "é"]}),
        (dt.datetime(2026, 1, 2, 3, 4), "2026-01-02T03:04:00"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.timedelta(days=1), "P1D"),
        ({3}, [3]),
        (frozenset("a"), ["a"]),
        ((1, (2,)), [1, [2]]),
        (Pair(1, 2), [1, 2]),
        (collections.deque([1]), [1]),
        (collections.Counter("aab"), {"a": 2, "b": 1}),
        (float("nan"), "NaN"),
        ([float("inf"), float("-inf")], ["Infinity", "-Infinity"]),
        (b"text", "text"),
        (b"\xff", "_w=="),
        (bytearray(b"text"), "text"),
        (Decimal("1.10"), "1.10"),
        (Fraction(1, 3), "1/3"),
        (1j, "1j"),
        (uuid.UUID(int=3), "00000000-0000-0000-0000-000000000003"),
        (PurePosixPath("/a"), "/a"),
        (Colour.RED, "red"),
        (Point(), {"x": 1, "password": "**********"}),
        (Line({1}), {"ends": [1]}),
        (Named(), "named"),
        ([Named()], ["named"]),
        (types.MappingProxyType({"a": 1}), "{'a': 1}"),
        (ValueError("no"), "no"),
        ("\ud800", "\N{REPLACEMENT CHARACTER}"),
        ({"\udfff": ["x\ud800"]}, {"\N{REPLACEMENT CHARACTER}": ["x\N{REPLACEMENT CHARACTER}"]}),
        ("\ud83d\ude00", "😀"),
        (2**64, 2**64),
        ({1: "a", None: "b", dt.date(2026, 1, 2): "c"}, {"1": "a", "None": "b", "2026-01-02": "c"}),
    ],
    ids=ascii,
)
def test_what_json_does_not_know_is_written_all_the_same(output, decoded):
    assert content(output) == decoded


@pytest.mark.parametrize(
    ("odd", "shown"),
    [
        (Named(), "named"),
        ("\ud800", "\N{REPLACEMENT CHARACTER}"),
        (b"\xff", "_w=="),
        ({"\ud800"}, ["\N{REPLACEMENT CHARACTER}"]),
    ],
    ids=ascii,
)
def test_the_rest_stays_as_it_was_beside_what_json_does_not_know(odd, shown):
    """One odd value doesn't turn its siblings into text, or into base64."""
    output = {"n": 1, "list": [None, {2}], "bytes": b"text", "nan": float("nan"), "odd": (odd,)}
    decoded = {"n": 1, "list": [None, [2]], "bytes": "text", "nan": "NaN", "odd": [shown]}
    assert content(output) == decoded


def test_keys_that_are_written_alike_stay_apart():
    """Beside what JSON doesn't know; nothing is lost."""
    output = {dt.date(2026, 1, 2): 1, "2026-01-02": 2, "odd": "\ud800"}
    assert list(content(output).values())[:2] == [1, 2]


def test_a_list_that_contains_itself():
    """And a dict that does."""
    knot = [1]
    knot.append(knot)
    loop = {}
    loop["again"] = loop
    assert content(knot) == "[1, [...]]"
    assert content(loop) == "{'again': {...}}"


def nested(depth, inner=None):
    for _ in range(depth):
        inner = [inner]
    return inner


@pytest.mark.parametrize("odd", [1, {2}, Named(), np.int64(3), "\ud800", float("nan")])
@pytest.mark.parametrize("wrap", [lambda n: [n], lambda n: {"a": n}, lambda n: (n,)])
def test_nesting_that_a_snapshot_allows_stays_json(secret, wrap, odd):
    """Whatever is at the bottom of it, and with something to hide beside it."""
    output, decoded = odd, content(odd)
    for _ in range(DEEPEST - 1):
        output, decoded = wrap(output), wrap(decoded)
    decoded = json.loads(json.dumps(decoded))  # a list for a tuple
    assert content([snapshot(output), secret]) == [decoded, "***"]


@pytest.mark.parametrize("depth", [100, 500, 900, 1100, 100_000])
def test_nesting_that_goes_too_deep(secret, depth):
    """Whoever can't be reached is written as text, or as the name of its type, and hidden still."""
    assert secret not in json.dumps(content(nested(depth, secret)))


@pytest.mark.parametrize("wrap", [int, lambda n: [n], lambda n: {"a": -n}, lambda n: {n: 1}])
def test_integers_longer_than_python_prints(wrap):
    """JSON has no bound, and what reads it has: 4,300 digits in Python."""
    assert sys.get_int_max_str_digits() < 5000
    assert content([1, wrap(10**5000)])[0] == 1


class Silent(Exception):
    """Raises whatever it was made with when somebody wants to print it."""

    def __str__(self):
        raise self.args[0]

    __repr__ = __str__


class Unprintable:
    def __init__(self, error):
        self.error = error

    def __str__(self):
        raise self.error

    __repr__ = __str__


class NoText:
    def __str__(self):
        return 3  # noqa: PLE0307

    __repr__ = __str__


ERRORS = [ValueError(), SystemExit(3), asyncio.CancelledError(), GeneratorExit(), RecursionError()]


@pytest.mark.parametrize("odd", [*map(Unprintable, ERRORS), NoText()])
def test_objects_that_cannot_be_printed_have_the_name_of_their_type(odd):
    """Also those that exit when they are asked."""
    shown = f"<{type(odd).__name__}>"
    assert content(odd) == describe(odd) == shown
    assert content([1, odd]) == [1, shown]
    assert content({"a": {odd}}) == {"a": [shown]}
    assert content({odd: 1}) == {shown: 1}


@pytest.mark.parametrize("error", ERRORS)
def test_an_exception_that_cannot_be_printed_is_explained_by_its_name(error):
    assert explain(Silent(error)) == "Silent: <Silent>"


class Interrupted(dict):
    def items(self):
        raise KeyboardInterrupt


def test_an_interrupt_comes_through():
    """The stop button, while something is being written."""
    with pytest.raises(KeyboardInterrupt):
        describe(Unprintable(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        to_json(Interrupted(a=1))


# --- what a tool returned, as it was


@dataclasses.dataclass(frozen=True, slots=True)
class Shelf:
    items: object


@pytest.mark.parametrize(
    ("output", "taken"),
    [
        (zip("ab", [1, 2], strict=True), [("a", 1), ("b", 2)]),
        (map(str, [1, 2]), ["1", "2"]),
        (filter(None, [0, 1]), [1]),
        ((n for n in (1, 2)), [1, 2]),
        (iter([1]), [1]),
        (range(3), [0, 1, 2]),
        ({"a": 1}.keys(), ["a"]),
        ({"a": 1}.values(), [1]),
        ({"a": 1}.items(), [("a", 1)]),
        (collections.OrderedDict(a=1).values(), [1]),
        (enumerate("a"), [(0, "a")]),
        (sqlite3.connect(":memory:").execute("select 1, 'b'"), [(1, "b")]),
        ({"deep": [(map(str, range(2)),)]}, {"deep": [(["0", "1"],)]}),
        (iter([iter([iter([1])])]), [[[1]]]),
        (Pair(iter([1]), 2), Pair([1], 2)),
        ({iter([1])}, [[1]]),
        (Shelf({"all": iter([1])}), Shelf({"all": [1]})),
        (types.MappingProxyType({"a": iter([1])}), {"a": [1]}),
        (collections.ChainMap({"a": 1}, {"b": 2}), {"a": 1, "b": 2}),
        (collections.UserDict(a=iter([1])), {"a": [1]}),
        (memoryview(b"ab"), b"ab"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_iterators_and_views_are_read_wherever_they_stand(output, taken):
    assert snapshot(output) == taken


def filled_list():
    items = [1]
    return items, lambda: items.append(2)


def filled_dict():
    items = {"a": {"b": [1]}}
    return items, lambda: items["a"]["b"].append(2)


def filled_set():
    items = {1}
    return items, lambda: items.add(2)


def filled_deque():
    items = collections.deque([1], maxlen=3)
    return items, lambda: items.append(2)


def filled_tuple():
    items = [1]
    return (0, (items,)), lambda: items.append(2)


def filled_counter():
    items = collections.Counter("a")
    return items, lambda: items.update("a")


def filled_defaultdict():
    items = collections.defaultdict(list, a=[1])
    return items, lambda: items["a"].append(2)


def filled_subclass():
    items = collections.UserList([[1]])
    return items, lambda: items[0].append(2)


def filled_dataclass():
    items = Shelf([1])
    return items, lambda: items.items.append(2)


def filled_bytearray():
    items = bytearray(b"a")
    return items, lambda: items.append(98)


FILLED = [made for name, made in sorted(globals().items()) if name.startswith("filled_")]


@pytest.mark.parametrize("made", FILLED, ids=lambda made: made.__name__)
def test_later_changes_do_not_show(made):
    """The copy is equal to what was there, of the same class, and stays so."""
    output, change = made()
    taken = snapshot(output)
    assert taken == output and type(taken) is type(output)
    change()
    assert taken == made()[0] != output


@pytest.mark.parametrize(
    "output", [None, True, 7, 1.5, "text", b"bytes", (1, "a", (None,)), frozenset({1}), Named()]
)
def test_what_cannot_change_is_not_copied(output):
    """Nor is an object of a class that nobody knows: a model is told its text."""
    assert snapshot(output) is output


def test_a_deque_keeps_its_bound_and_a_dict_its_default():
    assert snapshot(collections.deque([1], maxlen=2)).maxlen == 2
    assert snapshot(collections.defaultdict(int))["a"] == 0


def test_what_an_iterator_raises_comes_through():
    """It fails where it is read, so reading is a part of the tool's run."""
    with pytest.raises(ZeroDivisionError):
        snapshot({"quotients": map((10).__floordiv__, [1, 0, 2])})


@pytest.mark.parametrize("wrap", [lambda n: n, lambda n: [n], lambda n: {"a": (n,)}, Shelf])
def test_an_endless_iterator_ends_when_nobody_waits(wrap):
    """It is asked between two items, so not one more is made."""
    made = []
    with pytest.raises(Stopped):
        snapshot(wrap(made.append(n) or n for n in itertools.count()), lambda: len(made) == 5)
    assert len(made) == 5


def test_copying_ends_too_when_nobody_waits():
    """Forty lists that hold the one before twice are 2**40 values for JSON."""
    output = [1]
    for _ in range(40):
        output = [output, output]
    asked = itertools.count()
    with pytest.raises(Stopped):
        snapshot(output, lambda: next(asked) > 1000)


@contextlib.contextmanager
def opened():
    yield 1


async def awaited():
    return 1


async def generated():
    yield 1


UNTELLABLE = {
    "future": concurrent.futures.Future,
    "asyncio's future": lambda: asyncio.Future(loop=asyncio.new_event_loop()),
    "coroutine": awaited,
    "async generator": generated,
    "context manager": opened,
    "exit stack": contextlib.ExitStack,
    "text file": lambda: open(__file__),  # noqa: SIM115
    "text in memory": io.StringIO,
    "temporary file": tempfile.NamedTemporaryFile,
    "socket": socket.socket,
    "lock": threading.Lock,
    "reentrant lock": threading.RLock,
    "event": threading.Event,
    "asyncio's lock": asyncio.Lock,
    "queue": queue.PriorityQueue,
    "thread": threading.Thread,
    "process": lambda: subprocess.Popen([sys.executable, "-c", ""]),
    "executor": lambda: concurrent.futures.ThreadPoolExecutor(1),
    "module": lambda: json,
    "class": lambda: Named,
    "function": lambda: opened,
    "method": lambda: [].append,
    "partial": lambda: functools.partial(opened),
}


@pytest.mark.parametrize("wrap", [lambda n: n, lambda n: [1, {"a": (n,)}], lambda n: iter([n])])
@pytest.mark.parametrize("kind", UNTELLABLE)
def test_what_tells_a_model_nothing_is_an_error(kind, wrap):
    """One that names what it is and what to return instead."""
    odd = UNTELLABLE[kind]()
    try:
        with pytest.raises(UntellableError, match=f"{type(odd).__name__}.*; let "):
            snapshot(wrap(odd))
    finally:
        for name in ("close", "wait"):
            if hasattr(odd, name) and kind not in ("event", "async generator", "class"):
                getattr(odd, name)()


def test_an_error_says_what_it_was_and_what_to_do():
    """Both are also there apart, for whoever writes the answer."""
    with pytest.raises(UntellableError) as raised:
        snapshot(threading.Lock())
    error = pickle.loads(pickle.dumps(raised.value))
    assert str(error) == f"{error.what}; {error.advice}"
    assert error.what == "the tool returned a lock (lock), which tells a model nothing"


@pytest.mark.parametrize("wrap", [lambda n: [n], lambda n: {"a": n}, lambda n: (1, n)])
def test_containers_in_containers_have_a_bound(wrap):
    """A stated one, that doesn't depend on how deep the caller's stack is."""
    inner = 1
    for _ in range(DEEPEST):
        inner = wrap(inner)
    assert snapshot(inner) == inner
    with pytest.raises(UntellableError, match="more than 200 deep"):
        snapshot(wrap(inner))


def test_what_contains_itself_is_an_error():
    knot = [1]
    knot.append({"again": knot})
    with pytest.raises(UntellableError, match="a list that contains itself"):
        snapshot(knot)
    twice = [1]
    assert snapshot([twice, twice]) == [[1], [1]]


# --- numbers, arrays and tables


@pytest.mark.parametrize(
    ("output", "decoded"),
    [
        (np.int64(5), 5),
        (np.uint8(200), 200),
        (np.float32(0.5), 0.5),
        (np.float64("nan"), "NaN"),
        (np.longdouble(1.5), 1.5),
        (np.bool_(True), True),
        (np.str_("text"), "text"),
        (np.datetime64("2026-01-02"), "2026-01-02"),
        (np.timedelta64(5, "m"), "5 minutes"),
        (np.complex64(1j), "1j"),
        (np.clongdouble(1j), "1j"),
        (np.arange(2000), list(range(2000))),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array(3), 3),
        (np.array([], dtype=float), []),
        (np.array([np.nan, 1.0]), ["NaN", 1.0]),
        (np.array([1.5], dtype=np.longdouble), [1.5]),
        (np.array(["2026-01-02", "NaT"], dtype="M8[D]"), ["2026-01-02", "NaT"]),
        (np.array([(1, "a")], dtype=[("n", int), ("s", "U1")]), [{"n": 1, "s": "a"}]),
        (np.ma.array([1, 2], mask=[False, True]), [1, None]),
        (np.array([{"n": np.int64(1)}, Named()], dtype=object), [{"n": 1}, "named"]),
        (pd.Series([1.5, 2.5]), [1.5, 2.5]),
        (pd.Series([1, 2], index=["a", "b"]), {"a": 1, "b": 2}),
        (pd.Series([1, 2], index=["a", "a"]), [["a", 1], ["a", 2]]),
        (pd.Index(["a", "b"]), ["a", "b"]),
        (pd.array([1, None]), [1, None]),
        (pd.Timestamp("2026-01-02"), "2026-01-02T00:00:00"),
        (pd.NaT, None),
        (pd.DataFrame({"n": range(100)}), [{"n": n} for n in range(100)]),
        (
            pd.DataFrame({"n": [1, 2], "t": pd.to_datetime(["2026-01-02", None])}),
            [{"n": 1, "t": "2026-01-02T00:00:00"}, {"n": 2, "t": None}],
        ),
        (pd.DataFrame({"n": [1]}, index=["a"]), [{"index": "a", "n": 1}]),
        (pd.DataFrame({"n": [1]}, index=pd.Index(["a"], name="city")), [{"city": "a", "n": 1}]),
        (
            pd.DataFrame([[1, 2]], columns=["n", "n"]),
            {"columns": ["n", "n"], "index": [0], "data": [[1, 2]]},
        ),
        (
            pd.DataFrame({"n": [1]}, index=pd.Index(["a"], name="n")),
            {"columns": ["n"], "index": ["a"], "data": [[1]]},
        ),
        (pl.Series([1, None]), [1, None]),
        (
            pl.DataFrame({"n": [1, None], "s": ["a", "b"]}),
            [{"n": 1, "s": "a"}, {"n": None, "s": "b"}],
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_numbers_are_numbers_and_arrays_and_tables_go_whole(output, decoded):
    """Alone, beside others, and beside what JSON doesn't know."""
    assert content(output) == decoded
    assert content(snapshot(output)) == decoded
    assert content({"a": [output], "odd": {Named(), "\ud800"}})["a"] == [decoded]


def test_numbers_of_numpy_as_keys():
    assert content({np.int64(1): 1, np.str_("a"): 2}) == {"1": 1, "a": 2}


LARGE = {
    "array": lambda n: np.zeros(n),
    "rows and columns": lambda n: np.zeros((n // 10, 10)),
    "frame": lambda n: pd.DataFrame(np.zeros((n // 10, 10))),
    "series": lambda n: pd.Series(np.zeros(n)),
    "polars": lambda n: pl.DataFrame({"n": range(n)}),
}


@pytest.mark.parametrize("kind", LARGE)
def test_what_is_too_large_says_how_large_it_is(kind):
    """Nothing is cut in silence: all of it, or an error."""
    assert snapshot([LARGE[kind](MOST_VALUES)]) is not None
    with pytest.raises(UntellableError, match=r"200,000 values in one \w+ of shape \(\d+.*100,000"):
        snapshot([LARGE[kind](2 * MOST_VALUES)])


@pytest.mark.parametrize("kind", ["array", "frame", "series"])
def test_an_array_is_copied(kind):
    numbers = LARGE[kind](20)
    taken = snapshot(numbers)
    numbers[:] = 1
    assert to_json(taken) == to_json(LARGE[kind](20))


# --- secrets


@pytest.mark.parametrize(
    "output", ["{}", "a {} and {}", b"{}", ["{}", {"deep": {"{}": "x{}y"}}, 1], {"{}"}, ("{}", 1j)]
)
def test_a_secret_is_masked_wherever_it_stands(secret, output):
    """In text, keys, bytes, sets; and what is left is JSON."""

    def put(value):
        if isinstance(value, str):
            return value.replace("{}", secret)
        if isinstance(value, bytes):
            return value.replace(b"{}", secret.encode())
        if isinstance(value, dict):
            return {put(key): put(item) for key, item in value.items()}
        return type(value)(map(put, value)) if isinstance(value, list | set | tuple) else value

    shown = json.dumps(content(put(output)))
    assert "***" in shown and "hunter2" not in shown


@pytest.mark.parametrize("value", ["1000", "128000", "0.5", "1e5", "-1", "1_000", "8080"])
def test_numbers_are_not_secrets(monkeypatch, value):
    """They are limits, ports and times, which stand in many texts; MAX_TOKENS=1000, for one."""
    for name in ("MAX_TOKENS", "TOKEN_LIMIT", "KEY_TTL"):
        monkeypatch.setenv(name, value)
    assert content([f"about {value} of them", 1000]) == [f"about {value} of them", 1000]


def test_a_number_with_as_many_digits_as_a_key_is_masked(monkeypatch):
    """Also where a tool returns it as a number."""
    monkeypatch.setenv("APP_KEY", "2718281828459045")
    assert content([2718281828459045, "2718281828459045", 31415]) == ["***", "***", 31415]


@pytest.mark.parametrize(
    "value", ['with "quotes"', "back\\slash", "two\nlines", "'", "'\"", "pässwörd"]
)
def test_a_secret_is_masked_as_it_is_and_as_it_is_quoted(monkeypatch, value):
    """A KeyError quotes its key, a tool may return JSON as text, and JSON is escaped itself."""
    value = f"{value}{value}{value}{value}"
    monkeypatch.setenv("DB_PASSWORD", value)
    for output in (value, [value], {value: value}, repr(value), json.dumps([value])):
        assert value[:3] not in str(content(output))
    call = ToolCall("c", "tool")
    decoded = json.loads(ToolResult(call, False, error=f"no {value}").content)
    assert decoded == {"error": "no ***"}


def test_a_secret_within_a_longer_one(monkeypatch):
    """The longer one first, or its rest would show."""
    monkeypatch.setenv("A_KEY", "hunter2")
    monkeypatch.setenv("B_TOKEN", "hunter2-and-more")
    assert content("hunter2-and-more, hunter2") == "***, ***"


def test_space_around_a_secret_is_none_of_it(monkeypatch):
    """A key read from a file ends in a newline, and whoever uses it strips it."""
    monkeypatch.setenv("A_KEY", f" {SECRET}\n")
    assert content(f"with {SECRET}.") == "with ***."


@pytest.mark.parametrize("value", ["", " ", "1", "on", "true", "False", "none", "null"])
def test_flags_are_no_secrets(monkeypatch, value):
    """USE_API_KEY=false must not put stars into every "false"."""
    monkeypatch.setenv("USE_API_KEY", value)
    output = {"said": f"it is {value}", "flags": [True, False, None, 1]}
    assert content(output) == output


NAMES = """
    OPENAI_API_KEY token MySecret PASSWORDS KEYS GITHUB_TOKEN DB_PASSWD SMTP_PASS SSH_PASSPHRASE
    AWS_CREDENTIALS GOOGLE_APPLICATION_CREDENTIALS CLIENT_SECRET MYSQL_PWD PGPASSWORD apiKey APIKey
    githubToken db-password KEY2 SECRET_2 OPENAI_APIKEY PRIVATEKEY awsSecretkey GITHUB_PAT JWT
    DBPASS SIM_PASSCODE BEARER
"""


@pytest.mark.parametrize("name", NAMES.split())
def test_a_variable_is_known_by_the_words_of_its_name(monkeypatch, name):
    """Between underscores, and where capitals begin."""
    monkeypatch.setenv(name, SECRET)
    assert SECRET in secrets() and content(SECRET) == "***"


@pytest.mark.parametrize(
    "name",
    [
        *"CITY KEYBOARD MONKEY TOKENIZERS_PARALLELISM COMPASS BYPASS PASSENGER PWD OLDPWD".split(),
        *"PATH PATTERN".split(),
    ],
)
def test_other_variables_are_not_secrets(monkeypatch, name):
    """A word that only begins or ends like one; the folder of a shell."""
    monkeypatch.setenv(name, "Paris-in-spring")
    assert "Paris-in-spring" not in secrets() and content("Paris-in-spring") == "Paris-in-spring"


@pytest.mark.parametrize(
    ("value", "password"),
    [
        ("postgres://user:hunter2@host/db", "hunter2"),
        ("redis://:hunter2@host:6379/0", "hunter2"),
        ("postgres://user:p%40ss%2Fword@host/db", "p@ss/word"),
        ("postgres://user:p%40ss%2Fword@host/db", "p%40ss%2Fword"),
        ("mysql+pymysql://user:hun@ter2@host/db?email=a@b", "hun@ter2"),
        ("postgres://user:hun/ter2@host/db", "hun/ter2"),
        ("mongodb://user:hunter2@one,two/db", "hunter2"),
        ("Server=host;User Id=user;Password=hunter2;", "hunter2"),
        ("host=host user=user password=hunter2", "hunter2"),
        ("AccountName=user;AccountKey=hunter2==;Suffix=core", "hunter2=="),
        ("Endpoint=sb://host;SharedAccessKeyName=user;SharedAccessKey=hunter2=", "hunter2="),
        ("host=host user=user password='hunter 2 ;' dbname=db", "hunter 2 ;"),
        ("Server=host;Pwd={hun;ter2};Database=db", "hun;ter2"),
        ("https://host/db?user=user&api_key=hunter2&x=1", "hunter2"),
        ("https://hunter2hunter2hunter2@host/db", "hunter2hunter2hunter2"),
        ("https://hunter2hunter2hunter2:x@host/db", "hunter2hunter2hunter2"),
        ('{"user": "user", "at": [{"host": "host", "private_key": "hunter2"}]}', "hunter2"),
        ('{"url": "postgres://user:hunter2@host/db", "monkey": "host"}', "hunter2"),
    ],
)
def test_the_password_in_an_address_is_a_secret(monkeypatch, value, password):
    """Whatever the variable is called; the rest of the address isn't one."""
    monkeypatch.setenv("DATABASE", value)
    assert content(f"logged in with {password}.") == "logged in with ***."
    assert content(["user", "host", "db"]) == ["user", "host", "db"]


ODD_KEY = 'sk+hunter2/"0123" 45=6&789?'
ENCODED = {
    "percent": urllib.parse.quote,
    "percent, slashes too": lambda key: urllib.parse.quote(key, safe=""),
    "percent in small letters": lambda key: re.sub(
        "%..", lambda code: code[0].lower(), urllib.parse.quote(key)
    ),
    "percent, twice": lambda key: urllib.parse.quote(urllib.parse.quote(key, safe=""), safe=""),
    "percent of JavaScript": lambda key: urllib.parse.quote(key, safe="!~*'()"),
    "a query": lambda key: urllib.parse.urlencode({"key": key}),
    "JSON": json.dumps,
    "JSON in JSON": lambda key: json.dumps(json.dumps([key])),
    "JSON in JSON in JSON": lambda key: json.dumps(json.dumps(json.dumps(key))),
    "JSON of PHP": lambda key: json.dumps(key).replace("/", "\\/"),
    "a repr": repr,
    "a repr in ASCII": ascii,
    "HTML": html.escape,
    "HTML, texts alone": lambda key: html.escape(key, quote=False),
    "HTML of Jinja": lambda key: html.escape(key).replace("&quot;", "&#34;"),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64, one later": lambda key: base64.b64encode(f"a{key}b".encode()).decode(),
    "base64, two later": lambda key: base64.b64encode(f"ab{key}c".encode()).decode(),
    "base64 for URLs": lambda key: base64.urlsafe_b64encode(f"user:{key}".encode()).decode(),
    "base64 in a URL": lambda key: urllib.parse.quote(base64.b64encode(key.encode()), safe=""),
    "base64 in lines": lambda key: base64.encodebytes(b"?" * 50 + key.encode()).decode(),
    "hexadecimal": lambda key: key.encode().hex(),
    "lines": lambda key: f"{key[:7]}\n{key[7:12]}\r\n    {key[12:]}",
    "short lines": lambda key: "\n".join(re.findall(".{1,5}", key)),
    "lines of a shell": lambda key: f"{key[:7]} \\\n  {key[7:]}",
    "lines of a browser": lambda key: f"{key[:7]}\u200b{key[7:12]}\u2028{key[12:]}",
    "lines in JSON": lambda key: json.dumps(f"{key[:7]}\n{key[7:]}"),
    "lines in JSON in JSON": lambda key: json.dumps(json.dumps(f"{key[:7]}\n{key[7:]}")),
}


@pytest.mark.parametrize("key", [SECRET, ODD_KEY, "pässwörd-0123456789"])
@pytest.mark.parametrize("encode", ENCODED.values(), ids=ENCODED)
def test_a_secret_is_masked_however_it_is_written(monkeypatch, encode, key):
    """In an output, among others, and in an error; what stands around it stays."""
    monkeypatch.setenv("DEMO_KEY", key)
    written = encode(key)
    hidden = secrets()
    for text in (f"<{written}>", mask(f"<{written}>", hidden), content([f"<{written}>"])[0]):
        shown = content(text)
        assert shown.startswith("<") and shown.endswith(">") and "***" in shown
        assert len(re.sub(r"[^\w+/%]", "", shown)) <= len(written) - len(key) + 12


def test_a_key_of_several_lines_is_masked_line_by_line(monkeypatch):
    """As a file of keys has; a tool may return its lines."""
    lines = [
        "-----BEGIN PRIVATE KEY-----",
        "MIIEvQIBADANBgkqh",
        "kiG9w0BAQEFAASCBK",
        "-----END-----",
    ]
    monkeypatch.setenv("PRIVATE_KEY", "\n".join(lines))
    assert content(lines) == [lines[0], "***", "***", lines[3]]
    assert content(" ".join(lines)) == f"{lines[0]} *** *** {lines[3]}"
    assert content("".join(lines)) == f"{lines[0]}******{lines[3]}"
    assert content("\n".join(lines)) == "***"


def test_keys_that_are_masked_to_one_text_stay_apart(secret, monkeypatch):
    """Nothing is lost, whatever it is called."""
    monkeypatch.setenv("OTHER_TOKEN", "hunter3-9876543210")
    output = {secret: 1, "hunter3-9876543210": 2, "*** (2)": 3, "deep": [{secret: {secret: 4}}]}
    shown = content(output)
    assert list(shown.values()) == [1, 2, 3, [{"***": {"***": 4}}]]
    assert list(shown)[:2] == ["***", "*** (2)"]


@pytest.mark.parametrize("run", [" ", "\\", "\n", " \n", "\\n", SECRET[:5], "s \\", "\t \\\\"])
def test_a_long_run_of_anything_is_read_once(secret, run):
    """Not once for each of its characters: that would take hours here."""
    text = run * (300_000 // len(run))
    shown = content([text, f"{text}{secret[:9]}\n{secret[9:]}{text}"])
    assert shown[0] == text and shown[1].count("***") == 1


def test_a_text_without_secrets_is_untouched():
    """Not written again: a large output costs one search."""
    text = '{"a":   1}'
    assert mask_json(text, ["hunter2"]) is text
    assert mask("text", []) == "text"


# --- any value at all

leaves = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary() | st.complex_numbers()
) | (
    st.text(st.characters())
    | st.text(st.characters(categories=["Cs"]), max_size=2)
    | st.sampled_from([SECRET, f"a{SECRET}b", SECRET.encode(), object])
    | st.builds(pow, st.just(10), st.just(5000))
    | st.builds(Unprintable, st.sampled_from(ERRORS))
    | st.builds(Named)
    | st.builds(Point)
    | st.dates()
    | st.times()
    | st.datetimes()
    | st.timedeltas()
    | st.decimals()
    | st.fractions()
    | st.uuids()
    | st.just(Colour.RED)
)


def is_hashable(value):
    try:
        return isinstance(hash(value), int)
    except TypeError:  # a signalling NaN of decimal, for one
        return False


keys = leaves.filter(is_hashable)
anything = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(keys, inner, max_size=3)
        | st.sets(keys, max_size=3)
        | st.builds(Line, inner)
        | st.lists(inner, max_size=2).map(collections.deque)
    ),
    max_leaves=12,
)


@given(anything, st.booleans())
def test_any_value_gives_json_without_a_secret(value, success):
    """A tool may return what it likes, and raise with what it likes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEST_API_KEY", SECRET)
        result = ToolResult(ToolCall("c", "tool"), success, value, error=describe(value))
        text = result.content
    decoded = json.loads(text.encode(), parse_constant=no_constant)
    assert SECRET not in text
    assert success or list(decoded) == ["error"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def change(value):
    """Change whatever can be changed in a value, from the inside."""
    if isinstance(value, list | dict):
        for item in list(value.values() if isinstance(value, dict) else value):
            change(item)
        value.clear()
        value.update(new=1) if isinstance(value, dict) else value.append("new")


@given(json_values)
def test_content_is_what_it_was_when_the_call_ended(value):
    """Changed later, in the tool or by whoever has the result; also in a copy of the result."""
    result = ToolResult(ToolCall("c", "tool"), True, value)
    taken = snapshot(value)
    before = result.content
    again = pickle.loads(pickle.dumps(result))
    change(value)
    assert result.content == again.content == before == to_json(taken)


# --- small helpers


def test_explain_has_the_type_and_the_message():
    assert explain(ValueError("no")) == "ValueError: no"
    assert explain(SystemExit(3)) == "SystemExit: 3"
    assert explain(ValueError()) == "ValueError"


def test_shorten_keeps_to_its_bound():
    assert shorten("12345", 5) == "12345"
    assert shorten("123456", 5) == "1234…"


def test_an_error_keeps_its_advice_apart():
    """After the last "; ", whatever stands before."""
    assert with_advice("a; b", "do c; then d") == "a; b; do c, then d"
    assert split_advice("a; b; do c") == ("a; b", "do c")
    assert split_advice("a") == ("a", "")


@given(st.text(), st.text())
def test_the_two_parts_of_an_error_come_back(what, advice):
    told = split_advice(with_advice(what, advice))
    assert told.what == what or what.endswith(";")
    assert "; " not in told.advice


@pytest.mark.parametrize("name", ["calls", "text.masking", "text.words", "text.values"])
def test_the_examples_are_right(monkeypatch, name):
    monkeypatch.setenv("DEMO_API_KEY", "")  # an example sets it
    tried = doctest.testmod(sys.modules[f"ptc.{name}"], extraglobs={"numpy": np, "date": dt.date})
    assert tried.attempted and not tried.failed
