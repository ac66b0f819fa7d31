"""One thread for the machine's own small jobs: it begins batches, ends them, and gives up the late.

Python runs signal handlers in the main thread, between any two bytecodes. Bookkeeping that is done
in a caller's thread can therefore be cut in two by a Ctrl-C: a lock taken and never released, a
counter off by one. So no caller's thread does any. It hands a job over with ``KEEPER.jobs.put``:
one call into C, which is done or not done, and never half done. No signal arrives here.
"""

import os
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue


class Keeper:
    """Runs jobs one after the other. A job takes no time to speak of, and never waits.

    The thread is started when it is first needed. Should two of them ever run, because an interrupt
    hid the first from us, both serve the same queue, and nothing else depends on there being one.
    """

    def __init__(self) -> None:
        self.jobs: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._alive = False

    def ensure_alive(self) -> None:
        """Start the thread if there is none. May be called from any thread, and be interrupted."""
        if not self._alive:
            threading.Thread(target=self._live, name="ptc-keeper", daemon=True).start()

    def _live(self) -> None:
        self._alive = True
        try:
            while True:
                self._run(self.jobs.get())
        finally:
            self._alive = False

    def _run(self, job: Callable[[], object]) -> None:
        try:
            job()
        except BaseException:  # told as any thread's exception is, and the next job is not lost
            kind, error, traceback = sys.exc_info()
            here = threading.current_thread()
            threading.excepthook(threading.ExceptHookArgs((kind, error, traceback, here)))


KEEPER = Keeper()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=KEEPER.__init__)
