"""Timelines: what is predicted, what was measured, and what the chart says."""

import math
from collections import deque
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptc.calls import Attempt, ToolCall, ToolResult
from ptc.timeline import (
    Span,
    describe_timeline,
    lanes_of,
    lower_bound,
    makespan,
    most_at_once,
    plot_timeline,
    schedule,
    show_timeline,
    spans,
    speedup,
    tool_styles,
    total_work,
    utilisation,
    worker_names,
)

TOOLS = ["get_time", "get_date", "get_weather"]
durations = st.lists(st.floats(0, 100), max_size=40)
workers = st.integers(1, 20)


def result(name, *attempts):
    return ToolResult(ToolCall(f"call_{name}", name), attempts[-1].error is None, attempts=attempts)


# --- spans of results


def test_each_attempt_is_a_span():
    """A failed attempt and the one that followed it are two bars, in the order they were made."""
    flaky = result(
        "get_weather", Attempt(0.0, 0.1, "worker-2", "timed out"), Attempt(0.3, 0.5, "worker-1")
    )
    assert spans([flaky]) == [
        Span("get_weather", "worker-2", 0.0, 0.1, False),
        Span("get_weather", "worker-1", 0.3, 0.5, True),
    ]


def test_spans_are_in_request_order():
    """The first call finishes last, and is still the first span."""
    slow = result("get_weather", Attempt(0.0, 0.9, "worker-1"))
    fast = result("get_time", Attempt(0.0, 0.1, "worker-2"))
    assert [span.label for span in spans([slow, fast])] == ["get_weather", "get_time"]


def test_call_that_never_started_has_no_span():
    assert spans([ToolResult(ToolCall("a", "get_time"), False, error="cancelled")]) == []


# --- the schedule


def test_schedule_by_hand():
    """Two workers, the slow call last: it waits for one of the quick ones, 0.1 + 0.4 s."""
    timeline = schedule([0.1, 0.1, 0.4], 2, labels=TOOLS)
    assert timeline == [
        Span("get_time", "worker-1", 0.0, 0.1),
        Span("get_date", "worker-2", 0.0, 0.1),
        Span("get_weather", "worker-1", 0.1, 0.5),
    ]


def test_longest_first_by_hand():
    """The same three calls, the slow one first: 0.4 s, the lower bound."""
    assert makespan(schedule([0.4, 0.1, 0.1], 2)) == lower_bound([0.1, 0.1, 0.4], 2) == 0.4


def test_ties_go_to_the_lowest_worker():
    timeline = schedule([1, 1, 1, 1, 1], 3)
    assert [span.worker for span in timeline] == [f"worker-{n}" for n in (1, 2, 3, 1, 2)]


def test_one_worker_takes_one_call_after_the_other():
    timeline = schedule([0.5, 0.25, 1.0], 1)
    assert [(span.start, span.end) for span in timeline] == [(0, 0.5), (0.5, 0.75), (0.75, 1.75)]


def test_calls_have_names_without_labels():
    assert [span.label for span in schedule([1, 1], 1)] == ["call 1", "call 2"]


def test_no_calls_make_an_empty_schedule():
    assert schedule([], 4) == []


@pytest.mark.parametrize("wrong", [-0.1, math.nan, math.inf])
def test_wrong_duration_is_quoted(wrong):
    for predict in (schedule, lower_bound):
        with pytest.raises(ValueError, match=f"got {wrong!r}"):
            predict([0.1, wrong], 2)


@pytest.mark.parametrize("predict", [schedule, lower_bound, utilisation])
def test_no_workers_is_refused(predict):
    with pytest.raises(ValueError, match="workers=0"):
        predict([], 0)


def test_a_sequence_that_cannot_be_sliced_will_do():
    assert schedule(deque([0.1, 0.1, 0.4]), 2) == schedule([0.1, 0.1, 0.4], 2)


def test_many_calls_are_scheduled_as_few_are():
    """Past any part in which they are worked through: each call on the worker free first."""
    seconds = [1.0 + n % 7 for n in range(2000)]
    free, expected = [0.0] * 3, []
    for length in seconds:
        worker = min(range(3), key=free.__getitem__)
        expected.append((f"worker-{worker + 1}", free[worker], free[worker] + length))
        free[worker] += length
    timeline = schedule(seconds, 3)
    assert [(span.worker, span.start, span.end) for span in timeline] == expected
    assert [span.label for span in timeline] == [f"call {n}" for n in range(1, 2001)]


def test_labels_must_match():
    with pytest.raises(ValueError):
        schedule([1, 2], 1, labels=["one"])


@given(durations, workers)
def test_graham(seconds, m):
    """No schedule beats the lower bound, and none is further above it than Graham proved."""
    length, longest = makespan(schedule(seconds, m)), max(seconds, default=0)
    assert length >= lower_bound(seconds, m) * (1 - 1e-9)
    assert length <= (math.fsum(seconds) / m + (1 - 1 / m) * longest) * (1 + 1e-9)


@given(durations, workers)
def test_a_schedule_is_sound(seconds, m):
    """Every call runs once, for its time; starts never go down; no worker does two at once."""
    timeline = schedule(seconds, m)
    assert [span.end for span in timeline] == [
        span.start + length for span, length in zip(timeline, seconds, strict=True)
    ]
    assert all(one.start <= two.start for one, two in pairwise(timeline))
    for worker in worker_names(m):
        lane = [span for span in timeline if span.worker == worker]
        assert all(one.end <= two.start for one, two in pairwise(lane))
    assert most_at_once(timeline) <= m


@given(durations, workers)
def test_no_worker_idles_while_a_call_waits(seconds, m):
    """Each call starts the moment that a worker is free: the least of the lanes' ends so far."""
    ends = dict.fromkeys(worker_names(m), 0.0)
    for span in schedule(seconds, m):
        assert span.start == min(ends.values()) == ends[span.worker]
        ends[span.worker] = span.end


def test_a_hundred_thousand_calls():
    """Equal calls fill the workers in rounds."""
    timeline = schedule([1.0] * 100_000, 10_000)
    assert makespan(timeline) == 10
    assert most_at_once(timeline) == 10_000


# --- the measures


def test_measures_by_hand():
    """0.1, 0.1 and 0.4 s on three workers: 0.6 s of work in 0.4 s."""
    timeline = schedule([0.1, 0.1, 0.4], 3)
    assert makespan(timeline) == pytest.approx(0.4)
    assert total_work(timeline) == pytest.approx(0.6)
    assert speedup(timeline) == pytest.approx(1.5)
    assert utilisation(timeline, 3) == pytest.approx(0.5)
    assert most_at_once(timeline) == 3


def test_lower_bound_is_the_larger_of_two():
    assert lower_bound([0.4, 0.1, 0.1], 3) == 0.4  # the longest call
    assert lower_bound([0.2, 0.2, 0.2], 2) == pytest.approx(0.3)  # the work, shared


def test_nothing_ran():
    """Every measure has a value for no spans, and for spans of no length."""
    for timeline in ([], schedule([0.0, 0.0], 2)):
        assert makespan(timeline) == total_work(timeline) == 0
        assert speedup(timeline) == 1
        assert utilisation(timeline, 2) == 0
    assert lower_bound([], 2) == 0
    assert most_at_once([]) == 0
    assert most_at_once(schedule([0.0, 0.0], 2)) == 1


def test_touching_ends_do_not_overlap():
    assert most_at_once([Span("a", "w", 0, 1), Span("b", "w", 1, 2)]) == 1
    assert most_at_once([Span("a", "w", 0, 1), Span("b", "v", 0.999, 2)]) == 2


@given(durations, workers)
def test_most_at_once_agrees_with_counting(seconds, m):
    """Somewhere a span starts with so many running: count them at every start."""
    timeline = schedule(seconds, m)
    running = [sum(s.start <= at.start < s.end for s in timeline) for at in timeline]
    assert most_at_once(timeline) == max([*running, min(len(timeline), 1)])


# --- words and colours


def test_description_names_every_bar():
    timeline = [*schedule([0.1, 0.4], 2, labels=TOOLS[:2]), Span("c", "worker-2", 0.4, 0.6, False)]
    assert describe_timeline(timeline) == (
        "Timeline of 3 bars on 2 workers, 0.60 s long; most at once: 2. "
        "worker-1: get_time from 0.00 to 0.10 s. "
        "worker-2: get_date from 0.00 to 0.40 s; c from 0.40 to 0.60 s (failed)."
    )


def test_description_of_many_bars_is_short():
    words = describe_timeline(schedule([0.5] * 30, 2))
    assert "worker-2: 15 bars, busy for 7.50 s." in words
    assert len(words) < 200


def test_description_of_nothing():
    assert describe_timeline([]) == "An empty timeline: nothing ran."


def test_lanes_are_in_natural_order():
    """worker-2 comes before worker-10, and idle workers keep their lanes."""
    assert lanes_of(schedule([1] * 11, 11))[-1] == "worker-11"
    assert lanes_of(schedule([1], 3), workers=3) == ["worker-1", "worker-2", "worker-3"]


def test_tools_look_the_same_everywhere():
    """The three tools' styles don't depend on what else is in the chart."""
    alone, among = tool_styles(["get_date"]), tool_styles([*TOOLS, "charge_card", "search"])
    assert alone["get_date"] == among["get_date"]
    assert tool_styles(["search"])["search"] == tool_styles([*TOOLS, "search"])["search"]


def test_no_two_tools_look_alike():
    styles = tool_styles([*TOOLS, "search", "charge_card", "call 1", "call 2"])
    assert len(set(styles.values())) == 7
    assert len({style.hatch for style in styles.values()}) == 7


@pytest.mark.parametrize("label", [*TOOLS, "search", "call 1", "call 2", "call 3"])
def test_labels_are_legible(label):
    """Text on a bar has a contrast of at least 4.5 to 1, on its face and on its hatch."""
    style = tool_styles(["search", "call 1", "call 2", "call 3", *TOOLS])[label]
    assert contrast(style.text, style.face) >= 4.5


def contrast(one, other):
    from matplotlib.colors import to_rgb

    def luminance(colour):
        r, g, b = (
            x / 12.92 if x <= 0.03928 else ((x + 0.055) / 1.055) ** 2.4 for x in to_rgb(colour)
        )
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


# --- the picture


def labels_on(figure):
    return [text.get_text().strip() for text in figure.axes[0].texts]


def bars_on(figure):
    """(lane, start, end) of the filled bars, as drawn."""
    filled = [bar for bar in figure.axes[0].patches if bar.get_fill()]
    return [
        (round(bar.get_y() + bar.get_height() / 2), bar.get_x(), bar.get_x() + bar.get_width())
        for bar in filled
    ]


def test_each_span_is_drawn_in_its_lane():
    figure = plot_timeline(schedule([0.1, 0.1, 0.4], 2, labels=TOOLS))
    assert bars_on(figure) == [(0, 0, 0.1), (1, 0, 0.1), (0, 0.1, 0.5)]
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == worker_names(2)
    assert figure.axes[0].get_xlabel() == "seconds since the batch began"


def test_wide_bars_carry_their_names_and_a_failure_says_so():
    figure = plot_timeline([Span("get_time", "w1", 0, 1), Span("get_date", "w2", 0, 1, False)])
    assert labels_on(figure) == ["get_time", "✗ get_date failed"]
    assert not figure.legends


def test_names_without_room_go_to_a_legend():
    figure = plot_timeline(schedule([0.01] * 60, 1, labels=["get_time"] * 60))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["get_time"]


def test_title_is_the_message():
    assert plot_timeline(schedule([0.1, 0.4], 2)).axes[0].get_title(loc="left") == (
        "2 calls in 0.40 s, at most 2 at once"
    )
    assert plot_timeline([]).axes[0].get_title(loc="left") == "Nothing ran"
    assert plot_timeline([], title="Mine").axes[0].get_title(loc="left") == "Mine"


def test_two_charts_share_an_axis():
    """The same ``until`` makes two charts comparable; ``workers`` keeps idle lanes."""
    figure = plot_timeline(schedule([0.1], 1), until=2.0, workers=3, bound=0.05)
    assert figure.axes[0].get_xlim() == (0, 2.0)
    assert len(figure.axes[0].get_yticklabels()) == 3
    assert "lower bound 0.05 s" in labels_on(figure)


def test_draws_into_given_axes():
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    assert plot_timeline(schedule([0.1], 1), ax) is ax.figure


def test_twice_the_same_picture():
    """Two identical runs store the same bytes."""
    timeline = schedule([0.1, 0.1, 0.4], 2, labels=TOOLS)
    one, two = (plot_timeline(timeline)._repr_mimebundle_() for _ in range(2))
    assert one == two


def test_shown_with_its_text_alternative(monkeypatch):
    """A notebook stores one picture, and the same in words as its alt text."""
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    timeline = schedule([0.1, 0.4], 2, labels=TOOLS[:2])
    assert show_timeline(timeline, title="Two") is None
    data, metadata = shown[0]._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert data["text/plain"] == "<Figure: timeline of 2 bars>"
    assert metadata["image/png"]["alt"] == describe_timeline(timeline)
