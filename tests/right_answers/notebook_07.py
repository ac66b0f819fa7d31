"""Right answers to the exercises of notebook 07."""

import time
from concurrent.futures import as_completed, wait
from uuid import uuid4

LATE = "no answer in time"

# --- 07.1


def by_the_sets_of_wait(calls, run, pool, timeout):
    futures = [pool.submit(run, call) for call in calls]
    done, _ = wait(futures, timeout=timeout)
    answers = []
    for future in futures:
        if future not in done:
            answers.append(LATE)
        elif future.exception() is not None:
            answers.append(repr(future.exception()))
        else:
            answers.append(future.result())
    return answers


def run_safely(calls, run, pool, timeout):
    """06's way: the job itself never raises."""

    def safe(call):
        try:
            return run(call)
        except BaseException as error:
            return f"{type(error).__name__}: {error}"

    futures = [pool.submit(safe, call) for call in calls]
    wait(futures, timeout=timeout)
    return [future.result() if future.done() else LATE for future in futures]


def what_is_left_of_the_timeout(calls, run, pool, timeout):
    deadline = time.monotonic() + timeout
    futures = [pool.submit(run, call) for call in calls]
    answers = []
    for future in futures:
        try:
            answers.append(future.result(timeout=max(0, deadline - time.monotonic())))
        except BaseException as error:
            answers.append(f"{type(error).__name__} {error}" if future.done() else LATE)
    return answers


def as_they_complete(calls, run, pool, timeout):
    places = {pool.submit(run, call): place for place, call in enumerate(calls)}
    answers = [LATE] * len(calls)
    try:
        for future in as_completed(places, timeout=timeout):
            error = future.exception()
            answers[places[future]] = repr(error) if error else future.result()
    except TimeoutError:
        pass
    return answers


def looking_again_and_again(calls, run, pool, timeout):
    deadline = time.monotonic() + timeout
    futures = [pool.submit(run, call) for call in calls]
    while time.monotonic() < deadline and not all(future.done() for future in futures):
        time.sleep(0.002)
    answers = []
    for future in futures:
        if not future.done():
            answers.append(LATE)
        else:
            error = future.exception()
            answers.append(f"failed: {error!r}" if error else future.result())
    return answers


# --- 07.2


def count_down(tool, attempts, sleep):
    pause = 0.1
    while True:
        attempts -= 1
        try:
            return tool()
        except (ConnectionError, TimeoutError):
            if not attempts:
                raise
        sleep(pause)
        pause *= 2


def last_one_outside(tool, attempts, sleep):
    for number in range(attempts - 1):
        try:
            return tool()
        except (TimeoutError, ConnectionError):
            sleep(2**number / 10)
    return tool()


def from_inside(tool, attempts, sleep, pause=0.1):
    try:
        return tool()
    except Exception as error:
        if attempts == 1 or not isinstance(error, ConnectionError | TimeoutError):
            raise
        sleep(pause)
        return from_inside(tool, attempts - 1, sleep, 2 * pause)


# --- 07.3


def with_a_function(order, euros, bank, retry):
    def pay():
        return bank.pay(euros, key=f"payment of {order}")

    return retry(pay)


def remembering_receipts():
    """Also in memory; the key is there for the day on which the memory is not."""
    receipts = {}

    def pay_once(order, euros, bank, retry):
        if order not in receipts:
            receipts[order] = retry(lambda: bank.pay(euros, key=order))
        return receipts[order]

    return pay_once


def remembering_keys():
    keys = {}

    def pay_once(order, euros, bank, retry):
        key = keys.setdefault(order, str(uuid4()))
        return retry(lambda: bank.pay(euros, key=key))

    return pay_once


def with_a_key_of_both(order, euros, bank, retry):
    return retry(lambda: bank.pay(euros=euros, key=(order, euros)))


RIGHT = {
    "07.1": [
        by_the_sets_of_wait,
        run_safely,
        what_is_left_of_the_timeout,
        as_they_complete,
        looking_again_and_again,
    ],
    "07.2": [count_down, last_one_outside, from_inside],
    "07.3": [with_a_function, remembering_receipts(), remembering_keys(), with_a_key_of_both],
    "07.4": [[2, 1, 1], (2, 1, 1), {"get_forecast": 2, "pay": 1, "get_news": 1}],
}
