"""Exercise checks: right answers pass every time, each known mistake is told what is wrong."""

import json
import re
from importlib import import_module
from textwrap import dedent

import nbformat
import pytest

from ptc import exercises
from ptc.exercises import judging
from ptc.workbook.build import notebooks

MODULES = judging._MODULES
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


@pytest.fixture(autouse=True)
def progress_file(tmp_path, monkeypatch):
    monkeypatch.setenv("PTC_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.setattr(judging, "_hints_shown", {})
    return tmp_path / "progress.json"


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
    for _ in range(200):
        said = told(capsys, number, answer)
        assert said.startswith(f"✓ {number}"), said
    assert KNOWN[number].notice in said


@pytest.mark.parametrize(
    ("number", "answer", "words"),
    [(number, answer, words) for number, answers in WRONG.items() for answer, words in answers],
)
def test_a_wrong_answer_is_told_what_is_wrong(number, answer, words, capsys, progress_file):
    for _ in range(20):
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


@pytest.mark.parametrize("junk", ["", "{", "7", '{"a": 1}', "[[1]]"])
def test_a_broken_progress_file_counts_as_none(junk, capsys, progress_file):
    progress_file.write_text(junk)
    assert "1 of 1 exercises" in told(capsys, "00.1", max)


def test_progress_that_cannot_be_kept_is_said(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PTC_PROGRESS", str(tmp_path / "missing" / "file.json"))
    said = told(capsys, "00.1", max)
    assert "✓ 00.1" in said and "progress is not kept" in said


@pytest.mark.parametrize("number", ["04.9", "77.1", "", "x"])
def test_an_unknown_exercise_names_the_known_ones(number):
    with pytest.raises(KeyError, match="known"):
        exercises.check(number, None)


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


def test_the_first_exercise_of_a_notebook_is_the_required_one():
    for notebook in MODULES:
        required = [n for n, ex in KNOWN.items() if n.startswith(notebook) and ex.required]
        assert required == [f"{notebook}.1"]
