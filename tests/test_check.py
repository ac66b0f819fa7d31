"""Whether to go on after a batch, and what the model reads of its failures."""

import doctest
import pickle
import sys
import warnings
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptc import (
    PartialResultsWarning,
    ToolCall,
    ToolRegistry,
    ToolResult,
    aggregate_errors,
    check_parallel_completeness,
    execute_parallel,
    execute_with_retry,
)

SECRET = "sk-hunter2-0123456789"


def call(number, **fields):
    return ToolCall(f"c{number}", "tool", {"n": number}, **fields)


CALLS = [call(0), call(1), call(2)]


def good(call):
    return ToolResult(call, True, output="fine")


def bad(call, error="ValueError: no; do it differently"):
    return ToolResult(call, False, error=error)


def check(results, expected):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PartialResultsWarning)
        return check_parallel_completeness(results, expected)


# --- go on, or abort?

OUTCOMES = [  # results of the three calls, None for none: answered, status, go on
    ([good, good, good], True, "complete", True),
    ([good, bad, good], True, "partial", True),
    ([bad, bad, bad], True, "failed", False),
    ([good, None, good], False, "partial", False),
    ([good, None, bad], False, "partial", False),
    ([bad, None, bad], False, "failed", False),
    ([None, None, None], False, "failed", False),
]


@pytest.mark.parametrize("by_count", [True, False])
@pytest.mark.parametrize(("outcomes", "answered", "status", "go_on"), OUTCOMES)
def test_every_row_of_the_table(outcomes, answered, status, go_on, by_count):
    """Counted or compared with the calls, the decision is the same."""
    pairs = zip(outcomes, CALLS, strict=True)
    results = [outcome(call) for outcome, call in pairs if outcome]
    found = check(results, len(CALLS) if by_count else CALLS)
    assert (found.answered, found.status, bool(found)) == (answered, status, go_on)
    assert len(found.succeeded) == outcomes.count(good)
    assert len(found.failed) == outcomes.count(bad)
    assert len(found.missing) == outcomes.count(None)
    assert found.duplicated == found.unexpected == ()


@pytest.mark.parametrize("expected", [0, []])
def test_none_of_none_is_complete(expected):
    found = check([], expected)
    assert (found.answered, found.status, bool(found)) == (True, "complete", True)


@pytest.mark.parametrize("outcomes", [row[0] for row in OUTCOMES])
def test_a_warning_says_that_results_are_partial_and_nothing_else_warns(outcomes):
    """Only where all are answered, and some of the answers are errors; it is raised at the caller."""
    pairs = zip(outcomes, CALLS, strict=True)
    results = [outcome(call) for outcome, call in pairs if outcome]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_parallel_completeness(results, CALLS)
    if outcomes == [good, bad, good]:
        [warning] = caught
        assert warning.category is PartialResultsWarning and warning.filename == __file__
        assert str(warning.message).startswith("1 of 3 tool calls failed:\ntool (c1): ValueError")
    else:
        assert caught == []


def test_missing_names_the_calls_and_by_count_there_is_none_to_name():
    results = [good(CALLS[1])]
    assert check(results, CALLS).missing == (CALLS[0], CALLS[2])
    assert check(results, 3).missing == (None, None)


@pytest.mark.parametrize("expected", [3, CALLS])
def test_a_second_result_of_a_call_is_no_answer_to_another(expected):
    """Three results for three calls, and still one call has none."""
    first, again, other = good(CALLS[0]), bad(CALLS[0]), good(CALLS[2])
    found = check([first, other, again], expected)
    assert (found.answered, bool(found)) == (False, False)
    assert found.duplicated == (again,)
    assert found.succeeded == (first, other)
    assert len(found.missing) == 1


def test_more_results_than_calls_are_unexpected():
    """The provider would refuse them; by count it is the last ones."""
    stray = good(call(9))
    results = [stray, *map(good, CALLS)]
    assert check(results, CALLS).unexpected == (stray,)
    assert check(results, 3).unexpected == (results[-1],)
    assert not check(results, CALLS) and not check(results, 3)


@pytest.mark.parametrize("expected", [0, []])
def test_results_where_none_were_asked_for(expected):
    found = check([good(CALLS[0])], expected)
    assert (found.answered, found.status, len(found.unexpected)) == (False, "failed", 1)


def test_pairing_is_by_the_call_and_not_by_the_text_of_its_id():
    """Two calls of one id are two calls, and a stranger with a known id is a stranger."""
    twins = [ToolCall("same", "tool", {"n": 1}), ToolCall("same", "tool", {"n": 2})]
    assert check([good(twins[1]), good(twins[0])], twins)
    assert check([good(twins[1])], twins).missing == (twins[0],)
    stranger = replace(CALLS[0], arguments={"n": 99})
    found = check([good(stranger), *map(good, CALLS[1:])], CALLS)
    assert found.missing == (CALLS[0],) and found.unexpected == (good(stranger),)


def test_equal_calls_are_two_calls():
    """Both asked for the same, and each has to have its own result."""
    twins = [ToolCall("c", "tool"), ToolCall("c", "tool")]
    assert check([good(twins[0]), good(twins[1])], twins)
    found = check([good(twins[0]), good(twins[0])], twins)
    assert found.missing == (twins[1],) and len(found.duplicated) == 1


def test_a_call_that_is_listed_twice_has_two_results():
    assert check([good(CALLS[0]), good(CALLS[0])], [CALLS[0], CALLS[0]])


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("name", ["answer", "fail", "unknown"])
def test_one_call_that_was_given_three_times_has_three_results(name, n):
    """Whether one counts or compares; each ran for itself, or was refused for itself."""
    registry = ToolRegistry()
    registry.register(lambda: 1, name="answer")
    registry.register(lambda: 1 // 0, name="fail")
    same = ToolCall("c", name)
    results = execute_parallel([same] * n, registry)
    for expected in (n, [same] * n):
        found = check(results, expected)
        assert found.answered and bool(found) == (name == "answer")
    again = check([*results, results[0]], n)
    assert again.duplicated == (results[0],) and not again
    assert check(results[1:], n).missing == (None,)


def from_another_process(result):
    return pickle.loads(pickle.dumps(result))


def test_results_that_were_pickled_belong_to_their_calls():
    """There, a call is no longer the same object, and its value tells."""
    results = [from_another_process(good(call)) for call in CALLS]
    assert check(results[::-1], CALLS)
    assert check(results[:2], CALLS).missing == (CALLS[2],)
    assert check([results[0], *results[:2]], CALLS).duplicated == (results[0],)


def test_equal_calls_whose_results_were_pickled():
    """As many results as there are equal calls, no fewer and no more."""
    twins = [ToolCall("c", "tool"), ToolCall("c", "tool")]
    results = [from_another_process(good(call)) for call in twins]
    assert check(results, twins)
    assert check([good(twins[1]), results[0]], twins)
    assert check([results[0], good(twins[0])], twins)
    assert len(check(results[:1], twins).missing) == 1
    assert len(check([*results, results[0]], twins).duplicated) == 1


def test_copies_after_the_calls_own_results():
    """A result of the very call goes first, whatever the order; a copy takes what is left."""
    twins = [ToolCall("c", "tool"), ToolCall("c", "tool")]
    copy = from_another_process(good(twins[0]))
    found = check([copy, good(twins[0]), copy], twins)
    assert len(found.succeeded) == 2 and found.duplicated == (copy,)
    assert found.missing == ()


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=8), st.booleans())
def test_every_result_is_counted_once(picks, pickled):
    """Whatever comes back: no result is lost or counted twice, and each call is there or missing."""
    calls = [call(n) for n in range(4)]
    known = [*calls, call(9)]
    results = [(good if success else bad)(known[n]) for n, success in picks]
    if pickled:
        results = list(map(from_another_process, results))
    found = check(results, calls)
    kept = found.succeeded + found.failed
    sorted_out = [*kept, *found.duplicated, *found.unexpected]
    assert sorted(map(id, sorted_out)) == sorted(map(id, results))
    paired = [result.call for result in kept] + list(found.missing)
    assert sorted(each.id for each in paired) == [each.id for each in calls]
    assert found.answered == (sorted(n for n, _ in picks) == [0, 1, 2, 3])


# --- what the model reads


def test_nothing_failed_and_nothing_is_said():
    assert aggregate_errors([]) == aggregate_errors([good(CALLS[0])]) == ""


def test_one_line_a_failure_with_the_tool_the_error_and_the_way_out():
    results = [bad(CALLS[0]), good(CALLS[1]), bad(CALLS[2], "boom")]
    assert aggregate_errors(results).splitlines() == [
        "tool (c0): ValueError: no; do it differently",
        "tool (c2): boom; correct the call, or go on without it",
    ]


ODD_TEXT = "\ud800a\nb\r\nc\u2028d\x85e\x1df\tg\x0bh"


def test_a_line_is_one_line_whatever_is_in_it():
    """Newlines of an error, a name or an id would read as another failure."""
    odd = ToolResult(ToolCall(ODD_TEXT, ODD_TEXT), False, error=ODD_TEXT)
    lines = aggregate_errors([odd, bad(CALLS[1])]).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("\N{REPLACEMENT CHARACTER}a b c d e f g h (")
    assert "): \N{REPLACEMENT CHARACTER}a b c d e f g h; " in lines[0]


@given(
    name=st.text(),
    call_id=st.text(),
    error=st.none() | st.text() | st.sampled_from(["x; " * 400, "; " + "y" * 600]),
)
def test_a_line_has_500_characters_at_most(name, call_id, error):
    """And it is text that UTF-8 can carry."""
    line = aggregate_errors([ToolResult(ToolCall(call_id, name), False, error=error)])
    assert 0 < len(line) <= 500 and len(line.splitlines()) == 1
    line.encode()


@pytest.mark.parametrize("name", ["tool", "long" * 300])
def test_a_cut_line_keeps_its_way_out(name):
    """That is what the model needs most."""
    error = f"ValueError: {'long; ' * 300}; correct the arguments, or go on without it"
    line = aggregate_errors([bad(ToolCall("c", name), error)])
    assert len(line) == 500
    assert line.startswith(f"{name[:4]}")
    assert line.endswith("…; correct the arguments, or go on without it")


def test_a_tool_without_a_name_has_one_here():
    assert aggregate_errors([bad(ToolCall("c", ""))]).startswith("unnamed tool (c): ValueError")


@pytest.mark.parametrize("variable", ["MY_API_KEY", "my_token", "Secret_2", "DB_PASSWORD_FILE"])
def test_a_secret_shows_as_stars(monkeypatch, variable):
    """In the error, and in a name or an id that a model made up; also where a line is cut."""
    monkeypatch.setenv(variable, SECRET)
    told = f"ValueError: no access with {SECRET}, " + f"{SECRET} " * 50
    line = aggregate_errors([bad(ToolCall(SECRET, SECRET), told)])
    assert line.startswith("*** (***): ValueError: no access with ***, *** ***")
    assert SECRET[:4] not in line


def test_a_secret_of_several_lines_shows_as_stars(monkeypatch):
    """As a private key has; the line is made one only after that."""
    monkeypatch.setenv("PRIVATE_KEY", "first line\nsecond 'line'")
    for told in ("first line\nsecond 'line'", repr("first line\nsecond 'line'")):
        line = aggregate_errors([bad(CALLS[0], f"ValueError: {told}; do it")])
        assert "***" in line and "line" not in line


def test_no_traceback_reaches_the_model():
    """What a tool raised is told in a line; where in our files, or the tool's, is not its business."""
    registry = ToolRegistry()

    @registry.tool
    def tool(n: int):
        try:
            [][n]
        except IndexError as error:
            raise RuntimeError("no such place") from error

    result = execute_with_retry(CALLS[1], registry)
    for text in (aggregate_errors([result]), result.error, result.content):
        assert "RuntimeError: no such place" in text
        assert not any(word in text for word in ("Traceback", "File", ".py", "IndexError"))


def test_a_traceback_in_an_errors_text_is_left_out():
    """A tool may raise with one; its last line, type and message, is what the model needs."""
    traceback = (
        'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\nKeyError: 3'
    )
    line = aggregate_errors([bad(CALLS[0], f"RuntimeError: {traceback}")])
    assert "RuntimeError: KeyError: 3;" in line
    assert "Traceback" not in line and "a.py" not in line


@pytest.mark.parametrize("expected", [-1, 2.0, float("nan"), None])
def test_what_is_no_number_of_calls_raises(expected):
    with pytest.raises(ValueError, match=f"expected={expected} must be 0 or more, or the calls"):
        check_parallel_completeness([], expected)


def test_the_examples_are_right():
    """The modules by their names, since the package has functions of these names too."""
    tried = doctest.testmod(sys.modules["ptc.check"])
    assert tried.attempted and not tried.failed
