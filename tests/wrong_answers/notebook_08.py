"""Wrong answers to the exercises of notebook 08."""

import math
import time
from contextlib import nullcontext
from threading import Lock, local

from ptc import ToolRegistry


def dealt_out(durations, workers):
    free = [0.0] * workers
    for place, seconds in enumerate(durations):
        free[place % workers] += seconds
    return max(free)


def longest_first(durations, workers):
    return in_order(sorted(durations, reverse=True), workers)


def shortest_first(durations, workers):
    return in_order(sorted(durations), workers)


def in_order(durations, workers):
    free = [0.0] * workers
    for seconds in durations:
        free.sort()
        free[0] += seconds
    return max(free)


def in_rounds(durations, workers):
    rounds = [durations[n : n + workers] for n in range(0, len(durations), workers)]
    return sum(map(max, rounds))


def in_parts(durations, workers):
    size = max(1, math.ceil(len(durations) / workers))
    parts = [durations[n : n + size] for n in range(0, len(durations), size)]
    return max(map(sum, parts), default=0)


def first_to_be_free(durations, workers):
    """When the first worker is done, not the last."""
    free = [0.0] * workers
    for seconds in durations:
        free[free.index(min(free))] += seconds
    return min(free)


def busiest_takes_the_next(durations, workers):
    free = [0.0] * workers
    for seconds in durations[:workers]:
        free[free.index(0.0)] += seconds
    for seconds in durations[workers:]:
        free[free.index(max(free))] += seconds
    return max(free) + 0.001


def last_ones_finish(durations, workers):
    """The schedule is right, and the last call is taken for the last to end."""
    free, end = [0.0] * workers, 0.0
    for seconds in durations:
        end = min(free) + seconds
        free[free.index(min(free))] = end
    return end


def really_sleeps(durations, workers):
    began = time.perf_counter()
    free = [began] * workers
    for seconds in durations:
        free[free.index(min(free))] += seconds
    while time.perf_counter() < max(free):
        time.sleep(0.01)
    return time.perf_counter() - began


def the_list(durations, workers):
    return [0.0] * workers


def no_default(durations, workers):
    free = [0.0] * min(workers, len(durations))
    for seconds in durations:
        free[free.index(min(free))] += seconds
    return max(free)


def registry_with(deposit, **options):
    registry = ToolRegistry()
    registry.register(deposit, name="deposit", **options)
    return registry


def racing(account, **options):
    """The textbook's own mistake."""

    def deposit(amount: int) -> int:
        balance = account.balance
        account.balance = balance + amount
        return account.balance

    return registry_with(deposit, **options)


def in_one_line(account):
    def deposit(amount: int) -> None:
        account.balance += amount

    return registry_with(deposit)


def a_new_lock_each_time(account):
    def deposit(amount: int) -> None:
        with Lock():
            account.balance += amount

    return registry_with(deposit)


def a_lock_for_each_thread(account):
    here = local()

    def deposit(amount: int) -> None:
        here.lock = getattr(here, "lock", None) or Lock()
        with here.lock:
            account.balance += amount

    return registry_with(deposit)


def lock_around_the_write(account):
    def deposit(amount: int) -> None:
        balance = account.balance
        with account.lock:
            account.balance = balance + amount

    return registry_with(deposit)


def lock_around_each(account):
    def deposit(amount: int) -> None:
        with account.lock:
            balance = account.balance
        with account.lock:
            account.balance = balance + amount

    return registry_with(deposit)


def own_lock_around_each(account):
    lock = Lock()

    def deposit(amount: int) -> None:
        with lock:
            balance = account.balance
        with lock:
            account.balance = balance + amount

    return registry_with(deposit)


def lock_kept(account):
    def deposit(amount: int) -> None:
        account.lock.acquire()
        account.balance += amount

    return registry_with(deposit)


def lock_taken_twice(account):
    def deposit(amount: int) -> None:
        with account.lock, account.lock:
            account.balance += amount

    return registry_with(deposit)


def overwritten(account):
    def deposit(amount: int) -> None:
        with account.lock:
            account.balance = amount

    return registry_with(deposit)


def read_once(account):
    balance = account.balance

    def deposit(amount: int) -> None:
        with account.lock:
            account.balance = balance + amount

    return registry_with(deposit)


def no_lock_at_all(account):
    def deposit(amount: int) -> None:
        with nullcontext():
            account.balance += amount

    return registry_with(deposit)


def gives_nothing_back(account):
    def deposit(amount: int) -> None:
        with account.lock:
            account.balance += amount

    return registry_with(deposit)


def locked_while_made(account):
    with account.lock:
        return racing(account)


def always_the_first_account():
    accounts = []

    def safe(account):
        accounts.append(account)
        return racing(accounts[0], max_concurrency=1)

    return safe


def other_argument(account):
    def deposit(sum: int) -> None:
        account.balance += sum

    return registry_with(deposit, max_concurrency=1)


def other_name(account):
    registry = ToolRegistry()

    @registry.tool(max_concurrency=1)
    def pay_in(amount: int) -> None:
        account.balance += amount

    return registry


WRONG = {
    "08.1": [
        (lambda durations, workers: max(durations, default=0), "the longest call alone"),
        (lambda durations, workers: sum(durations) / workers, "cut in pieces"),
        (lambda durations, workers: sum(durations), "one worker does it all"),
        (
            lambda durations, workers: max([0, *durations, sum(durations) / workers]),
            "That is the lower bound",
        ),
        (dealt_out, "like cards"),
        (longest_first, "with the longest call first"),
        (shortest_first, "with the shortest call first"),
        (in_rounds, "runs in rounds"),
        (in_parts, "one part a worker"),
        (first_to_be_free, "No order beats the lower bound"),
        (last_ones_finish, "the last call in the list ends"),
        (lambda durations, workers: round(in_order(durations, workers), 1), "on paper"),
        (busiest_takes_the_next, "keeps a worker idle"),
        (
            lambda durations, workers: in_order(durations, workers) if durations else 1,
            "they end at on",
        ),
        (
            lambda durations, workers: max(max(durations), sum(durations) / workers),
            "That is the lower bound. It says",
        ),
        (really_sleeps, "the calls were run, or slept through"),
        (the_list, "Give one number"),
        (no_default, "for [], 3 it raised ValueError"),
        (0.5, "give the function itself"),
    ],
    "08.2": [
        ([1.25, 0.75, 0.5], "3 rounds of 0.25 s"),
        ([1.25, 1.05, 0.8], "its answer takes 0.25 s more"),
        ([0.9, 1.05, 1.05], "and then it is in"),
        ([1.15, 1.15, 1.15], "and not at 0.9 s"),
        ([1.25, 1.0, 1.0], "Nearly: two decimals"),
        ([1.2, 1.05, 1.05], "Nearly: two decimals"),
        ([1.25, 1.1, 1.05], "Nearly: two decimals"),
        ([1.75, 1.05, 0.7], "so these times overlap"),
        ([1.125, 0.75, 0.375], "That is total work / workers"),
        ([1.05, 1.05, 1.05], "if a worker always stood at the door"),
        ([2.25, 2.25, 2.25], "one after the other, on one worker"),
        ([0.3, 0.2, 0.1], "No number of workers is as fast"),
        ([1.5, 1.05, 1.05], "The third comes when the first is out"),
        ([1.25, 1.05, 1.25], "one is at the door whenever it opens"),
        (1.25, "is not a list of three numbers"),
    ],
    "08.3": [
        (lambda per_minute, seconds, calls: calls, "all start at once"),
        (lambda rate, seconds, calls: min(calls, math.ceil(rate * seconds)), "60 seconds make"),
        (lambda rate, seconds, calls: min(calls, max(1, int(rate * seconds / 60))), "round up to"),
        (lambda rate, seconds, calls: min(calls, round(rate * seconds / 60)), "round up to"),
        (
            lambda rate, seconds, calls: min(calls, int(rate * seconds / 60) + 1),
            "is exactly 5, and",
        ),
        (lambda rate, seconds, calls: math.ceil(rate * seconds / 60), "More workers than calls"),
        (lambda rate, seconds, calls: rate * seconds / 60, "give an int"),
        (lambda rate, seconds, calls: rate // 60, "so many calls are on their way"),
        (lambda rate, seconds, calls: rate / 60 / seconds, "That is rate / latency"),
        (lambda rate, seconds, calls: min(calls, math.ceil(rate * seconds / 61)), "round up to"),
        (lambda rate, seconds, calls: 0, "one at least"),
        (lambda rate, seconds, calls: "5", "Give a number of workers"),
    ],
    "08.4": [
        (racing, "Nothing keeps the second call out"),
        (in_one_line, "Nothing keeps the second call out"),
        (no_lock_at_all, "Nothing keeps the second call out"),
        (a_new_lock_each_time, "It has to be the same one for both calls"),
        (a_lock_for_each_thread, "It has to be the same one for both calls"),
        (lambda account: racing(account, max_concurrency=2), "max_concurrency=2 lets 2 in"),
        (lock_around_the_write, "not held from the read to the write"),
        (lock_around_each, "not held from the read to the write"),
        (own_lock_around_each, "and held from the read to the write"),
        (lock_kept, "kept the lock"),
        (lock_taken_twice, "would wait for itself"),
        (overwritten, "in an account of 100, leaves 30"),
        (gives_nothing_back, "it returns the new balance, 130"),
        (locked_while_made, "no longer when the calls run"),
        (always_the_first_account(), "went elsewhere"),
        (read_once, "no call has read it since"),
        (other_argument, "gave an error"),
        (other_name, "no tool named 'deposit'"),
        (lambda account: account.lock, "give the registry"),
    ],
}

EQUIVALENT = {
    "08.1": {
        "double: worker = free.index(min(free))": "asks twice who is free",
        "cache: first of equal": "the same batch has the same makespan",
    },
    "08.2": {},
    "08.3": {"cache: first of equal": "the same limit takes the same number of workers"},
    "08.4": {"double: registry = ToolRegistry()": "the second, empty one is filled"},
}
