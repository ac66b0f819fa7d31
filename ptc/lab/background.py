"""A real run in a thread of its own, whose news are shown by the thread that started it."""

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..text import explain
from .real_run import run_for_real
from .settings import Settings
from .tools import Stop, Stopped

__all__ = ["Background"]


class Background:
    """At most one run at a time. ``hear`` is called with its news, never in its thread.

    News: ``("doing", what, calls done)``; at the end ``("done", run)``, ``("stopped",)`` or
    ``("failed", why)``. The kernel's loop hears them, or whoever waits in :meth:`wait`.
    """

    def __init__(self, hear: Callable[..., object]) -> None:
        self._hear = hear
        self._news: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = Stop()
        self.running = False

    def start(self, settings: Settings) -> None:
        """Start the thread, which hands over the news of this run."""
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None  # then somebody has to wait()
        self._stop, self.running = Stop(), True
        threading.Thread(target=self._work, args=(settings, self._stop), daemon=True).start()

    def stop(self) -> None:
        """End the run under way: no call starts any more, and those under way are woken."""
        self._stop.set()

    def wait(self) -> None:
        """Hear the news here until the run is over."""
        while self.running:
            self._take(self._news.get())

    def _work(self, settings: Settings, stop: Stop) -> None:
        try:
            run = run_for_real(settings, stop, lambda *news: self._tell("doing", *news))
            self._tell("done", run)
        except Stopped:
            self._tell("stopped")
        except BaseException as error:
            self._tell("failed", explain(error))

    def _tell(self, *news: Any) -> None:
        self._news.put(news)
        if self._loop is not None:
            with suppress(RuntimeError):  # the kernel is going down
                self._loop.call_soon_threadsafe(self._take_all)

    def _take_all(self) -> None:
        with suppress(queue.Empty):
            while True:
                self._take(self._news.get_nowait())

    def _take(self, news: tuple[Any, ...]) -> None:
        self.running = news[0] == "doing"
        self._hear(*news)
