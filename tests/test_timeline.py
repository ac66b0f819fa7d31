"""Timelines: what is predicted, what was measured, and what the chart says."""

import doctest
import importlib
import math
import threading
from collections import deque
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptc import RetryPolicy, ToolRegistry, execute_parallel
from ptc.calls import Attempt, ToolCall, ToolResult
from ptc.timeline import (
    FIXED_STYLES,
    Span,
    describe_timeline,
    lanes_of,
    longest_chain,
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
    with_words,
    worker_names,
)

MODULES = ["spans", "schedule", "styles", "pictures", "chart"]
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


def test_what_was_given_up_says_so_and_a_failure_doesn_t():
    """Three attempts end without an answer, and one of them because nobody waited any longer."""
    release, registry = threading.Event(), ToolRegistry()

    @registry.tool(timeout=0.05)
    def hangs():
        release.wait(20)

    @registry.tool
    def lies():
        raise ConnectionError("the job was abandoned; no answer within reach")

    calls = [ToolCall("a", "hangs"), ToolCall("b", "lies")]
    retry = RetryPolicy(attempts=2, wait_initial=0, wait_max=0, wait_jitter=0)
    try:
        bars = spans(execute_parallel(calls, registry, retry=retry))
    finally:
        release.set()
    assert [(bar.label, bar.ok, bar.given_up) for bar in bars] == [
        ("hangs", False, True),
        ("lies", False, False),
        ("lies", False, False),
    ]


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


# --- calls that wait for others

A, B, C, D = 0, 1, 2, 3


def started(*about, **options):
    return [span.start for span in schedule(*about, **options)]


def test_a_call_starts_once_its_predecessors_have_ended():
    """c waits for a and b, the later of which ends at 2 s; four workers change nothing."""
    waits = [set(), set(), {A, B}]
    assert started([1, 2, 1], 4, predecessors=waits) == [0, 0, 2]
    assert lower_bound([1, 2, 1], 4, predecessors=waits) == 3


def test_a_waiting_call_holds_no_worker():
    """On two workers d goes ahead of b and c, which wait for a."""
    waits = [frozenset(), frozenset({A}), frozenset({A}), frozenset()]
    assert started([2, 1, 1, 1], 2, predecessors=waits) == [0, 2, 2, 0]


def test_calls_that_can_start_do_so_in_the_order_given():
    """At 1 s the only worker is free, and both b and c could start."""
    assert started([1, 1, 1], 1, predecessors=[set(), {A}, set()]) == [0, 1, 2]


def test_the_spans_of_a_chain_are_in_the_order_of_its_calls():
    """The first call waits for the last: its span is the first and starts last."""
    timeline = schedule([1, 1], 2, ["late", "early"], predecessors=[{1}, set()])
    assert timeline == [Span("late", "worker-1", 1, 2), Span("early", "worker-1", 0, 1)]


def test_the_longest_chain_binds():
    """a, b and c in a row take 6 s, d takes 5 s; six workers can't change that."""
    waits = [set(), {A}, {B}, set()]
    assert longest_chain([1, 2, 3, 5], waits) == 6
    assert lower_bound([1, 2, 3, 5], 6, predecessors=waits) == 6
    assert lower_bound([1, 2, 3, 5], 1, predecessors=waits) == 11
    assert longest_chain([1, 2, 3, 5]) == 5


@pytest.mark.parametrize("predict", [schedule, lower_bound])
@pytest.mark.parametrize(
    "waits, told",
    [
        ([{1}, {0}], "wait for each other in a circle: "),
        ([{0}, set()], "in a circle: 0 → 0"),
        ([set(), {2}], "call 1 can't wait for call 2: there are 2"),
        ([set(), {-1}], "call 1 can't wait for call -1"),
        ([set()], "predecessors of 1 calls for 2 durations"),
    ],
)
def test_predecessors_that_cannot_be_are_refused(predict, waits, told):
    with pytest.raises(ValueError, match=told):
        predict([1, 1], 2, predecessors=waits)


@st.composite
def batches_that_wait(draw, lengths):
    """Durations, and for each call some of the others, in any direction but without a circle."""
    seconds = draw(st.lists(lengths, max_size=9))
    place = draw(st.permutations(range(len(seconds))))  # a call waits for those placed before it
    waits = [
        frozenset(other for other in range(len(seconds)) if place[other] < place[call])
        & draw(st.frozensets(st.integers(0, 8), max_size=3))
        for call in range(len(seconds))
    ]
    return seconds, waits


def tick_by_tick(seconds, m, waits):
    """Starts of calls with whole lengths, by looking at every call at every second."""
    starts: dict[int, int] = {}
    ends: dict[int, int] = {}
    now = 0
    while len(starts) < len(seconds):
        for call in sorted(set(range(len(seconds))) - starts.keys()):
            busy = sum(starts[c] <= now < ends[c] for c in starts)
            if busy < m and all(other in ends and ends[other] <= now for other in waits[call]):
                starts[call], ends[call] = now, now + seconds[call]
                if not seconds[call]:
                    break  # it is over, and may let an earlier one start
        else:
            now += 1
    return [starts[call] for call in range(len(seconds))]


@given(batches_that_wait(st.integers(0, 3)), workers)
def test_a_schedule_with_predecessors_agrees_with_looking_at_every_second(batch, m):
    seconds, waits = batch
    timeline = schedule(seconds, m, predecessors=waits)
    assert [span.start for span in timeline] == tick_by_tick(seconds, m, waits)
    for worker in worker_names(m):
        lane = sorted(span[2:4] for span in timeline if span.worker == worker)
        assert all(one[1] <= two[0] for one, two in pairwise(lane))


@given(batches_that_wait(st.floats(0, 100)), workers)
def test_no_schedule_with_predecessors_beats_its_bound(batch, m):
    """Nor does one take longer than all its work, as one worker never idles while calls are left."""
    seconds, waits = batch
    length = makespan(schedule(seconds, m, predecessors=waits))
    assert length >= lower_bound(seconds, m, predecessors=waits) * (1 - 1e-9)
    assert length <= math.fsum(seconds) * (1 + 1e-9)


@given(durations, workers)
def test_calls_that_wait_for_none_are_scheduled_as_without_predecessors(seconds, m):
    nobody = [frozenset()] * len(seconds)
    assert schedule(seconds, m, predecessors=nobody) == schedule(seconds, m)
    assert lower_bound(seconds, m, predecessors=nobody) == lower_bound(seconds, m)


def test_many_calls_that_wait():
    """Twenty thousand in a row, and a hundred thousand edges: each call is looked at once."""
    row = [set(range(max(0, call - 5), call)) for call in range(20_000)]
    assert makespan(schedule([1.0] * 20_000, 8, predecessors=row)) == 20_000
    assert longest_chain([1.0] * 20_000, row) == 20_000


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


def test_description_tells_a_failure_from_what_was_given_up():
    lost = [Span("a", "w", 0, 1, False), Span("b", "w", 1, 2, False, given_up=True)]
    assert describe_timeline(lost).endswith(
        "w: a from 0.00 to 1.00 s (failed); b from 1.00 to 2.00 s (given up)."
    )
    assert "14 bars, busy for 14.00 s, 7 failed, 7 given up" in describe_timeline(lost * 7)


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


def test_the_model_looks_like_no_tool():
    """Grey and plain in every chart, and no other label gets its colour."""
    assert tool_styles(["model", "search"])["model"] == FIXED_STYLES["model"]
    faces = [style.face for style in tool_styles([*map(str, range(4)), *FIXED_STYLES]).values()]
    assert len(set(faces)) == len(faces) == 8


def test_no_two_tools_look_alike():
    styles = tool_styles([*TOOLS, "search", "charge_card", "call 1", "call 2"])
    assert len(set(styles.values())) == 7
    assert len({style.hatch for style in styles.values()}) == 7


@pytest.mark.parametrize("label", [*FIXED_STYLES, "search", "call 1", "call 2", "call 3"])
def test_labels_are_legible(label):
    """Text on a bar has a contrast of at least 4.5 to 1, on its face and on its hatch."""
    style = tool_styles(["search", "call 1", "call 2", "call 3", *FIXED_STYLES])[label]
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


def test_a_call_that_was_given_up_says_that():
    figure = plot_timeline([Span("get_time", "w1", 0, 1, ok=False, given_up=True)])
    assert labels_on(figure) == ["✗ get_time given up"]


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


def test_nothing_is_cut():
    """The axis goes on where a bar ends after ``until``, and where the bound lies beyond it."""
    late = [Span("a", "w", 0, 2.5)]
    assert plot_timeline(late, until=1.6).axes[0].get_xlim() == (0, 2.5)
    assert plot_timeline(late, until=1.6, bound=3).axes[0].get_xlim() == (0, 3)
    assert plot_timeline(late, bound=3).axes[0].get_xlim() == pytest.approx((0, 3.12))


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_what_is_no_time_is_refused(wrong):
    with pytest.raises(ValueError, match="finite numbers of seconds, got Span"):
        plot_timeline([Span("a", "w", 0, wrong)])
    for name in ("until", "bound"):
        with pytest.raises(ValueError, match=f"{name}={wrong}"):
            plot_timeline([Span("a", "w", 0, 1)], **{name: wrong})


def test_every_text_can_be_drawn():
    """Dollars are money, a lone surrogate is a character that isn't there; ² is no number."""
    strange = "$4^{ or $3"
    figure = plot_timeline([Span(strange, strange, 0, 1)], title=strange)
    assert labels_on(figure) == [strange]
    assert figure.axes[0].get_title(loc="left") == strange
    for label in (strange, "\ud83d", "²"):
        output = plot_timeline([Span(label, label, 0, 1)] * 201, title=label)._repr_mimebundle_()
        assert output.data["image/png"].startswith(b"\x89PNG")
        output.data["text/html"].encode()


def test_draws_into_given_axes():
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    assert plot_timeline(schedule([0.1], 1), ax) is ax.figure


def test_twice_the_same_picture():
    """Two identical runs store the same bytes."""
    timeline = schedule([0.1, 0.1, 0.4], 2, labels=TOOLS)
    one, two = (plot_timeline(timeline)._repr_mimebundle_() for _ in range(2))
    assert one == two


class Page(HTMLParser):
    """What a page holds: the attributes of each image, and the text."""

    def __init__(self, html):
        super().__init__()
        self.images, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.images.append(dict(attrs))

    def handle_data(self, data):
        self.text += data


def test_shown_with_its_words(monkeypatch):
    """A notebook stores a picture that says in words what it shows, to each who may read it."""
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    timeline = schedule([0.1, 0.4], 2, labels=["<b>", 'say "time"'])
    assert show_timeline(timeline, title="Two") is None
    data, metadata = shown[0]._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert data["text/plain"] == "<Figure: timeline of 2 bars>"
    assert metadata["image/png"]["alt"] == describe_timeline(timeline)
    page = Page(data["text/html"])
    assert page.images[0]["alt"] == describe_timeline(timeline)
    assert page.images[0]["src"].startswith("data:image/png;base64,")
    assert page.text.endswith("The picture in words" + describe_timeline(timeline))


def test_any_chart_can_have_words():
    from matplotlib.figure import Figure

    figure = with_words(Figure(), "Two lines,\nwhich cross.", "<Figure: two lines>")
    data, _ = figure._repr_mimebundle_()
    assert Page(data["text/html"]).images[0]["alt"] == "Two lines, which cross."
    assert data["text/plain"] == "<Figure: two lines>"


def test_the_examples_in_the_docstrings_hold():
    modules = [importlib.import_module(f"ptc.timeline.{name}") for name in MODULES]
    tried = [doctest.testmod(module) for module in modules]
    assert sum(result.failed for result in tried) == 0
    assert sum(result.attempted for result in tried) >= 12
