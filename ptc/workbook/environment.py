"""Is all that the workbook needs here, which model answers, and what can it do?"""

import os
import sys
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from ..calls import ToolCall
from ..client import connect
from ..exercises.saying import say
from ..registry import ToolRegistry
from ..text import explain, mask, secrets, shorten
from ..tools import get_date, get_time
from ..wire import extract_parallel_calls

PACKAGES = ("ipywidgets", "jupyterlab", "matplotlib", "openai", "pydantic", "tenacity", "tqdm")
_SET_UP = (
    "run the first command of README.md again, and open the notebook from the JupyterLab it starts"
)
_QUESTION = "What time is it in Nairobi, and what is the date in Lima? Use the tools."
_LONGEST_WAIT = 60.0  # seconds


def check_environment() -> None:
    """Print what is here, what is missing with the way out, and which model is in use.

    >>> check_environment()
    ✓ Python 3.11 or newer
    ✓ the packages
    model in use: the scripted one, on this machine; no key, no network

    A model that ``PTC_MODEL`` names is asked one small question, to see what it can do.
    """
    old = f"this is {sys.version.split()[0]}; install a newer one, then {_SET_UP}"
    _say("Python 3.11 or newer", sys.version_info >= (3, 11), old)
    missing = [name for name in PACKAGES if not _is_installed(name)]
    _say("the packages", not missing, _where_packages_are_missing(missing))
    if _is_root() and not _in_a_notebook():
        refused = "JupyterLab does not start for root, unless --allow-root stands in its command"
        _say("an ordinary user", False, refused)
    model = os.environ.get("PTC_MODEL")
    if not model:
        say("model in use: the scripted one, on this machine; no key, no network")
        return
    try:
        _tell_of_model(model)
    except Exception as error:  # a ModelError says what to do; anything else is told as it is
        told = shorten(mask(" ".join(explain(error).split()), secrets()), 500)
        _say(f"it was asked one small question: {told.removeprefix('ModelError: ')}", False)


def _is_installed(name: str) -> bool:
    try:
        return bool(version(name))
    except Exception:  # not there, or half there
        return False


def _where_packages_are_missing(missing: list[str]) -> str:
    """For the wrong kernel mostly: another Python than the one that the workbook was set up in."""
    told = f"not installed in this kernel ({sys.executable}): {', '.join(missing)}"
    own = Path(__file__).parents[2] / ".venv"
    if own.exists() and Path(sys.prefix) != own:
        return f"{told}; the workbook's own Python is in {own}: {_SET_UP}"
    return f"{told}; {_SET_UP}"


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _in_a_notebook() -> bool:
    return "ipykernel" in sys.modules


def _tell_of_model(model: str) -> None:
    """What a model of one's own is and can do, as one small question shows it."""
    try:
        client: Any = connect()[0]
    except Exception:
        say(f"model in use: {model}")
        raise
    say(f"model in use: {model} at {client.address}")
    began = perf_counter()
    with client.with_options(timeout=_LONGEST_WAIT, max_retries=0) as quick:
        calls = _calls_of(quick, model)
    _say(f"it answers: one small question took {perf_counter() - began:.1f} s")
    _say(
        f"tool calls: {'yes' if calls else 'no'}",
        bool(calls),
        "it answered in words; the notebooks want a model that calls tools",
    )
    if calls:
        several = "the notebooks run with it, and take more turns"
        _say(f"several in one reply: {'yes' if calls[1:] else 'no'}", bool(calls[1:]), several)


def _calls_of(client: Any, model: str) -> list[ToolCall]:
    registry = ToolRegistry()
    registry.register(get_time)
    registry.register(get_date)
    response = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": _QUESTION}],
        tools=registry.to_wire(),
    )
    return extract_parallel_calls(response)


def _say(what: str, good: bool = True, way_out: str = "") -> None:
    say(f"{'✓' if good else '✗'} {what}" + ("" if good or not way_out else f": {way_out}"))
