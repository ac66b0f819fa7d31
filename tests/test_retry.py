"""What is tried again, how often, and after how long. No test waits for a backoff."""

import threading
import time

import pytest
from common import AT_ONCE, PATIENCE
from hypothesis import given
from hypothesis import strategies as st

from ptc import (
    RetryPolicy,
    ToolCall,
    ToolRegistry,
    execute_parallel,
    execute_sequential,
    execute_with_retry,
)
from ptc.machine.state import CallState


class Flaky:
    """A tool that raises its errors, one a call, and then returns "done"."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.runs = 0

    def __call__(self):
        self.runs += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def run(tool, retry=AT_ONCE, **options):
    registry = ToolRegistry()
    registry.register(tool, name="tool", **options)
    return execute_with_retry(ToolCall("c", "tool"), registry, retry)


@pytest.fixture
def pauses(monkeypatch):
    """The lengths of all backoffs, none of which is waited for."""
    lengths = []
    monkeypatch.setattr(CallState, "pause", lambda run, seconds: lengths.append(seconds))
    return lengths


# --- whether


@pytest.mark.parametrize("error", [ConnectionError, ConnectionResetError, TimeoutError])
def test_a_failure_that_may_pass_is_tried_again(error):
    """Subclasses too; each attempt is there with its own error, the last with none."""
    tool = Flaky(error("one"), error("two"))
    result = run(tool)
    assert (result.success, result.output, result.error, tool.runs) == (True, "done", None, 3)
    errors = [attempt.error for attempt in result.attempts]
    assert errors == [f"{error.__name__}: one", f"{error.__name__}: two", None]


@pytest.mark.parametrize(
    "error",
    [ValueError("no"), OSError("disk"), SystemExit(3), KeyboardInterrupt(), GeneratorExit()],
)
def test_any_other_failure_is_not(error):
    """It is the call's result all the same, whatever the tool raised to get out."""
    tool = Flaky(error)
    result = run(tool)
    assert (result.success, tool.runs, len(result.attempts)) == (False, 1, 1)
    assert result.error.startswith(type(error).__name__)
    assert result.attempts[0].error.startswith(type(error).__name__)


@pytest.mark.parametrize("execute", [execute_parallel, execute_sequential])
def test_a_tool_that_exits_takes_nothing_with_it(execute):
    """Its siblings have their results, and the next batch its workers."""
    registry = ToolRegistry()
    registry.register(Flaky(SystemExit(3), KeyboardInterrupt()), name="exits")
    registry.register(Flaky(), name="fine")
    calls = [ToolCall(f"c{n}", name) for n, name in enumerate(["exits", "fine", "exits", "fine"])]
    for expected in ([False, True, False, True], [True] * 4):
        assert [result.success for result in execute(calls, registry)] == expected


def test_only_what_the_policy_names_is_tried_again():
    """Then ConnectionError isn't, unless it is named too."""
    policy = RetryPolicy(on=KeyError, wait_initial=0, wait_jitter=0)
    assert run(Flaky(KeyError("x")), policy).success
    assert not run(Flaky(ConnectionError()), policy).success
    assert not run(Flaky(KeyError("x"), ConnectionError()), policy).success
    nothing = RetryPolicy(on=())
    assert not run(Flaky(ConnectionError()), nothing).success


def test_attempts_count_the_first_one():
    """Three attempts are one and two more; the answer is the last error."""
    tool = Flaky(*(ConnectionError(str(n)) for n in range(1, 10)))
    result = run(tool)
    assert (tool.runs, len(result.attempts)) == (3, 3)
    assert result.error.startswith("ConnectionError: 3; all 3 attempts failed")


@given(failures=st.integers(0, 6), attempts=st.integers(1, 6))
def test_as_many_attempts_as_needed_and_as_allowed(failures, attempts):
    tool = Flaky(*[ConnectionError()] * failures)
    result = run(tool, RetryPolicy(attempts=attempts, wait_initial=0, wait_jitter=0))
    assert result.success == (failures < attempts)
    assert len(result.attempts) == tool.runs == min(failures + 1, attempts)


def test_a_tool_that_may_have_taken_effect_is_never_tried_again():
    """A payment whose answer got lost may have been made."""
    tool = Flaky(ConnectionError("lost"))
    result = run(tool, idempotent=False)
    assert (result.success, tool.runs) == (False, 1)
    assert "not tried again, since it may have taken effect" in result.error


def test_attempts_are_told_one_after_the_other():
    """On the call's own worker, and within the time of the call."""
    result = run(Flaky(ConnectionError(), ConnectionError()))
    times = [time for attempt in result.attempts for time in attempt[:2]]
    assert [result.submitted, *times, result.finished] == sorted(
        [result.submitted, *times, result.finished]
    )
    assert {attempt.worker for attempt in result.attempts} == {"worker-1"}


def test_a_long_error_keeps_its_way_out():
    """It is the error that is cut, at some length, and not what to do about it."""
    result = run(Flaky(ValueError("first; " + "x" * 10_000)))
    assert result.error.startswith("ValueError: first; xxx") and len(result.error) < 3000
    assert result.error.endswith("…; correct the arguments, or go on without it")


def test_a_generator_runs_as_its_call():
    """What it yields is the output, however often that is read; what it raises is the error."""

    def numbers(n):
        yield from range(n)
        if n > 2:
            raise ConnectionError("lost")

    registry = ToolRegistry()
    registry.register(numbers)
    fine = execute_with_retry(ToolCall("c", "numbers", {"n": 2}), registry, AT_ONCE)
    assert (fine.content, fine.content) == ("[0, 1]", "[0, 1]")
    lost = execute_with_retry(ToolCall("c", "numbers", {"n": 3}), registry, AT_ONCE)
    assert not lost.success and len(lost.attempts) == 3


# --- our own timeout


@pytest.mark.parametrize("on", [TimeoutError, BaseException])
@pytest.mark.parametrize("batch", [True, False])
def test_our_own_timeout_is_never_tried_again(on, batch):
    """Not even when the abandoned attempt then fails with an error that would be."""
    begun, release, ended = threading.Semaphore(0), threading.Event(), threading.Event()

    def hang():
        begun.release()
        release.wait(PATIENCE)
        ended.set()
        raise TimeoutError

    registry = ToolRegistry()
    registry.register(hang, timeout=None if batch else 0.3)
    policy = RetryPolicy(on=on, wait_initial=0, wait_jitter=0)
    timeout = 0.3 if batch else None
    [result] = execute_sequential([ToolCall("c", "hang")], registry, retry=policy, timeout=timeout)
    release.set()
    assert ended.wait(PATIENCE)
    assert not result.success and "abandoned" in result.error
    assert len(result.attempts) == 1 and "abandoned" in result.attempts[0].error
    assert begun.acquire(timeout=PATIENCE)
    assert not begun.acquire(timeout=0.05)


@pytest.mark.parametrize("batch", [True, False])
def test_a_call_given_up_in_its_backoff_makes_no_further_attempt(batch, monkeypatch):
    """It had its chance: its answer comes at the timeout, long before the backoff would be over."""
    woken, pause = threading.Event(), CallState.pause

    def watched(run, seconds):
        pause(run, seconds)
        woken.set()

    monkeypatch.setattr(CallState, "pause", watched)
    tool = Flaky(*[ConnectionError("down")] * 9)
    registry = ToolRegistry()
    registry.register(tool, name="tool", timeout=None if batch else 0.3)
    policy = RetryPolicy(wait_initial=9 * PATIENCE, wait_max=9 * PATIENCE)
    timeout = 0.3 if batch else None
    [result] = execute_sequential([ToolCall("c", "tool")], registry, retry=policy, timeout=timeout)
    assert woken.wait(PATIENCE)
    assert not result.success and "0.3 s" in result.error
    assert [attempt.error for attempt in result.attempts] == ["ConnectionError: down"]
    time.sleep(0.02)  # long enough for an attempt that must not come
    assert tool.runs == 1


# --- how long


def test_the_backoff_doubles_up_to_its_bound(pauses):
    policy = RetryPolicy(attempts=7, wait_initial=0.1, wait_max=1, wait_jitter=0)
    run(Flaky(*[ConnectionError()] * 9), policy)
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1, 1])


def test_jitter_is_a_random_part_of_at_most_its_length(pauses):
    """So that many who failed together don't come again together."""
    policy = RetryPolicy(attempts=41, wait_initial=1, wait_max=1.3, wait_jitter=0.2)
    run(Flaky(*[ConnectionError()] * 40), policy)
    assert 1 <= pauses[0] <= 1.2
    assert set(pauses[1:]) == {1.3}
    assert len({run(Flaky(ConnectionError()), policy) and pauses[-1] for _ in range(5)}) > 1


def test_nothing_is_waited_for_before_the_first_attempt_or_after_the_last(pauses):
    run(Flaky())
    run(Flaky(ConnectionError()), RetryPolicy(attempts=1))
    run(Flaky(ValueError()))
    assert pauses == []
    run(Flaky(*[ConnectionError()] * 3), RetryPolicy(attempts=3))
    assert len(pauses) == 2


# --- a policy that makes no sense


@pytest.mark.parametrize(
    "field", [{"attempts": 0}, {"attempts": -1}]
    + [{name: bad} for name in ("wait_initial", "wait_max", "wait_jitter") for bad in (-1, float("nan"))],
    ids=str,
)  # fmt: skip
def test_a_value_out_of_range_is_refused_at_once(field):
    [(name, value)] = field.items()
    with pytest.raises(ValueError, match=f"{name}={value!r} must be"):
        RetryPolicy(**field)


@pytest.mark.parametrize("on", [ConnectionError("made"), "ConnectionError", int, (int,), None])
def test_what_is_no_type_of_exception_is_refused_at_once(on):
    """An exception, instead of its type, would never be matched."""
    with pytest.raises(TypeError, match="must be exception types"):
        RetryPolicy(on=on)


def test_one_type_will_do():
    assert RetryPolicy(on=KeyError).on == (KeyError,)
    assert RetryPolicy(on=(KeyError,)) == RetryPolicy(on=KeyError)
