"""Exercise checks: right answers pass every time, each known mistake is told what is wrong.

Each answer is judged as often as the variable PTC_ROUNDS says. Without it 20 times, but where
that takes more than two seconds, fewer: three at least.
"""

import ast
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from importlib import import_module
from importlib.util import find_spec
from textwrap import dedent

import answer_mutants
import nbformat
import pytest
from common import PATIENCE

from ptc import exercises
from ptc.exercises import judging, record
from ptc.exercises.bounded import NeverEndsError, bounded
from ptc.workbook.build import notebooks

ROUNDS = int(os.environ.get("PTC_ROUNDS", 0))

MODULES = judging.MODULES
KNOWN = {
    number: exercise
    for module in MODULES.values()
    for number, exercise in import_module(f"ptc.exercises.{module}").EXERCISES.items()
}
WRONG = {
    number: answers
    for module in MODULES.values()
    for number, answers in import_module(f"wrong_answers.{module}").WRONG.items()
}
EQUIVALENT = {  # mutants of a solution that are right answers, and why
    number: answers
    for module in MODULES.values()
    for number, answers in getattr(
        import_module(f"wrong_answers.{module}"), "EQUIVALENT", {}
    ).items()
}
RIGHT = {
    number: answers
    for module in MODULES.values()
    if find_spec(f"right_answers.{module}")
    for number, answers in import_module(f"right_answers.{module}").RIGHT.items()
}


@pytest.fixture(autouse=True)
def progress_file(tmp_path, monkeypatch):
    monkeypatch.setenv("PTC_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.setattr(judging, "hints_shown", {})
    return tmp_path / "progress.json"


def rounds():
    """As many as are asked for; else up to 20, three at least, for two seconds."""
    began = time.monotonic()
    for number in range(ROUNDS or 20):
        if not ROUNDS and number >= 3 and time.monotonic() - began > 2:
            return
        yield number


def told(capsys, number, answer):
    exercises.check(number, answer)
    return capsys.readouterr().out


def solved(number):
    """What the solution's code leaves as its last name."""
    made: dict = {}
    exec(dedent(KNOWN[number].solution), made)
    return list(made.values())[-1]


@pytest.mark.parametrize("number", KNOWN)
def test_untouched_it_says_not_attempted(number, capsys, progress_file):
    assert "not attempted yet" in told(capsys, number, None)
    if callable(solved(number)):
        assert "not attempted yet" in told(capsys, number, lambda *args, **options: None)
    assert not progress_file.exists()


@pytest.mark.parametrize("number", KNOWN)
def test_the_solution_passes_every_time(number, capsys):
    answer = solved(number)
    for _ in rounds():
        said = told(capsys, number, answer)
        assert said.startswith(f"✓ {number}"), said
    assert KNOWN[number].notice in said


@pytest.mark.parametrize(
    ("number", "answer"),
    [(number, answer) for number, answers in RIGHT.items() for answer in answers],
)
def test_a_right_answer_in_another_style_passes_every_time(number, answer, capsys):
    for _ in rounds():
        said = told(capsys, number, answer)
        assert said.startswith(f"✓ {number}"), said


@pytest.mark.parametrize("number", RIGHT)
def test_each_exercise_has_right_answers_in_three_styles(number):
    assert len(RIGHT[number]) >= 3


def test_each_exercise_has_right_answers_and_its_mutants_are_judged():
    assert RIGHT.keys() == EQUIVALENT.keys() == KNOWN.keys()


@pytest.mark.parametrize("number", EQUIVALENT)
def test_the_judge_refuses_each_mutant_of_the_solution(number):
    """All but those that are right answers themselves; the judge itself fails on none."""
    verdicts = answer_mutants.verdicts(number, rounds=max(1, ROUNDS // 20))
    passed = {verdict.name for verdict in verdicts if verdict.passed}
    assert passed == set(EQUIVALENT[number])
    assert [verdict for verdict in verdicts if "checking it raised" in verdict.said] == []


@pytest.mark.parametrize(
    ("number", "answer", "words"),
    [(number, answer, words) for number, answers in WRONG.items() for answer, words in answers],
)
def test_a_wrong_answer_is_told_what_is_wrong(number, answer, words, capsys, progress_file):
    for _ in rounds():
        said = told(capsys, number, answer)
        assert said.startswith(f"✗ {number}") and words in said, said
    assert "hint(" in said and not progress_file.exists()


@pytest.mark.parametrize("number", KNOWN)
def test_at_least_three_mistakes_are_known_and_told_apart(number):
    assert len({words for _, words in WRONG[number]}) >= 3


@pytest.mark.parametrize("number", KNOWN)
def test_hints_come_one_at_a_time_and_the_solution_last(number, capsys):
    hints = KNOWN[number].hints
    for place, text in enumerate(hints, start=1):
        exercises.hint(number)
        said = capsys.readouterr().out
        assert said.startswith(f"Hint {place} of {len(hints)}: {text}")
        assert ("solution(" in said) == (place == len(hints))
    exercises.solution(number)
    assert capsys.readouterr().out.strip() != ""


def test_progress_is_kept_and_can_be_forgotten(capsys, progress_file):
    assert "1 of 1 exercises" in told(capsys, "00.1", max)
    assert json.loads(progress_file.read_text()) == ["00.1"]
    exercises.progress()
    assert "00: 1 of 1" in capsys.readouterr().out
    exercises.progress(forget=True)
    assert "00: 0 of 1" in capsys.readouterr().out
    assert not progress_file.exists()


JUNK = ["{", "[" * 100_000, "7", '{"a": 1}', "[[1]]", "[1]", '"00.1"', "caf\xe9"]


@pytest.mark.parametrize("junk", JUNK)
def test_a_file_that_holds_something_else_is_set_aside(junk, capsys, progress_file):
    progress_file.write_bytes(junk.encode("latin-1"))
    said = told(capsys, "00.1", max)
    assert "1 of 1 exercises" in said and "is now progress.json.1" in said
    assert json.loads(progress_file.read_text()) == ["00.1"]
    assert (progress_file.parent / "progress.json.1").read_bytes() == junk.encode("latin-1")


def test_forgetting_removes_no_other_file(capsys, progress_file):
    progress_file.write_text("my notes")
    exercises.progress(forget=True)
    assert "is now progress.json.1" in capsys.readouterr().out
    assert (progress_file.parent / "progress.json.1").read_text() == "my notes"


def test_an_empty_file_holds_nothing(capsys, progress_file):
    progress_file.touch()
    assert "1 of 1 exercises" in told(capsys, "00.1", max)
    assert [path.name for path in progress_file.parent.iterdir()] == ["progress.json"]


def test_numbers_of_another_version_are_kept(capsys, progress_file):
    progress_file.write_text('["99.1"]')
    told(capsys, "00.1", max)
    assert json.loads(progress_file.read_text()) == ["00.1", "99.1"]


def test_progress_that_cannot_be_kept_is_said(capsys, monkeypatch, tmp_path):
    for file in (tmp_path / "missing" / "file.json", tmp_path):
        monkeypatch.setenv("PTC_PROGRESS", str(file))
        said = told(capsys, "00.1", max)
        assert "✓ 00.1" in said and "progress is not kept" in said
        assert "1 of 1 exercises" in said


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with a name")
def test_what_is_no_ordinary_file_is_left_alone(capsys, progress_file):
    """A pipe is not read, which might take for ever; nothing takes the place of a device."""
    os.mkfifo(progress_file)
    assert "progress is not kept" in told(capsys, "00.1", max)
    exercises.progress(forget=True)
    assert "nothing is forgotten" in capsys.readouterr().out
    assert progress_file.is_fifo()


def python(code: str, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on a file's size there")
def test_a_full_disk_leaves_the_file_as_it_was(progress_file):
    progress_file.write_text('["99.1"]')
    code = """
        import resource
        from ptc.exercises import check
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        check("00.1", max)
    """
    said = python(dedent(code)).communicate()[0]
    assert "✓ 00.1" in said and "progress is not kept" in said
    assert progress_file.read_text() == '["99.1"]'
    assert [path.name for path in progress_file.parent.iterdir()] == ["progress.json"]


def test_three_programs_at_once_lose_nothing(progress_file):
    """Each adds forty numbers of its own; all are there, and nothing else is left behind."""
    code = """
        import sys
        from ptc.exercises import record
        sys.stdin.read()
        for number in range(40):
            record.add(f"{sys.argv[1]}.{number}")
    """
    command = [sys.executable, "-c", dedent(code)]
    programs = [
        subprocess.Popen([*command, str(n)], stdin=subprocess.PIPE, text=True) for n in range(3)
    ]
    for program in programs:
        assert program.stdin is not None
        program.stdin.close()
    assert [program.wait() for program in programs] == [0, 0, 0]
    expected = {f"{program}.{number}" for program in range(3) for number in range(40)}
    assert set(json.loads(progress_file.read_text())) == expected
    assert [path.name for path in progress_file.parent.iterdir()] == ["progress.json"]


def test_the_lock_of_a_program_that_died_is_taken_over(capsys, progress_file):
    lock = progress_file.with_name("progress.json.lock")
    lock.touch()
    os.utime(lock, (time.time() - 60, time.time() - 60))
    assert "1 of 1 exercises" in told(capsys, "00.1", max)
    assert not lock.exists() and record.done() == {"00.1"}


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("3.1", "this notebook has 03.1, 03.2, 03.3"),
        ("04.9", "this notebook has 04.1, 04.2, 04.3"),
        (3.1, "this notebook has 03.1"),
        ("77.1", "Notebooks: 00, 01, 02"),
        ("", "Notebooks: 00, 01, 02"),
        ("x", "write one as '00.1'"),
        (None, "write one as '00.1'"),
    ],
)
def test_an_unknown_exercise_names_the_known_ones(number, words, capsys):
    for ask in (exercises.hint, exercises.solution, lambda number: exercises.check(number, max)):
        ask(number)
        said = capsys.readouterr().out
        assert words in said and said.count("\n") == 1


# --- whatever the answer does ------------------------------------------------------------------


def test_a_forgotten_return_is_told_as_such(capsys):
    def forgets(delays):
        max(delays)

    said = told(capsys, "00.1", forgets)
    assert said.startswith("✗ 00.1") and "it gives None" in said and "return its answer" in said


def test_every_function_without_return_is_told_so(capsys):
    """Whatever the exercise: a function that does something and gives nothing back."""

    def forgets(*args):
        return print(end="")

    for number in KNOWN:
        if callable(solved(number)):
            said = told(capsys, number, forgets)
            assert said.startswith(f"✗ {number}"), said


def test_an_answer_that_never_ends_is_told_so(capsys, monkeypatch):
    monkeypatch.setattr(judging, "PATIENCE", 0.2)

    def loops(delays):
        while True:
            pass

    def waits(delays):
        threading.Event().wait()

    for answer in (loops, waits):
        said = told(capsys, "00.1", answer)
        assert said.startswith("✗ 00.1 ") and "hasn't ended after 0.2 s" in said
        assert "for [0.2, 0.7, 0.1, 0.4]" in said


def test_a_loop_that_was_given_up_is_stopped():
    """It takes no more of the processor."""
    ended = threading.Event()

    def loops():
        try:
            while True:
                pass
        finally:
            ended.set()

    assert isinstance(bounded(loops, 0.05), NeverEndsError)
    assert ended.wait(10)


AFTER_A_SLEEPER = """
import sys, threading
from ptc.exercises.bounded import bounded

bounded(threading.Event().wait, 0.05)
called = []
sys.setprofile(lambda *event: called.append(event))
(lambda: None)()
sys.setprofile(None)
print(len(called) > 0)
"""


def test_a_thread_left_asleep_leaves_a_profiler_alone():
    """With an exception that nobody has taken, Python 3.11 doesn't end the first call."""
    run = [sys.executable, "-c", AFTER_A_SLEEPER]
    done = subprocess.run(run, capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout == "True\n", done.stderr


@pytest.mark.parametrize("raised", [SystemExit(2), GeneratorExit(), RecursionError("deep")])
def test_whatever_an_answer_raises_is_told(raised, capsys):
    def answer(delays):
        raise raised

    said = told(capsys, "00.1", answer)
    assert said.startswith("✗ 00.1") and f"it raised {type(raised).__name__}" in said


def test_an_async_answer_is_told_so(capsys):
    async def together(delays):
        return max(delays)

    assert "write def, not async def" in told(capsys, "00.1", together)


def test_what_an_answer_prints_or_leaves_open_does_not_matter(capsys):
    left = []

    def together(delays):
        print("here")
        left.append(threading.Thread(target=done.wait, daemon=True))
        left[-1].start()
        return max(delays)

    done = threading.Event()
    assert "✓ 00.1" in told(capsys, "00.1", together)
    done.set()


def test_an_output_that_knows_few_characters(monkeypatch):
    """A Windows console, or a pipe with LANG=C."""
    for encoding in ("ascii", "cp1252", "utf-8"):
        out = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")
        monkeypatch.setattr(sys, "stdout", out)
        exercises.check("00.1", max)
        exercises.check("00.1", lambda delays: "\ud800…")
        exercises.check("00.1", None)
        exercises.hint("03.1")
        exercises.solution("00.1")
        exercises.progress()
        out.flush()
        said = out.buffer.getvalue().decode(encoding)
        right, wrong = ("✓", "✗") if encoding == "utf-8" else ("OK", "NO")
        assert f"{right} 00.1" in said and f"{wrong} 00.1" in said
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("value", "text"),
    [("a" * 20, "'aaaaaa…'"), ([1] * 20, "[1, 1, …]"), (7, "7"), (float("nan"), "nan")],
)
def test_a_cut_value_stays_closed(value, text):
    assert judging.shown(value, 9) == text


# --- the mutants themselves --------------------------------------------------------------------


def test_mutants_change_one_thing_each():
    source = """
        def first(items, wanted=1):
            found = []
            for item in items:
                if item == wanted and len(found) < 3:
                    found.append(item)
            return found
    """
    made = {mutant.name: mutant.source for mutant in answer_mutants.mutants(dedent(source))}
    assert len(set(made.values())) == len(made)
    for name in (
        "drop: return found",
        "double: found.append(item)",
        "compare: len(found) < 3 → len(found) <= 3",
        "one side: item == wanted and len(found) < 3 → item == wanted",
        "constant: 3 → 4",
        "ignore: wanted is always 2",
        "cache: first of all",
    ):
        assert name in made
    assert all(ast.parse(source) for source in made.values())


def test_a_mutant_that_ends_its_process_or_keeps_it_busy_counts_as_refused():
    """And those after it are judged all the same."""
    sources = ["import os; os._exit(1)", "together = min", "while True: pass", "together = max"]
    todo = [answer_mutants.Mutant(source, source) for source in sources]
    found = answer_mutants.verdicts("00.1", todo, silence=5.0)
    assert [verdict.passed for verdict in found] == [False, False, False, True]
    assert [verdict.name for verdict in found] == sources


def test_every_exercise_stands_unattempted_in_its_notebook():
    stored = {path: nbformat.read(path, as_version=4) for path in notebooks()}
    homes = {}
    for number in KNOWN:
        checks = [
            (path, cell)
            for path, nb in stored.items()
            for cell in nb.cells
            if f'check("{number}"' in cell.source
        ]
        assert len(checks) == 1, number
        ((path, cell),) = checks
        assert "not attempted yet" in cell.outputs[0].text
        assert homes.setdefault(number[:2], path) == path, f"{number} stands in {path.name}"
        assert path.parent.name == "further" or path.name.startswith(number[:2])


def test_every_check_in_a_notebook_is_an_exercise():
    sources = [c.source for p in notebooks() for c in nbformat.read(p, as_version=4).cells]
    asked = {number for text in sources for number in re.findall(r'\bcheck\("(.+?)"', text)}
    assert asked == KNOWN.keys()


def test_a_solution_has_the_name_that_its_notebook_checks():
    """So that it can be pasted where the learner's own answer was."""
    sources = [c.source for p in notebooks() for c in nbformat.read(p, as_version=4).cells]
    checked = dict(re.findall(r'(?m)^check\("(.+?)", (\w+)\)', "\n".join(sources)))
    assert checked.keys() == KNOWN.keys()
    for number, name in checked.items():
        made: dict = {}
        exec(dedent(KNOWN[number].solution), made)
        assert list(made)[-1] == name, number


def test_further_notebooks_keep_their_progress_with_the_others(capsys, monkeypatch, tmp_path):
    """One file for all: what is done there counts here."""
    further = tmp_path / "notebooks" / "further"
    further.mkdir(parents=True)
    monkeypatch.delenv("PTC_PROGRESS")
    monkeypatch.chdir(further)
    assert "✓ 00.1" in told(capsys, "00.1", max)
    monkeypatch.chdir(further.parent)
    exercises.progress()
    assert "00: 1 of 1" in capsys.readouterr().out
    assert (further.parent / ".ptc-progress.json").exists() and not list(further.iterdir())


def test_one_exercise_of_a_notebook_is_required():
    for notebook in MODULES:
        required = [n for n, ex in KNOWN.items() if n.startswith(notebook) and ex.required]
        assert len(required) == 1


def test_exercises_are_numbered_in_the_order_in_which_they_come():
    for path in notebooks():
        text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
        met = re.findall(r'\bcheck\("(\d\d\.\d)"', text)
        assert met == sorted(met), path.name
