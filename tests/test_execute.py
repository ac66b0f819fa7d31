"""The executor's specification. Order is forced by events and barriers, never by a stopwatch."""

import asyncio
import contextvars
import doctest
import importlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from _thread import interrupt_main
from itertools import pairwise

import pytest
from common import AT_ONCE, PATIENCE, calls_of, comes_true, in_thread
from hypothesis import given, settings
from hypothesis import strategies as st

from ptc import (
    PartialResultsWarning,
    RetryPolicy,
    ToolCall,
    ToolRegistry,
    check_parallel_completeness,
    execute_parallel,
    execute_sequential,
    execute_with_retry,
    extract_parallel_calls,
    format_parallel_results,
)
from ptc.timeline import most_at_once, spans

both_ways = pytest.mark.parametrize("execute", [execute_parallel, execute_sequential])


@pytest.fixture(autouse=True)
def interruptible():
    """A process that a script started in the background ignores Ctrl-C, and so would its tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


# One answer a call, in request order


def test_order_is_that_of_the_calls(registry):
    """The first call finishes last and is still answered first."""
    second_done = threading.Event()

    @registry.tool
    def first():
        assert second_done.wait(PATIENCE)
        return "first"

    @registry.tool
    def second():
        second_done.set()
        return "second"

    heard = []
    results = execute_parallel(calls_of("first", "second"), registry, on_result=heard.append)
    assert [result.output for result in results] == ["first", "second"]
    assert [result.output for result in heard] == ["second", "first"]


@both_ways
def test_a_result_holds_the_call_itself(registry, execute):
    registry.register(lambda: 1, name="one")
    calls = calls_of("one", "unknown", "one")
    results = execute(calls, registry)
    assert all(result.call is call for result, call in zip(results, calls, strict=True))


@both_ways
def test_no_calls_no_results(registry, execute):
    assert execute([], registry) == []


@both_ways
def test_two_calls_with_one_id_are_both_answered(registry, execute):
    registry.register(lambda x: x, name="echo")
    calls = [ToolCall("same", "echo", {"x": 1}), ToolCall("same", "echo", {"x": 2})]
    results = execute(calls, registry)
    assert [result.output for result in results] == [1, 2]
    assert check_parallel_completeness(results, calls).answered


@both_ways
def test_ten_thousand_calls_lose_nothing(registry, execute):
    registry.register(lambda x: x, name="echo")
    calls = calls_of(*(("echo", {"x": n}) for n in range(10_000)))
    assert [result.output for result in execute(calls, registry)] == list(range(10_000))


def test_calls_really_run_at_the_same_time(registry):
    """A barrier for three opens only if three calls stand at it together."""
    barrier = threading.Barrier(3)
    registry.register(lambda: barrier.wait(PATIENCE), name="meet")
    results = execute_parallel(calls_of(*["meet"] * 3), registry, 3)
    assert all(result.success for result in results)
    assert most_at_once(spans(results)) == 3


def test_never_more_at_once_than_workers(registry):
    lock, running, most = threading.Lock(), [0], [0]

    @registry.tool
    def work():
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.001)
        with lock:
            running[0] -= 1

    execute_parallel(calls_of(*["work"] * 40), registry, max_workers=3)
    assert 1 <= most[0] <= 3


def test_in_sequence_one_call_ends_before_the_next_starts(registry):
    lock = threading.Lock()

    @registry.tool(expected_seconds=lambda n: n)
    def alone(n: int):
        assert lock.acquire(blocking=False), "another call is running"
        time.sleep(0.001)
        lock.release()
        return n

    results = execute_sequential(calls_of(*(("alone", {"n": n}) for n in range(10))), registry)
    assert [result.output for result in results] == list(range(10))
    bars = [result.attempts[0] for result in results]
    assert all(a.finished <= b.started for a, b in pairwise(bars))


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_any_batch_gives_exactly_one_answer_a_call_in_order(data):
    """Whatever mixture of good, bad, hung and failing calls, with any number of workers."""
    registry = ToolRegistry()
    release = threading.Event()
    registry.register(lambda x: x, name="echo")
    registry.register(lambda: release.wait(PATIENCE), name="hang", timeout=0.01)
    registry.register(lambda: release.wait(PATIENCE), name="hang_alone", timeout=0.01,
                      max_concurrency=1)  # fmt: skip

    @registry.tool
    def fails():
        raise ConnectionError("down")

    @registry.tool
    async def nap():
        await asyncio.sleep(0)
        return "nap"

    kinds = [("echo", {"x": 1}), ("echo", {}), "unknown", "hang", "hang_alone", "fails", "nap"]
    calls = calls_of(*data.draw(st.lists(st.sampled_from(kinds), max_size=12)))
    calls += [ToolCall("bad", "echo", {}, problem="the arguments are no JSON object: '{'")]
    workers = data.draw(st.integers(1, 5))
    execute = data.draw(st.sampled_from([execute_sequential, execute_parallel]))
    options = {"max_workers": workers} if execute is execute_parallel else {}
    results = execute(calls, registry, retry=AT_ONCE, **options)
    release.set()
    assert [result.call for result in results] == calls
    sound = {"echo": lambda call: bool(call.arguments), "nap": lambda call: True}
    for result in results[:-1]:
        assert result.success == sound.get(result.call.name, lambda call: False)(result.call)
        assert (result.error is None) == result.success


# What a model or a tool gets wrong


@both_ways
@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (ToolCall("b", "nope", {}), ["no tool named 'nope'", "'echo'"]),
        (ToolCall("b", "echo", {"x": "many"}), ["x='many'", "integer"]),
        (ToolCall("b", "echo", {}), ["x is required"]),
        (ToolCall("b", "echo", {"x": 1, "y": "z"}), ["y='z'", "not a parameter"]),
        (ToolCall("b", "echo", {}, problem="no JSON object: '{x'"), ["no JSON object: '{x'"]),
        (ToolCall("b", "fails", {}), ["ValueError: no such city"]),
        (ToolCall("b", "leaves", {}), ["SystemExit: 3"]),
        (ToolCall("b", "stops", {}), ["KeyboardInterrupt"]),
        (ToolCall("b", "silent", {}), ["RuntimeError"]),
    ],
)
def test_one_bad_call_touches_no_other(registry, execute, bad, says):
    def raising(error):
        def tool():
            raise error

        return tool

    @registry.tool
    def echo(x: int):
        return x

    for name, error in [("fails", ValueError("no such city")), ("leaves", SystemExit(3)),
                        ("stops", KeyboardInterrupt()), ("silent", RuntimeError())]:  # fmt: skip
        registry.register(raising(error), name=name)
    before, after = ToolCall("a", "echo", {"x": "7"}), ToolCall("c", "echo", {"x": 8})
    results = execute([before, bad, after], registry)
    assert [result.output for result in results] == [7, None, 8]
    assert not results[1].success
    assert all(text in results[1].error for text in says)
    assert "Traceback" not in results[1].content


@both_ways
def test_a_call_that_never_started_has_no_attempts(registry, execute):
    results = execute([ToolCall("a", "nope", {})], registry)
    assert results[0].attempts == ()


@both_ways
def test_empty_argument_text_means_no_arguments(registry, execute):
    registry.register(lambda: "ran", name="bare")
    function = {"name": "bare", "arguments": ""}
    message = {"tool_calls": [{"id": "a", "type": "function", "function": function}]}
    calls = extract_parallel_calls({"choices": [{"message": message}]})
    assert execute(calls, registry)[0].output == "ran"


def test_execute_with_retry_gives_a_result_whatever_is_wrong(registry):
    assert not execute_with_retry(ToolCall("a", "nope", {}), registry).success


# Context, workers, times


@both_ways
def test_each_call_runs_in_its_own_copy_of_the_callers_context(registry, execute):
    user = contextvars.ContextVar("user")
    user.set("ada")

    @registry.tool
    def who():
        seen = user.get()
        user.set("somebody else")
        return seen

    results = execute(calls_of("who", "who", "who"), registry)
    assert [result.output for result in results] == ["ada"] * 3
    assert user.get() == "ada"


def test_an_async_tool_sees_the_context_too(registry):
    user = contextvars.ContextVar("user")
    user.set("ada")

    @registry.tool
    async def who():
        await asyncio.sleep(0)
        return user.get()

    assert [r.output for r in execute_parallel(calls_of("who", "who"), registry)] == ["ada"] * 2


@both_ways
def test_times_are_in_order_and_workers_are_named(registry, execute):
    registry.register(lambda: time.sleep(0.001), name="nap")
    results = execute(calls_of(*["nap"] * 6), registry)
    for result in results:
        (attempt,) = result.attempts
        assert 0 <= result.submitted <= attempt.started < attempt.finished <= result.finished
        assert attempt.error is None
    names = {result.attempts[0].worker for result in results}
    assert names <= {f"worker-{n}" for n in range(1, 5)}
    assert len(names) == 1 or execute is execute_parallel


def test_a_batch_inside_a_tool_works(registry):
    registry.register(lambda: "leaf", name="leaf")

    @registry.tool
    def branch():
        return [result.output for result in execute_parallel(calls_of("leaf", "leaf"), registry)]

    assert execute_parallel(calls_of("branch"), registry, 1)[0].output == ["leaf", "leaf"]


def test_longest_expected_first_ties_as_asked(registry):
    started = []

    @registry.tool(expected_seconds=lambda n, seconds: seconds)
    def timed(n: int, seconds: float):
        started.append(n)

    registry.register(lambda n: started.append(n), name="unknown")
    asked = [("timed", {"n": 1, "seconds": 0.1}), ("unknown", {"n": 2}),
             ("timed", {"n": 3, "seconds": "0.5"}), ("timed", {"n": 4, "seconds": 0.5}),
             ("unknown", {"n": 5})]  # fmt: skip
    execute_parallel(calls_of(*asked), registry, max_workers=1)
    assert started == [3, 4, 1, 2, 5]


def test_an_estimate_that_fails_counts_as_zero_and_loses_nothing(registry):
    registry.register(lambda n: n, name="odd", expected_seconds=lambda n: 1 / n)
    with pytest.warns(UserWarning, match="expected_seconds of 'odd'"):
        results = execute_parallel(calls_of(("odd", {"n": 0}), ("odd", {"n": 2})), registry)
    assert [result.output for result in results] == [0, 2]


def test_a_thousand_batches_leave_no_crowd_of_threads(registry):
    registry.register(lambda: None, name="nothing")
    calls = calls_of(*["nothing"] * 4)
    for _ in range(1000):
        execute_parallel(calls, registry, 4)
    ours = [thread for thread in threading.enumerate() if thread.name.startswith("ptc-")]
    assert len(ours) <= 48
    assert all(thread.daemon for thread in ours)


# Timeouts


def test_hung_calls_time_out_side_by_side(registry):
    """Each timeout counts from its call's start; eight don't add up."""
    release = threading.Event()
    registry.register(lambda: release.wait(PATIENCE), name="hang", timeout=0.2)
    results = execute_parallel(calls_of(*["hang"] * 8), registry, 8)
    release.set()
    bars = [result.attempts[0] for result in results]
    assert max(bar.started for bar in bars) < min(bar.finished for bar in bars)
    assert all("within its timeout of 0.2 s; abandoned" in result.error for result in results)
    assert all("abandoned" in bar.error for bar in bars)


@both_ways
def test_a_hung_call_frees_its_worker(registry, execute):
    """One worker, the first call never returns, and the second is still run."""
    release = threading.Event()
    registry.register(lambda: release.wait(PATIENCE), name="hang", timeout=0.05)
    registry.register(lambda: "ran", name="quick")
    options = {"max_workers": 1} if execute is execute_parallel else {}
    results = execute(calls_of("hang", "quick"), registry, **options)
    release.set()
    assert [result.success for result in results] == [False, True]
    assert results[0].attempts[0].worker == results[1].attempts[0].worker == "worker-1"
    assert results[0].attempts[0].finished <= results[1].attempts[0].started


@both_ways
def test_the_batch_timeout_keeps_what_is_done_and_answers_the_rest(registry, execute):
    release = threading.Event()
    registry.register(lambda: "done", name="quick")
    registry.register(lambda: release.wait(PATIENCE), name="hang")
    options = {"max_workers": 2} if execute is execute_parallel else {}
    calls = calls_of("quick", "hang", "hang", "hang")
    results = execute(calls, registry, timeout=0.1, **options)
    release.set()
    running = 2 if execute is execute_parallel else 1
    assert results[0].output == "done"
    assert ["abandoned" in result.error for result in results[1:]] == [True] * running + [False] * (
        3 - running
    )
    assert all("not started within the batch's timeout of 0.1 s" in result.error
               and result.attempts == () for result in results[1 + running :])  # fmt: skip
    with pytest.warns(PartialResultsWarning):
        assert check_parallel_completeness(results, calls).answered


def test_a_batch_without_time_starts_nothing_that_it_waits_for(registry):
    release = threading.Event()
    registry.register(lambda: release.wait(PATIENCE), name="hang")
    results = execute_parallel(calls_of("hang", "nope"), registry, timeout=0)
    release.set()
    assert [result.success for result in results] == [False, False]
    assert "no tool named" in results[1].error


def test_a_timeout_counts_from_its_own_calls_start(registry):
    """Four calls of 0.25 s share one worker: each keeps to its 0.75 s, all of them take 1 s."""
    registry.register(lambda: time.sleep(0.25), name="nap", timeout=0.75)
    assert all(r.success for r in execute_parallel(calls_of(*["nap"] * 4), registry, 1))


def test_what_an_abandoned_call_returns_later_changes_nothing(registry):
    """The hung call returns while its batch still runs: its answer stays what it was."""
    given_up, returned = threading.Event(), threading.Event()

    @registry.tool(timeout=0.05)
    def late():
        given_up.wait(PATIENCE)
        returned.set()
        return "too late"

    @registry.tool
    def other():
        assert returned.wait(PATIENCE)
        time.sleep(0.05)

    results = execute_parallel(
        calls_of("late", "other"), registry, on_result=lambda _: given_up.set()
    )
    assert [result.success for result in results] == [False, True]
    assert results[0].output is None


def test_the_timeout_covers_all_attempts(registry):
    """Attempts fail quickly, the backoff is long: the call ends at its timeout, not after it."""
    attempts = []

    @registry.tool(timeout=0.1)
    def flaky():
        attempts.append(1)
        raise ConnectionError("down")

    policy = RetryPolicy(wait_initial=PATIENCE, wait_max=PATIENCE)
    (result,) = execute_parallel(calls_of("flaky"), registry, retry=policy)
    assert "within its timeout" in result.error
    assert len(attempts) == len(result.attempts) == 1


def test_a_script_with_a_hung_tool_ends(tmp_path):
    """The standard pool's exit handler would wait for the hung thread for ever."""
    script = tmp_path / "hung.py"
    script.write_text(
        textwrap.dedent("""
        import threading
        from ptc import ToolCall, ToolRegistry, execute_parallel
        registry = ToolRegistry()
        registry.register(threading.Event().wait, name="hang", schema={}, timeout=0.05)
        registry.register(lambda: "fine", name="quick")
        calls = [ToolCall("a", "hang", {}), ToolCall("b", "quick", {})]
        print([result.success for result in execute_parallel(calls, registry)])
    """)
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=PATIENCE * 3, check=True
    )
    assert done.stdout == "[False, True]\n"
    assert done.stderr == ""


# max_concurrency


def test_max_concurrency_holds_across_batches(registry):
    lock, running, most = threading.Lock(), [0], [0]

    @registry.tool(max_concurrency=2)
    def guarded():
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.001)
        with lock:
            running[0] -= 1
        return "ok"

    batches = [
        in_thread(lambda: execute_parallel(calls_of(*["guarded"] * 20), registry, 8))
        for _ in range(3)
    ]
    outputs = [result.output for batch in batches for result in batch()]
    assert outputs == ["ok"] * 60
    assert most[0] <= 2


def test_no_worker_sits_idle_for_a_place(registry):
    """Two workers; one call holds the only place, and all the free calls get done meanwhile."""
    others_done = threading.Semaphore(0)

    @registry.tool(max_concurrency=1)
    def single(first: bool):
        return all(others_done.acquire(timeout=PATIENCE) for _ in range(5)) if first else True

    registry.register(lambda: others_done.release(), name="free")
    named = [("single", {"first": True})] + [("single", {"first": False})] * 3 + ["free"] * 5
    results = execute_parallel(calls_of(*named), registry, 2)
    assert [result.output for result in results[:4]] == [True] * 4


def test_an_abandoned_call_keeps_its_place_and_the_starved_are_told_why(registry):
    release = threading.Event()
    registry.register(lambda: release.wait(PATIENCE), name="single", timeout=0.05,
                      max_concurrency=1)  # fmt: skip
    calls = calls_of(*["single"] * 3)
    results = execute_parallel(calls, registry)
    assert "abandoned" in results[0].error
    for starved in (*results[1:], *execute_parallel(calls, registry)):
        assert (
            "abandoned calls that have not ended hold the only permit of 'single'" in starved.error
        )
        assert starved.attempts == ()
    release.set()
    assert comes_true(lambda: execute_parallel(calls[:1], registry)[0].success)


def test_a_permit_that_an_abandoned_call_holds_is_waited_for(registry):
    """The batch before gave the call up; its thread ends in time, and the next call runs."""
    release = threading.Event()
    registry.register(lambda: release.wait(PATIENCE), name="single", max_concurrency=1)
    execute_parallel(calls_of("single"), registry, timeout=0.05)
    waiting = in_thread(lambda: execute_parallel(calls_of("single"), registry))
    time.sleep(0.05)
    release.set()
    assert waiting()[0].success


def test_a_stuck_permit_without_any_timeout_is_an_error_after_a_while(registry, monkeypatch):
    """Nobody says how long to wait for the thread; the error names who holds the permit."""
    monkeypatch.setattr("ptc.machine.batch._PATIENCE", 0.1)
    release = threading.Event()
    registry.register(lambda: release.wait(PATIENCE), name="single", max_concurrency=1)
    execute_parallel([ToolCall("hung", "single")], registry, timeout=0.05)
    (result,) = execute_parallel(calls_of("single"), registry)
    assert "the only permit of 'single' (max_concurrency=1): 'single' (hung)" in result.error
    release.set()
    assert comes_true(lambda: execute_parallel(calls_of("single"), registry)[0].success)


def test_a_batch_that_ends_hands_its_waiting_place_on(registry):
    """A holds the place, B waits and is given up, C waits: when A ends, C gets the place."""
    started, release = threading.Event(), threading.Event()

    @registry.tool(max_concurrency=1)
    def single(wait: bool):
        started.set()
        return release.wait(PATIENCE) if wait else "ran"

    a = in_thread(lambda: execute_parallel(calls_of(("single", {"wait": True})), registry))
    assert started.wait(PATIENCE)
    (b,) = execute_parallel(calls_of(("single", {"wait": False})), registry, timeout=0.05)
    c = in_thread(lambda: execute_parallel(calls_of(("single", {"wait": False})), registry))
    time.sleep(0.05)
    release.set()
    assert a()[0].output is True
    assert not b.success and b.attempts == ()
    assert c()[0].output == "ran"


def test_a_place_that_was_won_but_not_used_is_handed_on(registry):
    """B got the place while its one worker was busy; when B is over, C must not wait for it."""
    started, release = threading.Event(), threading.Event()

    @registry.tool(max_concurrency=1)
    def single(wait: bool):
        started.set()
        return release.wait(PATIENCE) if wait else "ran"

    @registry.tool
    def busy():
        release.set()
        time.sleep(PATIENCE / 4)

    a = in_thread(lambda: execute_parallel(calls_of(("single", {"wait": True})), registry))
    assert started.wait(PATIENCE)
    b = execute_parallel(calls_of(("single", {"wait": False}), "busy"), registry, 1, timeout=0.2)
    assert a()[0].success and not b[0].success
    (c,) = execute_parallel(calls_of(("single", {"wait": False})), registry, timeout=PATIENCE / 4)
    assert c.output == "ran"


# async def tools


@both_ways
def test_async_tools_run_also_inside_a_running_loop(registry, execute):
    @registry.tool
    async def nap(n: int):
        await asyncio.sleep(0)
        return n

    calls = calls_of(*(("nap", {"n": n}) for n in range(5)))

    async def cell():
        return execute(calls, registry)

    assert [result.output for result in asyncio.run(cell())] == list(range(5))


def test_async_tools_run_at_the_same_time(registry):
    met = []

    @registry.tool(timeout=PATIENCE)
    async def meet():
        met.append(1)
        while len(met) < 2:
            await asyncio.sleep(0.001)

    assert all(r.success for r in execute_parallel(calls_of("meet", "meet"), registry))


def test_an_abandoned_async_tool_is_cancelled(registry):
    cancelled = threading.Event()

    @registry.tool(timeout=0.05)
    async def endless():
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    (result,) = execute_parallel(calls_of("endless"), registry)
    assert "timeout" in result.error
    assert cancelled.wait(PATIENCE)


def test_tasks_that_an_async_tool_leaves_behind_go_on(registry):
    """A client's connection pool is such a task; its call has ended, and its client has not."""
    left_over, go_on, done = [], [], threading.Event()

    async def later():
        while not go_on:
            await asyncio.sleep(0.001)
        done.set()

    @registry.tool
    async def lasting():
        left_over.append(asyncio.get_running_loop().create_task(later()))

    assert execute_parallel(calls_of("lasting"), registry)[0].success
    assert not done.is_set()
    go_on.append(True)
    assert done.wait(PATIENCE)


# Listening, and being interrupted


def test_on_result_is_called_in_the_callers_thread_once_a_call(registry):
    registry.register(lambda x: x, name="echo")
    calls = calls_of(*(("echo", {"x": n}) for n in range(50)), "unknown")
    heard = []

    def listen(result):
        heard.append((result.call.id, threading.current_thread()))

    execute_parallel(calls, registry, on_result=listen)
    assert sorted(call_id for call_id, _ in heard) == sorted(call.id for call in calls)
    assert {thread for _, thread in heard} == {threading.current_thread()}


def test_an_exception_in_on_result_cancels_the_rest_and_comes_through(registry):
    started, release = [], threading.Event()

    @registry.tool
    def step(n: int):
        started.append(n)
        return n == 0 or release.wait(PATIENCE)

    def stop(result):
        raise LookupError("enough")

    calls = calls_of(*(("step", {"n": n}) for n in range(20)))
    with pytest.raises(LookupError, match="enough"):
        execute_parallel(calls, registry, 2, on_result=stop)
    release.set()
    time.sleep(0.5)  # for one that starts all the same, on a busy machine too
    assert len(started) <= 3


@pytest.mark.parametrize("interrupt", [interrupt_main, lambda: os.kill(os.getpid(), signal.SIGINT)])
def test_an_interrupt_comes_through_at_once_and_cancels_what_has_not_started(registry, interrupt):
    started, release = [], threading.Event()

    @registry.tool
    def step(n: int):
        started.append(n)
        if n == 0:
            interrupt()
        release.wait(PATIENCE)

    calls = calls_of(*(("step", {"n": n}) for n in range(20)))
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        execute_parallel(calls, registry, 2)
    assert time.monotonic() - began < PATIENCE / 2
    release.set()
    time.sleep(0.05)
    assert len(started) <= 2


def test_an_interrupted_retry_makes_no_further_attempt(registry):
    attempts = []

    @registry.tool
    def flaky():
        attempts.append(1)
        interrupt_main()
        raise ConnectionError("down")

    policy = RetryPolicy(wait_initial=0.1, wait_max=0.1, wait_jitter=0)
    with pytest.raises(KeyboardInterrupt):
        execute_parallel(calls_of("flaky"), registry, retry=policy)
    time.sleep(0.3)
    assert len(attempts) == 1


def test_progress_shows_a_bar_that_reaches_the_end(registry, capfd):
    registry.register(lambda: None, name="nothing")
    results = execute_parallel(calls_of(*["nothing"] * 3), registry, progress=True)
    assert len(results) == 3
    assert "3/3" in capfd.readouterr().err


# What a programmer gets wrong raises at once


@pytest.mark.parametrize("workers", [0, -1])
def test_fewer_than_one_worker_raises(registry, workers):
    with pytest.raises(ValueError, match=f"max_workers={workers}"):
        execute_parallel([], registry, workers)


@both_ways
def test_wrong_use_raises_and_names_the_way_out(registry, execute):
    with pytest.raises(TypeError, match="extract_parallel_calls"):
        execute({"choices": []}, registry)
    with pytest.raises(TypeError, match="not a ToolRegistry"):
        execute([], {"a": print})
    with pytest.raises(ValueError, match="timeout=-1"):
        execute([], registry, timeout=-1)


def test_results_become_messages_in_request_order(registry):
    registry.register(lambda x: {"x": x}, name="echo")
    calls = calls_of(("echo", {"x": 1}), ("echo", {"x": 2}))
    messages = format_parallel_results(execute_parallel(calls, registry))
    assert messages == [
        {"role": "tool", "tool_call_id": "c0", "content": '{"x": 1}'},
        {"role": "tool", "tool_call_id": "c1", "content": '{"x": 2}'},
    ]


@pytest.mark.parametrize(
    "name", ["execute", "retry", "aio", "machine.state", "conflicts.graph", "conflicts.calls"]
)
def test_the_examples_are_right(name):
    tried = doctest.testmod(importlib.import_module(f"ptc.{name}"))
    assert tried.attempted and not tried.failed
