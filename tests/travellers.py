"""Tools that travel by their name: a process or an interpreter that runs one imports this file."""

import os
import time
from contextvars import ContextVar
from pathlib import Path

USER = ContextVar("user", default="nobody")


def echo(x: int) -> int:
    return x


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def fail() -> None:
    raise ValueError("no such city")


def leave() -> None:
    raise SystemExit(3)


def die() -> None:
    os._exit(1)


def down() -> None:
    raise ConnectionError("down")


def process_id() -> int:
    return os.getpid()


def note(path: str, seconds: float = 0.0) -> None:
    """Leave a mark in a file, so that the caller can count the runs of a call."""
    with open(path, "a") as file:
        file.write("x")
    time.sleep(seconds)


def die_once(path: str) -> str:
    first = not Path(path).exists()
    note(path)
    if first:
        os._exit(1)
    return "done"


def die_always(path: str) -> None:
    note(path)
    os._exit(1)


def who() -> str:
    return USER.get()


class Unpicklable:
    def __reduce__(self):
        raise TypeError("it can't be pickled")


def unpicklable() -> object:
    return Unpicklable()
