"""A time limit for checks, which patterns keep too."""

import re
import threading
from functools import lru_cache
from math import inf, prod
from time import perf_counter, thread_time
from typing import Any

LONGEST_PATTERN = 5_000
"""How many characters a pattern may have: reading it takes time too."""

LARGEST_PATTERN = 100_000
"""How many characters it may have when its repeats are written out: ``(a{300}){300}`` has 90,000.

The ``regex`` package does write them out, at some 300 bytes each and without a look at any clock.
"""

_PIECE = r"""(?xs)
      \\ .                              # \d
    | \[ (?: \\ . | [^\]\\] )* \]       # [a-z]
    | \{ (?P<least> \d+ ) (,\d*)? \}    # {3} {3,} {3,5}
    | .
"""
_LEAST = r"\{(\d+)"
_WITH_COMMENTS = r"\(\?(\#|\w*x)"  # in which brackets and parentheses mean nothing


class Unchecked(Exception):
    """A check that was not made, or not to its end; its text says why."""


class _Clock(threading.local):
    """The check under way in this thread: its limit, and its end on the thread's own clock."""

    seconds = inf
    end = inf
    soonest = inf  # on the clock on the wall, which is read in a tenth of the time

    def is_over(self) -> Unchecked:
        return Unchecked(f"that takes more than {self.seconds:g} s")


_clock = _Clock()


class limited:
    """Within it, this thread's check has so many seconds of processor time, and no more.

    >>> with limited(0.01):
    ...     search("^(a|a)*$", "a" * 40 + "!")
    Traceback (most recent call last):
    ptc.schemas.clock.Unchecked: that takes more than 0.01 s
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        _clock.seconds = self._seconds
        _clock.end = thread_time() + self._seconds
        _clock.soonest = perf_counter() + self._seconds

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        _clock.seconds = _clock.end = _clock.soonest = inf
        if isinstance(error, RecursionError):
            raise Unchecked("that is nested too deep") from None


def look_at_the_clock() -> None:
    """Raise :class:`Unchecked` where this thread's check has had its time."""
    if perf_counter() > _clock.soonest and thread_time() > _clock.end:
        raise _clock.is_over()


def search(pattern: str, text: str) -> bool:
    """Is the pattern anywhere in the text? Raises :class:`Unchecked` when the time is up.

    >>> search("^[a-z]+$", "paris"), search("^[a-z]+$", "Paris")
    (True, False)
    """
    left = None if _clock.end == inf else max(_clock.end - thread_time(), 0)
    try:
        # Not concurrent: to give other threads a turn at each match would cost 5 ms each time.
        found = compiled(pattern).search(text, timeout=left, concurrent=False)
    except TimeoutError:
        raise _clock.is_over() from None
    return found is not None


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Any:
    """The pattern, ready to be searched for. Raises ``regex.error`` for what is none."""
    import regex

    if len(pattern) > LONGEST_PATTERN:
        raise Unchecked(f"a pattern has more than {LONGEST_PATTERN} characters")
    if written_out(pattern) > LARGEST_PATTERN:
        raise Unchecked(f"a pattern has more than {LARGEST_PATTERN} characters when written out")
    return regex.compile(pattern)


def written_out(pattern: str) -> int:
    """How many characters a pattern has once its repeats are written out; never too few.

    >>> written_out("([ab]{3}x){10}")
    40
    """
    if re.search(_WITH_COMMENTS, pattern):
        return prod(map(_times, re.findall(_LEAST, pattern)))
    open_groups, last = [0], 0
    for piece in re.finditer(_PIECE, pattern):
        if piece["least"]:
            more = last * (_times(piece["least"]) - 1)
            last += more
            open_groups[-1] += more
        elif piece[0] == "(":
            open_groups.append(0)
        elif piece[0] == ")" and len(open_groups) > 1:
            last = open_groups.pop()
            open_groups[-1] += last
        else:
            last = 1
            open_groups[-1] += 1
    return sum(open_groups)


def _times(digits: str) -> int:
    return max(int(digits[:10]), 1)
