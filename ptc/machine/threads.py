"""Daemon threads that wait some seconds for their next job.

The standard pool waits for its threads when the interpreter ends, so one hung tool keeps a script
alive for ever; these threads don't. They are kept for a while because starting sixteen takes
milliseconds, and an agent runs many batches (after trio's thread cache).
"""

import itertools
import os
import threading
from collections import deque
from collections.abc import Callable
from functools import partial

from .keeper import KEEPER

IDLE_SECONDS = 5.0  # how long a thread waits for its next job
MOST_IDLE = 32  # a thread that would be one more ends at once
_numbers = itertools.count(1)

Job = Callable[[], object]


class _Inbox:
    """Where an idle thread waits: ``job`` is put in first, and then the ``bell`` is rung."""

    def __init__(self) -> None:
        self.bell = threading.Lock()
        self.bell.acquire()
        self.job: Job | None = None


class Threads:
    """Runs each job on a thread that is idle, or else on a new one.

    What must hold, and how it is kept:

    - *A job is run by exactly one thread.* Whoever pops an inbox off ``_idle`` is the only one who
      may put a job into it; ``deque.pop`` and ``deque.remove`` are single steps of the interpreter.
    - *No job is lost when a thread stops waiting.* It leaves only if it could take its own inbox
      out of ``_idle``; if it couldn't, somebody has popped it, and a job is on its way.
    - *An exception that somebody sets in an idle thread, for a tool that is long over, does no
      harm.* It comes up when the thread wakes, with the job already in the inbox, and is dropped.
    """

    def __init__(self) -> None:
        self._idle: deque[_Inbox] = deque()

    def start(self, job: Job) -> None:
        """Run the job soon. Call it where no signal arrives: in the keeper, or in one of these.

        Raises:
            RuntimeError: the system gives no more threads.
        """
        try:
            inbox = self._idle.pop()  # whoever fell idle last is the warmest
        except IndexError:
            name = f"ptc-{next(_numbers)}"
            threading.Thread(target=self._live, args=(job,), name=name, daemon=True).start()
        else:
            inbox.job = job
            inbox.bell.release()

    def submit(self, job: Job) -> None:
        """Run the job soon. From any thread, one that a signal may interrupt included."""
        KEEPER.jobs.put(partial(self.start, job))
        KEEPER.ensure_alive()

    @property
    def idle(self) -> int:
        """How many threads wait for a job."""
        return len(self._idle)

    def _live(self, job: Job | None) -> None:
        inbox = _Inbox()
        while job is not None:
            job()
            job = None  # an idle thread must keep nothing alive
            job = self._next_job(inbox)

    def _next_job(self, inbox: _Inbox) -> Job | None:
        if len(self._idle) >= MOST_IDLE:
            return None
        self._idle.append(inbox)
        while True:
            try:
                inbox.bell.acquire(timeout=IDLE_SECONDS)
            except BaseException:  # set from outside, too late for the tool that it was meant for
                pass
            job, inbox.job = inbox.job, None
            if job is not None:
                return job
            try:
                self._idle.remove(inbox)
            except ValueError:
                continue  # somebody has just popped it, and a job is on its way
            return None


THREADS = Threads()
"""The process's own threads, shared by all batches; each batch keeps to its own bound."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=THREADS.__init__)
