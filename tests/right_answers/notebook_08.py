"""Right answers to the exercises of notebook 08."""

import heapq
import math
from threading import Lock, Semaphore

from ptc import ToolRegistry
from ptc.timeline import makespan, schedule

# --- 08.1


def with_a_heap(durations, workers):
    free = [0.0] * workers
    for seconds in durations:
        heapq.heapreplace(free, free[0] + seconds)
    return max(free)


def sorted_each_time(durations, workers):
    ends = [0] * workers
    for seconds in durations:
        ends.sort()
        ends[0] = ends[0] + seconds
    return sorted(ends)[-1]


def by_moments(durations, workers):
    """From one end of a call to the next, as it would happen."""
    waiting, running, now = list(durations), [], 0.0
    while waiting or running:
        while waiting and len(running) < workers:
            running.append(now + waiting.pop(0))
        now = min(running)
        running.remove(now)
    return now


def by_the_package(durations, workers):
    return makespan(schedule(durations, workers))


# --- 08.3


def without_math(per_minute, seconds, calls):
    needed = int(-(-per_minute * seconds // 60))
    return needed if needed < calls else calls


def counting_up(per_minute, seconds, calls):
    workers = 1
    while workers < calls and workers / seconds < per_minute / 60:
        workers += 1
    return workers


def calls_a_second(per_minute, seconds, calls):
    rate = per_minute / 60
    return min(math.ceil(rate * seconds), calls)


# --- 08.4


def with_the_accounts_lock(account):
    registry = ToolRegistry()

    @registry.tool
    def deposit(amount: int) -> int:
        with account.lock:
            balance = account.balance
            account.balance = balance + amount
            return account.balance

    return registry


def taken_by_hand(account):
    registry = ToolRegistry()

    @registry.tool
    def deposit(amount: int) -> int:
        account.lock.acquire()
        try:
            new = account.balance + amount
            account.balance = new
        finally:
            account.lock.release()
        return new

    return registry


def with_a_lock_of_its_own(account):
    registry, alone = ToolRegistry(), Lock()

    def deposit(amount: int) -> int:
        with alone:
            account.balance += amount
            return account.balance

    registry.register(deposit)
    return registry


def with_a_semaphore(account):
    registry, one = ToolRegistry(), Semaphore(1)

    @registry.tool
    def deposit(amount: int) -> int:
        with one:
            account.balance = account.balance + amount
            return account.balance

    return registry


def registered_with_an_option(account):
    def deposit(amount: int) -> int:
        account.balance += amount
        return account.balance

    registry = ToolRegistry()
    registry.register(deposit, max_concurrency=1)
    return registry


RIGHT = {
    "08.1": [with_a_heap, sorted_each_time, by_moments, by_the_package],
    "08.2": [[1.25, 1.05, 1.05], (1.25, 1.05, 1.05), [1.26, 1.06, 1.04]],
    "08.3": [without_math, counting_up, calls_a_second],
    "08.4": [
        with_the_accounts_lock,
        taken_by_hand,
        with_a_lock_of_its_own,
        with_a_semaphore,
        registered_with_an_option,
    ],
}
