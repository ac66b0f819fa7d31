"""Who runs the calls of a batch: what a runner has to do, and the one on our own threads."""

import threading
from typing import TYPE_CHECKING, Protocol
from weakref import ref

from ..registry import Tool
from .state import CallState
from .threads import THREADS

if TYPE_CHECKING:
    from .batch import Batch


class Runner(Protocol):
    """Who runs the calls of one batch: our threads, somebody else's executor, an event loop."""

    sees_starts: bool
    """Does a call start when it is taken? Else its timeout travels with it, and is kept there."""

    must_close: bool
    """Has it to be told when the batch is over?"""

    batch: "Batch"
    """Set by the batch itself."""

    def begin(self) -> None:
        """The batch begins. Called in the keeper's thread."""
        ...

    def refuse(self, tool: Tool) -> str | None:
        """Why a call of this tool can't be run here; None if it can."""
        ...

    def start_worker(self) -> None:
        """Have somebody take calls of the batch. Called under its lock."""
        ...

    def stop(self, state: CallState) -> bool:
        """The call is given up: stop it if that is possible, and say whether it had started."""
        ...

    def flush(self) -> None:
        """Those that were to be stopped are known now."""
        ...

    def close(self) -> None:
        """The batch is over."""
        ...


class Worker:
    """Somebody at work for a batch: its thread, its lane, and the call that it has.

    The thread is known by a weak reference. When a thread that has ended is forgotten, Python runs
    a callback of its own; in the caller's thread, a Ctrl-C at that moment would be lost.
    """

    def __init__(self) -> None:
        self._thread = ref(threading.current_thread())
        self.lane: int | None = None
        self.name = ""
        self.state: CallState | None = None
        self.begun = False

    def adopt_this_thread(self) -> None:
        """From here on, it is in this one."""
        self._thread = ref(threading.current_thread())

    def is_alive(self) -> bool:
        """Is its thread still there?"""
        thread = self._thread()
        return thread is not None and thread.is_alive()


class OwnThreads:
    """The runner on our own threads."""

    sees_starts = True
    must_close = False

    batch: "Batch"

    def begin(self) -> None:
        """Nothing: the threads are there, or are started one by one."""

    def refuse(self, tool: Tool) -> str | None:
        return None

    def start_worker(self) -> None:
        THREADS.start(self.batch.work, self.batch.miss_a_worker)

    def stop(self, state: CallState) -> bool:
        return state.started is not None

    def flush(self) -> None:
        """Nothing: no thread can be stopped."""

    def close(self) -> None:
        """Nothing: the threads go on to other batches."""
