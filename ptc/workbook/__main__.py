"""Opens the workbook; makes and resets a copy without outputs; shows how far a room has come.

python -m ptc.workbook                      opens notebook 00 in JupyterLab
python -m ptc.workbook open NOTEBOOK …      another one; what follows is JupyterLab's
python -m ptc.workbook copy                 my-notebooks/: all notebooks, without their outputs
python -m ptc.workbook reset                the same again; what was there is kept beside it
python -m ptc.workbook progress FOLDER      who has done what, from a folder of progress files
"""

import argparse
import os
import sys
from pathlib import Path

from ..exercises.saying import say

try:
    from .build import TOP, notebooks
    from .classroom import copy, overview, reset
    from .start import inside, start
except ModuleNotFoundError as error:
    sys.exit(
        f"{error.name} is not installed: in the folder that README.md is in, run its first command"
    )

_FIRST = "notebooks/00_start_here.ipynb"
_COPY = "my-notebooks"


def main(arguments: list[str]) -> int:
    """Do what the command line says; the process's exit code."""
    if not notebooks():
        print(f"no notebooks in {TOP}: this package was installed without them; take the whole")
        print("folder that README.md is in, and run its first command there")
        return 1
    options, others = _parser().parse_known_args(arguments or ["open"])
    if options.command == "open":
        return start(options.notebook, others)
    if others:
        _parser().error(f"unrecognized arguments: {' '.join(others)}")
    if options.command == "progress":
        return _show_progress(options.folder)
    return _make(options.folder, again=options.command == "reset")


def _show_progress(folder: Path) -> int:
    if not folder.is_dir():
        print(f"no folder {folder}")
        return 1
    say(overview(folder))
    return 0


def _make(folder: Path, again: bool) -> int:
    """Make the copy, anew where it is wanted ``again``, and say where everything is."""
    if folder.exists() and not again:
        print(f"{folder} is there already: use it, or `reset`, which makes it anew")
        return 1
    kept = reset(folder) if again else copy(folder)
    print(f"{len(notebooks())} notebooks without outputs are in {folder}")
    if kept is not None:
        print(f"what was there is in {kept}")
    first = folder / Path(_FIRST).name
    if inside(first) is None:
        print(f"to open them, put them below a folder like {TOP}, with its own .venv")
    else:
        print(f"open them with: {_this_python()} -m ptc.workbook open {first.as_posix()}")
    return 0


def _this_python() -> str:
    """The interpreter as one would type it here: another `python` may lack the packages."""
    try:
        near = os.path.relpath(sys.executable)
    except ValueError:  # on another drive of Windows
        return sys.executable
    return sys.executable if near.startswith("..") else near


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ptc.workbook", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    opened = commands.add_parser("open", help="open a notebook in JupyterLab")
    opened.add_argument("notebook", nargs="?", default=_FIRST)
    for name, text in {"copy": "make a copy without outputs", "reset": "make it anew"}.items():
        command = commands.add_parser(name, help=text)
        command.add_argument("folder", nargs="?", type=Path, default=Path(_COPY))
    shown = commands.add_parser("progress", help="show how far a room has come")
    shown.add_argument("folder", type=Path)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
