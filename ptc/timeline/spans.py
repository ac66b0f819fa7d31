"""What ran when: the spans of a timeline, predicted or measured, as numbers and in words."""

import math
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..calls import ToolResult


class Span(NamedTuple):
    """One bar of a timeline: what ran on which worker, from when to when, in seconds.

    Seconds count from the start of the batch. ``ok`` is False for an attempt that failed.
    """

    label: str
    worker: str
    start: float
    end: float
    ok: bool = True


def spans(results: Iterable[ToolResult]) -> list[Span]:
    """One span for each attempt of each call, labelled with the tool's name.

    Request order, and a call's attempts in the order they were made, whatever finished first.
    A call that never started has no span.
    """
    return [
        Span(result.call.name, attempt.worker, attempt.started, attempt.finished, not attempt.error)
        for result in results
        for attempt in result.attempts
    ]


def worker_names(workers: int) -> list[str]:
    """``worker-1`` to ``worker-N``, as the executor names its lanes."""
    if workers < 1:
        raise ValueError(f"a timeline needs at least 1 worker, got workers={workers}")
    return [f"worker-{number}" for number in range(1, workers + 1)]


def makespan(spans: Iterable[Span]) -> float:
    """Seconds from the start of the batch to the end of its last span; 0 for none."""
    return max((span.end for span in spans), default=0.0)


def total_work(spans: Iterable[Span]) -> float:
    """The lengths of all spans together, in seconds: what one worker would need."""
    return math.fsum(span.end - span.start for span in spans)


def speedup(spans: Sequence[Span]) -> float:
    """Total work / makespan: how many times faster than the same spans one after the other.

    1 where nothing took any time.
    """
    seconds = makespan(spans)
    return total_work(spans) / seconds if seconds else 1.0


def utilisation(spans: Sequence[Span], workers: int) -> float:
    """The part of ``workers`` x makespan that was spent working; 0 where nothing took any time."""
    if workers < 1:
        raise ValueError(f"a timeline needs at least 1 worker, got workers={workers}")
    seconds = makespan(spans)
    return total_work(spans) / (workers * seconds) if seconds else 0.0


def most_at_once(spans: Sequence[Span]) -> int:
    """The largest number of spans that overlap; a span that starts as another ends doesn't.

    0 for none, and at least 1 for any, even where all are of no length.
    """
    changes = [(span.start, 1) for span in spans if span.end > span.start]
    changes += [(span.end, -1) for span in spans if span.end > span.start]
    running, most = 0, min(len(spans), 1)
    for _, change in sorted(changes):  # at the same time, ends (-1) come before starts
        running += change
        most = max(most, running)
    return most


_MOST_IN_WORDS = 12


def describe_timeline(spans: Sequence[Span]) -> str:
    """What the chart of ``spans`` shows, in words: the picture's text alternative."""
    if not spans:
        return "An empty timeline: nothing ran."
    lanes = lanes_of(spans)
    head = (
        f"Timeline of {_count(len(spans), 'bar')} on {_count(len(lanes), 'worker')}, "
        f"{makespan(spans):.2f} s long; most at once: {most_at_once(spans)}."
    )
    in_full = len(spans) <= _MOST_IN_WORDS
    parts = []
    for lane in lanes:
        bars = sorted((span for span in spans if span.worker == lane), key=lambda span: span.start)
        said = "; ".join(map(_say, bars)) if in_full else _say_together(bars)
        parts.append(f"{lane}: {said}.")
    return " ".join([head, *parts])


def _say(span: Span) -> str:
    failed = "" if span.ok else " (failed)"
    return f"{span.label} from {span.start:.2f} to {span.end:.2f} s{failed}"


def _say_together(bars: Sequence[Span]) -> str:
    failed = sum(not span.ok for span in bars)
    said = f"{_count(len(bars), 'bar')}, busy for {total_work(bars):.2f} s"
    return f"{said}, {failed} failed" if failed else said


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def lanes_of(spans: Iterable[Span], workers: int = 0) -> list[str]:
    """The workers' names in the order of their lanes: ``worker-2`` before ``worker-10``.

    With ``workers`` given, those that had nothing to do have a lane as well.
    """
    names = {span.worker for span in spans} | set(worker_names(workers) if workers else ())
    return sorted(names, key=_natural)


def _natural(text: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)]
