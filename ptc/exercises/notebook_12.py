"""The exercises of the further notebook "Calls that meet"."""

import random
import warnings
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from ..calls import ToolCall
from ..conflicts import predecessors, resources
from ..execute import execute_parallel
from ..registry import ToolRegistry
from .judging import Exercise, Wrong, call, shown


class Touched(NamedTuple):
    """What a call reads and writes, as the notebook has it."""

    reads: set[str]
    writes: set[str]


def _copy(touched: Touched) -> Touched:
    return Touched(set(touched.reads), set(touched.writes))


def _conflict(a: Touched, b: Touched) -> bool:
    return bool(a.writes & (b.reads | b.writes) or a.reads & b.writes)


def _reads(*names: str) -> Touched:
    return Touched(set(names), set())


def _writes(*names: str) -> Touched:
    return Touched(set(), set(names))


# --- 12.1: do two calls conflict? ------------------------------------------------------------


def _drawn(seed: int, how_many: int) -> list[Touched]:
    """Calls that touch few names, so that many meet and many don't."""
    choose = random.Random(seed)
    names = ("page", "menu", "news", "pages")
    return [
        Touched(
            {name for name in names if choose.random() < 0.3},
            {name for name in names if choose.random() < 0.2},
        )
        for _ in range(how_many)
    ]


def _pairs() -> list[tuple[Touched, Touched]]:
    a, b, nothing = "page", "menu", Touched(set(), set())
    told = [
        (_writes(a), _writes(a)),
        (_writes(a), _reads(a)),
        (_reads(a), _writes(a)),
        (_reads(a), _reads(a)),
        (_writes(a), _writes(b)),
        (_reads(a), _writes(b)),
        (_reads(a, b), _writes(b)),
        (Touched({a}, {b}), Touched({b}, {a})),
        (Touched({a}, {b}), Touched({a}, {"news"})),
        (nothing, _writes(a)),
        (_writes(a), nothing),
    ]
    drawn = _drawn(12, 60)
    return told + list(zip(drawn[:30], drawn[30:], strict=True))


_PAIRS = _pairs()

_Model = Callable[[Touched, Touched], object]

_MODELS: list[tuple[_Model, str]] = [
    (
        lambda a, b: a.writes & b.writes,
        "That sees only what both write. A call that reads what the other writes must wait too.",
    ),
    (
        lambda a, b: (a.reads | a.writes) & (b.reads | b.writes),
        "That asks whether they touch the same thing. Two that only read it may do so together.",
    ),
    (
        lambda a, b: a.writes & (b.reads | b.writes),
        "That sees what the first writes. The second may write, too, what the first reads.",
    ),
    (
        lambda a, b: b.writes & (a.reads | a.writes),
        "That sees what the second writes. The first may write, too, what the second reads.",
    ),
    (
        lambda a, b: a.writes & b.reads or a.reads & b.writes,
        "That leaves out what both write.",
    ),
    (
        lambda a, b: a.reads & b.reads,
        "That sees what both read, which harms nobody: only a write does.",
    ),
    (lambda a, b: a.writes or b.writes, "They may write different things, and then they don't."),
    (lambda a, b: not _conflict(a, b), "It is the other way round: True where they conflict."),
    (lambda a, b: True, "Some calls may run together: those that don't meet."),
    (lambda a, b: False, "Some calls must not run together: those that meet, where one writes."),
]


def _judge_conflict(conflict: Callable[..., Any]) -> None:
    got = [call(conflict, _copy(a), _copy(b)) for a, b in _PAIRS]
    for (a, b), answer in zip(_PAIRS, got, strict=True):
        if type(answer) is not bool or answer != _conflict(a, b):
            told = f"for {a} and {b} it gives {shown(answer)}, not {_conflict(a, b)}."
            raise Wrong(f"{told} {_why_not_conflict(got, answer, a, b)}")


def _why_not_conflict(got: list, answer: Any, a: Touched, b: Touched) -> str:
    if type(answer) is not bool:
        return "Give True or False, not a set: bool(…) is True of a set, and False of an empty one."
    for model, why in _MODELS:
        if all(g == bool(model(*pair)) for g, pair in zip(got, _PAIRS, strict=True)):
            return why
    if not _conflict(a, b):
        return "Neither writes what the other reads or writes."
    if both := a.writes & b.writes:
        return f"Both write {min(both)!r}."
    if first := a.writes & b.reads:
        return f"The first writes {min(first)!r}, and the second reads it."
    return f"The second writes {min(a.reads & b.writes)!r}, and the first reads it."


# --- 12.2: which calls must wait for which? --------------------------------------------------

_BATCHES: list[list[Touched]] = [
    [_writes("page"), _writes("menu"), _writes("page")],
    [_writes("page"), _writes("page"), _reads("page")],
    [_reads("page"), _reads("page"), _writes("page"), _reads("page")],
    [_reads("page"), _writes("menu"), _reads("menu", "page"), _writes("page", "menu")],
    [_reads("page")] * 3,
    *(_drawn(seed, 7) for seed in range(8)),
    [_writes("page")],
    [],
]


def _judge_predecessors(answer: Callable[..., Any]) -> None:
    for batch in _BATCHES:
        got = call(answer, list(map(_copy, batch)), _conflict)
        why = _why_not_shape(got, len(batch)) or _why_not_before(got, batch)
        if why:
            told = f"for {shown([_brief(each) for each in batch], 300)} it gives {shown(got, 120)}."
            raise Wrong(f"{told} {why}")


def _brief(touched: Touched) -> str:
    parts = [("reads", touched.reads), ("writes", touched.writes)]
    said = [f"{does} {' '.join(sorted(names))}" for does, names in parts if names]
    return ", ".join(said) or "nothing"


def _why_not_shape(got: Any, calls: int) -> str:
    if not isinstance(got, list | tuple) or len(got) != calls:
        return f"Give a list with a set for each of the {calls} calls."
    for before in got:
        if not isinstance(before, AbstractSet | list | tuple):
            return f"{shown(before)} is not a set; a call that waits for none has an empty one."
        for index in before:
            if type(index) is not int:
                return f"{shown(index)} is not an index: name each call by its index, from 0."
    return ""


def _why_not_before(got: Sequence[Any], batch: list[Touched]) -> str:
    waits: list[set[int]] = []
    needed: list[set[int]] = []
    for n, before in enumerate(got):
        if n in before:
            return f"Call {n} waits for itself, and never starts."
        if late := [m for m in before if not 0 <= m < n]:
            return f"Call {n} waits for {late[0]}; a call waits only for earlier ones, from 0 on."
        met = {m for m in range(n) if _conflict(batch[m], batch[n])}
        waits.append(set(before).union(*(waits[m] for m in before)))
        needed.append(met.union(*(needed[m] for m in met)))
        if forgotten := sorted(met - waits[n]):
            return f"Call {n} starts without waiting for call {forgotten[0]}, and they conflict."
        if needless := sorted(waits[n] - needed[n]):
            return f"Call {n} waits for call {needless[0]}, and needn't: they don't conflict."
    return ""


# --- 12.3: declare what tools touch ----------------------------------------------------------


class _Bank:
    """Notes which of its tools ran."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def __repr__(self) -> str:
        return "bank"

    def transfer(self, source: str, target: str, amount: int) -> None:
        self.ran.append("transfer")

    def statement(self, iban: str) -> None:
        self.ran.append("statement")

    def rate(self, currency: str) -> None:
        self.ran.append("rate")

    def close_day(self) -> None:
        self.ran.append("close_day")


_Asked = tuple[str, dict[str, Any]]


def _transfer(source: str, target: str) -> _Asked:
    return "transfer", {"source": source, "target": target, "amount": 10}


def _statement(iban: str) -> _Asked:
    return "statement", {"iban": iban}


_CLOSE: _Asked = ("close_day", {})
_RATE: _Asked = ("rate", {"currency": "CHF"})

_TOGETHER = [
    (_transfer("A", "B"), _transfer("C", "D"), "They change different accounts."),
    (_transfer("A", "B"), _statement("C"), "They touch different accounts."),
    (_statement("A"), _statement("A"), "Both only read."),
    (_statement("A"), _statement("B"), "Both only read."),
    (_RATE, _transfer("A", "B"), "No tool changes a rate."),
    (_statement("A"), _RATE, "No tool changes a rate."),
    (_RATE, _RATE, "No tool changes a rate."),
]
_IN_ORDER = [
    (_transfer("A", "B"), _transfer("A", "C"), "Both change A."),
    (_transfer("A", "B"), _transfer("C", "B"), "Both change B."),
    (_transfer("A", "B"), _transfer("B", "C"), "Both change B, here as target, there as source."),
    (_transfer("A", "B"), _transfer("C", "A"), "Both change A, here as source, there as target."),
    (_transfer("A", "B"), _statement("A"), "The first changes what the second reads."),
    (_transfer("A", "B"), _statement("B"), "The first changes what the second reads."),
    (_statement("B"), _transfer("A", "B"), "The second changes what the first reads."),
    (_statement("A"), _transfer("A", "B"), "The second changes what the first reads."),
    (_CLOSE, _statement("A"), "The end of the day changes every account."),
    (_statement("A"), _CLOSE, "The end of the day changes every account."),
    (_transfer("A", "B"), _CLOSE, "Both change A."),
    (_CLOSE, _transfer("A", "B"), "Both change A."),
    (_CLOSE, _CLOSE, "Both change every account."),
]


def _judge_declared(declare: Callable[..., Any]) -> None:
    for _ in range(2):  # a registry of its own for each bank
        bank = _Bank()
        registry = call(declare, bank)
        if not isinstance(registry, ToolRegistry):
            raise Wrong(f"it gives {shown(registry)}, not a ToolRegistry.")
        names = ["transfer", "statement", "rate", "close_day"]
        if missing := [name for name in names if name not in registry]:
            raise Wrong(f"its registry has no tool {missing[0]!r}.")
        _judge_pairs(registry)
        every = [_transfer("A", "B"), _statement("A"), _RATE, _CLOSE]
        results = execute_parallel(_calls(every), registry)
        for result in results:
            if not result.success or result.call.name not in bank.ran:
                told = result.error or "it ran no tool of the bank that was given"
                raise Wrong(f"a call of {result.call.name!r} went wrong: {told}.")


def _calls(asked: Sequence[_Asked]) -> list[ToolCall]:
    return [ToolCall(f"call_{n}", *each) for n, each in enumerate(asked)]


def _judge_pairs(registry: ToolRegistry) -> None:
    for first, second, why in _TOGETHER + _IN_ORDER:
        wanted = (first, second, why) in _IN_ORDER
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            waits = bool(predecessors(_calls([first, second]), registry)[1])
        if caught:
            raise Wrong(f"{caught[0].message}. What does the function get, and under which names?")
        if waits != wanted:
            does = "wait for each other" if waits else "run together"
            told = f"{_written(first)} and {_written(second)} {does}. {why}"
            raise Wrong(told + _way_out(registry, first, waits))


def _written(asked: _Asked) -> str:
    name, arguments = asked
    return f"{name}({', '.join(map(str, arguments.values()))})"


def _way_out(registry: ToolRegistry, asked: _Asked, waits: bool) -> str:
    """One more sentence, where the declaration shows what was meant."""
    name, arguments = asked
    tool = registry[name]
    if name == "close_day" and not waits:
        return " writes=True is everything."
    keys = resources(tool.writes, tool, arguments)
    if any(key and isinstance(key[0][0], tuple) for key in keys):
        return " A tuple is one resource; a list is several."
    if name == "transfer" and isinstance(tool.writes, str) and not waits:
        return " A text is one resource; a function can give a list of them."
    return ""


EXERCISES = {
    "12.1": Exercise(
        title="do they conflict?",
        judge=_judge_conflict,
        notice="Three conditions from 1966, in a line: databases and compilers go by them too.",
        hints=(
            "Which pairs may not run together: two that read one thing, a reader and a writer, "
            "two writers?",
            "a.writes & b.writes holds what both write; an empty set counts as False.",
            "There are three such sets: what both write, and twice what one reads and the other "
            "writes.",
        ),
        solution="""
            def conflict(a, b):
                return bool(a.writes & (b.reads | b.writes) or a.reads & b.writes)
        """,
    ),
    "12.2": Exercise(
        title="who waits for whom?",
        judge=_judge_predecessors,
        notice=(
            "It looks at each pair: 50 million for 10,000 calls. The package's own remembers for "
            "each resource who wrote it last and who has read it since, and asks only those."
        ),
        hints=(
            "Take the calls one by one, in request order. Which can a call have to wait for?",
            "Only those before it: for call n, the indices in range(n).",
            "A set for each n: the m in range(n) for which conflict(calls[m], calls[n]).",
        ),
        solution="""
            def predecessors(calls, conflict):
                return [
                    {m for m in range(n) if conflict(calls[m], calls[n])}
                    for n in range(len(calls))
                ]
        """,
        required=False,
    ),
    "12.3": Exercise(
        title="declare a bank's tools",
        judge=_judge_declared,
        notice=(
            "What is declared too widely costs time, what is declared too narrowly costs money. "
            "In doubt, declare more."
        ),
        hints=(
            'A template is filled with the call\'s arguments: reads="{iban}".',
            "A function gets them as keywords, all of them: for a transfer source, target, amount.",
            "It may give a list: [source, target]. And the end of the day writes everything: True.",
        ),
        solution="""
            from ptc import ToolRegistry

            def declared_bank(bank):
                registry = ToolRegistry()
                both = lambda source, target, amount: [source, target]
                registry.register(bank.transfer, writes=both)
                registry.register(bank.statement, reads="{iban}")
                registry.register(bank.rate)
                registry.register(bank.close_day, writes=True)
                return registry
        """,
        required=False,
    ),
}
