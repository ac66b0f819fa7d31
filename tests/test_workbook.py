"""What a reader and a teacher run: the copies, a room's progress, the notebooks' own tests."""

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from ptc.workbook import build, start
from ptc.workbook.__main__ import main
from ptc.workbook.classroom import blank, overview


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.ipynb"))


# --- copies without outputs ------------------------------------------------------------------


def test_a_copy_has_all_notebooks_and_none_of_their_outputs(tmp_path, capsys):
    assert main(["copy", str(tmp_path / "class")]) == 0
    there = [path.relative_to(build.TOP / "notebooks").as_posix() for path in build.notebooks()]
    assert names(tmp_path / "class") == sorted(there)
    for path in (tmp_path / "class").rglob("*.ipynb"):
        cells = build.code_cells(nbformat.read(path, as_version=4))
        assert cells
        assert not any(cell.outputs or cell.execution_count for cell in cells)
    assert f"put them below a folder like {build.TOP}" in capsys.readouterr().out


def test_the_command_that_opens_a_copy_is_told_as_it_is_typed_here(tmp_path, monkeypatch, capsys):
    """With the interpreter that has the packages, which another `python` may lack."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(start, "TOP", tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv" / "bin" / "python"))
    main(["copy", "class"])
    python = Path(".venv", "bin", "python")
    said = f"open them with: {python} -m ptc.workbook open class/00_start_here.ipynb"
    assert said in capsys.readouterr().out


def test_the_progress_of_a_folder_that_is_not_there_is_refused(tmp_path, capsys):
    assert main(["progress", str(tmp_path / "rom")]) == 1
    assert "no folder" in capsys.readouterr().out


def test_a_copy_shows_the_pictures_of_its_texts(tmp_path):
    main(["copy", str(tmp_path / "class")])
    here, there = tmp_path / "class", build.TOP / "notebooks"
    assert {path.name for path in here.glob("*.png")} == {path.name for path in there.glob("*.png")}


def test_blank_keeps_source_text_and_tags():
    cell = new_code_cell("1", outputs=[new_output("stream", text="1")], execution_count=1, id="a")
    cell.metadata["tags"] = ["starter"]
    made = nbformat.reads(blank(build.text_of(new_notebook(cells=[cell]))), as_version=4).cells[0]
    assert (made.source, made.id, made.metadata.tags) == ("1", "a", ["starter"])
    assert (made.outputs, made.execution_count) == ([], None)


def test_a_second_copy_overwrites_nobodys_work(tmp_path, capsys):
    folder = tmp_path / "class"
    main(["copy", str(folder)])
    (folder / "00_start_here.ipynb").write_text("somebody's work")
    assert main(["copy", str(folder)]) == 1
    assert "reset" in capsys.readouterr().out
    assert (folder / "00_start_here.ipynb").read_text() == "somebody's work"


def test_reset_makes_the_copy_anew_and_keeps_what_was_there(tmp_path, capsys):
    folder = tmp_path / "class"
    main(["copy", str(folder)])
    for number in (1, 2):
        (folder / "00_start_here.ipynb").write_text(f"work {number}")
        assert main(["reset", str(folder)]) == 0
        assert (
            tmp_path / f"class-{number}" / "00_start_here.ipynb"
        ).read_text() == f"work {number}"
        assert str(tmp_path / f"class-{number}") in capsys.readouterr().out
    assert nbformat.read(folder / "00_start_here.ipynb", as_version=4).cells


# --- a room's progress -----------------------------------------------------------------------


def test_progress_says_who_has_not_done_what(tmp_path, capsys):
    (tmp_path / "anna.json").write_text(json.dumps(["00.1", "01.1"]))
    (tmp_path / "bo.json").write_text(json.dumps(["00.1", "01.2"]))
    (tmp_path / "chris.json").write_text('["00')  # being written
    assert main(["progress", str(tmp_path)]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == f"3 learners in {tmp_path}"
    said = {line[:4]: line for line in lines}
    assert "2 of 3" in said["00.1"]
    assert said["00.1"].endswith("not yet: chris")
    assert said["01.1"].endswith("not yet: bo, chris")
    assert "(stretch)" in said["01.2"]  # somebody has done it
    assert "01.3" not in said  # nobody has, and nobody must
    assert "0 of 3" in said["02.2"]
    assert "not yet" not in said["02.2"]  # the room isn't there yet


def test_a_long_list_of_names_is_cut(tmp_path):
    (tmp_path / "quick.json").write_text('["00.1"]')
    for number in range(9):
        (tmp_path / f"learner{number}.json").write_text("[]")
    assert "learner5 and 3 more" in overview(tmp_path)


def test_an_empty_folder_says_what_learners_do(tmp_path):
    assert "PTC_PROGRESS" in overview(tmp_path)


def test_what_the_notebooks_keep_is_what_progress_reads(tmp_path, monkeypatch, capsys):
    from ptc.exercises import check
    from ptc.exercises.notebook_00 import EXERCISES

    number, exercise = next(iter(EXERCISES.items()))
    monkeypatch.setenv("PTC_PROGRESS", str(tmp_path / "anna.json"))
    names: dict = {}
    exec(dedent(exercise.solution), names)
    check(number, next(value for name, value in reversed(names.items()) if callable(value)))
    assert f"{number}  1 of 1" in overview(tmp_path)


# --- opening it ------------------------------------------------------------------------------


def test_the_lab_opens_the_notebook_and_shows_the_folder_that_links_lead_to():
    options = start.options(Path("notebooks/00_start_here.ipynb"))
    assert f"--ServerApp.root_dir={build.TOP}" in options
    assert "--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb" in options


def test_root_is_told_so_and_goes_on(monkeypatch, capsys):
    from jupyterlab.labapp import LabApp

    given = []
    monkeypatch.setattr(start, "is_root", lambda: True)
    monkeypatch.setattr(LabApp, "launch_instance", given.extend)
    assert main([]) == 0
    assert "--allow-root" in given
    assert "ordinary user" in capsys.readouterr().out
    monkeypatch.setattr(start, "is_root", lambda: False)
    given.clear()
    assert main(["open", "--no-browser"]) == 0
    assert "--allow-root" not in given
    assert given[-1] == "--no-browser"


def test_a_notebook_that_is_not_there_is_named(capsys):
    assert main(["open", "notebooks/gone.ipynb"]) == 1
    assert "gone.ipynb" in capsys.readouterr().out


# --- notebooks under pytest ------------------------------------------------------------------

SET = 'x = "the same kernel"'
SHOW = "x"


@pytest.fixture
def tested(tmp_path):
    """Runs pytest on a notebook of these cells, as pyproject.toml has it run on ours."""

    def outcome(cells, *options, settings=""):
        nb = new_notebook(metadata=build.METADATA, cells=cells)
        nbformat.write(nb, tmp_path / "notebook.ipynb")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        plugins = ["-p", "ptc.workbook.testing", "--nbval", "--nbval-current-env"]
        (tmp_path / "pytest.ini").write_text(f"[pytest]\n{settings}")
        run = subprocess.run(
            [*command, *plugins, *options, "."], cwd=tmp_path, capture_output=True, text=True
        )
        return run.returncode, run.stdout

    return outcome


def run_cells():
    shown = new_output("execute_result", {"text/plain": "'the same kernel'"}, execution_count=2)
    return [
        new_code_cell(SET, execution_count=1),
        new_code_cell(SHOW, execution_count=2, outputs=[shown]),
    ]


MEET = """
import pathlib, time, pytest

@pytest.mark.parametrize("name", ["one", "other"])
def test_meets_the_other(name):
    pathlib.Path(name).touch()
    ends = time.monotonic() + 60
    while not all(map(pathlib.Path.exists, [pathlib.Path("one"), pathlib.Path("other")])):
        assert time.monotonic() < ends, "the other does not run"
        time.sleep(0.01)
"""
SHARE = """
import pathlib

begun = []

def test_comes_after_those_that_meet():
    assert pathlib.Path("other").exists()
    begun.append("here")

def test_shares_its_process_with_the_first():
    assert begun == ["here"]
"""


def test_under_xdist_a_file_stays_together_unless_it_is_scattered(tested, tmp_path):
    """The second cell needs the first one's kernel; two tests meet in two processes, and first."""
    (tmp_path / "test_meet.py").write_text(MEET)
    (tmp_path / "test_a_share.py").write_text(SHARE)
    settings = "scattered = test_meet.py\nbegun_first = test_meet.py\n"
    code, said = tested(run_cells(), "-n", "2", settings=settings)
    assert code == 0, said
    assert "6 passed" in said


DIES = """
import os, pathlib

def test_dies():
    with pathlib.Path("deaths").open("a") as deaths:
        deaths.write("once")
    os._exit(1)

def test_lives():
    pass
"""


def test_under_xdist_a_test_that_kills_its_process_fails_once(tested, tmp_path):
    """xdist alone begins it again in the next process, and that one dies too."""
    (tmp_path / "test_dies.py").write_text(DIES)
    code, said = tested(run_cells(), "-n", "1")
    assert code == 1
    assert "1 failed, 3 passed" in said
    assert (tmp_path / "deaths").read_text() == "once"


def test_a_notebook_without_outputs_fails(tested):
    """nbval alone would pass it: there is nothing to compare."""
    code, said = tested([new_code_cell(SET), new_code_cell(SHOW)])
    assert code == 1
    assert "2 errors" in said
    assert "without having been run" in said
