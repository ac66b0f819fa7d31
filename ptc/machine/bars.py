"""The bar that ``progress=True`` shows."""

from functools import lru_cache
from threading import RLock
from typing import Any


def bar_of(total: int) -> Any:
    """A bar of tqdm's for so many calls, to be entered, in the form that fits where we are."""
    return _bar_class()(total=total, unit="call")


@lru_cache
def _bar_class() -> Any:
    from tqdm.auto import tqdm

    class Bar(tqdm):
        """One that an interrupt leaves usable.

        tqdm takes its lock in Python code, and gives it back only where nothing is raised: an
        interrupt there would have the bars of all other threads wait for ever.
        """

        _lock = RLock()

        def refresh(self, nolock: bool = False, lock_args: Any = None) -> Any:
            if nolock:
                return super().refresh(nolock=True)
            with self._lock:
                return super().refresh(nolock=True)

    return Bar
