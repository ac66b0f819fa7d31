"""Who holds what: the permits of a registry's tools, and the resources that its calls touch.

A call takes **all** that it needs at once, when a worker picks it, or else it stands in line, and
needs no worker while it does. One ledger serves all batches of a registry.

What must hold, and how it is kept:

- *Two calls that conflict never hold at the same time*, and a tool's permits are never exceeded:
  ``take`` looks and takes in one go, under the lock.
- *Nobody is forgotten in line.* A call stands in ``_line`` from the first ``take`` that failed
  until one succeeds or it is dropped. Whenever something is given back, and whenever somebody
  leaves the line, those who might succeed now are called up by their batch, and try again.
- *Nobody is overtaken by a later call that conflicts with it* (``_is_behind_another``), but for
  three who would otherwise stand in the way for no use: a call that only abandoned ones block, a
  call whose batch has no lane free, and anybody who is overtaken by a call inside a call. The last
  one's caller holds something, and can't end before it.
- *Giving back is safe to repeat*, also where it was cut short: what is held is a dict of calls, no
  counter that could be off, and those in line are looked at each time.
- *An abandoned call holds on* until its thread really ends: that it was given up doesn't make its
  tool safe for one more.

Locks: a batch's own lock first, then the ledger's. No batch is ever called with the ledger's held.
"""

import os
import threading
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, MutableMapping
from itertools import chain
from typing import NamedTuple
from weakref import WeakKeyDictionary, WeakSet

from ..conflicts import Key, describe_key, meet, prefixes, resources
from ..registry import Tool, ToolRegistry
from .state import CallState, Needs


class Obstacle(NamedTuple):
    """What a call waits for, and the calls that hold it, in words."""

    wanted: str
    holders: str


def needs_of(
    tool: Tool, arguments: dict[str, object], folders: MutableMapping[str, Key]
) -> Needs | None:
    """What a call with these arguments has to hold; None for nothing, as most.

    ``folders`` are the real paths that were looked up for its batch.
    """
    if tool.max_concurrency is None and tool.reads is None and tool.writes is None:
        return None
    reads = resources(tool.reads, tool, arguments, folders)
    writes = resources(tool.writes, tool, arguments, folders)
    limited = tool if tool.max_concurrency is not None else None
    return Needs(limited, reads, writes) if limited or reads or writes else None


class Touched:
    """Which calls read or write which resources, so that those who meet are found by the key."""

    def __init__(self) -> None:
        self._readers: defaultdict[Key, dict[CallState, None]] = defaultdict(dict)
        self._writers: defaultdict[Key, dict[CallState, None]] = defaultdict(dict)
        # The same calls at every key above theirs: a search in a folder meets an edit in it.
        self._readers_below: defaultdict[Key, dict[CallState, None]] = defaultdict(dict)
        self._writers_below: defaultdict[Key, dict[CallState, None]] = defaultdict(dict)

    def add(self, state: CallState, needs: Needs) -> None:
        for key in needs.reads:
            self._readers[key][state] = None
            for above in prefixes(key):
                self._readers_below[above][state] = None
        for key in needs.writes:
            self._writers[key][state] = None
            for above in prefixes(key):
                self._writers_below[above][state] = None

    def remove(self, state: CallState, needs: Needs) -> None:
        for key in needs.reads:
            _drop(self._readers, key, state)
            for above in prefixes(key):
                _drop(self._readers_below, above, state)
        for key in needs.writes:
            _drop(self._writers, key, state)
            for above in prefixes(key):
                _drop(self._writers_below, above, state)

    def meeting(self, needs: Needs) -> Iterator[CallState]:
        """The calls that write what these needs read or write, or read what they write."""
        for key in needs.reads:
            yield from self._at(self._writers, self._writers_below, key)
        for key in needs.writes:
            yield from self._at(self._writers, self._writers_below, key)
            yield from self._at(self._readers, self._readers_below, key)

    @staticmethod
    def _at(
        exact: dict[Key, dict[CallState, None]], below: dict[Key, dict[CallState, None]], key: Key
    ) -> Iterator[CallState]:
        for above in chain(prefixes(key), [key]):
            yield from exact.get(above, ())
        yield from below.get(key, ())


def _drop(index: dict[Key, dict[CallState, None]], key: Key, state: CallState) -> None:
    calls = index.get(key)
    if calls is not None:
        calls.pop(state, None)
        if not calls:
            del index[key]


class Ledger:
    """What the calls of one registry hold, and who waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holding: dict[CallState, None] = {}
        self._permits: defaultdict[Tool, dict[CallState, None]] = defaultdict(dict)
        self._touched = Touched()
        self._lines: defaultdict[Tool | None, dict[CallState, None]] = defaultdict(dict)
        self._nested: dict[CallState, None] = {}  # those in line that are calls inside a call
        self._tickets: dict[CallState, int] = {}
        self._next_ticket = 0
        _ledgers.add(self)

    def take(self, state: CallState) -> bool:
        """All that the call needs, at once; else False, and it stands in line."""
        with self._lock:
            holds = state in self._holding  # from a take that was cut short
            if holds or (not self._blockers(state) and self._has_its_turn(state)):
                self._leave_line(state)
                self._hold(state)
                return True
            self._enter_line(state)
            return False

    def release(self, state: CallState) -> list[CallState]:
        """Give back what the call holds; who in line may try again now."""
        with self._lock:
            needs = _needs(state)
            self._holding.pop(state, None)
            self._touched.remove(state, needs)
            if needs.limited is not None:
                self._permits[needs.limited].pop(state, None)
            return self._who_may_try()

    def drop(self, state: CallState) -> list[CallState]:
        """Take a call out of the line; who may try again now that it is not before them."""
        with self._lock:
            return self._who_may_try() if self._leave_line(state) else []

    def holds(self, state: CallState) -> bool:
        """Has the call all that it needs?"""
        return state in self._holding

    def waits(self, state: CallState) -> bool:
        """Does the call stand in line?"""
        return state in self._tickets

    def stuck(self) -> list[CallState]:
        """Those in line whom nothing but abandoned calls keeps waiting."""
        with self._lock:
            return [state for state in self._tickets if self._is_stuck(state)]

    def is_stuck(self, state: CallState) -> bool:
        """Is nothing but abandoned calls in the way of this one, at this moment?"""
        with self._lock:
            return state in self._tickets and self._is_stuck(state)

    def crosses(self, state: CallState) -> bool:
        """Does it wait for a call that waits, through calls inside it, for this one's own callers?

        Neither could ever end. The one that closes the circle finds it.
        """
        with self._lock:
            return self._crosses(state)

    def obstacle(self, state: CallState) -> Obstacle:
        """What is in the way of a call, in words."""
        with self._lock:
            holders = self._blockers(state)
            who = ", ".join(f"{other.name!r} ({other.call.id})" for other in holders[:3])
            return Obstacle(self._wanted(state), who or "nobody")

    def _wanted(self, state: CallState) -> str:
        needs = _needs(state)
        if needs.limited is not None and self._permit_holders(state):
            limit, name = needs.limited.max_concurrency, needs.limited.name
            which = "the only permit" if limit == 1 else f"all {limit} permits"
            return f"{which} of {name!r} (max_concurrency={limit})"
        theirs = [_needs(other) for other in self._blockers(state)]
        held = {key for other in theirs for key in other.reads | other.writes}
        mine = [key for key in needs.reads | needs.writes if _any_meet([key], frozenset(held))]
        return " and ".join(sorted(map(describe_key, mine))) or "what it needs"

    # Under the lock.

    def _blockers(self, state: CallState) -> list[CallState]:
        """The holders that keep the call from starting; what its own callers hold it shares."""
        needs = _needs(state)
        mine = _itself_and_callers(state)
        found = self._permit_holders(state)
        if needs.reads or needs.writes:
            found += [other for other in self._touched.meeting(needs) if other not in mine]
        return found

    def _permit_holders(self, state: CallState) -> list[CallState]:
        """Those that hold all permits of the call's tool; empty where one is free."""
        tool = _needs(state).limited
        if tool is None or tool.max_concurrency is None:
            return []
        holders = self._permits[tool]
        if len(holders) < tool.max_concurrency:
            return []
        mine = _itself_and_callers(state)
        others = [other for other in holders if other not in mine]
        return others if len(others) >= tool.max_concurrency else []

    def _has_its_turn(self, state: CallState) -> bool:
        return state.parent is not None or not self._is_behind_another(state)

    def _is_behind_another(self, state: CallState) -> bool:
        needs, ticket = _needs(state), self._tickets.get(state, self._next_ticket)
        if not self._tickets:
            return False
        every = self._tickets if needs.reads or needs.writes else self._lines[needs.limited]
        for other in every:
            if self._tickets[other] >= ticket:
                return False
            if conflict(needs, _needs(other)) and self._keeps_its_turn(other):
                return True
        return False

    def _keeps_its_turn(self, state: CallState) -> bool:
        return state.result is None and state.batch.has_free_lane() and not self._is_stuck(state)

    def _is_stuck(self, state: CallState) -> bool:
        blockers = self._blockers(state)
        tool = _needs(state).limited
        permits = [other for other in blockers if tool and _needs(other).limited is tool]
        live_permits = [other for other in permits if not other.given_up]
        if any(not other.given_up for other in blockers if other not in permits):
            return False
        return bool(blockers) and not live_permits

    def _hold(self, state: CallState) -> None:
        needs = _needs(state)
        self._holding[state] = None
        self._touched.add(state, needs)
        if needs.limited is not None:
            self._permits[needs.limited][state] = None

    def _enter_line(self, state: CallState) -> None:
        if state not in self._tickets:
            self._tickets[state] = self._next_ticket
            self._next_ticket += 1
            self._line_of(state)[state] = None

    def _leave_line(self, state: CallState) -> bool:
        if self._tickets.pop(state, None) is None:
            return False
        self._line_of(state).pop(state, None)
        return True

    def _line_of(self, state: CallState) -> dict[CallState, None]:
        return self._nested if state.parent is not None else self._lines[_needs(state).limited]

    def _who_may_try(self) -> list[CallState]:
        found = [state for state in self._nested if not self._blockers(state)]
        for tool, line in self._lines.items():
            room = len(line)
            if tool is not None and tool.max_concurrency is not None:
                room = tool.max_concurrency - len(self._permits[tool])
            for state in line:
                if room <= 0:
                    break
                if not self._blockers(state):
                    found.append(state)
                    room -= 1
        return sorted(found, key=self._tickets.__getitem__)

    def _crosses(self, state: CallState) -> bool:
        mine = set(state.callers())
        to_see, seen = [state], {state}
        while to_see:
            waiting = to_see.pop()
            for holder in self._blockers(waiting):
                if holder in mine:
                    return True
                inside = (each for each in self._tickets if holder in each.callers())
                for each in inside:
                    if each not in seen:
                        seen.add(each)
                        to_see.append(each)
        return False


def _needs(state: CallState) -> Needs:
    assert state.needs is not None
    return state.needs


def _itself_and_callers(state: CallState) -> Collection[CallState]:
    """Whose holdings are not in a call's way; its own, if it died in the middle of taking them."""
    return (state,) if state.parent is None else {state, *state.callers()}


def conflict(one: Needs, other: Needs) -> bool:
    """Do the two want a permit of the same tool, or does one write what the other touches?"""
    if one.limited is not None and one.limited is other.limited:
        return True
    return (
        _any_meet(one.writes, other.writes)
        or _any_meet(one.writes, other.reads)
        or _any_meet(one.reads, other.writes)
    )


def _any_meet(some: Iterable[Key], others: frozenset[Key]) -> bool:
    return any(meet(key, other) for key in some for other in others)


_ledgers: WeakSet[Ledger] = WeakSet()
_of_registry: WeakKeyDictionary[ToolRegistry, Ledger] = WeakKeyDictionary()
_making = threading.Lock()


def ledger_of(registry: ToolRegistry) -> Ledger:
    """The one ledger of a registry."""
    with _making:
        ledger = _of_registry.get(registry)
        if ledger is None:
            ledger = _of_registry[registry] = Ledger()
        return ledger


def _forget_the_parent() -> None:
    """In a forked child: the parent's calls hold nothing here, and their threads don't exist."""
    global _making
    _making = threading.Lock()
    for ledger in list(_ledgers):
        ledger.__init__()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_the_parent)
