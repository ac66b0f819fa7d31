"""What is done with a call before it may start: its tool is found, its arguments are checked."""

import warnings
from collections.abc import Callable, MutableMapping, Sequence
from contextvars import copy_context

from ..calls import ToolCall
from ..conflicts import Key
from ..options import check_timeout
from ..registry import Tool, ToolRegistry
from ..schemas import ArgumentsError
from ..text import explain
from . import reasons
from .ledger import needs_of
from .state import CallState, own_copy


def check_use(
    calls: Sequence[ToolCall], registry: ToolRegistry, timeout: float | None
) -> float | None:
    """The batch's timeout, None for none; raises at once for what a programmer got wrong."""
    for call in calls:
        if not isinstance(call, ToolCall):
            raise TypeError(
                f"{call!r} is not a ToolCall; extract_parallel_calls(response) gives them"
            )
    if not isinstance(registry, ToolRegistry):
        raise TypeError(f"registry={registry!r} is not a ToolRegistry")
    return check_timeout("the batch", timeout, may_be_zero=True)


def prepare(
    state: CallState,
    registry: ToolRegistry,
    refuse: Callable[[Tool], str | None],
    folders: MutableMapping[str, Key],
) -> None:
    """Give the call all that it runs with; if it can't be run, it is answered here.

    ``refuse`` says why a tool can't be run where this batch is; ``folders`` are the real paths that
    were looked up for it.
    """
    why = _why_not(state, registry, refuse, folders)
    if why is not None:
        state.result = state.fail(why)


def _why_not(
    state: CallState,
    registry: ToolRegistry,
    refuse: Callable[[Tool], str | None],
    folders: MutableMapping[str, Key],
) -> str | None:
    """Why the call is not run; None, if it is."""
    call = state.call
    if call.problem is not None:
        return call.problem
    tool = registry.get(call.name)
    if tool is None:
        return reasons.unknown_tool(call.name, list(registry))
    state.tool = tool
    if refusal := refuse(tool):
        return refusal
    if call.cut is not None and not tool.idempotent:
        return reasons.cut_off(call.cut)
    try:
        state.arguments = tool.validate(own_copy(call.arguments))
    except ArgumentsError as error:
        return f"{error}; correct them and call again"
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a validator of the tool's author
        return f"the arguments can't be checked: {explain(error)}"
    state.needs = needs_of(tool, state.arguments, folders)
    state.context = copy_context()
    return None


def expected_seconds(states: Sequence[CallState]) -> dict[CallState, float]:
    """The seconds that each call is expected to take; nothing at all where nobody says."""
    if all(state.tool.expected_seconds is None for state in states):
        return {}
    return {state: _seconds_of(state) for state in states}


def _seconds_of(state: CallState) -> float:
    expected = state.tool.expected_seconds
    try:
        seconds = float(expected(**state.arguments) if callable(expected) else expected or 0)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        warnings.warn(
            f"expected_seconds of {state.name!r} gave no number for {state.arguments!r} "
            f"({explain(error)}); counted as 0",
            stacklevel=5,
        )
        return 0.0
    return seconds if seconds > 0 else 0.0
