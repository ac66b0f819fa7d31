"""Wrong answers to the exercises of notebook 07."""

import time
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from itertools import count
from uuid import uuid4

LATE = "no answer in time"


def raises(calls, run, pool, timeout):
    """The textbook's own mistake."""
    futures = [pool.submit(run, call) for call in calls]
    return [future.result(timeout=timeout) for future in futures]


def waits_in_the_block(calls, run, pool, timeout):
    """The textbook's own mistake, half mended."""
    with pool:
        futures = [pool.submit(run, call) for call in calls]
        done, _ = wait(futures, timeout=timeout)
        answers = [f.result() if f in done else LATE for f in futures]
    return answers


def closes_the_pool(calls, run, pool, timeout):
    futures = [pool.submit(run, call) for call in calls]
    done, _ = wait(futures, timeout=timeout)
    pool.shutdown(wait=False)
    return [f.result() if f in done else LATE for f in futures]


def timeouts_that_stack_up(calls, run, pool, timeout):
    answers = []
    for future in [pool.submit(run, call) for call in calls]:
        try:
            answers.append(future.result(timeout=timeout))
        except TimeoutError:
            answers.append(LATE)
    return answers


def waits_that_stack_up(calls, run, pool, timeout):
    futures = [pool.submit(run, call) for call in calls]
    for future in futures:
        wait([future], timeout=timeout)
    return [f.result() if f.done() else LATE for f in futures]


def loses_what_comes_after(calls, run, pool, timeout):
    answers = []
    try:
        for answer in pool.map(run, calls, timeout=timeout):
            answers.append(answer)
    except TimeoutError:
        pass
    return answers + [LATE] * (len(calls) - len(answers))


def all_or_nothing(calls, run, pool, timeout):
    futures = [pool.submit(run, call) for call in calls]
    _, late = wait(futures, timeout=timeout)
    return [LATE] * len(calls) if late else [future.result() for future in futures]


def forgets_the_late(calls, run, pool, timeout):
    futures = [pool.submit(run, call) for call in calls]
    done, _ = wait(futures, timeout=timeout)
    return [future.result() for future in futures if future in done]


def late_ones_last(calls, run, pool, timeout):
    futures = [pool.submit(run, call) for call in calls]
    done, late = wait(futures, timeout=timeout)
    return [f.result() for f in futures if f in done] + [LATE for _ in late]


def as_they_finish(calls, run, pool, timeout):
    futures = [pool.submit(run, call) for call in calls]
    answers = []
    try:
        for future in as_completed(futures, timeout=timeout):
            answers.append(future.result())
    except TimeoutError:
        pass
    return answers + [LATE] * (len(calls) - len(answers))


def no_timeout(calls, run, pool, timeout):
    return list(pool.map(run, calls))


def no_waiting(calls, run, pool, timeout):
    futures = [pool.submit(run, call) for call in calls]
    return [future.result() if future.done() else LATE for future in futures]


def always_the_whole_timeout(calls, run, pool, timeout):
    futures = [pool.submit(run, call) for call in calls]
    time.sleep(timeout)
    return [future.result() if future.done() else LATE for future in futures]


def empty_is_late(calls, run, pool, timeout):
    futures = [pool.submit(run, call) for call in calls]
    done, _ = wait(futures, timeout=timeout)
    return [(f in done and f.result()) or LATE for f in futures]


def none_for_late(calls, run, pool, timeout):
    futures = [pool.submit(run, call) for call in calls]
    done, _ = wait(futures, timeout=timeout)
    return [f.result() if f in done else None for f in futures]


def a_pool_of_its_own(calls, run, pool, timeout):
    own = ThreadPoolExecutor(len(calls))
    done, _ = wait(futures := [own.submit(run, call) for call in calls], timeout=timeout)
    own.shutdown(wait=False)
    return [f.result() if f in done else LATE for f in futures]


def one_after_the_other(calls, run, pool, timeout):
    return [run(call) for call in calls]


def the_sets_of_wait(calls, run, pool, timeout):
    return wait([pool.submit(run, call) for call in calls], timeout=timeout)


def the_futures(calls, run, pool, timeout):
    futures = [pool.submit(run, call) for call in calls]
    wait(futures, timeout=timeout)
    return futures


def one_at_a_time(calls, run, pool, timeout):
    answers = []
    for call in calls:
        try:
            answers.append(pool.submit(run, call).result(timeout=timeout))
        except TimeoutError:
            answers.append(LATE)
    return answers


def a_timeout_of_its_own(seconds):
    def runner(calls, run, pool, timeout):
        futures = [pool.submit(run, call) for call in calls]
        done, _ = wait(futures, timeout=seconds)
        return [f.result() if f in done else LATE for f in futures]

    return runner


def sleeps_until_its_own_timeout(calls, run, pool, timeout):
    futures = [pool.submit(run, call) for call in calls]
    for _ in range(100):
        if all(future.done() for future in futures):
            break
        time.sleep(0.01)
    return [f.result() if f.done() else LATE for f in futures]


def loses_all_when_one_raises(calls, run, pool, timeout):
    """What this exercise's solution once was."""
    futures = [pool.submit(run, call) for call in calls]
    done, _ = wait(futures, timeout=timeout)
    return [f.result() if f in done else LATE for f in futures]


def any_error_is_late(calls, run, pool, timeout):
    futures = [pool.submit(run, call) for call in calls]
    wait(futures, timeout=timeout)
    return [f.result() if f.done() and not f.exception() else LATE for f in futures]


def caught(kind, told=str):
    def runner(calls, run, pool, timeout):
        futures = [pool.submit(run, call) for call in calls]
        wait(futures, timeout=timeout)
        answers = []
        for future in futures:
            try:
                answers.append(future.result() if future.done() else LATE)
            except kind as error:
                answers.append(told(error))
        return answers

    return runner


def a_timeout_error_is_late(calls, run, pool, timeout):
    deadline = time.monotonic() + timeout
    answers = []
    for future in [pool.submit(run, call) for call in calls]:
        try:
            answers.append(future.result(timeout=max(0, deadline - time.monotonic())))
        except TimeoutError:
            answers.append(LATE)
        except BaseException as error:
            answers.append(repr(error))
    return answers


def retry_with(passing=(ConnectionError, TimeoutError), *, backoff=True, last="raise", extra=0):
    """A retry with one thing changed."""

    def retry(tool, attempts, sleep):
        for number in range(attempts + extra):
            try:
                return tool()
            except passing as error:
                final = number == attempts + extra - 1
                if final and last == "raise":
                    raise
                if final and last == "wrap":
                    raise RuntimeError("all attempts failed") from error
                if backoff and (not final or last == "sleep"):
                    sleep(0.1 * 2**number)
                if final and last == "sleep":
                    raise
        return "failed" if last == "text" else None

    return retry


def textbook(tool, attempts, sleep):
    """The textbook's own mistake."""
    for _ in range(attempts):
        try:
            return tool()
        except Exception:
            sleep(0.1)
    raise RuntimeError("all attempts failed")


def the_same_wait(tool, attempts, sleep):
    return retry_with()(tool, attempts, lambda _: sleep(0.1))


def again_if_empty(tool, attempts, sleep):
    for number in range(attempts):
        try:
            if answer := tool():
                return answer
        except (ConnectionError, TimeoutError):
            if number == attempts - 1:
                raise
        sleep(0.1 * 2**number)


def again_if_none(tool, attempts, sleep):
    answer = None
    while answer is None:
        answer = retry_with()(tool, attempts, sleep)
    return answer


def for_ever(tool, attempts, sleep):
    for number in count():
        try:
            return tool()
        except (ConnectionError, TimeoutError):
            sleep(0.1 * 2**number)


def waits_before_the_first(tool, attempts, sleep):
    sleep(0.1)
    return retry_with()(tool, attempts, sleep)


def its_own_sleep(tool, attempts, sleep):
    return retry_with()(tool, attempts, lambda seconds: time.sleep(0.001))


def that_very_type(tool, attempts, sleep):
    for number in range(attempts):
        try:
            return tool()
        except Exception as error:
            if type(error) not in (ConnectionError, TimeoutError) or number == attempts - 1:
                raise
            sleep(0.1 * 2**number)


def hides_a_permanent_error(tool, attempts, sleep):
    try:
        return retry_with()(tool, attempts, sleep)
    except (ValueError, PermissionError) as error:
        return str(error)


def without_a_key(order, euros, bank, retry):
    """The textbook's own mistake."""
    return retry(lambda: bank.pay(euros))


def a_new_key_each_time(order, euros, bank, retry):
    return retry(lambda: bank.pay(euros, key=str(uuid4())))


def a_key_a_call(order, euros, bank, retry):
    key = str(uuid4())
    return retry(lambda: bank.pay(euros, key=key))


def remembers_without_a_key():
    """Enough as long as no answer gets lost."""
    paid = {}

    def pay(order, euros, bank, retry):
        if order not in paid:
            paid[order] = retry(lambda: bank.pay(euros, key=str(uuid4())))
        return paid[order]

    return pay


def remembers_with_a_key_a_call():
    paid = {}

    def pay(order, euros, bank, retry):
        if order not in paid:
            key = str(uuid4())
            paid[order] = retry(lambda: bank.pay(euros, key=key))
        return paid[order]

    return pay


def three_attempts_of_its_own(order, euros, bank, retry):
    for _ in range(2):
        try:
            return bank.pay(euros, key=order)
        except ConnectionError:
            pass
    return bank.pay(euros, key=order)


def asks_twice(order, euros, bank, retry):
    retry(lambda: bank.pay(euros, key=order))
    return retry(lambda: bank.pay(euros, key=order))


def always_twenty(order, euros, bank, retry):
    return retry(lambda: bank.pay(20, key=order))


def one_key_for_all(order, euros, bank, retry):
    return retry(lambda: bank.pay(euros, key="payment"))


def the_amount_as_key(order, euros, bank, retry):
    return retry(lambda: bank.pay(euros, key=euros))


def paid_before_retry(order, euros, bank, retry):
    return retry(bank.pay(euros, key=order))


def no_retry(order, euros, bank, retry):
    return bank.pay(euros, key=order)


def says_paid(order, euros, bank, retry):
    retry(lambda: bank.pay(euros, key=order))
    return True


def hopes(order, euros, bank, retry):
    try:
        return bank.pay(euros, key=order)
    except ConnectionError:
        return "paid, probably"


def never_pays(order, euros, bank, retry):
    return "receipt 1"


WRONG = {
    "07.1": [
        (raises, "with it go the two answers"),
        (waits_in_the_block, "a with block does that too"),
        (closes_the_pool, "the pool is shut down"),
        (timeouts_that_stack_up, "and they add up"),
        (waits_that_stack_up, "and they add up"),
        (loses_what_comes_after, "that was there in time is lost"),
        (all_or_nothing, "that was there in time is lost"),
        (forgets_the_late, "the late call needs one too"),
        (late_ones_last, "at the wrong places"),
        (as_they_finish, "at the wrong places"),
        (no_timeout, "long after that it still waits"),
        (no_waiting, "doesn't wait for them, or not"),
        (always_the_whole_timeout, "Leave when the last is done"),
        (one_at_a_time, "1 of 3 calls is submitted, and it waits for that one"),
        (a_timeout_of_its_own(0.2), "it waits 0.2 s in all"),
        (a_timeout_of_its_own(0.01), "That call was in time"),
        (sleeps_until_its_own_timeout, "long after that it still waits"),
        (loses_all_when_one_raises, "its answer is the text of its error"),
        (any_error_is_late, "It was in time, and failed"),
        (a_timeout_error_is_late, "raises TimeoutError: the service took too long, timeout=5"),
        (caught(Exception), "the one for Ys raises SystemExit"),
        (caught(BaseException), "gives '' for that call"),
        (caught(BaseException, lambda error: error), "give the text of its error, such as"),
        (caught(BaseException, lambda error: "failed"), "give the text of its error, such as"),
        (empty_is_late, "an empty text, and that is an answer"),
        (none_for_late, "It should be"),
        (a_pool_of_its_own, "the pool had nothing to do"),
        (one_after_the_other, "the pool had nothing to do"),
        (the_sets_of_wait, "Give a list with one answer a call"),
        (the_futures, "Those are futures"),
        (lambda calls, run: calls, "TypeError"),
        (7, "give the function itself"),
    ],
    "07.2": [
        (textbook, "That error does not pass by itself"),
        (retry_with(Exception), "it made 3 attempts. That error does not pass"),
        (retry_with(OSError), "PermissionError: not your account, each time"),
        (retry_with(ConnectionError), "TimeoutError twice and then works"),
        (that_very_type, "ConnectionResetError twice and then works"),
        (again_if_empty, "the tool returns ''"),
        (again_if_none, "the tool returns None"),
        (retry_with(backoff=False), "never calls sleep"),
        (its_own_sleep, "never calls sleep"),
        (the_same_wait, "the backoff doubles"),
        (for_ever, "it goes on and on"),
        (retry_with(last="sleep"), "after the last attempt there is no other"),
        (retry_with(last="text"), "as if that were an answer"),
        (retry_with(last="none"), "as if that were an answer"),
        (retry_with(last="wrap"), "the reason is lost"),
        (retry_with(extra=-1), "The first attempt counts too"),
        (retry_with(extra=1), "The first attempt counts too"),
        (waits_before_the_first, "after one attempt and no wait"),
        (hides_a_permanent_error, "let this error come through"),
        (lambda tool, attempts, sleep: tool(), "This kind may pass by itself"),
        (lambda tool: tool(), "TypeError"),
        (3, "give the function itself"),
    ],
    "07.3": [
        (without_a_key, "Without a key each request is a new payment"),
        (a_new_key_each_time, "a new key is a new payment"),
        (a_key_a_call, "protects the attempts of that call alone"),
        (remembers_without_a_key(), "a new key is a new payment"),
        (remembers_with_a_key_a_call(), "and the model asks for it again"),
        (three_attempts_of_its_own, "leave it to retry how many there are"),
        (asks_twice, "once is enough"),
        (always_twenty, "made the payments [20]"),
        (one_key_for_all, "Two orders need two keys"),
        (the_amount_as_key, "Two orders need two keys"),
        (paid_before_retry, "retry wants a function to call"),
        (no_retry, "nobody knows if the money moved"),
        (says_paid, "Give the bank's receipt"),
        (hopes, "the bank's answer is 'receipt 1'"),
        (never_pays, "made the payments []"),
    ],
    "07.4": [
        ([3, 3, 3], "so there is no third"),
        ([1, 1, 1], "not 1 for get_forecast"),
        ([2, 2, 1], "registered with idempotent=False"),
        ((2, 1, 3), "a second would run beside it"),
        (4, "is not a list of three numbers"),
    ],
}

EQUIVALENT = {
    "07.1": {
        "double: if not future.done()": "asks twice",
        "double: error = future.exception()": "asks twice",
        "double: if error is not None": "asks twice",
    },
    "07.2": {
        "compare: number == attempts - 1 → number >= attempts - 1": "no number is larger",
        "double: for number in range(attempts)": "the first loop ends with a return or an error",
    },
    "07.3": {
        "cache: first of equal": "an order that was paid has its receipt already",
        "cache: bank.pay(euros, key=order)": "an order that was paid has its receipt already",
    },
    "07.4": {},
}
