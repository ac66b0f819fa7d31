"""Mistakes that real runners make, each made by replacing one thing that has a name.

``make("ids by index")`` makes one in this process. Each is a function with the mistake's name, so
that a change inside the package touches none of them, unless it renames what they replace.
"""

import sys
import threading
import time
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import replace
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

import ptc
import ptc.check
import ptc.execute
import ptc.machine.reasons
import ptc.retry
import ptc.wire
from ptc.executors.pool import PoolRunner
from ptc.machine.batch import Batch
from ptc.machine.deadlines import Deadlines
from ptc.machine.ledger import Ledger
from ptc.machine.runners import OwnThreads, Worker
from ptc.machine.threads import Inbox, Threads
from ptc.wire.incoming import IncomingReply

MISTAKES: dict[str, Callable[[], None]] = {}
NOTICED_BY: dict[str, str] = {}
"""For each mistake, the test that must fail, as pytest is asked for it."""


def mistake(noticed_by: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    def enter(make: Callable[[], None]) -> Callable[[], None]:
        name = make.__name__.replace("_", " ")
        MISTAKES[name], NOTICED_BY[name] = make, noticed_by
        return make

    return enter


def make(name: str) -> None:
    MISTAKES[name]()


def everywhere(right: Callable, wrong: Callable) -> None:
    """Put ``wrong`` wherever a module of ptc has ``right``."""
    for module in [m for name, m in sys.modules.items() if name.split(".")[0] == "ptc"]:
        for name, value in list(vars(module).items()):
            if value is right:
                setattr(module, name, wrong)


def register_with(change: Callable[..., tuple[Callable, dict[str, Any]]]) -> None:
    """Have every tool registered as ``change(fn, options)`` says."""
    register = ptc.ToolRegistry.register

    def wrong(self: ptc.ToolRegistry, fn: Callable, **options: Any) -> Callable:
        changed, options = change(fn, options)
        register(self, changed, **options)
        return fn

    ptc.ToolRegistry.register = wrong


# --- what becomes of results -----------------------------------------------------------------


@mistake("test_execute.py::test_order_is_that_of_the_calls")
def results_in_completion_order():
    run_batch = ptc.execute.run_batch
    everywhere(run_batch, lambda *a: sorted(run_batch(*a), key=lambda result: result.finished))


@mistake("test_execute.py::test_results_become_messages_in_request_order")
def ids_by_index():
    right = ptc.wire.format_parallel_results

    def wrong(results, wire="openai"):
        numbered = enumerate(results)
        return right([replace(r, call=replace(r.call, id=f"call_{n}")) for n, r in numbered], wire)

    everywhere(right, wrong)


@mistake("test_check.py::test_pairing_is_by_the_call_and_not_by_the_text_of_its_id")
def pairs_by_the_text_of_the_id():
    right = ptc.check.compare

    def wrong(results, expected):
        if isinstance(expected, int):
            return right(results, expected)
        named = {call.id: call for call in expected}
        return right([replace(r, call=named.get(r.call.id, r.call)) for r in results], expected)

    everywhere(right, wrong)


@mistake("test_execute.py::test_what_an_abandoned_call_returns_later_changes_nothing")
def what_comes_too_late_counts():
    settle = Batch.settle

    def wrong(self, worker, result):
        state = worker.state
        next_one = settle(self, worker, result)
        state.result = result
        return next_one

    Batch.settle = wrong


# --- what becomes of failures ----------------------------------------------------------------


@mistake("test_execute.py::test_one_bad_call_touches_no_other")
def an_error_is_swallowed():
    def quiet(fn, options):
        @wraps(fn)
        def wrong(*args, **kwargs):
            try:
                return fn(*args, **kwargs)
            except Exception:
                return None

        return (fn if iscoroutinefunction(fn) else wrong), options

    register_with(quiet)


@mistake("test_execute.py::test_one_bad_call_touches_no_other")
def an_unknown_tool_loses_the_batch():
    def wrong(name, known):
        raise KeyError(name)

    ptc.machine.reasons.unknown_tool = wrong


@mistake("test_retry.py::test_a_tool_that_may_have_taken_effect_is_never_tried_again")
def the_payment_is_made_twice():
    register_with(lambda fn, options: (fn, options | {"idempotent": True}))


@mistake("test_retry.py::test_any_other_failure_is_not")
def everything_is_retried():
    everywhere(ptc.retry.may_pass, lambda error, on=(): isinstance(error, Exception))


# --- who runs when ---------------------------------------------------------------------------


@mistake("test_execute.py::test_in_sequence_one_call_ends_before_the_next_starts")
def sequential_is_parallel():
    parallel = ptc.execute.execute_parallel
    everywhere(ptc.execute.execute_sequential, parallel)


@mistake("test_execute.py::test_calls_really_run_at_the_same_time")
def parallel_is_sequential():
    sequential = ptc.execute.execute_sequential

    def wrong(calls, registry, max_workers=4, **options):
        return sequential(calls, registry, **options)

    everywhere(ptc.execute.execute_parallel, wrong)


@mistake("test_execute.py::test_each_call_runs_in_its_own_copy_of_the_callers_context")
def the_callers_context_is_lost():
    everywhere(copy_context, Context)


@mistake("test_stream.py::test_a_call_starts_while_the_model_still_speaks")
def streamed_calls_wait_for_the_replys_end():
    take, end, held = IncomingReply.take, IncomingReply.end, []

    def hold(self, chunk):
        held.extend(take(self, chunk))
        return []

    def hand_all_on(self, broken=None):
        return [*held, *end(self, broken)]

    IncomingReply.take, IncomingReply.end = hold, hand_all_on


@mistake("test_stream.py::test_a_tool_that_is_not_idempotent_waits_for_the_replys_end")
def a_cut_reply_has_paid():
    the_payment_is_made_twice()


# --- deadlines -------------------------------------------------------------------------------


@mistake("test_execute.py::test_a_timeout_counts_from_its_own_calls_start")
def timeouts_count_from_the_batchs_begin():
    right = Deadlines.set

    def wrong(self, moment, state, starved):
        timeout = state.tool.timeout
        return right(self, moment if starved or timeout is None else timeout, state, starved)

    Deadlines.set = wrong


@mistake("test_execute.py::test_a_hung_call_frees_its_worker")
def a_hung_call_keeps_its_worker():
    right = OwnThreads.stop

    def wrong(self, state):
        started = right(self, state)
        state.by = Worker()  # another one is freed than the one that has the call
        return started

    OwnThreads.stop = wrong
    Batch.look_after_workers = lambda self: None  # which would find the lane again, later


@mistake("test_execute.py::test_a_script_with_a_hung_tool_ends")
def the_interpreter_waits_for_hung_threads():
    start = threading.Thread.start

    def wrong(self):
        if self.name.startswith("ptc-"):
            self.daemon = False
        start(self)

    threading.Thread.start = wrong


@mistake("test_execute.py::test_an_exception_in_on_result_cancels_the_rest_and_comes_through")
def an_interrupt_lets_the_rest_start():
    Batch.over = property(lambda self: False, lambda self, over: None)
    Batch.finish = lambda self: self.runner.close()


@mistake("test_hostile.py::test_an_interrupt_gives_up_what_runs")
def an_interrupt_tells_the_keeper_nothing():
    Batch.finish = lambda self: None


# --- workers ---------------------------------------------------------------------------------


@mistake("test_hostile.py::test_an_exception_that_is_set_in_an_idle_thread_does_not_end_it")
def an_exception_kills_an_idle_thread():
    Inbox.wait = lambda self: self.bell.acquire(timeout=5)
    Threads._live = lambda self, inbox: self._serve(inbox)


@mistake("test_hostile.py::test_a_worker_whose_thread_ended_is_looked_for")
def a_dead_worker_is_not_looked_for():
    Batch.look_after_workers = lambda self: None


@mistake("test_hostile.py::test_no_job_starts_that_is_being_handed_over_when_an_interrupt_comes")
def a_call_is_handed_over_whoever_waits_for_it():
    PoolRunner._is_wanted = lambda self, state: True


# --- permits ---------------------------------------------------------------------------------


@mistake("test_execute.py::test_max_concurrency_holds_across_batches")
def a_permit_is_not_waited_for():
    Ledger.take = lambda self, state: True


@mistake("test_execute.py::test_an_abandoned_call_keeps_its_place_and_the_starved_are_told_why")
def an_abandoned_call_frees_its_permit():
    drop = Ledger.drop
    Ledger.drop = lambda self, state: [*drop(self, state), *self.release(state)]


@mistake("test_execute.py::test_a_batch_that_ends_hands_its_waiting_place_on")
def a_permit_is_not_given_back():
    Ledger.release = lambda self, state: []


@mistake("test_execute.py::test_no_worker_sits_idle_for_a_place")
def a_worker_waits_for_a_permit():
    take = Ledger.take

    def wrong(self, state):
        while not take(self, state):
            time.sleep(0.01)
        return True

    Ledger.take = wrong
