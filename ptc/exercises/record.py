"""Which exercises are done: a small file that several notebooks may write at once.

The file is a JSON list of numbers, ``["00.1", "03.1"]``. It is replaced as a whole, never written
in place, so a full disk leaves it as it was. A file that holds something else is set aside. What is
no ordinary file is left alone: root would replace even a device, and a pipe may never be read.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PATIENCE = 2.0  # seconds to wait for another notebook that is writing
_STALE = 10.0  # seconds after which the lock of a program that died counts no more


def path() -> Path:
    """The file: where ``PTC_PROGRESS`` says, else beside the notebooks."""
    here = Path.cwd()
    folder = here.parent if here.name == "further" else here
    return Path(os.environ.get("PTC_PROGRESS") or folder / ".ptc-progress.json")


def done() -> set[str]:
    """The numbers of what is done; none where the file can't be read or holds something else."""
    try:
        return _read(path())
    except (OSError, ValueError):
        return set()


def add(number: str) -> str:
    """Add a number, and say in a sentence what else had to be done for it, or "".

    Raises:
        OSError: the file can't be read or written; it is as it was.
    """
    file = Path(os.path.realpath(path()))
    with _locked(file):
        said = ""
        try:
            numbers = _read(file)
        except ValueError:
            numbers, said = set(), _set_aside(file)
        _replace(file, json.dumps(sorted(numbers | {number})))
    return said


def forget() -> str:
    """Remove the file, or set it aside if it holds something else and say so.

    Raises:
        OSError: it can't be removed.
    """
    file = path()
    try:
        _read(file)
    except ValueError:
        return _set_aside(file)
    file.unlink(missing_ok=True)
    return ""


def _read(file: Path) -> set[str]:
    """The numbers in the file; a missing or empty one holds none.

    Raises:
        ValueError: it holds something else.
        OSError: it can't be read, or is a folder, a device or a pipe.
    """
    if file.exists() and not file.is_file():
        raise OSError(f"{file} is not an ordinary file")
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return set()
    try:
        numbers = json.loads(text) if text.strip() else []
    except RecursionError:
        numbers = None
    if not isinstance(numbers, list) or not all(isinstance(number, str) for number in numbers):
        raise ValueError("not a list of exercises")
    return set(numbers)


def _set_aside(file: Path) -> str:
    """Rename the file to the first name that is free, and say so."""
    number = 1
    while (kept := file.with_name(f"{file.name}.{number}")).exists():
        number += 1
    os.replace(file, kept)
    return f"{file.name} held something else; it is now {kept.name}"


def _replace(file: Path, text: str) -> None:
    """Write the text beside the file first, then let it take the file's place in one step."""
    made = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    try:
        made.write_text(text, encoding="utf-8")
        os.replace(made, file)
    except OSError:
        made.unlink(missing_ok=True)
        raise


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold the lock between reading and writing, or nothing two kernels write at once is lost.

    The lock is a file that only one program can create. Where none can be made, or another
    program keeps it for long, we go on without: a check must not fail because of it.
    """
    lock = file.with_name(f"{file.name}.lock")
    ours = _take(lock)
    try:
        yield
    finally:
        if ours:
            lock.unlink(missing_ok=True)


def _take(lock: Path) -> bool:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
            return True
        except FileExistsError:
            _remove_if_stale(lock)
        except PermissionError:
            if os.name != "nt":  # there it may mean that another program is deleting the lock
                return False
        except OSError:
            return False
        time.sleep(0.01)
    return False


def _remove_if_stale(lock: Path) -> None:
    try:
        if time.time() - lock.stat().st_mtime > _STALE:
            lock.unlink()
    except OSError:
        pass
