"""Run an answer so that one that never ends doesn't hold up the notebook."""

import contextvars
import ctypes
import threading
from collections.abc import Callable


class Stopped(BaseException):
    """Raised inside an answer that has run for too long."""


class NeverEndsError(Exception):
    """The work was not done in time; it has been told to stop."""


def bounded(work: Callable[[], object], seconds: float) -> BaseException | None:
    """What ``work`` raises when it is run in a thread of its own, or None.

    Work that isn't done after ``seconds`` is stopped, and gives a :class:`NeverEndsError`. A loop
    ends at its next step; a thread that waits for something else is left behind, asleep.

        bounded(lambda: judge(answer), seconds=10)
    """
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    context = contextvars.copy_context()  # so that what is printed lands below the reader's cell
    thread = threading.Thread(target=context.run, args=(run,), daemon=True)
    thread.start()
    try:
        thread.join(seconds)
    finally:  # also where the stop button interrupts us
        never_ends = thread.is_alive()
        if never_ends:
            _stop(thread)
    if never_ends:
        return NeverEndsError()
    return raised[0] if raised else None


def _stop(thread: threading.Thread) -> None:
    """Raise Stopped in another thread at its next step in Python code, if one comes soon."""
    ident = thread.ident or 0
    _raise_in(ident, ctypes.py_object(Stopped))
    thread.join(0.5)
    if thread.is_alive():
        _raise_in(ident, ctypes.py_object())  # nothing: it may sleep
        forget_pending()


def forget_pending() -> None:
    """Make the interpreter forget that an exception is due in a thread which never wakes.

    Python 3.11 keeps one flag for all threads, and lowers it when such an exception is raised.
    While it is up each call takes longer, and under a debugger or a profiler the first one never
    ends. So we raise one here.
    """
    try:
        _raise_in(threading.get_ident(), ctypes.py_object(Stopped))
        while True:
            pass
    except Stopped:
        pass


def _raise_in(ident: int, error: ctypes.py_object) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), error)
