"""Daemon threads that wait some seconds for their next job.

The standard pool waits for its threads when the interpreter ends, so one hung tool keeps a script
alive for ever; these threads don't. They are kept for a while because starting sixteen takes
milliseconds, and an agent runs many batches (after trio's thread cache).
"""

import itertools
import math
import os
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

from .keeper import KEEPER, tell

IDLE_SECONDS = 5.0  # how long a thread waits for its next job
MOST_IDLE = 32  # a thread that would be one more ends at once
PATIENCE = 5.0  # seconds until we believe that the system gives no more threads
_PAUSE = 0.05
_SILENCE = 5.0  # seconds without a refusal, after which the next one is the first of others
_MOST_BEGINNINGS = 3
_numbers = itertools.count(1)

Job = Callable[[], object]
Otherwise = Callable[[RuntimeError], object]


class Inbox:
    """Where an idle thread waits: ``job`` is put in first, and then the ``bell`` is rung."""

    def __init__(self) -> None:
        self.bell = threading.Lock()
        self.bell.acquire()
        self.job: Job | None = None
        self.is_idle = False
        self.in_vain = 0  # waits after which it was nowhere to be found

    def wait(self) -> bool:
        """Has the bell rung? Where an exception comes up meanwhile, see for yourself."""
        try:
            return self.bell.acquire(timeout=IDLE_SECONDS)
        except BaseException:  # set from outside, too late for the tool that it was meant for
            return True

    def run(self) -> None:
        """Run the job. It is there until it has returned, and begins again if it raises."""
        assert self.job is not None
        self.in_vain = 0
        for left in reversed(range(_MOST_BEGINNINGS)):
            try:
                self.job()
                break
            except BaseException as error:
                if not left:
                    tell(error)
        self.job = None


class Threads:
    """Runs each job on a thread that is idle, or else on a new one.

    What must hold, and how it is kept:

    - *A job is run by exactly one thread.* Whoever pops an inbox off ``_idle`` is the only one who
      may put a job into it; ``deque.pop`` and ``deque.remove`` are single steps of the interpreter.
    - *No job is lost when a thread stops waiting.* It leaves only if it could take its own inbox
      out of ``_idle``; if it couldn't, somebody has popped it, and a job is on its way.
    - *An exception that somebody sets in an idle thread, for a tool that is long over, does no
      harm.* It comes up when the thread wakes, or on its way to sleep, and is dropped; the job that
      it was woken for stays in the inbox until it has returned. So it may be called once more,
      after an exception that came as it began, or when it was all but over: each job sees to it
      that this does no harm, and raises nothing of its own.
    """

    def __init__(self) -> None:
        self._idle: deque[Inbox] = deque()
        self._refused_since = math.inf  # these two are the keeper's own
        self._refused_last = -math.inf

    def start(self, job: Job, otherwise: Otherwise) -> None:
        """Run the job soon. Call it where no signal arrives: in the keeper, or in one of these.

        Where it takes a new thread and the system gives none, the keeper calls ``otherwise`` with
        the error.
        """
        try:
            inbox = self._idle.pop()  # whoever fell idle last is the warmest
        except IndexError:
            KEEPER.jobs.put(partial(self._start_new, job, otherwise))
        else:
            inbox.job = job
            inbox.bell.release()

    def _start_new(self, job: Job, otherwise: Otherwise) -> None:
        """In the keeper: an exception for a thread that starts another may hit the newborn one."""
        inbox = Inbox()
        inbox.job = job  # and not an argument, which the thread would keep alive
        error = self._refusal(self._live, inbox)
        if error is not None:
            otherwise(error)

    def _refusal(self, target: Callable[..., object], *arguments: Any) -> RuntimeError | None:
        """The error, if the system gives no thread for that; in the keeper."""
        name = f"ptc-{next(_numbers)}"
        try:
            threading.Thread(target=target, args=arguments, name=name, daemon=True).start()
        except RuntimeError as error:
            now = perf_counter()
            if now - self._refused_last > _SILENCE:
                self._refused_since = math.inf
            self._refused_since = min(self._refused_since, now)
            self._refused_last = now
            return error
        self._refused_since = math.inf
        return None

    def are_refused(self) -> bool:
        """Has the system given no thread for some seconds, to whoever asked?"""
        return perf_counter() - self._refused_since >= PATIENCE

    def submit(self, job: Job, otherwise: Otherwise) -> None:
        """:meth:`start_in_time`, from any thread, one that a signal may interrupt included."""
        KEEPER.jobs.put(partial(self.start_in_time, job, otherwise))
        KEEPER.ensure_alive()

    def start_in_time(self, job: Job, otherwise: Otherwise) -> None:
        """Run the job as soon as there is a thread. Call it in the keeper.

        The thread is a new one if possible: where no tool ever ran, nobody sets an exception, and
        this job may be one that nobody misses when it is lost. Where the system gives no thread for
        some seconds, the keeper calls ``otherwise`` with the error.
        """
        error = self._refusal(job)
        if error is None:
            return
        if self.are_refused():
            otherwise(error)
        else:
            KEEPER.do_at(perf_counter() + _PAUSE, partial(self.start_in_time, job, otherwise))

    @property
    def idle(self) -> int:
        """How many threads wait for a job."""
        return len(self._idle)

    def _live(self, inbox: Inbox) -> None:
        while True:
            try:
                self._serve(inbox)
                return
            except BaseException:  # as in `wait`, but on the way from one thing to the next
                continue

    def _serve(self, inbox: Inbox) -> None:
        """Run what comes, until nothing has come for a while."""
        while True:
            if inbox.job is not None:
                inbox.is_idle = False
                inbox.run()
            elif inbox.is_idle:
                if not inbox.wait() and self._leave(inbox):
                    return
            elif len(self._idle) >= MOST_IDLE:
                return
            else:
                inbox.is_idle = True
                self._idle.append(inbox)

    def _leave(self, inbox: Inbox) -> bool:
        try:
            self._idle.remove(inbox)
        except ValueError:
            # Somebody has just popped it, and a job is on its way; but if none has come after
            # another wait, an exception cut us off before we were in there.
            inbox.in_vain += 1
            return inbox.in_vain > 1
        inbox.is_idle = False
        return True


THREADS = Threads()
"""The process's own threads, shared by all batches; each batch keeps to its own bound."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=THREADS.__init__)
