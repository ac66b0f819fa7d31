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
        (no_timeout, "so it may wait for ever"),
        (no_waiting, "doesn't wait for them at all"),
        (always_the_whole_timeout, "Leave when the last is done"),
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
        (4, "is no list of three numbers"),
    ],
}
