"""The latency lab without a browser: what it predicts, how it runs, what it shows."""

import asyncio
import contextlib
import csv
import doctest
import html
import importlib
import io
import math
import re
import threading
from dataclasses import replace
from graphlib import TopologicalSorter
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import openai
import pytest
from hypothesis import given
from hypothesis import settings as example
from hypothesis import strategies as st
from ipywidgets.embed import embed_minimal_html
from openai.types.chat import ChatCompletion

import ptc.lab
from ptc.calls import Attempt, ToolCall, ToolResult
from ptc.lab import (
    CHALLENGES,
    HOLDS,
    KINDS,
    MEETINGS,
    NO_OVERHEADS,
    ORDERS,
    RELEASES,
    SCENARIOS,
    WAITS,
    LatencyLab,
    Overhead,
    Overheads,
    Settings,
    Stop,
    Stopped,
    arrows,
    axis_end,
    boxes,
    capacity,
    chart,
    headlines,
    lab_registry,
    measured_overheads,
    new_run,
    phases,
    predict,
    run_for_real,
)
from ptc.lab import background as background_module
from ptc.lab import conversation as conversation_module
from ptc.lab import prediction as prediction_module
from ptc.lab import real_run as run_module
from ptc.lab import settings as settings_module
from ptc.lab import tools as tools_module
from ptc.lab.page import setup, table
from ptc.lab.picture import picture, picture_in_words
from ptc.lab.simulation import Phase, Planned, simulate
from ptc.lab.still import still
from ptc.lab.svg import width_of
from ptc.lab.turn_bars import turn_bars
from ptc.provider import (
    MODEL,
    SMALL_MODELS,
    ScriptedProvider,
    SmallModels,
    city_script,
    tool_call,
)
from ptc.timeline import lower_bound, most_at_once, schedule
from ptc.wire import extract_parallel_calls

TOOLS = ["get_time", "get_date", "get_weather"]
MEET = Settings(cities=2, workers=6, meet="in order")
QUICK = Settings(workers=3, time=0.1, date=0.1, weather=0.1, model=0)

any_settings = st.builds(
    Settings,
    workers=st.integers(1, 16),
    time=st.floats(0, 2),
    date=st.floats(0, 2),
    weather=st.floats(0, 2),
    cities=st.integers(1, 6),
    order=st.sampled_from(ORDERS),
    kind=st.sampled_from(KINDS),
    failures=st.floats(0, 1),
    attempts=st.integers(1, 5),
    meet=st.sampled_from(MEETINGS),
)


OVERHEADS = Overheads(Overhead(0.002, 0.001), Overhead(0.003, 0.002))


@pytest.fixture(autouse=True, scope="module")
def no_overheads():
    """Predictions that can be made by hand: the machine's own overhead is none here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prediction_module, "measured_overheads", lambda: NO_OVERHEADS)
        yield


def results(*attempts, ok=True):
    """Results with known attempts: one call of each of the three tools in turn."""
    return [
        ToolResult(ToolCall(str(n), TOOLS[n % 3]), ok, attempts=(attempt,))
        for n, attempt in enumerate(attempts)
    ]


def known_run(settings=QUICK, slow=(0.0, 0.4, 0.8), fast=(0.0, 0.0, 0.0), each=0.4):
    one = results(*(Attempt(start, start + each, "worker-1") for start in slow))
    many = results(
        *(Attempt(start, start + each, f"worker-{n}") for n, start in enumerate(fast, 1))
    )
    return new_run(settings, one, many, ((0.5, 0.6, 0.7, 0.8), (0.5, 0.9)))


# --- the package


def test_its_modules_import_downward():
    """No circle, and what computes knows nothing of what draws and shows."""
    folder = Path(ptc.lab.__file__).parent
    beside = {
        path.stem: set(re.findall(r"^from \.(\w+) import", path.read_text("utf-8"), re.MULTILINE))
        for path in folder.glob("*.py")
    }
    order = list(TopologicalSorter(beside).static_order())
    assert order.index("real_run") < order.index("layout") < order.index("widget")
    assert all(len(path.read_text("utf-8").splitlines()) <= 350 for path in folder.glob("*.py"))


# --- settings


@pytest.mark.parametrize(
    "name, value",
    [
        *(("workers", 0), ("workers", 17), ("time", -1), ("model", math.nan), ("cities", 7)),
        *(("failures", 1.5), ("order", "random"), ("kind", "sleeps"), ("meet", "never")),
    ],
)
def test_wrong_setting_is_named(name, value):
    with pytest.raises(ValueError, match=f"{name}={value!r}"):
        Settings(**{name: value})


@pytest.mark.parametrize("cities", range(1, 7))
def test_the_scripted_model_asks_for_the_predicted_calls(cities):
    """What is predicted is what the model asks for: tool, city and order."""
    settings = Settings(cities=cities)
    with (
        ScriptedProvider() as provider,
        openai.OpenAI(base_url=provider.base_url, api_key="none") as client,
    ):
        reply = client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": settings.question}],
            tools=lab_registry(settings, Stop()).to_wire(),
        )
    asked = [(call.name, call.arguments["city"]) for call in extract_parallel_calls(reply)]
    assert asked == settings.calls


@given(st.floats(0, 1), st.integers(1, 5))
def test_failures_are_drawn_once(rate, attempts):
    """The same settings fail the same attempts; rate 0 none, and a higher rate no fewer."""
    settings = Settings(failures=rate, attempts=attempts)
    failed = settings.failed_attempts("get_time", "Paris")
    assert failed == settings.failed_attempts("get_time", "Paris") <= attempts
    assert replace(settings, failures=0).failed_attempts("get_time", "Paris") == 0
    assert replace(settings, failures=1).failed_attempts("get_time", "Paris") == attempts


def test_phases_of_a_flaky_call():
    """Failed attempts with a backoff between two, and the good one last, if there is one."""
    for failures in (0.2, 0.5, 0.8, 1.0):
        settings = Settings(time=0.3, failures=failures)
        parts = phases(settings, "get_time", "Cairo")
        failed = settings.failed_attempts("get_time", "Cairo")
        attempts = [part.ok for part in parts[::2]]
        assert attempts == ([False] * failed + [True])[:3]
        assert all(part == Phase(0.1, None) for part in parts[1::2])


# --- the prediction


def test_prediction_by_hand():
    """Three equal tools: 0.9 s or 0.3 s; with turns of 0.5 s, 4 of them or 2: 2.9 s or 1.3 s."""
    predicted = predict(Settings(workers=3))
    assert predicted.seconds == pytest.approx((0.9, 0.3))
    assert predicted.speedup == pytest.approx(3)
    assert predicted.end_to_end == pytest.approx((2.9, 1.3))
    assert predicted.end_to_end_speedup == pytest.approx(2.9 / 1.3)
    assert predicted.bound == pytest.approx(0.3)
    assert predicted.at_once == 3
    assert predicted.utilisation == pytest.approx(1)


def test_longest_first_by_hand():
    """0.1, 0.1 and 0.4 s on two workers: 0.5 s as asked, 0.4 s with the longest first."""
    asked = Settings(workers=2, time=0.1, date=0.1, weather=0.4)
    assert predict(asked).seconds[1] == pytest.approx(0.5)
    assert predict(replace(asked, order="longest first")).seconds[1] == pytest.approx(0.4)
    assert "longest first, it would be 0.40 s" in predict(asked).binds


def test_which_bound_binds():
    assert "slowest call binds: 0.80 s" in predict(SCENARIOS["one slow tool"]).binds
    assert "divided by 3 workers, is 1.20 s" in predict(SCENARIOS["more calls than workers"]).binds
    assert "don't divide evenly" in predict(Settings(workers=2)).binds
    assert "nothing to gain" in predict(SCENARIOS["tiny tools"]).binds


def test_calls_that_compute_share_the_cores(monkeypatch):
    """Threads gain nothing where one call computes at a time, and twice as much on two cores."""
    monkeypatch.setattr(settings_module.sys, "_is_gil_enabled", lambda: True, raising=False)
    monkeypatch.setattr(settings_module, "cores", lambda: 2)
    held = predict(Settings(workers=4, cities=2, kind=HOLDS))
    assert held.speedup == pytest.approx(1)
    assert "only 1 call computes" in held.binds
    free = predict(Settings(workers=4, cities=2, kind=RELEASES))
    assert free.speedup == pytest.approx(2)


def test_a_python_without_a_gil_is_noticed(monkeypatch):
    monkeypatch.setattr(settings_module.sys, "_is_gil_enabled", lambda: False, raising=False)
    monkeypatch.setattr(settings_module, "cores", lambda: 8)
    assert capacity(HOLDS) == capacity(RELEASES) == 8


@given(st.lists(st.floats(0.01, 2), max_size=18), st.integers(1, 16))
def test_simulate_agrees_with_list_scheduling(durations, workers):
    """Plain calls without a limit to the capacity: the same spans by another route."""
    calls = [Planned(f"call {n}", [Phase(s, True)]) for n, s in enumerate(durations, 1)]
    there = schedule(durations, workers)
    here = [bar for [bar] in simulate(calls, workers)]
    assert [span.label for span in here] == [span.label for span in there]
    for one, two in zip(here, there, strict=True):
        assert one[2:4] == pytest.approx(two[2:4], abs=1e-6)


def test_capacity_is_shared_evenly():
    """Two calls of 1 s that compute at once, one at a time's worth: both end after 2 s."""
    both = [Planned("a", [Phase(1, True)]), Planned("b", [Phase(1, True)])]
    assert [bar.end for [bar] in simulate(both, 2, capacity=1)] == pytest.approx([2, 2])


def test_a_backoff_keeps_the_worker_and_leaves_the_capacity():
    """a fails at 1 s and waits until 2 s; meanwhile b has all of the processor."""
    parts = [Phase(0.5, False), Phase(1, None), Phase(1, True)]
    calls = [Planned("a", parts), Planned("b", [Phase(1.5, True)])]
    timeline = simulate(calls, 2, capacity=1)
    assert [[(s.ok, round(s.start, 6), round(s.end, 6)) for s in bars] for bars in timeline] == [
        [(False, 0, 1), (True, 2, 3)],
        [(True, 0, 2)],
    ]


def test_overheads_by_hand():
    """Three tiny calls: 2 + 3 x 1 ms one after the other, 3 + 3 x 2 ms in parallel."""
    predicted = predict(Settings(time=0, date=0, weather=0), OVERHEADS)
    assert predicted.seconds == pytest.approx((0.005, 0.009))
    assert predicted.ideal.seconds == (0, 0)
    assert "≈ 3.0 ms a call" in predicted.binds


@pytest.mark.parametrize("kind", KINDS)
def test_overheads_add_to_the_work(kind, monkeypatch):
    """Six calls of 0.1 s: all overhead is paid one at a time, whatever the calls do."""
    monkeypatch.setattr(prediction_module, "capacity", {WAITS: 6, HOLDS: 1, RELEASES: 2}.get)
    settings = Settings(workers=6, time=0.1, date=0.1, weather=0.1, cities=2, kind=kind)
    slow, fast = predict(settings, OVERHEADS).seconds
    assert slow == pytest.approx(0.002 + 6 * 0.101)
    assert fast == pytest.approx(0.003 + 6 * 0.002 + {WAITS: 0.1, HOLDS: 0.6, RELEASES: 0.3}[kind])


def test_the_overhead_is_measured_once():
    """More than nothing and less than a tenth of a second a call; the second time it's known."""
    overheads = measured_overheads()
    assert overheads is measured_overheads()
    assert all(0 <= overhead.batch < 0.1 for overhead in overheads)
    assert all(0 < overhead.attempt < 0.1 for overhead in overheads)


@given(any_settings)
@example(max_examples=60)
def test_no_prediction_beats_its_bound(settings):
    """Nor is parallel ever predicted slower than one after the other."""
    predicted = predict(settings)
    slow, fast = predicted.seconds
    assert predicted.bound <= fast * (1 + 1e-6) + 1e-6
    assert fast <= slow * (1 + 1e-6) + 1e-6
    assert most_at_once(predicted.sequential) <= 1
    assert predicted.at_once <= settings.workers
    assert predicted.utilisation <= 1 + 1e-6


# --- the model's turns


def test_turns_are_really_asked():
    """Two cities: six turns with one call each and one for the answer, against two turns."""
    asked = []
    settings = Settings(time=0, date=0, weather=0, cities=2, model=0.02)
    run = run_for_real(settings, Stop(), lambda doing, done: asked.append(doing))
    one_each, all_in_one = run.turns
    assert (len(one_each), len(all_in_one)) == (7, 2)
    assert min(*one_each, *all_in_one) >= 0.02
    assert [line for line in asked if "one call a turn" in line][-1].endswith("turn 7 of 7")
    assert "7 turns, one call each: predicted 0.14 s, measured ≈" in str(run)


def test_one_call_a_turn_gives_the_model_the_same_results():
    """What the model reads turn by turn are the results of the batch, each under its call's id."""
    settings = Settings(time=0, date=0, weather=0, model=0)
    requests, plain = [], ScriptedProvider.reply

    def reply(provider, request):
        requests.append(request)
        return plain(provider, request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScriptedProvider, "reply", reply)
        run_for_real(settings, Stop(), lambda *news: None)
    together, one_by_one = requests[1]["messages"], requests[-1]["messages"]
    contents = [[m["content"] for m in ms if m["role"] == "tool"] for ms in (together, one_by_one)]
    assert contents[0] == contents[1] and len(contents[0]) == 3
    assert [len(m.get("tool_calls") or []) for m in one_by_one] == [0, 1, 0, 1, 0, 1, 0]


def test_end_to_end_numbers_are_those_of_the_turns():
    """1.2 + 0.5 + 0.6 + 0.7 + 0.8 = 3.8 s against 0.4 + 0.5 + 0.9 = 1.8 s."""
    run = known_run()
    assert run.end_to_end == pytest.approx((3.8, 1.8))
    assert "4 turns, one call each: 3.80 s measured" in turn_bars(run.predicted, run)
    assert "2 turns, all calls in one: 1.80 s measured" in turn_bars(run.predicted, run)
    assert "2 turns" not in turn_bars(run.predicted, hide=True)


def bars_in(svg):
    """(what, left, width) of each bar of a drawing, its legend left out."""
    found = re.findall(r'<rect x="([\d.]+)"[^>]* width="([\d.]+)"[^>]*url\(#ptc-([\w-]+)\)', svg)
    bars = [(name, float(left), float(width)) for left, width, name in found]
    return [bar for bar in bars if bar[2] != 24]


def test_bars_of_turns_are_as_long_as_what_they_show():
    """Each of four turns is 0.5 of 2.9 s, each call 0.3 s; the batch is 0.3 s as well."""
    bars = [
        (name, round(width / 896 * 2.9, 2))
        for name, _, width in bars_in(turn_bars(predict(Settings())))
    ]
    turn = ("model", 0.5)
    assert bars[:7] == [turn, *(bar for tool in TOOLS for bar in ((tool, 0.3), turn))]
    assert bars[7:] == [turn, *((tool, 0.3) for tool in TOOLS), turn]


def test_bars_of_turns_are_told_apart_without_colour():
    """Each kind has a hatch of its own, the model none; and they are told in words."""
    svg = turn_bars(predict(Settings()))
    patterns = re.findall(r'<pattern id="ptc-(\w+)"[^>]*>(.*?)</pattern>', svg)
    hatches = {name: re.sub("#[0-9A-F]{6}", "", drawn) for name, drawn in patterns}
    assert len(set(hatches.values())) == len(hatches) == 4
    assert "4 turns, one call each: 2.90 s predicted, of which 2.00 s is the model" in svg


# --- the picture


@pytest.mark.parametrize("seconds, end", [(0.9, 1.0), (0.16, 0.16), (3.6, 4), (36, 40), (1.0, 1)])
def test_the_axis_ends_at_a_round_number(seconds, end):
    assert axis_end(seconds) == pytest.approx(end)


@given(st.floats(0.001, 200))
def test_the_axis_holds_every_bar(seconds):
    assert seconds <= axis_end(seconds) * (1 + 1e-9)


def test_bars_are_where_the_attempts_say():
    """The axis runs from 84 to 900 pixels: 0.2 to 0.6 s of 1 s is 247.2 to 573.6."""
    one = results(Attempt(0.2, 0.6, "worker-1"))
    run = new_run(QUICK, one, one)
    sequential, parallel = (box for box in boxes(run.predicted, run, 1.0) if not box.pale)
    assert sequential[:2] == parallel[:2] == pytest.approx((247.2, 573.6))
    assert sequential.bottom < parallel.top  # one after the other stands above in parallel
    assert parallel.label == "get_time"


def test_measured_bars_stand_below_the_predicted_ones():
    run = known_run()
    for box in boxes(run.predicted, run, 2.0):
        lane = [b for b in boxes(run.predicted, run, 2.0) if abs(b.top - box.top) < 30]
        assert all(b.top < box.top for b in lane if b.pale and not box.pale)


def test_a_hidden_prediction_shows_no_parallel_bar():
    predicted = predict(Settings())
    assert len(boxes(predicted, None, 1.0)) == 6
    assert len(boxes(predicted, None, 1.0, hide=True)) == 3
    assert "?" in headlines(predicted, None, hide=True)[1]
    assert "3.00" not in table(predicted, hide=True) + picture_in_words(predicted, hide=True)


def test_bars_are_drawn_where_the_boxes_say():
    predicted = predict(Settings(cities=2, workers=3, failures=0.5))
    drawn = bars_in(picture(predicted))
    for box, (name, left, width) in zip(
        boxes(predicted, None, axis_end(predicted.seconds[0])), drawn, strict=True
    ):
        assert name == (box.label if box.ok else f"{box.label}-failed")
        assert (left, left + width) == pytest.approx((box.left, box.right), abs=0.2)


def test_every_bar_with_room_has_the_name_of_its_call():
    """With room, tool and city; with less, the tool; and a bar without room none."""
    wide = picture(predict(Settings(workers=3)))
    assert wide.count(">get_time Paris<") == 2
    narrow = picture(predict(Settings(workers=3, time=0.15, weather=2.0)))
    assert "get_time Paris" not in narrow and narrow.count(">time<") == 2
    tiny = picture(predict(Settings(workers=3, time=0.01, weather=2.0)))
    assert ">time<" not in tiny


@pytest.mark.parametrize("workers", range(1, 17))
def test_the_name_of_a_call_keeps_clear_of_both_ends_of_its_bar(workers):
    """Twelve short bars beside one long row: the names get smaller letters before they touch."""
    predicted = predict(Settings(workers=workers, cities=4), NO_OVERHEADS)
    svg = ElementTree.fromstring(picture(predicted))
    narrowest = min(box.right - box.left for box in boxes(predicted, None, axis_end(3.6)))
    names = [element for element in svg.iter() if element.text in ("time", "date", "weather")]
    assert {element.text for element in names} == {"time", "date", "weather"}
    for element in names:
        assert width_of(element.text, float(element.get("font-size"))) <= narrowest - 12


def test_a_picture_is_well_formed_and_says_what_it_shows():
    """Whatever is drawn is XML, and has the words for who can't see it."""
    run = known_run()
    for settings in SCENARIOS.values():
        for drawn in (
            picture(predict(settings)),
            turn_bars(predict(settings)),
            chart(settings, [run]),
        ):
            assert ElementTree.fromstring(drawn).get("role") == "img"
            assert len(ElementTree.fromstring(drawn).get("aria-label")) > 60
    svg = ElementTree.fromstring(picture(run.predicted, run))
    assert svg.get("aria-label") == picture_in_words(run.predicted, run)


def test_one_worker_is_one():
    predicted = predict(Settings(workers=1))
    for said in (
        table(predicted),
        picture(predicted),
        repr(LatencyLab(workers=1)),
        str(known_run()),
    ):
        assert "1 workers" not in said


def test_the_still_has_twice_the_pixels():
    from PIL import Image

    predicted = predict(Settings())
    for about in (
        (predicted, None, False),
        (predicted, None, True),
        (predicted, known_run(), False),
    ):
        assert Image.open(io.BytesIO(still(*about))).width == 1840


def test_a_batch_that_loses_stays_within_the_picture():
    """Where parallel takes longer than one after the other, the axis is long enough for it."""
    run = known_run(QUICK, slow=(0.0, 0.1, 0.2), fast=(0.0, 0.3, 0.6), each=0.1)
    losing = predict(Settings(time=0, date=0, weather=0), OVERHEADS)
    for predicted, measured in ((run.predicted, run), (losing, None)):
        assert all(left + width <= 901 for _, left, width in bars_in(picture(predicted, measured)))


# --- calls that meet


def test_calls_of_one_city_run_in_order():
    """Two cities of three calls each, 0.3 s: two chains of 0.9 s side by side."""
    predicted = predict(MEET)
    assert predicted.seconds == pytest.approx((1.8, 0.9))
    assert predicted.at_once == 2
    assert predicted.bounds == pytest.approx((0.3, 0.9, 0.3))
    assert "longest chain binds: 0.90 s" in predicted.binds
    assert predict(replace(MEET, meet="none")).bounds == pytest.approx((0.3, 0.3, 0.3))


def test_the_prediction_agrees_with_the_schedule():
    """The lab's own simulation against the timeline's, where both can say something."""
    for workers in range(1, 8):
        settings = replace(MEET, cities=4, workers=workers, date=0.2, weather=0.7)
        seconds = [settings.seconds(tool) for tool, _ in settings.calls]
        there = schedule(seconds, workers, predecessors=settings.predecessors)
        here = predict(settings).parallel
        assert [bar.start for bar in here] == pytest.approx([bar.start for bar in there], abs=1e-6)
        bound = lower_bound(seconds, workers, predecessors=settings.predecessors)
        assert predict(settings).bound == pytest.approx(bound)


@given(st.integers(1, 6), st.integers(1, 8), st.sampled_from(ORDERS), st.floats(0, 1))
def test_no_two_calls_of_a_city_overlap(cities, workers, order, failures):
    settings = Settings(
        cities=cities, workers=workers, order=order, meet="in order", failures=failures, weather=0.9
    )
    calls = predict(settings).together
    for one, two in pairwise(calls):
        assert one.city != two.city or one.bars[-1].end <= two.bars[0].start + 1e-9


def test_the_longest_chain_first():
    """One worker, and it takes the first call of a chain in turn, as the whole chain decides."""
    settings = replace(MEET, workers=1, order="longest first", weather=0.9)
    by_start = sorted(predict(settings).parallel, key=lambda bar: bar.start)
    assert [bar.label for bar in by_start] == [*TOOLS[:1] * 2, *TOOLS[1:2] * 2, *TOOLS[2:] * 2]


def test_the_picture_shows_who_waits_for_whom():
    """An arrow for each, from the end of one bar to the start of the next, and a sentence a city."""
    predicted = predict(MEET)
    found = arrows(predicted, 1.0, has_both=False)
    ends = [(84 + 816 * 0.3, 84 + 816 * 0.3), (84 + 816 * 0.6, 84 + 816 * 0.6)] * 2
    assert [(where.x, where.to_x) for where in found] == [pytest.approx(end) for end in ends]
    assert picture(predicted).count("marker-end") == 4
    assert picture(predict(replace(MEET, meet="none"))).count("marker-end") == 0
    words = picture_in_words(predicted)
    assert "In Paris, get_date waits for get_time until 0.30 s, and get_weather waits for" in words
    assert "In Tokyo, get_date waits" in words


def test_a_run_shows_who_waited_for_whom():
    run = known_run(replace(QUICK, meet="in order"), fast=(0.0, 0.4, 0.8))
    assert [wait.ended.end for wait in run.waits] == pytest.approx([0.4, 0.8])
    assert "get_weather waits for get_date until 0.80 s" in picture_in_words(run.predicted, run)


def test_the_chart_draws_runs_and_prediction():
    """Another picture with a run than without."""
    assert chart(QUICK, []) != chart(QUICK, [known_run()])


# --- the widgets


def test_a_slider_moves_picture_table_and_words():
    lab = LatencyLab(workers=3)
    before = lab.picture.value, lab.numbers.value, lab.words.value
    lab.controls["workers"].value = 2
    assert lab.settings == Settings(workers=2)
    assert all(new != old for new, old in zip(shown(lab), before, strict=True))
    assert "1.50 ×" in lab.numbers.value
    assert "0.60 s on 2 workers" in lab.words.value


def shown(lab):
    return lab.picture.value, lab.numbers.value, lab.words.value


def test_set_moves_all_controls_and_draws_once():
    lab, drawn = LatencyLab(), []
    lab.picture.observe(drawn.append, "value")
    lab.set(workers=1, cities=3, weather=1.0)
    assert lab.settings == Settings(workers=1, cities=3, weather=1.0)
    assert len(drawn) == 1


def test_a_scenario_sets_the_controls_and_leaves_when_they_move():
    lab = LatencyLab()
    lab.scenarios.value = "one slow tool"
    assert lab.settings == SCENARIOS["one slow tool"]
    lab.controls["workers"].value = 7
    assert lab.scenarios.value == "your own settings"
    with pytest.raises(ValueError, match="no scenario named 'slow'; known: "):
        lab.scenario("slow")


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_can_be_chosen(name):
    lab = LatencyLab()
    lab.scenario(name)
    assert lab.scenarios.value == name


def test_numbers_of_a_run_stand_beside_the_predicted():
    """0.9 s predicted and 1.2 s measured, one after the other: a third more."""
    run = known_run(Settings(workers=3))
    cells = table(run.predicted, run)
    assert "<td>0.90 s</td><td>1.20 s</td><td>+33.3 %</td>" in cells
    assert "<td>3.00 ×</td><td>3.00 ×</td><td>+0.0 %</td>" in cells


def test_the_lab_in_text():
    """What a notebook stores: numbers that can be compared, a still, and its text alternative."""
    lab = LatencyLab(workers=3)
    data, metadata = lab._repr_mimebundle_()
    assert data["text/plain"] == repr(lab) == lab.summary()
    assert "0.90 s one after the other, 0.30 s in parallel, 3.00 times as fast" in lab.summary()
    assert data["image/png"].startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"].startswith("One after the other: 0.90 s.")
    assert 'alt="One after the other: 0.90 s.' in data["text/html"]
    assert "Run its cell" in data["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in data


def test_its_state_can_be_stored_and_embedded(tmp_path):
    """What ipywidgets asks of every widget: its state, and a page that shows it."""
    lab = LatencyLab(workers=3)
    state = lab.get_state(drop_defaults=True)
    assert state["_dom_classes"] == ("ptc-lab",)
    embed_minimal_html(tmp_path / "lab.html", views=[lab], title="The lab")
    assert "ptc-lab" in (tmp_path / "lab.html").read_text("utf-8")


def test_its_style_and_its_script_are_files_of_the_package():
    assert ".ptc-lab" in setup() and "aria-label" in setup()
    assert "<script" not in setup()


# --- the real run


def test_a_real_run_is_parallel():
    """Three calls of 0.1 s run at once in parallel and one at a time in sequence."""
    lab = LatencyLab()
    lab.set(**{name: getattr(QUICK, name) for name in ("workers", "time", "date", "weather")})
    lab.set(model=0)
    run = lab.run()
    assert most_at_once(run.sequential) == 1
    assert run.at_once == 3
    assert [span.label for span in run.parallel] == TOOLS
    assert "The weather in Paris is" in run.answer
    assert lab.history == [run] and lab.measured is run
    assert "measured ≈" in str(run)
    assert "most calls at once: 1 one after the other, 3 in parallel" in str(run)


def test_more_calls_than_workers_wait():
    run = run_for_real(replace(QUICK, workers=2, cities=2), Stop(), lambda *news: None)
    assert run.at_once == 2
    assert len(run.parallel) == 6


def test_calls_that_meet_wait_in_the_real_run_as_predicted():
    """Two cities on six workers: within each its calls in request order, one at a time."""
    settings = replace(MEET, time=0.05, date=0.02, weather=0.03, model=0)
    run = run_for_real(settings, Stop(), lambda *news: None)
    assert run.at_once <= 2
    for one, two in pairwise(run.together):
        assert one.city != two.city or one.bars[-1].end <= two.bars[0].start
    assert [(wait.ended.label, wait.started.label) for wait in run.waits] == [
        ("get_time", "get_date"),
        ("get_date", "get_weather"),
    ] * 2
    assert run.seconds[1] >= run.predicted.bounds.chain


def test_calls_that_do_not_meet_wait_for_none():
    run = run_for_real(replace(MEET, meet="none", model=0), Stop(), lambda *news: None)
    assert run.waits == [] and run.at_once == 6


def test_the_longest_chain_starts_first_in_the_real_run_too():
    settings = replace(MEET, workers=1, order="longest first", time=0.01, date=0.01, weather=0.03)
    run = run_for_real(replace(settings, model=0), Stop(), lambda *news: None)
    bars = sorted(run.parallel, key=lambda bar: bar.start)
    expected = sorted(run.predicted.parallel, key=lambda bar: bar.start)
    assert [bar.label for bar in bars] == [bar.label for bar in expected]


def test_failed_attempts_are_those_predicted():
    """The run's attempts fail where the draw says so, in both batches."""
    settings = Settings(
        workers=9, time=0, date=0, weather=0, cities=3, failures=0.5, attempts=2, model=0
    )
    run = run_for_real(settings, Stop(), lambda *news: None)
    expected = sorted((span.label, span.ok) for span in run.predicted.parallel)
    assert sorted((span.label, span.ok) for span in run.parallel) == expected
    assert sorted((span.label, span.ok) for span in run.sequential) == expected
    assert not all(ok for _, ok in expected)


def test_longest_first_starts_the_longest_first():
    settings = Settings(
        workers=1, time=0.01, date=0.02, weather=0.05, order="longest first", model=0
    )
    run = run_for_real(settings, Stop(), lambda *news: None)
    by_start = sorted(run.parallel, key=lambda span: span.start)
    assert [span.label for span in by_start] == TOOLS[::-1]


@pytest.mark.parametrize("kind", [HOLDS, RELEASES])
def test_tools_that_compute_use_the_processor(kind):
    """Each attempt takes its time of the processor, so it can't take less on the clock."""
    settings = replace(QUICK, time=0.02, date=0.02, weather=0.02, kind=kind)
    run = run_for_real(settings, Stop(), lambda *news: None)
    assert all(span.end - span.start >= 0.02 for span in [*run.sequential, *run.parallel])


def test_everything_measured_comes_from_the_attempts(monkeypatch):
    """With results of made-up attempts, all bars and numbers are made up: no clock is read."""
    one = results(*(Attempt(100 * n, 100 * n + 100, "worker-1") for n in range(3)))
    many = results(*(Attempt(0, 100 * n, f"worker-{n}") for n in (1, 2, 3)))
    monkeypatch.setattr(run_module, "execute_sequential", lambda calls, *_, **__: one)
    monkeypatch.setattr(run_module, "execute_parallel", lambda calls, *_, **__: many)
    monkeypatch.setattr(conversation_module.Model, "ask", made_up_answers)
    lab = LatencyLab(workers=3)
    run = lab.run()
    assert run.seconds == (300, 300)
    ends = [box.right for box in boxes(run.predicted, run, 300) if not box.pale]
    assert ends == pytest.approx([356, 628, 900, 356, 628, 900])
    assert "300.00 s" in lab.numbers.value
    assert "300.00 s measured on 3 workers" in lab.words.value
    assert lab.picture.value == picture(run.predicted, run)


def made_up_answers(model, messages, **options):
    message = {"role": "assistant", "content": "made up"}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    told = {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
    return ChatCompletion.model_validate(told), 0.0


class Held:
    """Stands in for the real run: starts when told, ends when released or stopped."""

    def __init__(self, run=None):
        self.started, self.release, self.calls = threading.Event(), threading.Event(), 0
        self.run = run or known_run()

    def __call__(self, settings, stop, tell):
        self.calls += 1
        self.started.set()
        tell("one after the other", 1)
        self.release.wait(10)
        stop.check()
        return self.run


@pytest.fixture
def held(monkeypatch):
    held = Held()
    monkeypatch.setattr(background_module, "run_for_real", held)
    yield held
    held.release.set()


def test_two_clicks_start_one_run(held):
    lab = LatencyLab()
    lab.run_button.click()
    lab.run_button.click()
    assert held.started.wait(10)
    assert lab.run_button.description == "It runs …"
    with pytest.raises(RuntimeError, match="under way"):
        lab.run()
    held.release.set()
    lab.wait()
    assert held.calls == 1
    assert len(lab.history) == 1
    assert lab.run_button.description == "Run it for real"


def test_sliders_move_while_it_runs(held):
    """The picture follows at once, and the run's bars belong to the settings it began with."""
    lab = LatencyLab(**{name: getattr(QUICK, name) for name in Settings.__dataclass_fields__})
    lab.run(wait=False)
    before = lab.picture.value
    lab.controls["workers"].value = 5
    assert lab.picture.value != before
    held.release.set()
    run = lab.wait()
    assert lab.measured is None and lab.history == [run]
    lab.controls["workers"].value = 3
    assert lab.measured is run


def test_the_kernel_s_loop_shows_what_the_thread_tells(held):
    """A click in a running loop: the loop stays free, and only its thread touches widgets."""

    async def click():
        lab = LatencyLab()
        threads = set()
        for widget in (lab.picture, lab.status, lab.run_button):
            widget.observe(lambda change: threads.add(threading.current_thread()))
        lab.run_button.click()
        while "1 of 6 calls done" not in lab.status.value:
            await asyncio.sleep(0.001)
        held.release.set()
        while lab.running:
            await asyncio.sleep(0.001)
        assert threads == {threading.current_thread()}
        assert len(lab.history) == 1

    asyncio.run(asyncio.wait_for(click(), 20))


def test_no_button_is_ever_disabled(held):
    """One that is loses the focus of who pressed it."""
    lab = LatencyLab()
    lab.stop_button.click()
    assert "No run is under way" in lab.status.value
    lab.run_button.click()
    held.release.set()
    lab.wait()
    buttons = lab.run_button, lab.stop_button, lab.clear_button, lab.compare_button
    assert not any(button.disabled for button in buttons)


def test_stop_starts_no_further_call(monkeypatch):
    """18 calls of 2 s on 2 workers: stopped in the first, no second one starts."""
    begun, under_way = [], threading.Event()

    def spend(seconds, stop):
        begun.append(seconds)
        under_way.set()
        stop.wait(20)

    monkeypatch.setitem(tools_module._SPEND, "waits", spend)
    lab = LatencyLab(workers=2, cities=6, model=0)
    lab.run(wait=False)
    assert under_way.wait(20)
    lab.stop_button.click()
    assert lab.wait() is None
    assert begun == [0.3]
    assert lab.history == [] and not lab.running
    assert "Stopped" in lab.status.value
    monkeypatch.undo()
    lab.set(time=0, date=0, weather=0, cities=1)
    assert lab.run() is not None


def test_stop_hangs_up_on_the_model():
    """A model that takes its time doesn't keep the reader waiting."""
    asked = threading.Event()
    stop = Stop()
    threading.Thread(target=lambda: (asked.wait(10), stop.set())).start()
    provider_latency = Settings(model=2.0)

    def tell(doing, done):
        if doing.startswith("asking"):
            asked.set()
        assert "after the other" not in doing

    with pytest.raises(Stopped):
        run_for_real(provider_latency, stop, tell)


def test_a_failed_run_says_so_and_the_next_one_works(monkeypatch):
    def broken(*_):
        raise OSError("no loopback")

    lab = LatencyLab(time=0, date=0, weather=0, model=0)
    monkeypatch.setattr(background_module, "run_for_real", broken)
    with pytest.raises(RuntimeError, match="no loopback"):
        lab.run()
    assert "no loopback" in lab.status.value
    monkeypatch.undo()
    assert lab.run() is lab.measured


# --- a real model, which may do anything


def everything_at_once(request):
    return city_script({**request, "parallel_tool_calls": True})


def one_at_a_time(request):
    return city_script({**request, "parallel_tool_calls": False})


def asks_again(request):
    """Once more for the same, before it answers."""
    answered = sum(message["role"] == "assistant" for message in request["messages"])
    asked = everything_at_once({**request, "messages": request["messages"][:1]})
    return asked if answered < 2 else {"content": "At last.", "tool_calls": None}


def calls_more(request):
    message = everything_at_once(request)
    if message.get("tool_calls"):
        message["tool_calls"] += [
            tool_call("get_weather", {"city": "Rome"}),
            tool_call("book_hotel", '{"city": "Par'),
        ]
    return message


def never_answers(request):
    return {
        "content": None,
        "tool_calls": [tool_call("get_time", {"city": "Paris"})],
    }


ODD_MODELS = [
    (lambda request: {"content": "I know no cities."}, "answered in words and called nothing"),
    (lambda request: {"content": None}, "answered in words and called nothing"),
    (everything_at_once, "Told to ask for one call a turn, it asked for up to 3."),
    (one_at_a_time, "asked first for 1 call (get_time Paris), so the bars are those of the"),
    (asks_again, "It asked again: 3 turns instead of 2."),
    (
        calls_more,
        "asked first for 5 calls (get_time Paris, get_date Paris, get_weather Paris, get_w",
    ),
    (never_answers, "had still not answered in words"),
]


@pytest.fixture
def real(monkeypatch):
    """Sets the environment as for a real model, which does what the script says, on a real wire."""
    with contextlib.ExitStack() as stack:

        def start(script, **options):
            provider = stack.enter_context(ScriptedProvider(script, **options))
            monkeypatch.setenv("PTC_MODEL", "qwen2.5")
            monkeypatch.setenv("OPENAI_BASE_URL", provider.base_url)
            return provider

        yield start


@pytest.mark.parametrize("script, told", ODD_MODELS)
@pytest.mark.filterwarnings("ignore::UserWarning:ptc")
def test_whatever_a_real_model_does_is_borne_and_said(real, script, told):
    """The bars are those of the question, the turns are its own, and the page says what it did."""
    provider = real(script)
    lab = LatencyLab(time=0, date=0, weather=0, model=0)
    run = lab.run()
    assert provider.requests[0]["model"] == "qwen2.5"
    assert [call.tool for call in run.together] == [call.tool for call in run.one_by_one] == TOOLS
    assert told in " ".join(run.remarks)
    assert html.escape(told) in lab.status.value
    assert len(run.turns[0]) + len(run.turns[1]) == len(provider.requests)
    assert len(run.turns[0]) <= 4 + 8 and len(run.turns[1]) <= 2 + 8  # then it is not asked again
    assert lab.turn_bars.value and lab.numbers.value and repr(lab)


def test_a_real_model_that_does_as_expected_needs_no_remark(real):
    """Nor does its lab say that the scripted one answers."""
    provider = real(city_script)
    run = (lab := LatencyLab(time=0, date=0, weather=0, model=0)).run()
    assert run.remarks == () and "The weather in Paris is" in run.answer
    assert "qwen2.5 takes the model" in lab.model.value
    assert len(provider.requests) == 6
    assert "scripted" not in lab.model.value


@pytest.mark.parametrize("name", SMALL_MODELS)
@pytest.mark.filterwarnings("ignore::UserWarning:ptc")
def test_every_small_model_as_it_was_seen_to_behave_is_borne(name, monkeypatch):
    """Its turns are measured whatever it says, and the bars are those of the question."""
    with SmallModels(slow=0.1) as provider:
        for variable, value in provider.environment(name).items():
            monkeypatch.setenv(variable, value)
        run = LatencyLab(time=0, date=0, weather=0, model=0).run()
    assert [call.tool for call in run.together] == [call.tool for call in run.one_by_one] == TOOLS
    assert len(run.turns[0]) + len(run.turns[1]) == len(provider.requests)


def test_a_slow_real_model_is_waited_for_and_can_be_stopped(real):
    """Ten times what the slider says: its turns are as long as they are; Stop doesn't wait."""
    real(city_script, latency=0.2)
    lab = LatencyLab(time=0, date=0, weather=0, model=0.02)
    assert min(min(turns) for turns in lab.run().turns) >= 0.2
    real(city_script, latency=60.0)
    lab.run(wait=False)
    lab.stop()
    assert lab.wait() is None and "Stopped" in lab.status.value


def test_a_real_model_that_is_not_there_ends_in_a_sentence(real, monkeypatch):
    real(city_script)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(RuntimeError, match=r"no server answers at http://127\.0\.0\.1:9/v1"):
        LatencyLab().run()


# --- guess, history, challenges


@pytest.mark.parametrize(
    "text, guess", [("2.5", 2.5), ("2,5", 2.5), ("", None), ("fast", None), ("nan", None)]
)
def test_a_guess_is_kept_with_its_run(held, text, guess):
    held.release.set()
    lab = LatencyLab()
    lab.guess.value = text
    assert lab.run().guess == guess
    assert ("You guessed 2.5 times" in lab.status.value) is (guess is not None)


def test_the_prediction_is_hidden_until_the_run():
    lab = LatencyLab(time=0.01, date=0.01, weather=0.01, model=0)
    lab.hide.value = True
    assert "how long on 4 workers?" in lab.words.value
    run = lab.run()
    assert f"{run.predicted.seconds[1]:.2f} s" in lab.numbers.value
    assert "?" not in lab.words.value


def test_history_as_csv(held):
    held.release.set()
    lab = LatencyLab()
    lab.run()
    [line] = csv.DictReader(io.StringIO(lab.to_csv()))
    assert line["workers"] == "3" and line["order"] == "as asked"
    assert line["predicted_sequential_s"] == "0.3000"
    assert line["measured_parallel_s"] == "0.4000"
    assert "1 run" in lab.links.value
    lab.clear_button.click()
    assert lab.history == [] and "0 runs" in lab.links.value


NINE = Settings(workers=3, cities=3)
PASSED = [
    (0, known_run(replace(NINE, workers=9))),
    (1, known_run(Settings(workers=2), fast=(0.0, 0.4, 0.75))),
    (2, known_run(Settings(workers=2), fast=(0.0, 0.5, 1.0))),
    (3, known_run(NINE)),
]
NOT_PASSED = [
    (0, known_run(replace(NINE, workers=8))),
    (0, known_run(replace(NINE, workers=10))),
    (0, known_run(replace(NINE, workers=9, cities=2))),
    (0, known_run(replace(NINE, workers=9, date=0.2))),
    (1, known_run(replace(NINE, workers=1), fast=(0.0, 0.4, 0.8))),
    (1, known_run(NINE)),
    (2, known_run(NINE)),
    (2, known_run(Settings(workers=2), fast=(0.0, 0.4, 0.85))),
    (3, known_run(replace(NINE, workers=5))),
    (3, known_run(replace(NINE, workers=3), fast=(0.0, 0.4, 0.8))),
    (3, known_run(replace(NINE, cities=1))),
]


@pytest.mark.parametrize("number, run", PASSED)
def test_a_challenge_is_solved(held, number, run):
    held.run = run
    held.release.set()
    lab = LatencyLab()
    lab.run()
    assert number in lab.solved
    assert lab.tasks.value.count("✓ Solved") == len(lab.solved)


@pytest.mark.parametrize("number, run", NOT_PASSED)
def test_a_challenge_stays_open(number, run):
    assert not CHALLENGES[number].solved_by(run)


def test_a_message_about_other_settings_goes(held):
    held.release.set()
    lab = LatencyLab(**{name: getattr(QUICK, name) for name in Settings.__dataclass_fields__})
    lab.run()
    assert "Measured: 3.00" in lab.status.value
    lab.controls["workers"].value = 5
    assert "Not measured yet" in lab.status.value


def test_before_a_run_the_status_says_what_to_do():
    """No empty band stands above the picture, and nothing moves down when a run begins."""
    assert "guess the speedup, then run it" in LatencyLab().status.value


def test_a_conclusion_is_compared_with_ours():
    lab = LatencyLab()
    lab.compare_button.click()
    assert "Write yours first" in lab.model_answer.value
    lab.conclusion.value = "More workers, until the slowest call."
    lab.compare_button.click()
    assert "slowest call" in lab.model_answer.value


def test_the_examples_in_the_docstrings_hold():
    """Examples in doctest's form are run; the others show how a function is called."""
    folder = Path(ptc.lab.__file__).parent
    names = [path.stem for path in folder.glob("*.py") if path.stem != "__init__"]
    tried = [doctest.testmod(importlib.import_module(f"ptc.lab.{name}")) for name in names]
    assert sum(result.failed for result in tried) == 0
    assert sum(result.attempted for result in tried) >= 10
