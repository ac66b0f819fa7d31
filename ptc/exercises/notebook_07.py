"""The exercises of notebook 07."""

import itertools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import Any, NamedTuple

from ..calls import ToolCall
from ..text import explain
from .judging import Exercise, NotAttempted, Wrong, call, close, shown
from .stage import StagedPool

LATE = "no answer in time"


def _must_be_a_function(answer: Any) -> None:
    if not callable(answer):
        raise Wrong(f"give the function itself, not {shown(answer)}.")


# --- 07.1: a deadline that keeps what is done

_TIMEOUT = 0.02  # seconds for a batch in which one call hangs
_SHORT = 0.005  # the same where all hang
_MANY = 400  # that hang: with timeouts one after the other 2 s
_STEP = 0.005  # seconds of one of our waits
_STEPS = 100  # after which we let go of what hangs
_MORE_STEPS = 100  # further ones, where the pool itself waits for somebody to wait for it
_SLOW = 0.3  # seconds of a slow call: less than _STEPS
_LONG = 5.0  # seconds that nobody needs who does it right
_CITIES = ("Paris", "Tokyo", "Lima")
_FORECASTS = {"Paris": "light rain", "Tokyo": "", "Lima": "fog"}  # an empty text is an answer
_RAISES: dict[str, Callable[[], BaseException]] = {
    "Atlantis": lambda: ValueError("unknown city 'Atlantis'"),
    "Avalon": lambda: TimeoutError("the service took too long"),
    "Ys": lambda: SystemExit("no printer"),
    "Thule": lambda: RuntimeError(),
}


class _Watched(Future):
    """A future that lets go of a hung pool as soon as somebody waits for it too long."""

    def __init__(self, pool: "_HangingPool") -> None:
        super().__init__()
        self._pool = pool
        self._waiters = _Waiters(pool)

    def result(self, timeout: float | None = None) -> Any:
        if timeout is None and not self.done():
            self._pool.give_up()
        self._pool.is_awaited(timeout)
        try:
            return super().result(timeout)
        except TimeoutError:
            if not self.done():
                self._pool.has_waited(timeout)
            raise


class _Waiters(list):
    """Those who wait for a future by ``wait`` or ``as_completed``: for how long is noted."""

    def __init__(self, pool: "_HangingPool") -> None:
        super().__init__()
        self._pool = pool

    def append(self, waiter: Any) -> None:
        if not isinstance(waiter.event, _NotedEvent):
            waiter.event = _NotedEvent(self._pool)
        super().append(waiter)


class _NotedEvent(threading.Event):
    def __init__(self, pool: "_HangingPool") -> None:
        super().__init__()
        self._pool = pool

    def wait(self, timeout: float | None = None) -> bool:
        self._pool.is_awaited(timeout)
        came = super().wait(timeout)
        if not came:
            self._pool.has_waited(timeout)
        return came


class _HangingPool(Executor):
    """A thread a job. ``submit`` returns when the job has ended, or hangs, as some cities do.

    So it is not left to luck which jobs are done at the deadline. ``release`` lets go of those that
    hang. Where all hang, none gets a thread: nothing would run in it.
    """

    def __init__(self, hung: Sequence[str], calls: int) -> None:
        self.hung, self.calls, self.submitted = hung, calls, 0
        self.left_waiting = self.closed = self.gave_up = False
        self.slow = False  # what hangs ends as soon as somebody waits for long
        self.waited = 0.0  # seconds of timeouts that were over, one after the other
        self.all_submitted, self._let_go = threading.Event(), threading.Event()
        self._settled = threading.Event()
        self._without_thread: list[Future] = []

    def run(self, asked: ToolCall) -> str:
        city = str(asked.arguments["city"])
        if city in self.hung:
            self._settled.set()
            self._let_go.wait(_LONG)
        if city in _RAISES:
            raise _RAISES[city]()
        return _FORECASTS.get(city, city)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        future = _Watched(self)
        future.set_running_or_notify_cancel()
        if len(self.hung) == self.calls:
            self._without_thread.append(future)
        else:
            self._start(future, lambda: fn(*args, **kwargs))
        self.submitted += 1
        if self.submitted == self.calls:
            self.all_submitted.set()
        return future

    def _start(self, future: Future, job: Callable[[], Any]) -> None:
        self._settled = settled = threading.Event()

        def work() -> None:
            try:
                future.set_result(job())
            except BaseException as error:
                future.set_exception(error)
            settled.set()

        threading.Thread(target=work, daemon=True).start()
        settled.wait(_LONG)

    def release(self) -> None:
        self._let_go.set()
        while self._without_thread:
            self._without_thread.pop().set_result("")

    def is_awaited(self, seconds: float | None) -> None:
        if self.slow and seconds is not None and seconds > _LONG / 2:
            self.release()

    def has_waited(self, seconds: float | None) -> None:
        self.waited += max(0, seconds or 0)
        if self.waited > 2.5 * _TIMEOUT:
            self.give_up()

    def __repr__(self) -> str:
        return "pool"

    def give_up(self) -> None:
        """Let go, because the caller would wait for ever or far beyond its deadline."""
        self.gave_up = True
        self.release()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.closed = True
        if wait and self.hung and not self._let_go.is_set():
            self.left_waiting = True
            self.release()


def _forecasts(cities: Sequence[str]) -> list[ToolCall]:
    return [ToolCall(f"call_{n}", "get_weather", {"city": c}) for n, c in enumerate(cities, 1)]


def _deadline(runner: Callable[..., Any]) -> None:
    _must_be_a_function(runner)
    _judge_all_done(runner, _HangingPool((), len(_CITIES)))
    _judge_all_done(runner, StagedPool([2, 0, 1]))
    _judge_one_hung(runner, "Paris")
    _judge_one_slow(runner)
    _judge_all_hung(runner)
    for city in _RAISES:
        _judge_one_raises(runner, city)
    _judge_all_done(runner, _HangingPool((), len(_CITIES)))  # a second batch runs as well


def _judge_all_done(runner: Callable[..., Any], pool: Any) -> None:
    calls, run = _forecasts(_CITIES), _HangingPool((), 0).run
    told = f"three calls, none hangs, timeout={_LONG:g}: "
    ended = _run(
        lambda: runner(list(calls), run, pool, _LONG),
        goes_on=lambda: pool.submitted == len(calls),
    )
    if ended.stuck and pool.submitted < len(calls):
        raise Wrong(
            told + f"{pool.submitted} of 3 calls is submitted, and it waits for that one. Submit "
            "them all, then wait: else they run one at a time."
        )
    if ended.stuck:
        raise Wrong(told + "all have answered, and it still waits. Leave when the last is done.")
    if ended.error:
        raise Wrong(told + f"it raised {explain(ended.error)}.") from ended.error
    if ended.value is None:
        raise NotAttempted
    got, expected = ended.value, [_FORECASTS[city] for city in _CITIES]
    if got == expected and pool.submitted == len(calls):
        return
    if got == expected and pool.submitted:
        raise Wrong(told + f"the pool got {pool.submitted} jobs; each call is one, and runs once.")
    if got == expected:
        raise Wrong(told + "the pool had nothing to do: give each job to pool.submit.")
    if isinstance(got, list) and got.count(LATE) == len(calls):
        raise Wrong(
            told + f"it gives {got!r}. It doesn't wait for them, or "
            "not for the timeout that it is given."
        )
    raise Wrong(told + _why_not(got, expected))


def _judge_one_raises(runner: Callable[..., Any], city: str) -> None:
    error = _RAISES[city]()
    calls, pool = _forecasts(["Paris", city, "Lima"]), _HangingPool((), len(_CITIES))
    told = f"of three calls the one for {city} raises {explain(error)}, timeout={_LONG:g}: "
    ended = _run(lambda: runner(list(calls), pool.run, pool, _LONG), pool)
    if ended.error:
        raise Wrong(
            told + f"it raises {explain(ended.error)}, and with it go the two answers that were "
            "there. As in 06, all that belongs to one call stays with that call: its answer is the "
            "text of its error."
        )
    got = ended.value
    if ended.stuck or not isinstance(got, list) or len(got) != len(calls):
        raise Wrong(told + f"it gives {shown(got)}; give a list with one answer a call.")
    if [got[0], got[2]] != [_FORECASTS["Paris"], _FORECASTS["Lima"]]:
        raise Wrong(told + f"it gives {shown(got, 120)}; the other two have answered.")
    if got[1] == LATE:
        raise Wrong(
            told + f"it gives {LATE!r} for that call. It was in time, and failed: its answer is "
            "the text of its error."
        )
    if not isinstance(got[1], str) or not got[1].strip() or str(error) not in got[1]:
        raise Wrong(
            told + f"it gives {shown(got[1])} for that call; give the text of its error, such as "
            f"{explain(error)!r}."
        )


def _judge_one_hung(runner: Callable[..., Any], hung: str) -> None:
    calls, pool = _forecasts(_CITIES), _HangingPool([hung], len(_CITIES))
    told = f"of three calls the one for {hung} hangs, timeout={_TIMEOUT:g}: "
    ended = _hanging(runner, calls, pool, _TIMEOUT)
    if isinstance(ended.error, TimeoutError):
        raise Wrong(
            told + "it raises TimeoutError, and with it go the two answers that were there. "
            f"A late call is an answer too: {LATE!r}."
        )
    if ended.error:
        raise Wrong(told + f"it raised {explain(ended.error)}.") from ended.error
    if pool.left_waiting:
        raise Wrong(
            told + "it waits in pool.shutdown(): a with block does that too when it is left. The "
            "pool is the caller's: leave it open."
        )
    if pool.waited > 1.5 * _TIMEOUT:
        raise Wrong(
            told + f"it waits {pool.waited:g} s in all. The deadline lies {_TIMEOUT:g} s after the "
            "start: wait once, for the timeout that you are given."
        )
    if ended.stuck:
        raise Wrong(
            told + "long after that it still waits, for the hung tool, it seems. That may be for "
            "ever."
        )
    expected = [LATE if city == hung else _FORECASTS[city] for city in _CITIES]
    if ended.value != expected:
        raise Wrong(told + _why_not(ended.value, expected))
    if pool.closed:
        raise Wrong(
            told + "the answers are right, and the pool is shut down. It is the caller's, whose "
            "next batch needs it: leave it open."
        )


def _judge_one_slow(runner: Callable[..., Any]) -> None:
    """One call ends long before its timeout, and long after one of somebody's own choice."""
    calls, pool = _forecasts(_CITIES), _HangingPool(["Paris"], len(_CITIES))
    told = f"of three calls the one for Paris takes {_SLOW:g} s, timeout={_LONG:g}: "
    pool.slow = True
    timer = threading.Timer(_SLOW, pool.release)  # for those who look instead of waiting
    timer.start()
    ended = _hanging(runner, calls, pool, _LONG)
    timer.cancel()
    if ended.error:
        raise Wrong(told + f"it raised {explain(ended.error)}.") from ended.error
    if ended.value != [_FORECASTS[city] for city in _CITIES]:
        raise Wrong(
            told + f"it gives {shown(ended.value, 120)}. That call was in time; wait for the "
            "timeout that you are given."
        )


def _judge_all_hung(runner: Callable[..., Any]) -> None:
    cities = [f"city {number}" for number in range(1, _MANY + 1)]
    pool = _HangingPool(cities, _MANY)
    told = f"{len(cities)} calls, and all of them hang, timeout={_SHORT:g}: "
    ended = _hanging(runner, _forecasts(cities), pool, _SHORT)
    if ended.error:
        raise Wrong(told + f"it raised {explain(ended.error)}.") from ended.error
    if ended.stuck:
        raise Wrong(
            told + "the deadline is long over, and it still waits. Each one gets the whole timeout "
            "anew, and they add up; fix one point in time for all."
        )
    if ended.value != [LATE] * len(cities):
        raise Wrong(told + f"it gives {shown(ended.value)}; {len(cities)} times {LATE!r}.")


class _Ended(NamedTuple):
    """What became of an answer: its value or its error, and how it came to its end."""

    value: Any = None
    error: BaseException | None = None
    stuck: bool = False  # it ended when the pool let go, or never


def _hanging(
    runner: Callable[..., Any], calls: list[ToolCall], pool: _HangingPool, timeout: float
) -> _Ended:
    try:
        return _run(lambda: runner(list(calls), pool.run, pool, timeout), pool)
    finally:
        pool.release()


def _run(
    job: Callable[[], Any],
    pool: _HangingPool | None = None,
    goes_on: Callable[[], bool] = bool,
) -> _Ended:
    """Run a job aside, in a thread that can be abandoned, and tell how it ended.

    Our patience begins when all is submitted, and is counted in small waits, not in seconds: a
    busy machine delays both threads alike.
    """
    box: list[Any] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            box.append(job())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    if pool:
        _step(thread, 1000, pool.all_submitted.is_set)
    _step(thread, _STEPS)
    if goes_on():
        _step(thread, _MORE_STEPS)
    stuck = thread.is_alive()
    if stuck and pool:
        pool.release()
        thread.join(0.5)
    stuck = stuck or bool(pool and pool.gave_up)
    return _Ended(box[0] if box else None, errors[0] if errors else None, stuck)


def _step(thread: threading.Thread, steps: int, enough: Callable[[], bool] = bool) -> None:
    for _ in range(steps):
        if enough() or not thread.is_alive():
            return
        thread.join(_STEP)


def _why_not(got: Any, expected: list[str]) -> str:
    told = f"it gives {shown(got, 120)}. "
    if not isinstance(got, list):
        return told + "Give a list with one answer a call."
    if any(hasattr(item, "result") for item in got):
        return told + "Those are futures; ask each that is done for its .result()."
    if len(got) < len(expected):
        return told + f"{len(expected)} calls, {len(got)} answers: the late call needs one too."
    if got == [answer or LATE for answer in expected]:
        return told + f"The answer of {_CITIES[1]} is an empty text, and that is an answer too."
    if got.count(LATE) > expected.count(LATE):
        return told + "An answer that was there in time is lost: ask each future if it is .done()."
    if sorted(map(str, got)) == sorted(expected):
        return told + "All are there, at the wrong places: answer i belongs to calls[i]."
    return told + f"It should be {expected!r}."


# --- 07.2: retry what may pass

_LATER = 12  # a tool that fails for ever works after so many calls, or for-ever would be for ever


class _TooOften(BaseException):
    """Stops attempts that would go on for ever."""


class _Flaky:
    """A tool that raises, one error a call, and works when there are none left."""

    def __init__(self, errors: Sequence[BaseException], value: Any) -> None:
        self.errors, self.calls, self.value = list(errors), 0, value

    def __call__(self) -> str:
        self.calls += 1
        if self.calls > 2 * _LATER:
            raise _TooOften
        if self.errors:
            raise self.errors.pop(0)
        return self.value

    def __repr__(self) -> str:
        return "tool"


class _Retried:
    """One run of a learner's retry: what came of it, how many attempts, which waits."""

    def __init__(
        self,
        retry: Callable[..., Any],
        errors: Sequence[BaseException],
        attempts: int,
        value: Any = "light rain",
    ) -> None:
        tool, self.waits, self.error, self.value = _Flaky(errors, value), [], None, None
        try:
            self.value = retry(tool, attempts, self.waits.append)
        except (Exception, _TooOften) as error:
            self.error = error
        self.calls = tool.calls


def _retry(retry: Callable[..., Any]) -> None:
    _must_be_a_function(retry)
    first = _Retried(retry, [], 3)
    if first.value is None and first.error is None:
        raise NotAttempted
    if (first.value, first.waits, first.calls) != ("light rain", [], 1):
        raise Wrong(
            f"the tool works at once: it {_said(first)}. It should give 'light rain' after one "
            "attempt and no wait."
        )
    for value in ("", 0, None):
        falsy = _Retried(retry, [], 3, value)
        if (falsy.value, falsy.calls, falsy.error) != (value, 1, None):
            raise Wrong(
                f"the tool returns {value!r}: it {_said(falsy)}. That is an answer like any other; "
                "only an error is a reason to try again."
            )
    for error in (ValueError("unknown city 'Pariss'"), PermissionError("not your account")):
        _judge_permanent(retry, error)
    for kind in (ConnectionError, TimeoutError, ConnectionResetError):
        _judge_passing(retry, kind)
    for attempts in (3, 1, 4):
        _judge_last(retry, attempts)


def _judge_passing(retry: Callable[..., Any], kind: type[Exception]) -> None:
    told = f"the tool raises {kind.__name__} twice and then works: "
    run = _Retried(retry, [kind("one"), kind("two")], 4)
    if run.value != "light rain" or run.calls != 3:
        raise Wrong(
            told + f"it {_said(run)}. This kind may pass by itself: 3 attempts, and 'light rain'."
        )
    if not run.waits:
        raise Wrong(
            told + "it never calls sleep(…), the function that it is given: without a backoff the "
            "attempts come all at once, to a service that is in trouble."
        )
    if not _are(run.waits, [0.1, 0.2]):
        raise Wrong(told + f"it waits {run.waits!r}; the backoff doubles: [0.1, 0.2].")


def _judge_permanent(retry: Callable[..., Any], error: Exception) -> None:
    told = f"the tool raises {explain(error)}, each time: "
    run = _Retried(retry, [error] * _LATER, 3)
    if run.calls > 1:
        raise Wrong(
            told + f"it made {run.calls} attempts. That error does not pass by itself; retry after "
            "ConnectionError and TimeoutError alone."
        )
    if run.error is not error:
        raise Wrong(told + f"it {_said(run)}; let this error come through.")
    if run.waits:
        raise Wrong(told + f"it waits {run.waits!r} for nothing: there is no other attempt.")


def _judge_last(retry: Callable[..., Any], attempts: int) -> None:
    errors = [ConnectionError(f"reset {number}") for number in range(1, _LATER + 1)]
    told = f"the tool raises ConnectionError each time, attempts={attempts}: "
    run = _Retried(retry, list(errors), attempts)
    if run.calls > _LATER:
        raise Wrong(told + f"it goes on and on, {run.calls} attempts so far; stop after the last.")
    if run.calls != attempts:
        raise Wrong(told + f"it made {run.calls}. The first attempt counts too.")
    if run.error is None:
        raise Wrong(
            told + f"it gives {run.value!r}, as if that were an answer. The last error was "
            "swallowed; let it come through."
        )
    if run.error is not errors[attempts - 1]:
        raise Wrong(
            told + f"it raises {explain(run.error)}, and the reason is lost: raise the last "
            f"attempt's own error, {explain(errors[attempts - 1])}."
        )
    expected = [0.1 * 2**number for number in range(attempts - 1)]
    if len(run.waits) == attempts:
        raise Wrong(told + f"it waits {run.waits!r}: after the last attempt there is no other.")
    if not _are(run.waits, expected):
        raise Wrong(told + f"it waits {run.waits!r}; it should be {expected!r}.")


def _are(waits: list[Any], expected: list[float]) -> bool:
    return len(waits) == len(expected) and all(map(close, waits, expected))


def _said(run: _Retried) -> str:
    what = f"raises {explain(run.error)}" if run.error else f"gives {run.value!r}"
    if isinstance(run.error, _TooOften):
        what = "goes on and on"
    return f"{what} after {run.calls} attempt{'s' * (run.calls != 1)} and the waits {run.waits!r}"


# --- 07.3: pay once

_numbers = itertools.count(17)


def _new_order() -> str:
    """An order that no check has seen: an answer may well remember what it has paid."""
    return f"order-{next(_numbers)}"


class _Bank:
    """Pays once a key; the answers to the first so many requests get lost on the way back."""

    def __init__(self, lost: int = 0) -> None:
        self.payments: list[int] = []
        self.keys: list[Any] = []
        self._receipts: dict[Any, str] = {}
        self._lost = lost

    def pay(self, euros: int, key: Any = None) -> str:
        self.keys.append(key)
        if key is None or key not in self._receipts:
            self.payments.append(euros)
            self._receipts[key] = f"receipt {len(self.payments)}"
        if len(self.keys) <= self._lost:
            raise ConnectionError("connection reset before the answer came")
        return self._receipts[key]

    def __repr__(self) -> str:
        return "bank"


class _Attempts:
    """The ``retry`` of this exercise."""

    def __init__(self, most: int = 3) -> None:
        self.most = most

    def __call__(self, tool: Callable[[], Any]) -> Any:
        if not callable(tool):
            raise TypeError(f"retry wants a function to call, not {tool!r}")
        for _ in range(self.most - 1):
            try:
                return tool()
            except ConnectionError:
                pass
        return tool()

    def __repr__(self) -> str:
        return "retry"


def _pay(pay_once: Callable[..., Any]) -> None:
    order, quiet = _new_order(), _Bank()
    told = f"{order}, 20 €, and no answer gets lost: "
    got = call(pay_once, order, 20, quiet, _Attempts())
    if got != "receipt 1" or quiet.payments != [20]:
        raise Wrong(
            told + f"it gives {shown(got)}, and the bank made the payments {quiet.payments!r}. "
            "Give the bank's receipt, for one payment."
        )
    if len(quiet.keys) > 1:
        raise Wrong(told + f"the bank is asked {len(quiet.keys)} times; once is enough.")
    _judge_lost_answers(pay_once, lost=2, attempts=3)
    _judge_lost_answers(pay_once, lost=4, attempts=5)
    _judge_two_orders(pay_once)
    _judge_asked_again(pay_once)
    _judge_asked_again_after_an_error(pay_once)


def _judge_lost_answers(pay_once: Callable[..., Any], lost: int, attempts: int) -> None:
    order, bank = _new_order(), _Bank(lost)
    told = f"{order}, 30 €, the first {lost} answers get lost, retry makes {attempts} attempts: "
    got = _paid(pay_once, order, 30, bank, _Attempts(attempts), told)
    if len(bank.payments) > 1:
        raise Wrong(told + f"the bank paid {len(bank.payments)} times. {_why_paid_again(bank)}")
    if got != "receipt 1" or bank.payments != [30]:
        raise Wrong(
            told + f"it gives {shown(got)} and the bank made the payments {bank.payments!r}; the "
            "bank's answer is 'receipt 1'."
        )


def _paid(pay_once: Callable[..., Any], order: str, euros: int, bank: _Bank, retry: Any, told: str):
    try:
        return pay_once(order, euros, bank, retry)
    except Exception as error:
        why = "One attempt was made, and nobody knows if the money moved; give retry a function."
        if len(bank.keys) > 1:
            why = f"{len(bank.keys)} attempts were made; leave it to retry how many there are."
        raise Wrong(told + f"it raised {explain(error)}. {why if bank.keys else ''}") from error


def _why_paid_again(bank: _Bank) -> str:
    if None in bank.keys:
        return "Without a key each request is a new payment to it: bank.pay(euros, key=…)."
    return (
        f"The keys were {shown(bank.keys, 90)}: a new key is a new payment. Make the key before "
        "the first attempt, and send the same one each time."
    )


def _judge_two_orders(pay_once: Callable[..., Any]) -> None:
    bank, orders = _Bank(lost=1), [_new_order(), _new_order()]
    got = [call(pay_once, order, 40, bank, _Attempts()) for order in orders]
    if got != ["receipt 1", "receipt 2"]:
        raise Wrong(
            f"{orders[0]} and {orders[1]}, 40 € each: it gives {shown(got)}, and the bank made "
            f"{len(bank.payments)} payment, for the keys {shown(bank.keys, 90)}. Two orders need "
            "two keys."
        )


def _judge_asked_again(pay_once: Callable[..., Any]) -> None:
    bank, order = _Bank(), _new_order()
    for _ in range(2):
        call(pay_once, "-".join(order.split("-")), 50, bank, _Attempts())
    if len(bank.payments) > 1:
        raise Wrong(f"the model asks for {order} a second time: {_paid_twice(bank)}")


def _judge_asked_again_after_an_error(pay_once: Callable[..., Any]) -> None:
    """All attempts fail, so the caller never got a receipt and asks again."""
    bank, order = _Bank(lost=3), _new_order()
    try:
        pay_once(order, 60, bank, _Attempts())
    except ConnectionError:
        pass
    else:
        raise Wrong(
            f"{order}, all answers get lost: it gives a receipt that the bank never sent. Let the "
            "last attempt's error come through."
        )
    got = call(pay_once, order, 60, bank, _Attempts())
    if len(bank.payments) > 1 or got != "receipt 1":
        raise Wrong(
            f"all three answers for {order} get lost, and the model asks for it again: it gives "
            f"{shown(got)}, and {_paid_twice(bank)}"
        )


def _paid_twice(bank: _Bank) -> str:
    return (
        f"it is paid {len(bank.payments)} times, for the keys {shown(bank.keys, 90)}. A key made "
        "anew for each call protects the attempts of that call alone; make it from what is paid, "
        "the order."
    )


# --- 07.4: how many attempts

_ATTEMPTS = {
    "get_forecast": (
        2,
        "A ConnectionError may pass, and a forecast may be asked for twice. The second attempt "
        "succeeds, so there is no third.",
    ),
    "pay": (
        1,
        "It was registered with idempotent=False: its first attempt may have taken effect, so no "
        "second is made.",
    ),
    "get_news": (
        1,
        "Its own timeout covers all attempts together. When it is over the first one still runs, "
        "and a second would run beside it.",
    ),
}


def _attempts(guess: Any) -> None:
    numbers = list(guess.values()) if isinstance(guess, dict) else guess
    if not isinstance(numbers, list | tuple) or len(numbers) != len(_ATTEMPTS):
        raise Wrong(f"{shown(guess)} is not a list of three numbers, such as [3, 3, 3].")
    for number, (name, (expected, why)) in zip(numbers, _ATTEMPTS.items(), strict=True):
        if not close(number, expected):
            raise Wrong(f"not {shown(number, 40)} for {name}. {why}")


EXERCISES = {
    "07.1": Exercise(
        title="a deadline that keeps what is done",
        judge=_deadline,
        notice=(
            "Checked where no call hangs, where one raises, where one hangs and where all do: one "
            "wait for the whole batch sets one deadline, and the list of futures still knows the "
            "order."
        ),
        hints=(
            "Submit all calls first and keep the futures in a list, in request order.",
            "wait(futures, timeout=timeout) waits once for all of them, and never raises.",
            "After it, go through your list. A future that is not .done() is late.",
            "future.exception() gives the error of a call that raised, and None for any other; "
            "future.result() would raise it.",
        ),
        solution=f"""
            from concurrent.futures import wait

            def answer_of(future):
                if not future.done():
                    return {LATE!r}
                error = future.exception()
                if error is not None:
                    return f"{{type(error).__name__}}: {{error}}"
                return future.result()

            def keep_what_is_done(calls, run, pool, timeout):
                futures = [pool.submit(run, call) for call in calls]
                wait(futures, timeout=timeout)
                return [answer_of(future) for future in futures]
        """,
    ),
    "07.2": Exercise(
        title="retry what may pass",
        judge=_retry,
        notice=(
            "No second was waited for: a function that is given its sleep can be tested with one "
            "that only takes notes."
        ),
        hints=(
            "for number in range(attempts): the first attempt has number 0, the last attempts - 1.",
            "except (ConnectionError, TimeoutError): all other errors come through by themselves.",
            "In the last attempt a bare raise lets its error through; before it, "
            "sleep(0.1 * 2**number).",
        ),
        solution="""
            def retry(tool, attempts, sleep):
                for number in range(attempts):
                    try:
                        return tool()
                    except (ConnectionError, TimeoutError):
                        if number == attempts - 1:
                            raise
                        sleep(0.1 * 2**number)
        """,
        required=False,
    ),
    "07.3": Exercise(
        title="pay once",
        judge=_pay,
        notice=(
            "The key says which payment is meant, so the bank can tell a repeated request from a "
            "new one. That makes the tool idempotent: now it may be retried."
        ),
        hints=(
            "retry wants a function without arguments: lambda: bank.pay(…).",
            "All attempts for one order need the same key, two orders need two. What do you have "
            "that is so?",
        ),
        solution="""
            def pay_once(order, euros, bank, retry):
                return retry(lambda: bank.pay(euros, key=order))
        """,
        required=False,
    ),
    "07.4": Exercise(
        title="predict the attempts",
        judge=_attempts,
        notice="Four attempts in all, where the textbook makes up to nine, and one payment.",
        hints=(
            "Ask two questions of each call: may its failure pass, and may its tool run twice?",
            "The news doesn't raise; its own timeout ends the waiting. Is its attempt over then?",
        ),
        solution="attempts = [2, 1, 1]",
        required=False,
    ),
}
