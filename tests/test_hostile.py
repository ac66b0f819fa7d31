"""The machine under interrupts, dying workers and a system that gives nothing: no call is lost."""

import ctypes
import heapq
import json
import math
import os
import queue
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import deque
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest
from common import PATIENCE, comes_true, execute_awaited
from travellers import die, echo

from ptc import (
    RetryPolicy,
    ToolCall,
    ToolRegistry,
    execute_parallel,
    execute_sequential,
    given_up,
)
from ptc.execute import new_batch
from ptc.exercises.bounded import forget_pending
from ptc.machine.awaited import LoopRunner
from ptc.machine.batch import Batch
from ptc.machine.deadlines import Deadline
from ptc.machine.gates import Gates
from ptc.machine.keeper import KEEPER
from ptc.machine.ledger import Ledger, Touched, ledger_of
from ptc.machine.runners import OwnThreads
from ptc.machine.threads import THREADS, Threads
from ptc.stream import execute_stream


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


def streamed(calls, registry, **options):
    return execute_stream(chunks_of(calls), registry, **options).results


DOORS = {
    "parallel": execute_parallel,
    "sequential": execute_sequential,
    "awaited": execute_awaited,
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


def nothing_is_held(registry):
    ledger = ledger_of(registry)
    return comes_true(
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
        (Ledger, "_who_may_try"),
        (Touched, "remove"),
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


def test_a_worker_that_dies_while_it_opens_gates_takes_nothing_with_it(registry, monkeypatch):
    """What it had counted so far is counted again."""
    registry.register(lambda: 1, name="write", writes="inbox")
    registry.register(lambda: 2, name="read", reads="inbox")
    right, due = Gates.open_behind, [True]

    def wrong(gates, state):
        if due and due.pop():
            gates._ends.pop(state.index, None)
            raise TimeoutError("set from outside")
        return right(gates, state)

    monkeypatch.setattr(Gates, "open_behind", wrong)
    calls = [ToolCall(str(n), name) for n, name in enumerate(["write", "read", "read", "write"])]
    results = within(PATIENCE, execute_parallel, calls, registry, 3)
    assert [result.output for result in results] == [1, 2, 2, 1] and not due
    assert nothing_is_held(registry)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("owner", "name"),
    [(Batch, "work"), (LoopRunner, "_run_plain"), (LoopRunner, "_settle")],
    ids=lambda owner: getattr(owner, "__name__", owner),
)
def test_a_job_that_an_exception_meets_on_its_way_in_or_out_is_done_once(
    registry, monkeypatch, execute, owner, name, when
):
    """On the way in it begins again, and on the way out it is over: no call is run twice."""
    ran = []
    registry.register(lambda n: ran.append(n), name="note")
    registry.register(large)  # whose answer is not made on the keeper's thread
    due = dies_once(monkeypatch, owner, name, when)
    calls = [ToolCall(str(n), "note", {"n": n}) for n in range(4)] + calls_of("large", 4)
    results = within(PATIENCE, execute, calls, registry)
    assert all(result.success for result in results) and sorted(ran) == [0, 1, 2, 3]
    if name == "_settle" and execute is execute_awaited:
        assert due == []


def test_a_job_that_raises_is_told_and_the_thread_goes_on(monkeypatch):
    told, done = [], threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda hooked: told.append(hooked.exc_type))
    threads = Threads()

    def fail():
        raise ZeroDivisionError

    def ask():
        threads.start(fail, told.append)
        threads.start(done.set, told.append)

    KEEPER.jobs.put(ask)
    KEEPER.ensure_alive()
    assert done.wait(PATIENCE) and comes_true(lambda: told == [ZeroDivisionError])
    assert comes_true(lambda: threads.idle == 2)


def test_an_exception_that_is_set_in_an_idle_thread_does_not_end_it():
    """It comes up when the thread is woken, and the job that it was woken for is run there."""
    threads, ran = Threads(), queue.SimpleQueue()

    def run_there():
        KEEPER.jobs.put(lambda: threads.start(lambda: ran.put(threading.get_ident()), ran.put))
        KEEPER.ensure_alive()
        return ran.get(timeout=PATIENCE)

    idle = run_there()
    assert comes_true(lambda: threads.idle == 1)
    for _ in range(3):
        set_there = ctypes.pythonapi.PyThreadState_SetAsyncExc
        assert set_there(ctypes.c_ulong(idle), ctypes.py_object(TimeoutError)) == 1
        assert run_there() == idle
        assert comes_true(lambda: threads.idle == 1)


def test_a_worker_whose_thread_ended_is_looked_for(registry, monkeypatch):
    """Without a word: its call is told so, and its lane is another's."""
    registry.register(lambda: 1, name="one")

    def start_worker(runner):
        _START(threading.Thread(target=runner.batch.work, daemon=True))

    monkeypatch.setattr(OwnThreads, "start_worker", start_worker)
    monkeypatch.setattr(Batch, "bury", lambda batch, worker, error: None)
    dies_once(monkeypatch, Batch, "settle", "before")
    results = within(PATIENCE, execute_parallel, calls_of("one", 4), registry, 1)
    assert [result.output for result in results] == [None, 1, 1, 1]
    assert "its thread ended" in results[0].error


def test_where_no_worker_ever_came_another_is_sent_for(registry, monkeypatch):
    registry.register(lambda: 1, name="one")
    right, due = OwnThreads.start_worker, [True]

    def start_worker(runner):
        if not (due and due.pop()):
            right(runner)

    monkeypatch.setattr(OwnThreads, "start_worker", start_worker)
    results = within(PATIENCE, execute_parallel, calls_of("one", 2), registry)
    assert [result.output for result in results] == [1, 1]


# --- the ledger between batches, step by step


@pytest.fixture(params=["max_concurrency", "writes"])
def waiting(request, registry):
    """The only call of each of three batches; each wants what the others want."""
    options = {"max_concurrency": 1} if request.param == "max_concurrency" else {"writes": "inbox"}
    registry.register(lambda: 1, name="one", **options)
    batches = [
        new_batch(calls_of("one", 1), registry, 1, RetryPolicy(), None, None) for _ in range(3)
    ]
    return [batch.states[0] for batch in batches]


def test_a_later_call_does_not_overtake_one_that_waits(registry, waiting):
    """Though it comes in the moment in which what both want is free."""
    ledger, (first, second, third) = ledger_of(registry), waiting
    assert ledger.take(first) and not ledger.take(second)
    assert ledger.release(first) == [second]
    assert not ledger.take(third)
    assert ledger.take(second)
    assert ledger.release(second) == [third] and ledger.take(third)


@pytest.mark.parametrize("is_free_again", [False, True])
def test_only_who_is_starved_at_that_very_moment_is_told_so(registry, waiting, is_free_again):
    """The deadline was set while an abandoned call held it; it may have ended since."""
    ledger, (abandoned, starved, _) = ledger_of(registry), waiting
    assert ledger.take(abandoned) and not ledger.take(starved)
    abandoned.given_up = True
    if is_free_again:
        ledger.release(abandoned)
    starved.batch._give_up_one(Deadline(0.0, 0, starved, starved=True))
    assert (starved.result is None) is is_free_again
    if starved.result is not None:
        assert "abandoned calls that have not ended hold" in starved.result.error


class Bomber:
    """Sets an exception in the thread that asks for it, some time later."""

    def __init__(self):
        self.asked = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def stop(self):
        self.asked.put(None)
        self._thread.join(PATIENCE)
        forget_pending()  # the last one may be due in a thread that sleeps

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
    bomber.stop()
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


def test_whoever_asks_while_the_system_gives_no_threads_waits_no_longer_than_the_first(
    registry, monkeypatch, execute
):
    """It is the system that is given time, and not each who asks it."""
    registry.register(lambda: 1, name="one")
    monkeypatch.setattr("ptc.machine.threads.PATIENCE", 3600)
    monkeypatch.setattr(THREADS, "_idle", deque())
    monkeypatch.setattr(THREADS, "_refused_since", time.perf_counter() - 3600)
    monkeypatch.setattr(THREADS, "_refused_last", time.perf_counter())
    allow_threads(monkeypatch, lambda n: False)
    results = within(PATIENCE, execute, calls_of("one", 3), registry)
    assert all("no more threads" in result.error for result in results)


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


# --- interrupts at any moment

INTERRUPTED = """
import faulthandler, gc, json, random, signal, sys, threading, time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from ptc import RetryPolicy, ToolCall, ToolRegistry, answer, connect, execute_parallel, execute_sequential
from ptc.machine.ledger import ledger_of
from ptc.stream import execute_stream

kind, seconds, longest, again = sys.argv[1], *map(float, sys.argv[2:])
registry, chance, seen = ToolRegistry(), random.Random(1), Counter()
needs = {"permits": {"max_concurrency": 2}, "writes": {"writes": "inbox"}}.get(kind, {})
registry.register(lambda: 1, name="nothing", **needs)
registry.register(lambda: "Rain", name="get_weather")

async def later():
    return 1

registry.register(later)
name = "later" if kind == "async" else "nothing"
calls = [ToolCall(str(n), name) for n in range(5)]
pool = ThreadPoolExecutor(2)

def chunks():
    for n, call in enumerate(calls):
        function = {"name": call.name, "arguments": "{}"}
        entry = {"index": n, "id": call.id, "function": function}
        yield {"choices": [{"index": 0, "delta": {"tool_calls": [entry]}}]}
    yield {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}

def one(client=None):
    if kind == "on_result":
        return execute_parallel(calls, registry, on_result=lambda result: len(result.content))
    if kind == "progress":
        return execute_parallel(calls, registry, progress=True)
    if kind == "executor":
        return execute_parallel(calls, registry, executor=pool)
    if kind == "stream":
        return execute_stream(chunks(), registry).results
    if kind == "sequential":
        return execute_sequential(calls, registry)
    if kind == "answer":
        talk = [{"role": "user", "content": "What is the time in Paris, and in Lima?"}]
        with connect()[0] as client:
            answer(talk, registry, client)
        return [1] * 5
    return execute_parallel(calls, registry)

faulthandler.dump_traceback_later(seconds + 20, exit=True)
signal.signal(signal.SIGALRM, signal.default_int_handler)
one()
before, until = threading.active_count(), time.monotonic() + seconds
while time.monotonic() < until:
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-6, longest), again)
            one()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        seen["interrupts"] += 1
    except BaseException as error:
        seen[repr(error)[:200]] += 1
    try:  # one that came while the timer was being stopped
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        pass

def works(done):
    return len(done) == 5 and (kind == "answer" or all(each.success for each in done))

kept = []
elsewhere = threading.Thread(target=lambda: kept.append(works(one())), daemon=True)
good = works(one())
elsewhere.start()
elsewhere.join(10)
ledger, deadline = ledger_of(registry), time.monotonic() + 10
while (ledger._holding or ledger._tickets) and time.monotonic() < deadline:
    time.sleep(0.01)
print(json.dumps({
    "seen": seen, "good": good, "elsewhere": kept == [True],
    "held": len(ledger._holding) + len(ledger._tickets),
    "grown": threading.active_count() - before,
}))
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers")
@pytest.mark.parametrize("again", [0, 0.0001], ids=["one interrupt", "one after another"])
@pytest.mark.parametrize(
    "kind",
    [
        *("plain", "sequential", "permits", "writes", "on_result", "progress", "executor"),
        *("stream", "async", "answer"),
    ],
)
def test_an_interrupt_at_any_moment_comes_through_as_itself(kind, again, tmp_path):
    """Afterwards permits and resources are free, the next batch works, also in another thread."""
    script = tmp_path / "interrupted.py"
    script.write_text(INTERRUPTED)
    longest = {"answer": 0.05, "progress": 0.003, "executor": 0.002}.get(kind, 0.0006)
    run = subprocess.run(
        [sys.executable, script, kind, "1.5", str(longest), str(again)],
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,
    )
    assert run.returncode == 0, run.stderr[-4000:]
    told = json.loads(run.stdout.splitlines()[-1])
    assert set(told["seen"]) == {"interrupts"}, told
    assert told["good"] and told["elsewhere"] and not told["held"], told
    assert told["grown"] <= 40, told  # at most the idle ones that the process keeps


class Handing(ThreadPoolExecutor):
    """An executor of one thread; its second job is held while it is handed over."""

    def __init__(self, is_busy):
        super().__init__(1)
        self.futures, self.is_busy = [], is_busy
        self.begun, self.go_on, self.free = (threading.Event() for _ in range(3))

    def submit(self, *job):
        if len(self.futures) == 1:
            if self.is_busy:
                super().submit(self.free.wait, PATIENCE)
            self.begun.set()
            self.go_on.wait(PATIENCE)
        self.futures.append(super().submit(*job))
        return self.futures[-1]


@pytest.mark.parametrize("is_busy", [True, False], ids=["its thread is busy", "its thread is free"])
def test_no_job_starts_that_is_being_handed_over_when_an_interrupt_comes(registry, is_busy):
    """It is taken back, and those after it stay here."""
    ran, pool = [], Handing(is_busy)
    registry.register(lambda n: ran.append(n), name="note")

    def interrupt(result):
        assert pool.begun.wait(PATIENCE)
        raise KeyboardInterrupt

    calls = [ToolCall(str(n), "note", {"n": n}) for n in range(4)]
    with pytest.raises(KeyboardInterrupt):
        within(PATIENCE, execute_parallel, calls, registry, executor=pool, on_result=interrupt)
    pool.go_on.set()
    assert comes_true(lambda: len(pool.futures) == 2)
    assert not is_busy or comes_true(pool.futures[1].cancelled)
    pool.free.set()
    pool.shutdown()
    assert ran == [0] and len(pool.futures) == 2


@pytest.mark.parametrize("on_an_executor", [False, True])
def test_an_interrupt_gives_up_what_runs(registry, on_an_executor):
    """A tool that asks learns of it, and an executor is not left with what hasn't started."""
    ended, ran = threading.Event(), []

    @registry.tool
    def wait(n: int) -> None:
        ran.append(n)
        while n and not given_up():
            time.sleep(0.001)
        if n:
            ended.set()

    def interrupt(result):
        assert comes_true(lambda: 1 in ran)
        raise KeyboardInterrupt

    calls = [ToolCall(str(n), "wait", {"n": n}) for n in range(6)]
    pool = ThreadPoolExecutor(2) if on_an_executor else None
    with pytest.raises(KeyboardInterrupt):
        within(PATIENCE, execute_parallel, calls, registry, 2, on_result=interrupt, executor=pool)
    assert ended.wait(PATIENCE)
    if pool is not None:
        pool.shutdown()
    assert max(ran) <= 2


# --- nothing starts late, and no timeout is too long


class NoClock:
    """In the keeper's place: it hears nothing until it is let go on."""

    def __init__(self, monkeypatch, owner=Batch):
        self.go_on = threading.Event()
        right = owner.give_up_late

        def late(batch):
            self.go_on.wait(PATIENCE)
            right(batch)

        monkeypatch.setattr(owner, "give_up_late", late)


@pytest.mark.parametrize("door", ["parallel", "sequential", "streamed"])
@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_starts_after_the_timeout_though_nobody_sees_to_it(
    registry, monkeypatch, door, workers
):
    """The clock is asked whenever a call is taken: the one who ends the batch may be late."""
    keeper, began = NoClock(monkeypatch), []

    @registry.tool
    def slow(n: int) -> int:
        began.append(n)
        if n < workers:
            time.sleep(0.3)
        else:
            keeper.go_on.wait(0.2)
        return n

    calls = [ToolCall(str(n), "slow", {"n": n}) for n in range(6)]
    threading.Timer(0.8, keeper.go_on.set).start()
    options = {} if door == "sequential" else {"max_workers": workers}
    results = within(PATIENCE, DOORS[door], calls, registry, timeout=0.1, **options)
    assert len(began) <= workers
    assert not any(result.attempts for result in results[workers:])
    assert all("timeout of 0.1 s" in result.error for result in results[workers:])


@pytest.mark.parametrize("name", ["flaky", "flaky_too"])
@pytest.mark.parametrize("execute", [execute_parallel, execute_awaited], ids=["plain", "awaited"])
def test_no_attempt_begins_after_the_timeout_though_nobody_sees_to_it(
    registry, monkeypatch, execute, name
):
    keeper, began = NoClock(monkeypatch), []

    @registry.tool
    def flaky() -> int:
        began.append(name)
        time.sleep(0.6)
        raise ConnectionError("lost")

    @registry.tool
    async def flaky_too() -> int:
        return flaky()

    threading.Timer(1.2, keeper.go_on.set).start()
    results = within(PATIENCE, execute, calls_of(name, 1), registry, timeout=0.5)
    assert began == [name] and not results[0].success
    assert "timeout of 0.5 s" in results[0].error


LONG = [math.inf, 1e10, 9e9, 1e300, 3600 * 24 * 365.25]


@pytest.mark.parametrize("seconds", LONG)
def test_a_timeout_too_long_for_any_thread_is_none(registry, execute, seconds):
    """The batch's and the tool's, for plain and async tools; and the clock goes on."""
    registry.register(lambda: 1, name="one", timeout=seconds, max_concurrency=1)
    registry.register(later, timeout=seconds)
    calls = [*calls_of("one", 2), *calls_of("later", 2)]
    for _ in range(2):
        results = within(PATIENCE, execute, calls, registry, timeout=seconds)
        assert [result.output for result in results] == [1, 1, 2, 2]


@pytest.mark.parametrize("seconds", LONG)
@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_the_same_on_other_executors(registry, kind, seconds):
    registry.register(echo, timeout=seconds)
    with kind(1) as pool:
        options = {"executor": pool, "timeout": seconds}
        results = within(PATIENCE, execute_parallel, calls_of("echo", 2, x=1), registry, **options)
    assert [result.output for result in results] == [1, 1]


@pytest.mark.parametrize("bad", [-1, math.nan, "1", True])
def test_a_timeout_that_is_no_length_is_refused_at_once(registry, execute, bad):
    registry.register(lambda: 1, name="one")
    with pytest.raises(ValueError, match="timeout="):
        execute(calls_of("one", 1), registry, timeout=bad)


# --- executors that are not ours


@pytest.mark.parametrize("execute", [execute_parallel, execute_sequential, execute_awaited])
@pytest.mark.parametrize("cancel", [True, False])
def test_an_executor_that_is_shut_down_in_mid_batch_answers_each_call(registry, execute, cancel):
    pool = ThreadPoolExecutor(1)

    @registry.tool
    def last() -> int:
        pool.shutdown(wait=False, cancel_futures=cancel)
        return 1

    registry.register(lambda: 2, name="more")
    calls = [*calls_of("last", 1), *calls_of("more", 8)]
    results = within(PATIENCE, execute, calls, registry, executor=pool)
    assert [result.call for result in results] == calls
    assert results[0].output == 1
    for result in results[1:]:
        assert result.success or "executor" in result.error


@pytest.mark.parametrize("execute", [execute_parallel, execute_sequential, execute_awaited])
def test_a_worker_that_is_killed_answers_each_call(registry, execute):
    registry.register(die)
    registry.register(echo)
    with ProcessPoolExecutor(1) as pool:
        calls = [*calls_of("echo", 1, x=1), *calls_of("die", 1), *calls_of("echo", 5, x=2)]
        results = within(2 * PATIENCE, execute, calls, registry, executor=pool)
    assert len(results) == 7 and "its worker is gone" in results[1].error


# --- the process around it


def run_script(text, *options, **environment):
    run = subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(text)],
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,
        env={**os.environ, **environment},
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return run


def test_without_docstrings_and_assertions():
    """``python -OO``: all doors, a failure, a permit and a resource."""
    run = run_script(
        """
        import asyncio
        from ptc import *
        from ptc import aio
        from ptc.stream import execute_stream
        registry = ToolRegistry()
        @registry.tool(max_concurrency=1, writes="x")
        def one(n: int) -> int:
            "Gives it."
            return 1 // n
        calls = [ToolCall(str(n), "one", {"n": n}) for n in range(3)]
        for run in (execute_parallel, execute_sequential):
            print([result.output for result in run(calls, registry)])
        print([r.output for r in asyncio.run(aio.execute_parallel(calls, registry))])
        print(bool(registry.to_wire()), aggregate_errors(run(calls, registry))[:5])
        """,
        "-OO",
    )
    assert run.stdout == "[None, 1, 0]\n" * 3 + "True one (\n", run.stdout
    assert not run.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no ulimit")
def test_four_hundred_async_calls_need_few_files():
    run = run_script(
        """
        import asyncio, resource
        from ptc import RetryPolicy, ToolCall, ToolRegistry, execute_parallel
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        registry = ToolRegistry()
        @registry.tool
        async def nap() -> int:
            await asyncio.sleep(0.05)
            return 1
        calls = [ToolCall(str(n), "nap") for n in range(400)]
        print(sum(r.success for r in execute_parallel(calls, registry, max_workers=400)))
        """,
        "-W",
        "error",
    )
    assert run.stdout == "400\n" and not run.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("needs", ["max_concurrency=1", "writes='x'"])
def test_a_child_forked_while_a_call_holds_something_has_it_free(needs):
    run = run_script(
        f"""
        import os, threading
        from ptc import RetryPolicy, ToolCall, ToolRegistry, execute_parallel
        registry, begun, go_on = ToolRegistry(), threading.Event(), threading.Event()
        @registry.tool({needs})
        def hold(wait: bool) -> int:
            if wait:
                begun.set()
                go_on.wait(20)
            return 1
        held = [ToolCall("a", "hold", {{"wait": True}})]
        other = threading.Thread(target=execute_parallel, args=(held, registry))
        other.start()
        begun.wait(20)
        child = os.fork()
        if not child:
            done = execute_parallel([ToolCall("b", "hold", {{"wait": False}})], registry, timeout=10)
            os._exit(0 if done[0].success else 1)
        print(os.waitpid(child, 0)[1])
        go_on.set()
        other.join()
        """,
        "-W",
        "ignore::DeprecationWarning",
    )
    assert run.stdout == "0\n" and not run.stderr


@pytest.mark.parametrize("door", ["execute_parallel", "asyncio.run(aio.execute_parallel"])
def test_an_interpreter_ends_while_a_batch_runs_in_a_daemon_thread(door):
    end = ")" if "(" in door else ""
    run = run_script(
        f"""
        import asyncio, threading, time
        from ptc import RetryPolicy, ToolCall, ToolRegistry, aio, execute_parallel
        registry, begun = ToolRegistry(), threading.Event()
        @registry.tool(max_concurrency=2)
        def nap() -> int:
            begun.set()
            time.sleep(0.001)
            return 1
        @registry.tool
        async def doze() -> int:
            await asyncio.sleep(0.001)
        calls = [ToolCall(str(n), "doze" if n % 2 else "nap") for n in range(4000)]
        def live():
            {door}(calls, registry, 8){end}
        threading.Thread(target=live, daemon=True).start()
        begun.wait(20)
        """
    )
    assert not run.stderr


@pytest.mark.parametrize(
    "left",
    [
        "lambda: doze()",
        "lambda: [doze()]",
        "lambda: {'a': (doze(), 1)}",
        "lambda: asyncio.sleep(0)",
        "lambda: iter([doze()])",
    ],
)
@pytest.mark.parametrize("door", ["execute_parallel", "awaited", "given up"])
def test_no_coroutine_is_left_that_was_never_awaited(left, door):
    """Whether it is awaited, refused inside something else, or given up before it began."""
    run = run_script(
        f"""
        import asyncio, gc
        from ptc import RetryPolicy, ToolCall, ToolRegistry, aio, execute_parallel
        async def doze(): await asyncio.sleep(0.01)
        registry = ToolRegistry()
        registry.register({left}, name="left")
        registry.register(doze)
        calls = [ToolCall(str(n), name) for n in range(4) for name in ("left", "doze")]
        if {door == "awaited"}:
            asyncio.run(aio.execute_parallel(calls, registry))
        else:
            execute_parallel(calls, registry, timeout=0.0005 if {door == "given up"} else None)
        import time; time.sleep(0.1); gc.collect()
        """
    )
    assert "never awaited" not in run.stderr and not run.stderr


@pytest.mark.parametrize("door", ["parallel", "sequential", "streamed"])
@pytest.mark.parametrize("progress", [True, False])
def test_a_listener_that_nobody_would_await_is_refused_at_once(registry, door, progress):
    ran = []
    registry.register(lambda: ran.append(1), name="one")

    async def listen(result):
        pass

    with pytest.raises(TypeError, match="is async"):
        DOORS[door](calls_of("one", 2), registry, on_result=listen, progress=progress)
    assert not ran


def test_an_estimate_that_nobody_would_await_is_refused_at_once(registry):
    with pytest.raises(ValueError, match="not an async one"):
        registry.register(lambda: 1, name="one", expected_seconds=later)


def test_nothing_starts_after_an_interrupt_though_the_keeper_is_late(registry, monkeypatch):
    """``over`` is looked at whenever a call is taken, and not only what is left in the queue."""
    began, go_on, right = [], threading.Event(), Batch.finish

    def late(batch):
        go_on.wait(PATIENCE)
        right(batch)

    monkeypatch.setattr(Batch, "finish", late)

    @registry.tool
    def note(n: int) -> int:
        began.append(n)
        time.sleep(0.01)
        return n

    def stop(result):
        raise KeyboardInterrupt

    threading.Timer(0.5, go_on.set).start()
    calls = [ToolCall(str(n), "note", {"n": n}) for n in range(200)]
    with pytest.raises(KeyboardInterrupt):
        within(PATIENCE, execute_parallel, calls, registry, 1, on_result=stop)
    assert len(began) < 20
