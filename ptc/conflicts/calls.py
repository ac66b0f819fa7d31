"""Which calls of a reply must wait for which earlier ones."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..schemas import ArgumentsError
from .graph import Graph
from .resources import Key, resources

if TYPE_CHECKING:
    from ..calls import ToolCall
    from ..registry import ToolRegistry


def predecessors(calls: Sequence["ToolCall"], registry: "ToolRegistry") -> list[frozenset[int]]:
    """For each call, in request order, the indices of the earlier ones that it must wait for.

    Two calls conflict where one writes what the other reads or writes (Bernstein, 1966), as their
    tools' ``reads`` and ``writes`` say. Only the nearest are named: the third call of a chain names
    the second, which names the first. A call that can't be run (its tool is unknown, its arguments
    are wrong) conflicts with none.

    >>> from ptc import ToolCall, ToolRegistry
    >>> registry = ToolRegistry()
    >>> @registry.tool(writes="file:{name}")
    ... def edit(name: str, text: str): ...
    >>> edits = [("a", "1"), ("b", "2"), ("a", "3")]
    >>> calls = [ToolCall(text, "edit", {"name": name, "text": text}) for name, text in edits]
    >>> [sorted(before) for before in predecessors(calls, registry)]
    [[], [], [0]]
    """
    graph, folders = Graph(), {}
    return [_before(graph, index, call, registry, folders) for index, call in enumerate(calls)]


def _before(
    graph: Graph, index: int, call: "ToolCall", registry: "ToolRegistry", folders: dict[str, Key]
) -> frozenset[int]:
    if call.problem is not None or call.name not in registry:
        return frozenset()
    tool = registry[call.name]
    if tool.reads is None and tool.writes is None:
        return frozenset()
    try:
        arguments = tool.validate(call.arguments)
    except ArgumentsError:
        return frozenset()
    reads = resources(tool.reads, tool, arguments, folders)
    writes = resources(tool.writes, tool, arguments, folders)
    return graph.add(index, reads, writes) if reads or writes else frozenset()
