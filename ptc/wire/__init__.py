"""From a provider's reply to tool calls, and from tool results to the messages that answer it.

``formats`` has a class for each provider, ``reading`` what all replies share, ``mending`` what a
provider would refuse, ``deltas`` and ``events`` replies that stream in. Notebooks 01 and 05 build
this by hand.
"""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from ..calls import ToolCall, ToolResult
from ..text import secrets
from .formats import format_named, read_reply
from .mending import mend
from .reading import CallMaker, UnreadableReplyError, cut_problem, text_at

_MOST_TOLD = 10  # of what was mended

__all__ = [
    "UnreadableReplyError",
    "assistant_message",
    "describe_tools",
    "extract_parallel_calls",
    "format_parallel_results",
]


def extract_parallel_calls(response: Any) -> list[ToolCall]:
    """The tool calls of a model's whole reply (a dict, or an SDK's object), in request order.

    >>> function = {"name": "get_time", "arguments": '{"city": "Paris"}'}
    >>> message = {"tool_calls": [{"id": "call_1", "function": function}]}
    >>> extract_parallel_calls({"choices": [{"message": message}]})[0].arguments
    {'city': 'Paris'}

    A call that can't be run as it came has a ``problem``. So has the last call of a reply that its
    provider cut, all of whose calls say why in ``cut``. Two calls with one id are two calls, and
    the second gets a new id; but where name and arguments are the same too, the reply repeats
    itself, and the second has a ``problem``: what was asked once must not be paid for twice.

    Raises:
        UnreadableReplyError: (a ValueError) the reply is broken, empty or of no known shape. ``[]``
            always means that the model asks for nothing.
    """
    form, message, cut = read_reply(response)
    maker = CallMaker()
    calls = [
        maker.make(form.read_call(entry), text_at(entry, form.id_key))
        for entry in form.entries(message)
    ]
    if cut and calls:
        calls = [replace(call, cut=cut) for call in calls]
        calls[-1] = replace(calls[-1], problem=cut_problem(cut, calls[-1].problem))
    return calls


def assistant_message(response: Any, calls: Sequence[ToolCall]) -> dict | list:
    """The model's own message, which the history needs before the results of its ``calls``.

    >>> reply = {"content": [{"type": "tool_use", "id": "t1", "name": "get_time", "input": {}}]}
    >>> assistant_message(reply, extract_parallel_calls(reply)) == {"role": "assistant"} | reply
    True

    Untouched but for what makes every later request fail: an id missing or doubled, arguments
    that are not a JSON object, a name that no tool can have. These are mended on a copy, and a
    UserWarning says which.

    Raises:
        UnreadableReplyError: (a ValueError) as in :func:`extract_parallel_calls`.
        ValueError: the calls are not those of the reply.
    """
    form, message, _ = read_reply(response)
    message, changes = mend(message, calls, form)
    if changes:
        told, more = ", ".join(changes[:_MOST_TOLD]), len(changes) - _MOST_TOLD
        told += f" and {more} more" if more > 0 else ""
        warnings.warn(f"mended in the model's message: {told}", stacklevel=2)
    return message


def format_parallel_results(results: Iterable[ToolResult], wire: str = "openai") -> list[dict]:
    """The messages that answer a batch, in request order; no results gives ``[]``.

    >>> result = ToolResult(ToolCall("call_1", "get_time"), success=True, output="14:05")
    >>> format_parallel_results([result])
    [{'role': 'tool', 'tool_call_id': 'call_1', 'content': '"14:05"'}]

    Raises ValueError at an unknown wire format.
    """
    form, hidden = format_named(wire), secrets()
    answers = [form.answer(r.call, r.content_hiding(hidden), r.success) for r in results]
    return form.turn(answers) if answers else []


def describe_tools(tools: Iterable[Any], wire: str) -> list[dict]:
    """A provider's ``tools=`` list, of objects with ``name``, ``description`` and ``schema``.

    >>> from types import SimpleNamespace
    >>> tool = SimpleNamespace(name="get_time", description="The time.", schema={})
    >>> describe_tools([tool], "anthropic")[0]["input_schema"]
    {'type': 'object', 'properties': {}}

    The schemas are copies. Raises ValueError at an unknown wire format.
    """
    form = format_named(wire)
    described = [form.tool(tool) for tool in tools]
    return form.tools(described) if described else []
