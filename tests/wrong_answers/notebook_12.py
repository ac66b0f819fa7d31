"""Wrong answers to the exercises of the further notebook "Calls that meet"."""

from ptc import ToolRegistry

# --- 12.1


def equal_writes(a, b):
    return a.writes == b.writes


def same_first_letter(a, b):
    first = {name[0] for name in a.writes}
    return any(name[0] in first for name in b.reads | b.writes) or bool(a.reads & b.writes)


def subsets(a, b):
    """Only where all that one writes is touched by the other."""
    mine = bool(a.writes) and a.writes <= b.reads | b.writes
    return mine or (bool(b.writes) and b.writes <= a.reads)


def empties_the_sets(a, b):
    met = False
    while a.writes:
        met = a.writes.pop() in b.writes or met
    return met


# --- 12.2


def all_earlier(calls, conflict):
    return [set(range(n)) for n in range(len(calls))]


def none(calls, conflict):
    return [set() for _ in calls]


def all_others(calls, conflict):
    places = range(len(calls))
    return [{m for m in places if m != n and conflict(calls[m], calls[n])} for n in places]


def itself_too(calls, conflict):
    return [{n} for n in range(len(calls))]


def from_one(calls, conflict):
    return [{m + 1 for m in range(n) if conflict(calls[m], calls[n])} for n in range(len(calls))]


def the_last_one_only(calls, conflict):
    """A writer waits for the last of its readers alone."""
    found = []
    for n in range(len(calls)):
        met = [m for m in range(n) if conflict(calls[m], calls[n])]
        found.append(set(met[-1:]))
    return found


def only_the_neighbour(calls, conflict):
    return [{n - 1} if n and conflict(calls[n - 1], calls[n]) else set() for n in range(len(calls))]


def in_segments(calls, conflict):
    """Ordered segments: a call waits for all of the segment before its own."""
    found, segment, before = [], [], set()
    for n, each in enumerate(calls):
        if any(conflict(calls[m], each) for m in segment):
            before, segment = set(segment), []
        segment.append(n)
        found.append(before)
    return found


def the_calls_themselves(calls, conflict):
    return [[c for c in calls[:n] if conflict(c, calls[n])] for n in range(len(calls))]


def numbers(calls, conflict):
    return [sum(conflict(c, calls[n]) for c in calls[:n]) for n in range(len(calls))]


def pairs(calls, conflict):
    return [(m, n) for n in range(len(calls)) for m in range(n) if conflict(calls[m], calls[n])]


# --- 12.3


def bank_with(transfer=None, statement=None, rate=None, close_day=None):
    """Declares a bank's tools with these options."""

    def declared(bank):
        registry = ToolRegistry()
        registry.register(bank.transfer, **(transfer or {"writes": both}))
        registry.register(bank.statement, **(statement or {"reads": "{iban}"}))
        registry.register(bank.rate, **(rate or {}))
        registry.register(bank.close_day, **(close_day or {"writes": True}))
        return registry

    return declared


def both(source, target, amount):
    return [source, target]


def a_pair(source, target, amount):
    return source, target


def without_amount(source, target):
    return [source, target]


def forgets_a_tool(bank):
    registry = ToolRegistry()
    registry.register(bank.transfer, writes=both)
    registry.register(bank.statement, reads="{iban}")
    registry.register(bank.rate)
    return registry


def tools_of_its_own(bank):
    """Declared well, and another bank's."""

    class Other:
        def transfer(self, source: str, target: str, amount: int): ...

        def statement(self, iban: str): ...

        def rate(self, currency: str): ...

        def close_day(self): ...

    return bank_with()(Other())


WRONG = {
    "12.1": [
        (lambda a, b: bool(a.writes & b.writes), "only what both write"),
        (
            lambda a, b: bool((a.reads | a.writes) & (b.reads | b.writes)),
            "Two that only read it may do so together",
        ),
        (lambda a, b: bool(a.writes & (b.reads | b.writes)), "what the first writes"),
        (lambda a, b: bool(b.writes & (a.reads | a.writes)), "what the second writes"),
        (lambda a, b: bool(a.writes & b.reads or a.reads & b.writes), "leaves out what both"),
        (lambda a, b: bool(a.reads & b.reads), "harms nobody"),
        (lambda a, b: bool(a.writes or b.writes), "may write different things"),
        (
            lambda a, b: not (a.writes & (b.reads | b.writes) or a.reads & b.writes),
            "the other way round",
        ),
        (lambda a, b: True, "Some calls may run together"),
        (lambda a, b: False, "Some calls must not"),
        (lambda a, b: a.writes & (b.reads | b.writes) | a.reads & b.writes, "Give True or False"),
        (equal_writes, "the second reads it"),
        (same_first_letter, "Neither writes"),
        (subsets, "The first writes"),
        (empties_the_sets, "only what both write"),
        (True, "give the function itself"),
    ],
    "12.2": [
        (all_earlier, "and needn't"),
        (none, "Call 2 starts without waiting for call 0"),
        (all_others, "waits only for earlier ones"),
        (itself_too, "waits for itself"),
        (from_one, "starts without waiting"),
        (the_last_one_only, "Call 2 starts without waiting for call 0"),
        (only_the_neighbour, "starts without waiting"),
        (in_segments, "and needn't"),
        (the_calls_themselves, "name each call by its index"),
        (numbers, "is not a set"),
        (pairs, "a set for each of the 3 calls"),
    ],
    "12.3": [
        (bank_with(transfer={"writes": "{source}"}), "a function can give a list"),
        (bank_with(transfer={"writes": "{source} {target}"}), "a function can give a list"),
        (bank_with(transfer={"writes": a_pair}), "A tuple is one resource"),
        (bank_with(transfer={"writes": without_amount}), "What does the function get"),
        (bank_with(transfer={"reads": both}), "Both change A"),
        (bank_with(transfer={"writes": "accounts"}), "They change different accounts"),
        (bank_with(transfer={"writes": True}), "They change different accounts"),
        (bank_with(statement={"writes": "{iban}"}), "Both only read"),
        (bank_with(statement={"reads": "account:{iban}"}), "changes what the second reads"),
        (bank_with(rate={"reads": True}), "No tool changes a rate"),
        (bank_with(rate={"writes": "rates"}), "No tool changes a rate"),
        (bank_with(close_day={"timeout": 1}), "writes=True is everything"),
        (bank_with(close_day={"reads": True}), "The end of the day changes every account"),
        (forgets_a_tool, "has no tool 'close_day'"),
        (tools_of_its_own, "no tool of the bank that was given"),
        (lambda bank: [bank.transfer], "not a ToolRegistry"),
    ],
}

EQUIVALENT = {
    "12.1": {"cache: first of equal": "calls that touch the same conflict the same way"},
    "12.2": {
        "loop: for m in range(n) if conflict(calls[m], calls[n])"
        " → for m in list(range(n))[::-1] if conflict(calls[m], calls[n])": "a set has no order",
        "cache: first of equal": "equal batches have equal answers",
        "cache: conflict(calls[m], calls[n])": "calls that touch the same conflict the same way",
    },
    "12.3": {
        "double: registry = ToolRegistry()": "the first one is forgotten",
        "double: registry.register(bank.transfer, writes=both)": "the second replaces the first",
        "double: registry.register(bank.statement, reads='{iban}')": "so here",
        "double: registry.register(bank.rate)": "and here",
        "double: registry.register(bank.close_day, writes=True)": "and here",
    },
}
