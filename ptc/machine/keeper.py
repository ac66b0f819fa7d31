"""One thread for the machine's own small jobs: it begins batches, ends them, and gives up the late.

Python runs signal handlers in the main thread, between any two bytecodes. Bookkeeping that is done
in a caller's thread can therefore be cut in two by a Ctrl-C: a lock taken and never released, a
counter off by one. So no caller's thread does any. It hands a job over with ``KEEPER.jobs.put``:
one call into C, which is done or not done, and never half done. No signal arrives here.
"""

import heapq
import os
import threading
from collections.abc import Callable
from itertools import count
from queue import Empty, SimpleQueue
from time import perf_counter
from typing import NamedTuple

_LONGEST_WAIT = 3600.0  # seconds; more than a year is more than some systems can wait for

Job = Callable[[], object]


class _Appointment(NamedTuple):
    moment: float
    ticket: int
    job: Job


class Keeper:
    """Runs jobs one after the other. A job takes no time to speak of, and never waits.

    The thread is started when it is first needed. Should two of them ever run, because an interrupt
    hid the first from us, both serve the same queue, and nothing else depends on there being one.
    """

    def __init__(self) -> None:
        self.jobs: SimpleQueue[Job] = SimpleQueue()
        self._appointments: list[_Appointment] = []  # a heap; the thread's own
        self._tickets = count()
        self._alive = False

    def ensure_alive(self) -> None:
        """Start the thread if there is none. May be called from any thread, and be interrupted.

        Where the system gives no thread, the jobs that are due are run here and now: that is not
        safe from signals, and still better than a caller who waits for ever.
        """
        if self._alive:
            return
        try:
            threading.Thread(target=self._live, name="ptc-keeper", daemon=True).start()
        except RuntimeError:
            self._run_due()

    def do_at(self, moment: float, job: Job) -> None:
        """Run the job when ``perf_counter()`` has come to that moment."""
        appointment = _Appointment(moment, next(self._tickets), job)
        self.jobs.put(lambda: heapq.heappush(self._appointments, appointment))

    def _live(self) -> None:
        self._alive = True
        try:
            while True:
                run_safely(self._next_job())
        finally:
            self._alive = False

    def _run_due(self) -> None:
        while True:
            try:
                run_safely(self._appointment_due() or self.jobs.get_nowait())
            except Empty:
                return

    def _next_job(self) -> Job:
        while True:
            due = self._appointment_due()
            if due is not None:
                return due
            left = None
            if self._appointments:
                left = min(max(self._appointments[0].moment - perf_counter(), 0), _LONGEST_WAIT)
            try:
                return self.jobs.get(timeout=left)
            except Empty:
                continue

    def _appointment_due(self) -> Job | None:
        if self._appointments and self._appointments[0].moment <= perf_counter():
            return heapq.heappop(self._appointments).job
        return None


def run_safely(job: Job) -> None:
    """Run the job; what it raises is told as any thread's exception is, and the thread goes on."""
    try:
        job()
    except BaseException as error:
        tell(error)


def tell(error: BaseException) -> None:
    """Have an exception of this thread told, as if it had ended the thread."""
    here = threading.current_thread()
    told = threading.ExceptHookArgs((type(error), error, error.__traceback__, here))
    threading.excepthook(told)


KEEPER = Keeper()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=KEEPER.__init__)
