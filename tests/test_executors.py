"""Batches on somebody else's executor, and the executor of daemon threads itself."""

import concurrent.futures
import contextvars
import ctypes
import gc
import logging
import multiprocessing
import operator
import os
import re
import site
import subprocess
import sys
import textwrap
import threading
import time
from collections import deque
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from common import PATIENCE, comes_true
from travellers import (
    USER,
    die,
    die_always,
    die_once,
    down,
    echo,
    fail,
    leave,
    nap,
    note,
    process_id,
    unpicklable,
    who,
)

from ptc import (
    RetryPolicy,
    ToolCall,
    ToolRegistry,
    execute_parallel,
    execute_sequential,
    workbook,
)
from ptc.execute import new_batch
from ptc.executors import at_least_once
from ptc.machine import state
from ptc.machine.keeper import KEEPER
from ptc.machine.state import Moment
from ptc.machine.threads import MOST_IDLE, Threads
from ptc.machine.waiting import run
from ptc.timeline import most_at_once, spans


class CallersThread(Executor):
    """Runs each job at once, in the thread that submits it."""

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@pytest.fixture
def registry():
    registry = ToolRegistry()
    for tool in (echo, nap, fail, leave, die, down, process_id, unpicklable):
        registry.register(tool)
    registry.register(nap, name="hang", timeout=0.2)
    registry.register(nap, name="single", max_concurrency=1)
    return registry


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(nap, [0.2, 0.2]))  # both have started
        yield pool


@contextmanager
def dask_client():
    """Of a Dask cluster on this machine: two processes of two threads."""
    from distributed import Client, LocalCluster

    quiet = {"silence_logs": logging.CRITICAL, "dashboard_address": ":0"}
    with (
        LocalCluster(n_workers=2, threads_per_worker=2, **quiet) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def client():
    with dask_client() as client:
        yield client


@pytest.fixture
def doomed_client():
    """Of a cluster of its own: one that loses workers while the machine is busy may not recover."""
    with dask_client() as client:
        yield client


@pytest.fixture(scope="module")
def loky_pool():
    from loky import get_reusable_executor

    pool = get_reusable_executor(max_workers=2, timeout=60)
    yield pool
    pool.shutdown(kill_workers=True)


@pytest.fixture(scope="module")
def interpreters():
    here = Path(__file__).parent
    with concurrent.futures.InterpreterPoolExecutor(
        2, initializer=site.addsitedir, initargs=(str(here),)
    ) as pool:
        list(pool.map(nap, [0.2, 0.2]))
        yield pool


EXECUTORS = ["threads", "caller's thread", "processes", "loky", "dask"]
if hasattr(concurrent.futures, "InterpreterPoolExecutor"):  # from Python 3.14 on
    EXECUTORS.append("interpreters")


@pytest.fixture(params=EXECUTORS)
def executor(request):
    if request.param == "threads":
        with ThreadPoolExecutor(2) as pool:
            yield pool
    elif request.param in ("processes", "interpreters"):
        yield request.getfixturevalue(request.param)
    elif request.param == "loky":
        yield request.getfixturevalue("loky_pool")
    elif request.param == "dask":
        yield request.getfixturevalue("client").get_executor()
    else:
        yield CallersThread()


def calls_of(*named):
    return [ToolCall(f"c{n}", name, arguments) for n, (name, arguments) in enumerate(named)]


def test_one_answer_a_call_in_order_failures_isolated(registry, executor):
    calls = calls_of(("nap", {"seconds": 0.05}), ("fail", {}), ("echo", {"x": "7"}), ("leave", {}),
                     ("unknown", {}), ("echo", {"x": "many"}), ("echo", {"x": 8}))  # fmt: skip
    results = execute_parallel(calls, registry, executor=executor)
    assert [result.output for result in results] == [0.05, None, 7, None, None, None, 8]
    assert all(result.call is call for result, call in zip(results, calls, strict=True))
    assert "ValueError: no such city" in results[1].error
    assert "SystemExit: 3" in results[3].error


def test_equal_calls_run_as_often_as_they_were_asked_for(registry, executor):
    """Though their ids be equal too, as those of two batches are: Dask takes equal jobs for one."""
    calls = [ToolCall("call_1", "echo", {"x": 1})] * 20
    results = execute_parallel(calls, registry, executor=executor)
    assert [result.output for result in results] == [1] * 20
    assert len({result.attempts for result in results}) == 20
    assert sum(len(result.attempts) for result in results) == 20


def test_times_are_placed_on_the_batchs_clock(registry, executor):
    results = execute_parallel(calls_of(*[("nap", {"seconds": 0.02})] * 4), registry,
                               executor=executor)  # fmt: skip
    for result in results:
        (attempt,) = result.attempts
        assert result.submitted <= attempt.started < attempt.finished <= result.finished
        assert attempt.finished - attempt.started >= 0.019
        assert attempt.worker


def test_retries_travel_along(registry, executor):
    retry = RetryPolicy(attempts=3, wait_initial=0, wait_jitter=0)
    (result,) = execute_parallel(calls_of(("down", {})), registry, executor=executor, retry=retry)
    assert len(result.attempts) == 3
    assert [attempt.error for attempt in result.attempts] == ["ConnectionError: down"] * 3


def test_a_tools_timeout_is_kept_where_it_runs(registry, executor):
    calls = calls_of(("hang", {"seconds": PATIENCE}), ("echo", {"x": 1}))
    results = execute_parallel(calls, registry, executor=executor)
    assert "abandoned" in results[0].error
    assert len(results[0].attempts) == 1
    assert results[1].output == 1


def test_max_concurrency_holds_there_too(registry, executor):
    calls = calls_of(*[("single", {"seconds": 0.02})] * 4)
    results = execute_parallel(calls, registry, executor=executor)
    assert all(result.success for result in results)
    assert most_at_once(spans(results)) == 1


def test_in_sequence_one_at_a_time(registry, executor):
    calls = calls_of(*[("nap", {"seconds": 0.02})] * 4)
    results = execute_sequential(calls, registry, executor=executor)
    assert most_at_once(spans(results)) == 1


def test_the_executor_is_left_open(registry, executor):
    execute_parallel(calls_of(("echo", {"x": 1})), registry, executor=executor)
    assert executor.submit(echo, 2).result(PATIENCE) == 2


def test_the_batch_timeout_answers_all_and_cancels_what_waits(registry):
    release = threading.Event()
    registry.register(lambda: release.wait(PATIENCE), name="wait")
    with ThreadPoolExecutor(1) as executor:
        calls = calls_of(("echo", {"x": 1}), *[("wait", {})] * 3)
        results = execute_parallel(calls, registry, executor=executor, timeout=0.2)
        release.set()
    assert [result.success for result in results] == [True, False, False, False]
    assert "abandoned" in results[1].error
    assert all("not started" in result.error for result in results[2:])


def test_the_batch_timeout_holds_for_processes(registry, processes):
    calls = calls_of(("echo", {"x": 1}), *[("nap", {"seconds": 1.5})] * 4)
    results = execute_parallel(calls, registry, executor=processes, timeout=0.5)
    assert [result.success for result in results] == [True, False, False, False, False]
    assert execute_parallel(calls[:1], registry, executor=processes)[0].success


def test_a_place_is_given_back_when_the_late_future_ends(registry):
    """The batch is over before its future is; the next batch gets the tool's only place."""
    release = threading.Event()
    registry.register(lambda wait: wait and release.wait(PATIENCE), name="one", max_concurrency=1)
    with ThreadPoolExecutor(1) as executor:
        late = calls_of(("one", {"wait": True}))
        assert not execute_parallel(late, registry, executor=executor, timeout=0.05)[0].success
        release.set()
    assert execute_parallel(calls_of(("one", {"wait": False})), registry, timeout=5)[0].success


class HeldUp(Executor):
    """Takes two jobs at once, and the third when ``free`` is set; it runs none."""

    def __init__(self):
        self.free = threading.Event()
        self.taken = 0

    def submit(self, fn, /, *args, **kwargs):
        self.taken += 1
        if self.taken == 3:
            self.free.wait(PATIENCE)
        return Future()


def test_a_place_is_given_back_that_was_taken_for_a_call_which_comes_too_late(registry):
    """Its batch is over before it could be handed to the executor."""
    executor, soon = HeldUp(), calls_of(("single", {"seconds": 0}))
    calls = calls_of(*[("echo", {"x": 1})] * 3, ("single", {"seconds": 0}))
    results = execute_parallel(calls, registry, executor=executor, timeout=0.5)
    (starved,) = execute_parallel(soon, registry, timeout=0.1)
    assert not any(result.success for result in [*results, starved])
    executor.free.set()
    assert execute_parallel(soon, registry, timeout=PATIENCE)[0].success and executor.taken == 3


@pytest.mark.parametrize("options", [{"timeout": 0.05}, {}], ids=["the batch's", "the tool's"])
def test_an_abandoned_call_keeps_its_place_until_it_ends(registry, options):
    """On another thread pool too, whichever timeout it was given up by."""
    release = threading.Event()
    registry.register(lambda wait: wait and release.wait(PATIENCE), name="one", max_concurrency=1,
                      timeout=None if options else 0.05)  # fmt: skip
    late, soon = calls_of(("one", {"wait": True})), calls_of(("one", {"wait": False}))
    with ThreadPoolExecutor(2) as executor:
        (given_up,) = execute_parallel(late, registry, executor=executor, **options)
        (starved,) = execute_parallel(soon, registry, executor=executor, timeout=0.1)
        release.set()
        assert "abandoned" in given_up.error
        assert "abandoned calls that have not ended hold the only permit of 'one'" in starved.error
        assert comes_true(lambda: execute_parallel(soon, registry, executor=executor)[0].success)


def ended_threads():
    threads = [each for each in gc.get_objects() if type(each) is threading.Thread]
    return {id(each) for each in threads if each.ident is not None and not each.is_alive()}


def test_a_batch_keeps_no_thread_that_has_ended(registry):
    """A Ctrl-C in the moment in which the caller's thread forgets one would be lost."""
    calls = calls_of(*[("echo", {"x": 1})] * 3)
    batch = new_batch(calls, registry, None, RetryPolicy(), None, CallersThread())
    states, before = batch.states, ended_threads()
    run(batch)
    assert states[0].by is not None and comes_true(lambda: not ended_threads() - before)


def test_the_callers_context_reaches_other_thread_pools(registry):
    user = contextvars.ContextVar("user")
    user.set("ada")
    registry.register(lambda: user.get(), name="who")
    with ThreadPoolExecutor(2) as executor:
        assert execute_parallel(calls_of(("who", {})), registry, executor=executor)[0].success


def test_processes_really_are_other_processes(registry, processes):
    (result,) = execute_parallel(calls_of(("process_id", {})), registry, executor=processes)
    assert result.output != os.getpid()
    assert "Process-" in result.attempts[0].worker


def test_what_cannot_be_pickled_gets_an_error_that_says_why(registry, processes):
    registry.register(lambda: 1, name="local")
    calls = calls_of(("local", {}), ("unpicklable", {}), ("echo", {"x": 1}))
    results = execute_parallel(calls, registry, executor=processes)
    assert "pickle" in results[0].error and "top level of a module" in results[0].error
    assert "pickle" in results[1].error
    assert results[2].output == 1


def test_a_tool_travels_once_for_all_its_calls(registry, processes):
    """What only its registry needs, its schema and its checks, stays here."""
    sent = []

    class Noting(Executor):
        def submit(self, fn, /, *args, **kwargs):
            sent.append(args[0].tool)
            return processes.submit(fn, *args, **kwargs)

    calls = calls_of(*[("echo", {"x": 1})] * 3)
    assert all(r.success for r in execute_parallel(calls, registry, executor=Noting()))
    assert len(set(sent)) == 1 and sent[0].schema == {}


def test_a_killed_worker_leaves_an_error_for_each_unfinished_call(registry):
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        calls = calls_of(("echo", {"x": 1}), ("die", {}), ("echo", {"x": 2}), ("unknown", {}))
        results = execute_parallel(calls, registry, executor=pool)
        again = execute_parallel(calls[:1], registry, executor=pool)
    assert "BrokenProcessPool" in results[1].error
    assert all(result.success or result.error for result in results)
    assert "BrokenProcessPool" in again[0].error


def test_an_executor_that_is_shut_down_raises(registry):
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(RuntimeError, match="shutdown"):
        execute_parallel(calls_of(("echo", {"x": 1})), registry, executor=pool)


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_wrong_leaves_a_span_its_length(registry, hours):
    """Another machine's clock may be an hour off: the duration counts, placed on our own clock."""

    class ElsewhereAndOff(Executor):
        def submit(self, fn, /, *args, **kwargs):
            future = Future()
            report = fn(*args, **kwargs)
            report.began, report.here = Moment(0.0, report.began.wall + 3600 * hours), False
            time.sleep(0.05)  # on its way back
            future.set_result(report)
            return future

    (result,) = execute_parallel(
        calls_of(("nap", {"seconds": 0.05})), registry, executor=ElsewhereAndOff()
    )
    (attempt,) = result.attempts
    assert attempt.finished - attempt.started >= 0.049
    assert result.submitted <= attempt.started < attempt.finished <= result.finished


@pytest.mark.parametrize("pool", ["loky", "dask"])
def test_tools_of_a_notebook_reach_processes_by_cloudpickle(registry, pool, request):
    """A lambda, a closure, and a function that is defined in __main__."""
    lent = 3
    made: dict = {"__name__": "__main__"}
    exec("def here(x: int) -> int:\n    return x + 1", made)
    registry.register(lambda: lent, name="closure", schema={"type": "object"})
    registry.register(made["here"])
    calls = calls_of(("closure", {}), ("here", {"x": 1}), ("process_id", {}))
    executor = request.getfixturevalue("loky_pool" if pool == "loky" else "client")
    executor = executor if pool == "loky" else executor.get_executor()
    results = execute_parallel(calls, registry, executor=executor)
    assert [result.output for result in results[:2]] == [3, 2]
    assert results[2].output != os.getpid()


def test_a_killed_loky_worker_leaves_an_error(registry):
    from loky import ProcessPoolExecutor as Loky

    with Loky(1) as pool:
        results = execute_parallel(
            calls_of(("die", {}), ("echo", {"x": 1})), registry, executor=pool
        )
    assert "its worker is gone" in results[0].error
    assert results[1].success or "its worker is gone" in results[1].error


@pytest.mark.skipif(
    not hasattr(concurrent.futures, "InterpreterPoolExecutor"),
    reason="InterpreterPoolExecutor came with Python 3.14",
)
def test_an_interpreter_is_known_by_its_number(registry, request):
    pool = request.getfixturevalue("interpreters")
    results = execute_parallel(calls_of(*[("nap", {"seconds": 0.05})] * 8), registry, executor=pool)
    workers = {attempt.worker for result in results for attempt in result.attempts}
    assert len(workers) == 2 and all(name.startswith("interpreter-") for name in workers)


# Dask


def forgotten(client, name):
    """Have the client and the scheduler dropped all calls of that tool?"""
    tasks = client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.tasks))
    return not any(key.startswith(f"{name}-") for key in [*tasks, *client.futures])


def test_dask_refuses_what_must_not_run_twice(registry, client, tmp_path):
    registry.register(note, name="pay", idempotent=False)
    calls = calls_of(("pay", {"path": str(tmp_path / "paid")}), ("echo", {"x": 1}))
    results = execute_parallel(calls, registry, executor=client.get_executor(retries=0))
    assert "'pay' is not idempotent" in results[0].error and "at_least_once" in results[0].error
    assert results[0].attempts == () and results[1].success
    assert not (tmp_path / "paid").exists()


def test_whoever_accepts_at_least_once_may_run_it(registry, client, tmp_path):
    registry.register(note, name="pay", idempotent=False)
    calls = calls_of(("pay", {"path": str(tmp_path / "paid")}), ("unknown", {}))
    executor = at_least_once(client.get_executor())
    results = execute_parallel(calls, registry, executor=executor)
    assert [result.success for result in results] == [True, False]
    assert (tmp_path / "paid").read_text() == "x"


@pytest.mark.parametrize("wrap", [lambda pool: pool, at_least_once])
def test_other_executors_refuse_nothing(registry, processes, wrap, tmp_path):
    registry.register(note, name="pay", idempotent=False)
    calls = calls_of(("pay", {"path": str(tmp_path / "paid")}))
    (result,) = execute_parallel(calls, registry, executor=wrap(processes))
    assert result.success


def test_at_least_once_is_an_executor_that_is_left_open(client):
    with at_least_once(client.get_executor()) as executor:
        assert executor.submit(echo, 1).result(PATIENCE) == 1
    assert executor.submit(echo, 2).result(PATIENCE) == 2


def test_a_dask_worker_is_known_by_its_address(registry, client):
    calls = calls_of(*[("nap", {"seconds": 0.05})] * 8)
    results = execute_parallel(calls, registry, executor=client.get_executor())
    used = {attempt.worker for result in results for attempt in result.attempts}
    assert used == set(client.nthreads())


def test_context_variables_stay_behind(registry, client, processes):
    """Neither in another process nor on another machine."""
    USER.set("ada")
    registry.register(who)
    for executor in (client.get_executor(), processes):
        (result,) = execute_parallel(calls_of(("who", {})), registry, executor=executor)
        assert result.output == "nobody"
    assert execute_parallel(calls_of(("who", {})), registry)[0].output == "ada"


def test_what_cannot_travel_to_dask_or_back_is_told_so(registry, client):
    lock = threading.Lock()
    registry.register(lambda: lock.locked(), name="closed", schema={"type": "object"})
    calls = calls_of(("closed", {}), ("unpicklable", {}), ("echo", {"x": 1}))
    results = execute_parallel(calls, registry, executor=client.get_executor(), timeout=PATIENCE)
    assert "could not run it" in results[0].error and "pickle" in results[0].error
    assert "can't be sent back" in results[1].error and "pickle" in results[1].error
    assert len(results[1].attempts) == 1
    assert results[2].output == 1


def test_a_text_that_is_the_name_of_another_task_stays_a_text(registry, client):
    """Dask puts a task's output in the place of its key, wherever it finds that in a job."""
    other = client.submit(echo, 7, key="call_1")
    registry.register(lambda text: text, name="say", schema={"type": "object"})
    (result,) = execute_parallel(
        calls_of(("say", {"text": "call_1"})), registry, executor=client.get_executor()
    )
    assert result.output == "call_1" and other.result(PATIENCE) == 7


def test_dask_forgets_each_output_as_it_arrives(registry, client):
    """A cluster keeps what somebody still asks for: ten thousand outputs would pile up there."""

    def held():
        return sum(key.startswith("echo-") for key in list(client.futures))

    seen = []
    execute_sequential(
        calls_of(*[("echo", {"x": 1})] * 30),
        registry,
        executor=client.get_executor(),
        on_result=lambda _: seen.append(comes_true(lambda: held() <= 2)),
    )
    assert seen == [True] * 30
    assert comes_true(lambda: forgotten(client, "echo"))


def test_the_batch_timeout_holds_for_dask(registry, client):
    calls = calls_of(("echo", {"x": 1}), *[("nap", {"seconds": 1.0})] * 200)
    assert execute_parallel(calls[:1], registry, executor=client.get_executor())[0].success
    results = execute_parallel(calls, registry, executor=client.get_executor(), timeout=0.5)
    assert all("no answer within the batch's timeout" in result.error for result in results[1:])
    assert results[0].success or "no answer within" in results[0].error  # the cluster is busy
    assert comes_true(lambda: forgotten(client, "nap"))


def messages(client, monkeypatch):
    """The kinds of the messages that the client sends to its scheduler from now on."""
    # Dask counts no messages that the client sends, so its own door for them is watched.
    sent, send = [], client._send_to_scheduler
    monkeypatch.setattr(
        client, "_send_to_scheduler", lambda message: sent.append(message["op"]) or send(message)
    )
    return sent


def test_many_calls_go_to_dask_in_few_messages(registry, client, monkeypatch):
    """Most of what a short call costs there is its message."""
    sent = messages(client, monkeypatch)
    calls = calls_of(*[("echo", {"x": 1})] * 400)
    results = execute_parallel(calls, registry, executor=client.get_executor())
    assert all(result.success for result in results)
    assert sent.count("update-graph") <= 40


def test_what_is_given_up_on_dask_is_cancelled_in_one_message(registry, client, monkeypatch):
    sent = messages(client, monkeypatch)
    calls = calls_of(*[("nap", {"seconds": 0.5})] * 100)
    execute_parallel(calls, registry, executor=client.get_executor(), timeout=0.1)
    assert comes_true(lambda: forgotten(client, "nap"))
    assert sent.count("cancel-keys") in (1, 2)  # two where some were just being handed over


def test_the_settings_of_a_dask_executor_hold(registry, client):
    """As those of ``get_executor(workers=…)``: where its calls may run."""
    address, *_ = client.nthreads()
    executor = client.get_executor(workers=[address], pure=True)
    results = execute_parallel(calls_of(*[("nap", {"seconds": 0.02})] * 8), registry,
                               executor=executor)  # fmt: skip
    assert {attempt.worker for result in results for attempt in result.attempts} == {address}


def set_clock(seconds):
    """On a worker: a time of day that is wrong by so much."""
    state.time = (lambda: time.time() + seconds) if seconds else time.time


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_batchs_timeout_bears_a_worker_whose_clock_is_wrong(registry, client, hours):
    calls = calls_of(("echo", {"x": 1}), ("nap", {"seconds": 3.0}))
    client.run(set_clock, hours * 3600)
    try:
        results = execute_parallel(calls, registry, executor=client.get_executor(), timeout=1.0)
    finally:
        client.run(set_clock, 0)
    assert [result.success for result in results] == [True, False]
    assert "no answer within" in results[1].error


@pytest.mark.parametrize("ends", [True, False], ids=["cancelled", "never ended"])
def test_a_client_that_is_closed_leaves_an_error_for_each_open_call(
    registry, client, ends, monkeypatch
):
    """It cancels some futures and forgets the rest. A place that one of them held is free again."""
    from distributed import Client

    mine = Client(client.scheduler.address, set_as_default=False)
    executor = mine.get_executor()
    if not ends:
        monkeypatch.setattr(executor, "_wrap_future", lambda task: Future())
    calls = calls_of(("unknown", {}), *[("single", {"seconds": 0.5})] * 2,
                     *[("nap", {"seconds": 0.5})] * 9)  # fmt: skip
    results = execute_parallel(calls, registry, executor=executor, on_result=lambda _: mine.close())
    assert "no tool named 'unknown'" in results[0].error
    for result in results[1:]:
        assert "client was closed" in result.error or (ends and "cancelled it" in result.error)
    assert execute_parallel(calls_of(("single", {"seconds": 0.0})), registry)[0].success
    with pytest.raises(RuntimeError, match="client is closed"):
        execute_parallel(calls, registry, executor=executor)


def test_a_dask_executor_that_is_shut_down_raises(registry, client):
    executor = client.get_executor()
    executor.shutdown()
    with pytest.raises(RuntimeError, match="shutdown"):
        execute_parallel(calls_of(("echo", {"x": 1})), registry, executor=executor)


def test_an_interrupt_cancels_what_dask_has_not_started(registry, client, tmp_path):
    def stop(result):
        raise KeyboardInterrupt

    registry.register(note)
    calls = calls_of(*[("note", {"path": str(tmp_path / "runs"), "seconds": 0.2})] * 100)
    with pytest.raises(KeyboardInterrupt):
        execute_parallel(calls, registry, executor=client.get_executor(), on_result=stop)
    assert comes_true(lambda: forgotten(client, "note"))
    assert len((tmp_path / "runs").read_text()) < 50


def test_dask_runs_the_call_of_a_killed_worker_again(registry, doomed_client, tmp_path):
    registry.register(die_once)
    path = tmp_path / "runs"
    calls = calls_of(("die_once", {"path": str(path)}), ("echo", {"x": 1}))
    results = execute_parallel(calls, registry, executor=doomed_client.get_executor(), timeout=60)
    assert [result.output for result in results] == ["done", 1]
    assert path.read_text() == "xx"


def test_a_call_that_kills_every_worker_gets_an_error(registry, doomed_client, tmp_path):
    """After four of them, Dask gives up: ``distributed.scheduler.allowed-failures`` is 3."""
    registry.register(die_always)
    path = tmp_path / "runs"
    calls = calls_of(("die_always", {"path": str(path)}), ("echo", {"x": 1}))
    results = execute_parallel(calls, registry, executor=doomed_client.get_executor(), timeout=60)
    assert "its worker is gone" in results[0].error and "on 4 workers" in results[0].error
    assert path.read_text() == "xxxx"
    # Dask blames every call that a dying worker had, so that one may have died beside it each time;
    # and on a busy machine no worker may be left for it.
    assert results[1].success or re.match("no answer|.*its worker is gone", results[1].error)


def test_the_dashboards_link_reads_the_same_everywhere(client):
    link = workbook.dashboard(client)
    assert client.dashboard_link in link.value
    assert link._repr_mimebundle_()["text/plain"] == "Dask's dashboard"


def test_what_is_not_installed_is_said_in_one_line():
    workbook.need("distributed", "loky")
    with pytest.raises(ImportError) as caught:
        workbook.need("distributed", "no_such_package")
    (line,) = caught.value._render_traceback_()
    assert "%pip install distributed no_such_package " in line


# Nothing leaks


def test_a_thousand_calls_on_dask_none_lost(registry, client, tmp_path):
    registry.register(note)
    calls = calls_of(*[("note", {"path": str(tmp_path / "runs")})] * 1000)
    results = execute_parallel(calls, registry, executor=client.get_executor())
    assert all(result.success for result in results)
    assert len((tmp_path / "runs").read_text()) == 1000
    assert comes_true(lambda: forgotten(client, "note"))


@pytest.mark.parametrize("where", ["our threads", "processes"])
def test_a_thousand_batches_leak_nothing(registry, where, request):
    """No thread, no open file and no memory: what a hundred batches need is enough for all."""
    executor = None if where == "our threads" else request.getfixturevalue("processes")
    calls = calls_of(("echo", {"x": 1}), ("fail", {}), ("echo", {"x": 2}))
    this = psutil.Process()

    def held():
        gc.collect()
        files = this.num_fds() if hasattr(this, "num_fds") else 0
        return threading.active_count(), files, this.memory_info().rss / 1e6

    def run(batches):
        for _ in range(batches):
            execute_parallel(calls, registry, 3, executor=executor)

    run(200)
    before = held()
    run(1000)
    threads, files, megabytes = map(operator.sub, held(), before)
    assert threads <= 16 and files <= 16 and megabytes < 8


# Our own threads


@pytest.fixture
def threads():
    KEEPER.ensure_alive()
    return Threads()


def done_on(threads, job):
    """What the job gives, run on one of these threads."""
    future = Future()
    threads.start(lambda: future.set_result(job()), future.set_exception)
    return future.result(PATIENCE)


def test_a_thread_that_fell_idle_is_used_again(threads):
    first = done_on(threads, threading.get_ident)
    assert comes_true(lambda: threads.idle == 1)
    assert done_on(threads, threading.get_ident) == first


def test_an_idle_thread_ends_after_a_while(threads, monkeypatch):
    monkeypatch.setattr("ptc.machine.threads.IDLE_SECONDS", 0.01)
    done_on(threads, threading.current_thread).join(PATIENCE)
    assert threads.idle == 0
    assert done_on(threads, lambda: 1) == 1


class CutOff(deque):
    """Where idle threads wait; on the way to it one of them meets an exception."""

    due = True

    def append(self, inbox):
        if self.due:
            self.due = False
            raise TimeoutError("set from outside")
        super().append(inbox)


def test_a_thread_that_was_cut_off_on_its_way_to_the_idle_ones_ends(threads, monkeypatch):
    """Nobody knows of it, so nobody will ever wake it."""
    monkeypatch.setattr("ptc.machine.threads.IDLE_SECONDS", 0.01)
    threads._idle = CutOff()
    lost = done_on(threads, threading.current_thread)
    lost.join(PATIENCE)
    assert not lost.is_alive() and not threads._idle.due


def test_idle_threads_are_capped(threads):
    release, ended = threading.Event(), threading.Semaphore(0)
    for _ in range(MOST_IDLE + 20):
        threads.start(lambda: (release.wait(PATIENCE), ended.release()), pytest.fail)
    release.set()
    assert all(ended.acquire(timeout=PATIENCE) for _ in range(MOST_IDLE + 20))
    assert comes_true(lambda: threads.idle == MOST_IDLE)


def test_an_exception_set_in_an_idle_thread_does_no_harm(threads):
    """As a library that limits functions' time does, when its function has just returned."""
    thread = done_on(threads, threading.current_thread)
    assert comes_true(lambda: threads.idle == 1)
    me = ctypes.c_ulong(thread.ident)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(me, ctypes.py_object(TimeoutError))
    assert done_on(threads, threading.current_thread) is thread


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_starts_threads_of_its_own(tmp_path):
    """The parent's idle threads don't exist in the child, which must not wait for them."""
    script = tmp_path / "forks.py"
    script.write_text(
        textwrap.dedent(f"""
        import os
        from ptc import ToolCall, ToolRegistry, execute_parallel
        registry = ToolRegistry()
        registry.register(lambda: 1, name="one")
        calls = [ToolCall(str(n), "one", {{}}) for n in range(4)]
        execute_parallel(calls, registry)
        child = os.fork()
        done = execute_parallel(calls, registry, timeout={PATIENCE})
        good = all(result.success for result in done)
        if child == 0:
            os._exit(0 if good else 1)
        print(good and os.waitpid(child, 0)[1] == 0)
    """)
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", script],
        capture_output=True,
        text=True,
        timeout=PATIENCE * 3,
        check=True,
    )
    assert done.stdout == "True\n"
    assert done.stderr == ""
