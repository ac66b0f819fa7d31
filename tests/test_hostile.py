"""The machine under interrupts, dying workers and a system that gives nothing: no call is lost."""

import asyncio
import ctypes
import heapq
import json
import os
import queue
import random
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import pytest

from ptc import ToolCall, ToolRegistry, aio, execute_parallel, execute_sequential
from ptc.machine.batch import Batch
from ptc.machine.gates import Gates
from ptc.machine.ledger import Ledger, ledger_of
from ptc.stream import execute_stream

PATIENCE = int(os.environ.get("PTC_PATIENCE", 20))


@pytest.fixture
def registry():
    return ToolRegistry()


def calls_of(name, count, **arguments):
    return [ToolCall(f"{name}-{n}", name, arguments) for n in range(count)]


def chunks_of(calls):
    """The calls as a stream of Chat Completions."""
    for index, call in enumerate(calls):
        function = {"name": call.name, "arguments": json.dumps(call.arguments)}
        entry = {"index": index, "id": call.id, "function": function}
        yield {"choices": [{"index": 0, "delta": {"tool_calls": [entry]}}]}
    yield {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}


def awaited(calls, registry, **options):
    return asyncio.run(aio.execute_parallel(calls, registry, **options))


def streamed(calls, registry, **options):
    return execute_stream(chunks_of(calls), registry, **options).results


DOORS = {
    "parallel": execute_parallel,
    "sequential": execute_sequential,
    "awaited": awaited,
    "streamed": streamed,
}


@pytest.fixture(params=DOORS)
def execute(request):
    return DOORS[request.param]


def within(seconds, function, *arguments, **options):
    """What the function gives; a failure, and no hang of all the tests, where it gives nothing."""
    given = queue.SimpleQueue()

    def run():
        try:
            given.put((function(*arguments, **options), None))
        except BaseException as error:
            given.put((None, error))

    _START(threading.Thread(target=run, daemon=True))
    value, error = given.get(timeout=seconds)
    if error is not None:
        raise error
    return value


_START = threading.Thread.start


def settled(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.001)
    return condition()


def nothing_is_held(registry):
    ledger = ledger_of(registry)
    return settled(
        lambda: not (ledger._holding or ledger._tickets or any(ledger._permits.values()))
    )


# --- workers that die of what isn't their tool's


def dies_once(monkeypatch, owner, name, when):
    """An exception that is set in a worker's thread from outside comes up there, once."""
    right, due = getattr(owner, name), [True]

    def wrong(*arguments, **options):
        if when == "before" and due and due.pop():
            raise TimeoutError("set from outside")
        given = right(*arguments, **options)
        if when == "after" and due and due.pop():
            raise TimeoutError("set from outside")
        return given

    monkeypatch.setattr(owner, name, wrong)
    return due


NEEDS = {
    "permit": {"max_concurrency": 1},
    "two permits": {"max_concurrency": 2},
    "writes": {"writes": "inbox"},
    "reads": {"reads": "inbox"},
    "nothing": {},
}


@pytest.mark.parametrize("needs", NEEDS)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (Ledger, "release"),
        (Ledger, "take"),
        (Ledger, "_hold"),
        (Gates, "open_behind"),
        (Batch, "settle"),
        (Batch, "let_go"),
        (Batch, "_answer"),
        (Batch, "_begin_call"),
        (Batch, "_free"),
    ],
    ids=lambda owner: getattr(owner, "__name__", owner),
)
def test_a_worker_that_dies_anywhere_takes_nothing_with_it(
    registry, monkeypatch, owner, name, when, needs
):
    """Each call is answered, without any timeout, and what the dead one held is free again."""
    registry.register(lambda: 1, name="one", **NEEDS[needs])
    dies_once(monkeypatch, owner, name, when)
    results = within(PATIENCE, execute_parallel, calls_of("one", 4), registry, 3)
    assert len(results) == 4
    assert sum(not result.success for result in results) <= 1
    assert nothing_is_held(registry)
    assert all(r.success for r in within(PATIENCE, execute_parallel, calls_of("one", 4), registry))


class Bomber:
    """Sets an exception in the thread that asks for it, some time later."""

    def __init__(self):
        self.asked = queue.SimpleQueue()
        threading.Thread(target=self._live, daemon=True).start()

    def set_in_this_thread(self, seconds):
        self.asked.put((time.perf_counter() + seconds, threading.get_ident()))

    def _live(self):
        due = []
        while True:
            while not (due and self.asked.empty()):
                asked = self.asked.get()
                if asked is None:
                    return
                heapq.heappush(due, asked)
            if due[0][0] <= time.perf_counter():
                thread = ctypes.c_ulong(heapq.heappop(due)[1])
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(TimeoutError))
            else:
                time.sleep(0.00002)


@pytest.mark.parametrize("needs", NEEDS)
@pytest.mark.parametrize("door", ["parallel", "awaited", "streamed"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_late_exceptions_at_random_lose_nothing(registry, needs, door):
    """As a library that limits functions' time sets them, when its function has just returned."""
    bomber, chance = Bomber(), random.Random(1)

    @registry.tool(**NEEDS[needs])
    def limited(seconds: float) -> int:
        bomber.set_in_this_thread(seconds)
        return 1

    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        calls = [ToolCall(str(n), "limited", {"seconds": chance.random() / 2000}) for n in range(4)]
        assert len(within(PATIENCE, DOORS[door], calls, registry)) == 4
    bomber.asked.put(None)
    assert nothing_is_held(registry)


# --- a system that gives no threads


def allow_threads(monkeypatch, which):
    """``which(n)``: is the n-th thread given?"""
    asked = [0]

    def start(thread):
        asked[0] += 1
        if not which(asked[0]):
            raise RuntimeError("can't start new thread")
        _START(thread)

    monkeypatch.setattr(threading.Thread, "start", start)


async def later():
    return 2


async def large():
    return "x" * 5000


@pytest.mark.parametrize("is_new", [True, False], ids=["no thread yet", "some threads idle"])
@pytest.mark.parametrize(
    "which",
    [lambda n: False, lambda n: n > 3, lambda n: n % 2 == 0, lambda n: n % 3 == 0],
    ids=["never", "after three", "every second", "every third"],
)
def test_a_batch_without_threads_returns_with_answers(
    registry, monkeypatch, execute, which, is_new
):
    """It waits for threads a while, and then each call is told that there are none."""
    registry.register(lambda: 1, name="one")
    registry.register(later)
    registry.register(large)
    monkeypatch.setattr("ptc.machine.threads.PATIENCE", 0.3)
    monkeypatch.setattr("ptc.machine.batch.PATIENCE", 0.3)
    if is_new:
        monkeypatch.setattr("ptc.machine.threads.THREADS._idle", deque())
    allow_threads(monkeypatch, which)
    calls = [*calls_of("one", 3), *calls_of("later", 2), *calls_of("large", 1)]
    results = within(PATIENCE, execute, calls, registry)
    for result in results:
        assert result.success or "no more threads" in result.error
    if execute is not streamed or results:
        assert [result.call for result in results] == calls
    monkeypatch.setattr(threading.Thread, "start", _START)
    assert all(result.success for result in within(PATIENCE, execute, calls, registry))


def test_a_stream_that_nobody_can_read_is_cut(registry, monkeypatch):
    registry.register(lambda: 1, name="one")
    monkeypatch.setattr("ptc.machine.threads.PATIENCE", 0.1)
    allow_threads(monkeypatch, lambda n: False)
    reply = within(PATIENCE, execute_stream, chunks_of(calls_of("one", 2)), registry)
    assert "can't start new thread" in reply.cut


@pytest.mark.parametrize("execute", [execute_parallel, execute_sequential])
def test_a_clerk_without_a_thread_answers_all(registry, monkeypatch, execute):
    registry.register(lambda: 1, name="one")
    monkeypatch.setattr("ptc.machine.threads.PATIENCE", 0.1)
    with ThreadPoolExecutor(2) as pool:
        allow_threads(monkeypatch, lambda n: False)
        results = within(PATIENCE, execute, calls_of("one", 3), registry, executor=pool)
        monkeypatch.setattr(threading.Thread, "start", _START)
    assert ["no more threads" in result.error for result in results] == [True] * 3
