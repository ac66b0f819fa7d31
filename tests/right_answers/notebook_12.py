"""Right answers to the exercises of the further notebook "Calls that meet"."""

from itertools import combinations

from ptc import ToolRegistry

# --- 12.1


def three_conditions(a, b):
    may_run_together = (
        a.writes.isdisjoint(b.writes)
        and a.writes.isdisjoint(b.reads)
        and a.reads.isdisjoint(b.writes)
    )
    return not may_run_together


def by_names(a, b):
    for name in a.reads | a.writes | b.reads | b.writes:
        touches_both = name in a.reads | a.writes and name in b.reads | b.writes
        if touches_both and name in a.writes | b.writes:
            return True
    return False


def by_length(a, b):
    met = a.writes & b.writes | a.writes & b.reads | a.reads & b.writes
    return len(met) > 0


# --- 12.2


def in_loops(calls, conflict):
    found = []
    for n, later in enumerate(calls):
        before = set()
        for m, earlier in enumerate(calls[:n]):
            if conflict(later, earlier):
                before.add(m)
        found.append(before)
    return found


def by_pairs(calls, conflict):
    found = [set() for _ in calls]
    for (m, one), (n, other) in combinations(enumerate(calls), 2):
        if conflict(one, other):
            found[n].add(m)
    return found


def the_nearest(calls, conflict):
    """Only those that no other of them waits for anyway."""
    reached, found = [], []
    for n in range(len(calls)):
        nearest, known = set(), set()
        for m in reversed(range(n)):
            if m not in known and conflict(calls[m], calls[n]):
                nearest.add(m)
                known |= {m} | reached[m]
        reached.append(known)
        found.append(frozenset(nearest))
    return found


def as_lists(calls, conflict):
    return [[m for m in range(n) if conflict(calls[m], calls[n])] for n in range(len(calls))]


# --- 12.3


def with_functions(bank):
    registry = ToolRegistry()
    registry.register(bank.transfer, writes=lambda source, target, **_: {source, target})
    registry.register(bank.statement, reads=lambda iban: iban)
    registry.register(bank.rate, reads=lambda currency: f"rate:{currency}")
    registry.register(bank.close_day, reads=True, writes=True)
    return registry


def with_decorators(bank):
    registry = ToolRegistry()

    def accounts(source, target, amount):
        return [f"account:{source}", f"account:{target}"]

    registry.tool(writes=accounts)(bank.transfer)
    registry.tool(reads="account:{iban}")(bank.statement)
    registry.tool(bank.rate)
    registry.tool(writes=True)(bank.close_day)
    return registry


def with_pairs_as_names(bank):
    registry = ToolRegistry()
    options = {
        "transfer": {
            "writes": lambda source, target, amount: [("account", source), ("account", target)]
        },
        "statement": {"reads": lambda iban: ("account", iban)},
        "rate": {},
        "close_day": {"writes": lambda: True},
    }
    for name, declared in options.items():
        registry.register(getattr(bank, name), **declared)
    return registry


RIGHT = {
    "12.1": [three_conditions, by_names, by_length],
    "12.2": [in_loops, by_pairs, the_nearest, as_lists],
    "12.3": [with_functions, with_decorators, with_pairs_as_names],
}
