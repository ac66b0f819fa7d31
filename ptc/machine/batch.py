"""The machine behind ``execute``: a batch of calls, its lanes, and what becomes of each call.

A batch has as many lanes as it may have workers. A worker takes the next ready call, runs it,
stores its answer, and goes on; the caller's thread sleeps until the last answer is there, and wakes
earlier only for a deadline or for somebody who listens.

What must hold, and how it is kept:

- *Every call gets one answer.* ``CallState.result`` is written once, under the lock, by whoever
  comes first: its worker, or the keeper who gives it up.
- *Nothing starts after the batch is over.* ``over`` and the clock are looked at under the lock
  whenever a call is taken, and the batch returns only when each call has its answer.
- *An interrupt leaves nothing half done.* The caller's thread changes nothing here but ``over``,
  and hands everything else to the keeper.
- *A worker that dies takes nothing with it.* Which call it had, and on which lane, stands in its
  ``Worker`` until the call has given back what it holds. What the worker was about to do is done by
  the keeper, and may be done twice; every half second it looks whether anybody is left at work.
"""

import heapq
import math
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextvars import Context
from functools import partial
from queue import SimpleQueue
from time import perf_counter
from typing import Any

from ..calls import ToolCall, ToolResult
from ..conflicts import Graph, Key, chain_seconds
from ..registry import ToolRegistry
from ..retry import RetryPolicy
from ..text import explain
from . import reasons
from .deadlines import Deadline, Deadlines
from .gates import Gates
from .keeper import KEEPER
from .ledger import ledger_of
from .preparing import check_use, expected_seconds, prepare
from .queues import InOrder, LongestChainFirst, Order, ReadyCalls
from .runners import Runner, Worker
from .state import CallState, Moment
from .threads import THREADS

_PATIENCE = 10.0  # seconds for what abandoned calls hold, where no timeout says how long


class Batch:
    """The calls of one reply and what has become of them.

    ``lock`` guards all that changes after the start, but for ``over``, ``heard`` and ``waits``,
    which the caller's thread alone writes. ``workers=None``: as many as there are calls. Wrong use
    raises, before anything has started.
    """

    def __init__(
        self,
        calls: Iterable[ToolCall],
        registry: ToolRegistry,
        workers: int | None,
        retry: RetryPolicy,
        timeout: float | None,
        runner: Runner,
    ) -> None:
        self.moment = Moment.now()
        self.began = self.moment.clock
        calls = list(calls)
        limit = check_use(calls, registry, timeout)
        self.timeout = math.inf if limit is None else limit
        self.registry, self.retry, self.workers, self.runner = registry, retry, workers, runner
        runner.batch = self
        self.ledger = ledger_of(registry)
        self.lock = threading.Lock()
        self.states = [CallState(call, retry, self.began, n) for n, call in enumerate(calls)]
        self.news: Any = SimpleQueue()  # of calls that have their answers; None: look up
        self.watched = False  # by the keeper
        self.listened_to = False
        self.in_order = False  # a call that has to wait holds up all behind it
        self.ready: ReadyCalls = InOrder()
        self.folders: dict[str, Key] = {}  # real paths that were looked up
        self.gates = Gates()
        self.graph = Graph()
        self.open = len(self.states)  # calls without an answer
        self.lanes = 0
        self.free_lanes: list[int] = []  # a heap
        self.at_work: set[Worker] = set()
        self.starting = 0  # workers that were asked for and have yet to begin
        self.held_up: CallState | None = None  # in order: the one that all others wait for
        self.expecting = False  # more calls, from a reply that still streams in
        self.over = False  # nothing starts any more
        self.ended = False
        self.error: BaseException | None = None  # of the executor, for the caller
        self.deadlines = Deadlines()
        self.heard = 0  # results that the one who listens was told
        self.waits = 0  # of the caller's thread, in vain

    # Before the start: in the caller's thread, and nobody else knows the batch yet.

    def prepare(self) -> None:
        """Find the tools and check the arguments; what can't be run is answered here."""
        for state in self.states:
            state.batch = self
            prepare(state, self.registry, self.runner.refuse, self.folders)

    def arrange(self, order: Order) -> None:
        """Put the ready calls in the order in which they start, those behind gates aside."""
        self.in_order = order == "one by one"
        states = [state for state in self.states if state.result is None]
        self.open = len(states)
        self.lanes = min(self.workers or self.open, self.open)
        self.free_lanes = list(range(1, self.lanes + 1))
        behind = {state: self._predecessors(state) for state in states if state.needs}
        ready = states
        if behind:
            ready = [state for state in states if not self._is_gated(state, behind)]
        seconds = expected_seconds(states) if order == "longest first" else {}
        if any(behind.values()):  # a call that becomes ready later keeps its turn
            self.ready = LongestChainFirst(self._chains(behind, seconds), ready)
        elif seconds:
            self.ready = InOrder(sorted(ready, key=seconds.__getitem__, reverse=True))
        else:
            self.ready = InOrder(ready)

    def _chains(
        self, behind: dict[CallState, frozenset[int]], seconds: dict[CallState, float]
    ) -> dict[CallState, float]:
        lengths = chain_seconds(
            [behind.get(state, frozenset()) for state in self.states],
            [seconds.get(state, 0.0) for state in self.states],
        )
        return dict(zip(self.states, lengths, strict=True))

    def _predecessors(self, state: CallState) -> frozenset[int]:
        needs = state.needs
        if needs is None or not (needs.reads or needs.writes):
            return frozenset()
        return self.graph.add(state.index, needs.reads, needs.writes)

    def _is_gated(self, state: CallState, behind: dict[CallState, frozenset[int]]) -> bool:
        before = behind.get(state)
        return bool(before) and self.gates.put_behind(state, before, self.states)

    # What the caller may ask, in its own thread.

    def take_results(self) -> list[ToolResult]:
        """The results, which the batch lets go of: a thread left behind must not keep them."""
        states, self.states, self.deadlines = self.states, [], Deadlines()
        return [state.result for state in states if state.result is not None]

    def is_done(self) -> bool:
        """Has each call its answer, and has whoever listens heard of it?"""
        if self.open or self.expecting:
            return False
        return not self.listened_to or self.heard >= len(self.states)

    def untold(self) -> list[CallState]:
        """Those of whose answers nobody was told, if a worker died before it could."""
        return [state for state in self.states if not state.told]

    def news_of(self, state: CallState) -> ToolResult | None:
        """The call's result, the first time that it is asked for."""
        if state.result is None or state.told:
            return None
        state.told = True
        self.heard += 1
        return state.result

    def watch_the_clock(self) -> None:
        """Have the keeper see to all deadlines, for a caller who may be kept from it."""
        self.watched = True
        self._watch(self.timeout)

    def _watch(self, moment: float) -> None:
        if moment < math.inf:
            KEEPER.do_at(self.began + moment, self.give_up_late)

    # In the keeper's thread, where no signal arrives.

    def begin(self) -> None:
        """Start the first worker."""
        now = perf_counter() - self.began
        with self.lock:
            for state in self.states:
                if state.result is None:
                    state.submitted = state.submitted or now
                elif self.listened_to:
                    self.news.put(state)
        if now >= self.timeout:
            self._end_late()
        self.runner.begin()
        with self.lock:
            self._start_workers()
            self._wake_if_done()

    def finish(self) -> None:
        """Answer what has no answer: the caller doesn't wait any more, for whatever reason."""
        self._end(lambda state, started: reasons.interrupted())
        self.runner.close()

    def fail(self, error: BaseException) -> None:
        """The executor can't be used at all: the caller is to hear of it."""
        self.error = error
        self.give_up_all(explain(error))

    def give_up_all(self, why: str) -> None:
        """Answer what has no answer with these words."""
        self._end(lambda state, started: why)

    def give_up_late(self) -> None:
        """Answer the calls whose time is over."""
        now = perf_counter() - self.began
        if self.over or now >= self.timeout:
            self._end_late()
            return
        with self.lock:
            due = self.deadlines.take_due(now)
        for deadline in due:
            self._give_up_one(deadline)
        self.runner.flush()
        if self.watched:
            self._watch(self.deadlines.next)
        self.news.put(None)  # there may be another deadline now

    def look_after_workers(self) -> None:
        """Start anew if nobody is left at work: a worker's thread may die of what isn't ours."""
        with self.lock:
            if not self.open or self.over:
                return
            dead = [worker for worker in self.at_work if not worker.is_alive()]
        for worker in dead:
            self._bury(worker, RuntimeError("its thread ended"))
        with self.lock:
            if not self.at_work:
                self.starting = 0
                self.free_lanes = list(range(1, self.lanes + 1))
                self._collect_the_lost()
                self._start_workers()
                self._wake_if_done()

    def _bury(self, worker: Worker, error: BaseException) -> None:
        """What a worker was about to do when it died is done here, where nobody sets exceptions."""
        state = worker.state
        with self.lock:
            self._lose(worker, error)
            if self.open and not self.over:
                self._collect_the_lost()
                self._start_workers()
        if state is not None and state.needs is not None:
            self.let_go(state)

    def miss_a_worker(self, error: RuntimeError) -> None:
        """The system gives no thread: those at work do the rest, or in a while all is told so."""
        with self.lock:
            self.starting = max(0, self.starting - 1)
            is_alone = not self.at_work
        if is_alone and THREADS.are_refused():
            self._end(lambda state, started: reasons.no_threads())

    def _end_late(self) -> None:
        limit = f"the batch's timeout of {self.timeout:g} s"
        self._end(lambda state, started: self._why_late(state, started, limit))

    def _why_late(self, state: CallState, started: bool, limit: str) -> str:
        if not started and state.needs is not None and self.ledger.is_stuck(state):
            return reasons.starved(*self.ledger.obstacle(state))
        return reasons.late(started, limit, state.on_loop, state.blocker())

    def _end(self, reason: Callable[[CallState, bool], str]) -> None:
        with self.lock:
            self.over, self.expecting = True, False
            self.ready.clear()
            self.deadlines.clear()
            states = [state for state in self.states if state.result is None]
        for state in states:
            self._give_up(state, reason)
        self.runner.flush()
        with self.lock:
            self.open = 0  # whatever was counted
        self.ended = True
        self.news.put(None)

    def _give_up_one(self, deadline: Deadline) -> None:
        state = deadline.state
        if deadline.starved:
            self._give_up(
                state,
                lambda state, _: reasons.starved(*self.ledger.obstacle(state)),
                only_if=lambda: self._is_starved(state),
            )
        else:
            limit = f"its timeout of {state.tool.timeout:g} s"
            self._give_up(state, lambda state, started: self._why_late(state, started, limit))

    def _give_up(
        self,
        state: CallState,
        reason: Callable[[CallState, bool], str],
        only_if: Callable[[], bool] = lambda: True,
    ) -> None:
        """Answer a call that has no answer; ``only_if`` is asked at that moment, under the lock."""
        with self.lock:
            if state.result is not None or not only_if():
                return
            started = self.runner.stop(state)
            self._answer(state, state.give_up(reason(state, started)))
            if state.started is not None:
                self._free(state.by)
            if self.held_up is state:
                self.held_up = None
            if state.needs is None:
                self._start_workers()
        if state.needs is not None:
            self._let_others_on(state)

    def _let_others_on(self, state: CallState) -> None:
        """What a call that was given up means for those who wait for what it needs."""
        self._call_up(self.ledger.drop(state))
        if self.ledger.holds(state):  # and keeps it, until it really ends
            for other in self.ledger.stuck():
                other.batch.starve(other)
        self._open_behind(state)

    def _is_starved(self, state: CallState) -> bool:
        stuck = self.ledger.is_stuck(state)
        if not stuck:
            state.patient_until = None
        return stuck

    def _collect_the_lost(self) -> None:
        """A call that is nowhere was on its way, under the lock, when a worker died."""
        self.open = sum(state.result is None for state in self.states)
        for state in self.gates.recount(self.states):
            if state.result is None:
                self.ready.add(state)
        if not len(self.ready):
            for state in self.states:
                waits = state.waits or self.ledger.waits(state)
                if state.result is None and state.started is None and not waits:
                    self.ready.add(state)

    # In the thread that reads a stream.

    def add(self, call: ToolCall, context: Context) -> CallState:
        """Take in one more call while the batch is :attr:`expecting` some, in any thread."""
        state = context.run(CallState, call, self.retry, self.began)
        state.batch = self
        context.run(prepare, state, self.registry, self.runner.refuse, self.folders)
        with self.lock:
            state.index = len(self.states)
            state.submitted = perf_counter() - self.began
            self.states.append(state)
            self.open += 1
            if state.result is None and self.over:
                state.result = state.give_up("not started: its batch was over")
            if state.result is None:
                self._add_open(state)
            else:
                self._answer(state, state.result)
        return state

    def _add_open(self, state: CallState) -> None:
        if self.workers is None or self.lanes < self.workers:
            self.lanes += 1
            heapq.heappush(self.free_lanes, self.lanes)
        before = self._predecessors(state)
        if before and self.gates.put_behind(state, before, self.states):
            if isinstance(self.ready, InOrder):  # a call that becomes ready later keeps its turn
                self.ready = LongestChainFirst({}, self.ready)
            return
        self.ready.add(state)
        self._start_workers()

    def end(self) -> None:
        """No more calls are to come, in any thread."""
        with self.lock:
            self.expecting = False
            self.news.put(None)

    # In the workers' threads.

    def work(self) -> None:
        """A worker's life: take a call, run it, store its answer, until nothing is ready."""
        worker = Worker()
        try:
            state = self.take(worker)
            while state is not None:
                state = self.settle(worker, state.run())
        except BaseException as error:  # set in this thread from outside, and not in the tool
            self.bury(worker, error)

    def take(self, worker: Worker) -> CallState | None:
        """The call to start now; None for none, and the worker is free."""
        with self.lock:
            if worker.begun:
                return self._take_next(worker)
            worker.begun = True
            self.starting = max(0, self.starting - 1)
            self.at_work.add(worker)
            state = self._take_next(worker)
            if state is not None:
                self._start_workers()
            return state

    def settle(
        self, worker: Worker, result: ToolResult, running: "Future[Any] | None" = None
    ) -> CallState | None:
        """Store the answer to the worker's call, and take the next: None for none, as in `take`.

        None as well if the call was given up meanwhile: the worker's lane went with it.
        ``running``: an executor gave it up there, and it goes on in this process.
        """
        state = worker.state
        assert state is not None
        with self.lock:
            in_time = state.result is None
            if in_time:
                self._answer(state, result)
                if state.needs is None:
                    worker.state = None
                    return self._take_next(worker)
        if state.needs is not None:
            if running is None:
                self.let_go(state)
            else:
                self._let_go_after(running, state)
        worker.state = None  # not before: who dies here has yet to give back what the call holds
        return self.take(worker) if in_time else None

    def _let_go_after(self, running: "Future[Any]", state: CallState) -> None:
        state.given_up = True
        self._let_others_on(state)
        running.add_done_callback(lambda _: KEEPER.jobs.put(partial(self.let_go, state)))

    def let_go(self, state: CallState) -> None:
        """The call has really ended: give back what it holds, and then let those behind it on."""
        self._call_up(self.ledger.release(state))
        self._open_behind(state)

    def _open_behind(self, state: CallState) -> None:
        with self.lock:
            for waiting in self.gates.open_behind(state):
                if waiting.result is None and not self.over:
                    self.ready.add(waiting)
            self._start_workers()

    def _call_up(self, states: Iterable[CallState]) -> None:
        for state in states:
            state.batch.call_up(state, by=self)

    def bury(self, worker: Worker, error: BaseException) -> None:
        """The worker can't go on: answer the call that it has, and free its lane."""
        for _ in range(3):  # another exception may be set while we deal with the first
            try:
                KEEPER.jobs.put(partial(self._bury, worker, error))
                return
            except BaseException:
                continue

    # In any thread, under the lock.

    def _take_next(self, worker: Worker) -> CallState | None:
        state = self._next_ready(worker)
        if state is None:
            self._free(worker)
        return state

    def _next_ready(self, worker: Worker) -> CallState | None:
        while self.ready and self.held_up is None and not self.over:
            now = perf_counter() - self.began
            if now >= self.timeout:  # the keeper may be late, and nothing may start then
                return None
            if worker.lane is None and not self.free_lanes:
                return None
            state = self.ready.pop()
            if state.result is not None or state.started is not None:
                continue
            if state.needs is None or self._gets_its_needs(state):
                self._begin_call(worker, state, now)
                return state
        return None

    def _gets_its_needs(self, state: CallState) -> bool:
        if self.ledger.take(state):
            return True
        if state.parent is not None and self.ledger.crosses(state):
            self._answer(state, state.fail(reasons.crossed(*self.ledger.obstacle(state))))
            KEEPER.jobs.put(lambda: self._let_others_on(state))
            return False
        if self.ledger.is_stuck(state):
            self._be_patient(state)
        if self.in_order:
            self.held_up = state
        return False

    def _begin_call(self, worker: Worker, state: CallState, now: float) -> None:
        worker.state = state
        if worker.lane is None:
            worker.lane = self.free_lanes[0]  # in this order: a lane may be counted twice, not lost
            heapq.heappop(self.free_lanes)
            worker.name = f"worker-{worker.lane}"
        state.by, state.lane, state.worker = worker, worker.lane, worker.name
        state.latest = self.timeout
        state.started = now
        if state.tool.timeout is not None and self.runner.sees_starts:
            self._set_deadline(state.started + state.tool.timeout, state, starved=False)

    def _start_workers(self) -> None:
        """A worker for each call that is ready, as long as there are lanes.

        Each that takes its first call makes room for two more to start: many are soon at work, and
        calls that take no time are done before threads have been woken for them in vain.
        """
        if self.held_up is not None or self.over:
            return
        most = min(len(self.ready), len(self.free_lanes), max(1, len(self.at_work)))
        while self.starting < most:
            self.starting += 1
            self.runner.start_worker()

    def _free(self, worker: Worker | None) -> None:
        """The worker's lane is free for another; once, however often it is said."""
        if worker is not None and worker in self.at_work:
            self.at_work.discard(worker)
            if worker.lane is not None:
                heapq.heappush(self.free_lanes, worker.lane)

    def _lose(self, worker: Worker, error: BaseException) -> None:
        state = worker.state
        if state is not None and state.result is None:
            self._answer(state, state.give_up(reasons.lost_worker(error)))
        if worker.lane in self.free_lanes:  # it died in the middle of taking the lane
            worker.lane = None
        self._free(worker)

    def _answer(self, state: CallState, result: ToolResult) -> None:
        # Between these two nothing can come up: no call is made, and no loop goes round.
        state.result = result
        self.open -= 1
        if self.listened_to:
            self.news.put(state)
        if not self.open:
            self.news.put(None)

    def _wake_if_done(self) -> None:
        if not self.open:
            self.news.put(None)

    def _be_patient(self, state: CallState) -> None:
        """Wait for what abandoned calls hold as long as the call might have run, no more."""
        if state.patient_until is not None:
            return
        patience = state.tool.timeout
        if patience is None and self.timeout == math.inf:
            patience = _PATIENCE
        if patience is not None:
            state.patient_until = perf_counter() - self.began + patience
            self._set_deadline(state.patient_until, state, starved=True)

    def _set_deadline(self, moment: float, state: CallState, starved: bool) -> None:
        if self.deadlines.set(moment, state, starved):
            self.news.put(None)  # the caller has to look up sooner
            if self.watched:
                self._watch(moment)

    # Called for those who wait in line, by whoever gives something back.

    def has_free_lane(self) -> bool:
        """Could one more of its calls start now?"""
        return bool(self.free_lanes) and not self.over

    def call_up(self, state: CallState, by: object) -> None:
        """What the call waited for may be free now: have it try again."""
        with self.lock:
            if state.result is not None or state.started is not None or self.over:
                return
            state.patient_until = None
            if self.held_up is state:
                self.held_up = None
            self.ready.put_back(state)
            if (
                by is not self or len(self.ready) > 1
            ):  # else the worker that gave it goes on with it
                self._start_workers()

    def starve(self, state: CallState) -> None:
        """Nothing but abandoned calls is in the way of this one, and they may never end."""
        with self.lock:
            if state.result is None and state.started is None:
                self._be_patient(state)
