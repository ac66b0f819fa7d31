"""What ran when: the spans of a timeline, predicted or measured, as numbers and in words."""

import math
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..calls import ToolResult
from ..text import without_surrogates

__all__ = [
    "Span",
    "describe_timeline",
    "lanes_of",
    "makespan",
    "most_at_once",
    "spans",
    "speedup",
    "total_work",
    "utilisation",
    "worker_names",
]


class Span(NamedTuple):
    """One bar of a timeline: what ran on which worker, from when to when, in seconds.

    Seconds count from the start of the batch. ``ok`` is False for an attempt that failed, and
    ``given_up`` says that it did because nobody waited for it any longer.

    >>> Span("get_time", "worker-1", 0.0, 0.3)
    Span(label='get_time', worker='worker-1', start=0.0, end=0.3, ok=True, given_up=False)
    """

    label: str
    worker: str
    start: float
    end: float
    ok: bool = True
    given_up: bool = False


def spans(results: Iterable[ToolResult]) -> list[Span]:
    """One span for each attempt of each call, labelled with the tool's name.

    Request order, and a call's attempts in the order they were made, whatever finished first.
    A call that never started has no span.

        bars = spans(execute_parallel(calls, registry))
    """
    return [
        Span(
            result.call.name,
            attempt.worker,
            attempt.started,
            attempt.finished,
            ok=not attempt.error,
            given_up=_is_given_up(attempt.error),
        )
        for result in results
        for attempt in result.attempts
    ]


# How the error of an attempt begins that was given up, by a timeout or by the stop button.
_GIVEN_UP = re.compile(r"no answer within .*abandoned|interrupted: the batch was stopped")


def _is_given_up(error: str | None) -> bool:
    return error is not None and _GIVEN_UP.match(error) is not None


def worker_names(workers: int) -> list[str]:
    """``worker-1`` to ``worker-N``, as the executor names its lanes.

    >>> worker_names(2)
    ['worker-1', 'worker-2']
    """
    if workers < 1:
        raise ValueError(f"a timeline needs at least 1 worker, got workers={workers}")
    return [f"worker-{number}" for number in range(1, workers + 1)]


def makespan(spans: Iterable[Span]) -> float:
    """Seconds from the start of the batch to the end of its last span; 0 for none.

    >>> makespan([Span("get_time", "worker-1", 0.0, 0.3), Span("get_date", "worker-2", 0.1, 0.2)])
    0.3
    """
    return max((span.end for span in spans), default=0.0)


def total_work(spans: Iterable[Span]) -> float:
    """The lengths of all spans together, in seconds: what one worker would need.

    >>> total_work([Span("get_time", "worker-1", 0.0, 0.5), Span("get_date", "worker-2", 0, 0.25)])
    0.75
    """
    return math.fsum(span.end - span.start for span in spans)


def speedup(spans: Sequence[Span]) -> float:
    """Total work / makespan: how many times faster than the same spans one after the other.

    1 where nothing took any time.

    >>> speedup([Span("get_time", "worker-1", 0.0, 0.5), Span("get_date", "worker-2", 0, 0.25)])
    1.5
    """
    seconds = makespan(spans)
    return total_work(spans) / seconds if seconds else 1.0


def utilisation(spans: Sequence[Span], workers: int) -> float:
    """The part of ``workers`` x makespan that was spent working; 0 where nothing took any time.

    >>> two = [Span("get_time", "worker-1", 0.0, 0.5), Span("get_date", "worker-2", 0, 0.25)]
    >>> utilisation(two, workers=2)
    0.75
    """
    if workers < 1:
        raise ValueError(f"a timeline needs at least 1 worker, got workers={workers}")
    seconds = makespan(spans)
    return total_work(spans) / (workers * seconds) if seconds else 0.0


class _Change(NamedTuple):
    """At ``seconds`` one more runs (+1), or one less (-1); an end sorts before a start."""

    seconds: float
    by: int


def most_at_once(spans: Sequence[Span]) -> int:
    """The largest number of spans that overlap; a span that starts as another ends doesn't.

    0 for none, and at least 1 for any, even where all are of no length.

    >>> most_at_once([Span("get_time", "worker-1", 0.0, 0.3), Span("get_date", "worker-2", 0, 0.2)])
    2
    """
    long = [span for span in spans if span.end > span.start]
    changes = [_Change(span.start, 1) for span in long]
    changes += [_Change(span.end, -1) for span in long]
    running, most = 0, min(len(spans), 1)
    for change in sorted(changes):
        running += change.by
        most = max(most, running)
    return most


_MOST_IN_WORDS = 12


def describe_timeline(spans: Sequence[Span]) -> str:
    """What the chart of ``spans`` shows, in words: the picture's text alternative.

    >>> describe_timeline([Span("get_time", "worker-1", 0.0, 0.3)])
    'Timeline of 1 bar on 1 worker, 0.30 s long; most at once: 1. worker-1: get_time from 0.00 to \
0.30 s.'
    """
    if not spans:
        return "An empty timeline: nothing ran."
    lanes = lanes_of(spans)
    sentences = [
        f"Timeline of {count_of(len(spans), 'bar')} on {count_of(len(lanes), 'worker')}, "
        f"{makespan(spans):.2f} s long; most at once: {most_at_once(spans)}."
    ]
    say = _say_each if len(spans) <= _MOST_IN_WORDS else _say_together
    for lane in lanes:
        bars = sorted((span for span in spans if span.worker == lane), key=lambda span: span.start)
        sentences.append(f"{lane}: {say(bars)}.")
    return without_surrogates(" ".join(sentences))


def ending_of(span: Span) -> str:
    """What a chart and its words add to a bar that brought no answer."""
    if span.ok:
        return ""
    return "given up" if span.given_up else "failed"


def _say_each(bars: Sequence[Span]) -> str:
    return "; ".join(map(_say, bars))


def _say(span: Span) -> str:
    ending = ending_of(span)
    said = f"{span.label} from {span.start:.2f} to {span.end:.2f} s"
    return f"{said} ({ending})" if ending else said


def _say_together(bars: Sequence[Span]) -> str:
    said = [f"{count_of(len(bars), 'bar')}, busy for {total_work(bars):.2f} s"]
    endings = [ending_of(span) for span in bars]
    said += [f"{endings.count(how)} {how}" for how in ("failed", "given up") if how in endings]
    return ", ".join(said)


def count_of(number: int, noun: str) -> str:
    """The number with its noun: ``1 worker``, ``2 workers``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def lanes_of(spans: Iterable[Span], workers: int = 0) -> list[str]:
    """The workers' names in the order of their lanes: ``worker-2`` before ``worker-10``.

    With ``workers`` given, those that had nothing to do have a lane as well.

    >>> lanes_of([Span("get_time", "worker-2", 0.0, 0.3)], workers=2)
    ['worker-1', 'worker-2']
    """
    names = {span.worker for span in spans}
    if workers:
        names.update(worker_names(workers))
    return sorted(names, key=natural_order)


def natural_order(text: str) -> list[tuple[int, str]]:
    """A key to sort names by, their numbers as numbers."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text)
    ]
