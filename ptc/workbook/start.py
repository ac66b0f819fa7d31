"""Starts JupyterLab where the notebooks' links work, on a notebook, and without its own news."""

import os
from collections.abc import Sequence
from pathlib import Path

from .build import TOP

# No question whether news are wanted, and no look at the network for a newer version.
_SETTINGS = Path(__file__).with_name("jupyterlab")
_ROOT = """You are root, and so is the notebooks' code: fine in a container; on a machine of
your own, stop this with Ctrl-C and run it as an ordinary user."""


def start(notebook: str, others: Sequence[str] = ()) -> int:
    """Run JupyterLab until it is stopped. ``others`` are further options of its own.

    Its address leads to ``notebook``, a path seen from the folder of README.md or from here, with a
    browser and without one.
    """
    path = inside(notebook)
    if path is None:
        print(f"no notebook {notebook!r} below {TOP}")
        return 1
    if is_root():
        print(_ROOT, flush=True)  # also into a log, which would get it when the server ends
    from jupyterlab.labapp import LabApp

    LabApp.launch_instance([*options(path), *others])
    return 0


def options(path: Path) -> list[str]:
    """What JupyterLab is told: which folder it shows, and which notebook its address opens."""
    return [
        f"--ServerApp.root_dir={TOP}",
        f"--LabApp.default_url=/lab/tree/{path.as_posix()}",
        f"--LabApp.app_settings_dir={_SETTINGS}",
        *(["--allow-root"] if is_root() else []),
    ]


def is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def inside(notebook: str | Path) -> Path | None:
    """The notebook's path below the top folder, or None where there is no such file."""
    for folder in (TOP, Path.cwd()):
        path = (folder / notebook).resolve()
        if path.is_file() and path.is_relative_to(TOP.resolve()):
            return path.relative_to(TOP.resolve())
    return None
