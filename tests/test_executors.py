"""Batches on somebody else's executor, and the executor of daemon threads itself."""

import contextvars
import multiprocessing
import os
import threading
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from ptc import RetryPolicy, ToolCall, ToolRegistry, execute_parallel, execute_sequential
from ptc.threads import MOST_IDLE, DaemonThreadExecutor
from ptc.timeline import most_at_once, spans

PATIENCE = 20


def echo(x: int) -> int:
    return x


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def fail() -> None:
    raise ValueError("no such city")


def leave() -> None:
    raise SystemExit(3)


def die() -> None:
    os._exit(1)


def down() -> None:
    raise ConnectionError("down")


def process_id() -> int:
    return os.getpid()


def unpicklable() -> object:
    return threading.Lock()


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


@pytest.fixture(params=["threads", "daemon threads", "caller's thread", "processes"])
def executor(request):
    made = {"threads": ThreadPoolExecutor, "daemon threads": DaemonThreadExecutor}
    if request.param in made:
        with made[request.param](2) as pool:
            yield pool
    elif request.param == "processes":
        yield request.getfixturevalue("processes")
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
    results = execute_parallel(calls_of(*[("echo", {"x": 1})] * 20), registry, executor=executor)
    assert [result.output for result in results] == [1] * 20
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


@pytest.mark.parametrize("pool", [ThreadPoolExecutor, DaemonThreadExecutor])
def test_the_batch_timeout_answers_all_and_cancels_what_waits(registry, pool):
    release = threading.Event()
    registry.register(lambda: release.wait(PATIENCE), name="wait")
    with pool(1) as executor:
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


# The executor of daemon threads


def test_a_thread_that_fell_idle_is_used_again():
    executor = DaemonThreadExecutor()
    first = executor.submit(threading.get_ident).result(PATIENCE)
    for _ in range(PATIENCE * 100):
        if executor._idle:
            break
        time.sleep(0.01)
    assert executor.submit(threading.get_ident).result(PATIENCE) == first


def test_an_idle_thread_ends_after_a_while(monkeypatch):
    monkeypatch.setattr("ptc.threads.IDLE_SECONDS", 0.01)
    executor = DaemonThreadExecutor()
    executor.submit(threading.current_thread).result(PATIENCE).join(PATIENCE)
    assert executor._threads == 0
    assert executor.submit(echo, 1).result(PATIENCE) == 1


def test_idle_threads_are_capped():
    executor, release = DaemonThreadExecutor(), threading.Event()
    futures = [executor.submit(release.wait, PATIENCE) for _ in range(MOST_IDLE + 20)]
    assert executor._threads == MOST_IDLE + 20
    release.set()
    assert all(future.result(PATIENCE) for future in futures)
    for _ in range(PATIENCE * 100):
        if executor._threads <= MOST_IDLE:
            break
        time.sleep(0.01)
    assert executor._threads <= MOST_IDLE


def test_no_more_threads_than_asked_for():
    barrier = threading.Barrier(2)
    with DaemonThreadExecutor(2) as executor:
        list(executor.map(lambda _: barrier.wait(PATIENCE), range(10)))
        assert executor._threads <= 2


def test_shutdown_waits_for_what_runs_and_cancels_what_waits():
    executor = DaemonThreadExecutor(1)
    started, release = threading.Event(), threading.Event()
    running = executor.submit(lambda: started.set() or release.wait(PATIENCE))
    waiting = executor.submit(echo, 1)
    assert started.wait(PATIENCE)
    executor.shutdown(wait=False, cancel_futures=True)
    assert waiting.cancelled() and not running.done()
    release.set()
    executor.shutdown()
    assert running.result() is True
    with pytest.raises(RuntimeError, match="shutdown"):
        executor.submit(echo, 1)


def test_an_exception_of_a_job_is_its_futures():
    with DaemonThreadExecutor(1) as executor:
        assert isinstance(executor.submit(fail).exception(PATIENCE), ValueError)
        assert isinstance(executor.submit(leave).exception(PATIENCE), SystemExit)
        assert executor.submit(echo, 1).result(PATIENCE) == 1


def test_fewer_than_one_thread_raises():
    with pytest.raises(ValueError, match="max_workers=0"):
        DaemonThreadExecutor(0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_starts_threads_of_its_own(registry):
    """The parent's idle threads don't exist in the child, which must not wait for them."""
    calls = calls_of(*[("echo", {"x": 1})] * 4)
    execute_parallel(calls, registry)
    child = os.fork()
    if child == 0:
        done = execute_parallel(calls, registry, timeout=PATIENCE)
        os._exit(0 if all(result.success for result in done) else 1)
    assert os.waitpid(child, 0)[1] == 0
