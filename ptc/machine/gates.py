"""Which calls of a batch have to wait for others of it, and when each may start.

Calls that wait for the same earlier calls share one gate, so that five thousand that read
everything and five thousand that write after them make ten thousand entries, and not twenty-five
million.
"""

from collections import defaultdict
from collections.abc import Sequence

from .state import CallState


class _Gate:
    """Opens when the last of the calls before it has its answer."""

    def __init__(self, before: frozenset[int]) -> None:
        self.before = before  # kept, so that its id stays its own
        self.closed = 0
        self.behind: list[CallState] = []


class Gates:
    """The gates of one batch. Its lock guards them."""

    def __init__(self) -> None:
        self._gates: dict[int, _Gate] = {}
        self._ends: defaultdict[int, list[_Gate]] = defaultdict(list)

    def put_behind(
        self, state: CallState, predecessors: frozenset[int], states: Sequence[CallState]
    ) -> bool:
        """Have the call wait for these of the batch; False if all of them have their answers."""
        gate = self._gates.get(id(predecessors)) or self._new_gate(predecessors, states)
        if not gate.closed:
            return False
        gate.behind.append(state)
        state.waits = True
        return True

    def _new_gate(self, predecessors: frozenset[int], states: Sequence[CallState]) -> _Gate:
        gate = self._gates[id(predecessors)] = _Gate(predecessors)
        for index in predecessors:
            if states[index].result is None:
                gate.closed += 1
                self._ends[index].append(gate)
        return gate

    def open_behind(self, state: CallState) -> list[CallState]:
        """The call has its answer: those that waited for it alone, or for it last."""
        free = []
        for gate in self._ends.pop(state.index, ()):
            gate.closed -= 1
            if not gate.closed:
                for waiting in gate.behind:
                    waiting.waits = False
                free += gate.behind
                gate.behind = []
        return free

    def recount(self, states: Sequence[CallState]) -> list[CallState]:
        """Count again, since whoever counted last may have died over it; those that are free."""
        free: list[CallState] = []
        self._ends.clear()
        for gate in self._gates.values():
            gate.closed = 0
            for index in gate.before:
                if states[index].result is None:
                    gate.closed += 1
                    self._ends[index].append(gate)
            if not gate.closed:
                free += gate.behind
                gate.behind = []
        for waiting in free:
            waiting.waits = False
        return free
