"""Calls that meet: in request order where they conflict, together where they don't."""

import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from common import AT_ONCE, END, PATIENCE, call_chunk, calls_of, in_thread
from hypothesis import given, settings
from hypothesis import strategies as st

from ptc import ToolCall, ToolRegistry, execute_parallel, execute_sequential
from ptc.conflicts import Graph, chain_seconds, meet, predecessors
from ptc.stream import execute_stream
from ptc.timeline import most_at_once, spans

# The graph

KEYS = [(), ("a",), ("a", "b"), ("a", "c"), ("a", "b", "d"), ("e",), ("e", "f"), ("g",)]
SETS = st.frozensets(st.sampled_from(KEYS), max_size=2)


def conflict(one, other):
    (reads, writes), (their_reads, their_writes) = one, other
    return any(meet(x, y) for x in writes for y in their_writes | their_reads) or any(
        meet(x, y) for x in reads for y in their_writes
    )


@given(st.lists(st.tuples(SETS, SETS), max_size=9))
def test_the_graph_is_that_of_all_pairs(calls):
    """Each waits, through those that it names, for all earlier ones it conflicts with; no others."""
    graph = Graph()
    before = [graph.add(n, reads, writes) for n, (reads, writes) in enumerate(calls)]
    reached, wanted = [], []
    for n, names in enumerate(before):
        assert all(m < n and conflict(calls[n], calls[m]) for m in names)
        reached.append(set().union(*({m} | reached[m] for m in names)))
        met = [m for m in range(n) if conflict(calls[n], calls[m])]
        wanted.append(set().union(*({m} | wanted[m] for m in met)))
    assert reached == wanted


def test_a_chain_names_only_its_last_link(registry):
    registry.register(lambda k: k, name="write", writes="{k}")
    registry.register(lambda k: k, name="read", reads="{k}")
    calls = calls_of(*[("write", {"k": 1})] * 3, *[("read", {"k": 1})] * 2, ("write", {"k": 1}),
                     ("write", {"k": 2}))  # fmt: skip
    found = [sorted(before) for before in predecessors(calls, registry)]
    assert found == [[], [0], [1], [2], [2], [3, 4], []]


def test_readers_and_writers_by_the_thousand_share_their_sets():
    """25 million pairs, but each writer waits for the same readers."""
    graph = Graph()
    readers = [graph.add(n, frozenset([()]), frozenset()) for n in range(5000)]
    writers = [graph.add(5000 + n, frozenset(), frozenset([((n,),)])) for n in range(5000)]
    assert not any(readers)
    assert all(before is writers[0] for before in writers)
    assert writers[0] == frozenset(range(5000))


def test_the_longest_chain_behind_each_call():
    two_chains = [frozenset(), frozenset([0]), frozenset(), frozenset([1, 2])]
    assert chain_seconds(two_chains, [1, 2, 10, 4]) == [7, 6, 14, 4]


def test_calls_that_cant_be_run_conflict_with_none(registry):
    registry.register(lambda k: k, name="write", writes="all")
    broken = ToolCall("b", "write", {}, problem="no JSON object")
    calls = [*calls_of(("write", {"k": 1}), "unknown", ("write", {})), broken]
    calls += calls_of(("write", {"k": 2}))
    assert [sorted(b) for b in predecessors(calls, registry)] == [[], [], [], [], [0]]


# A batch: the outcome is that of running the calls one after the other


class Board:
    """Numbers under names. Two calls that meet at one name lose an update, and say so."""

    def __init__(self):
        self.numbers, self.busy, self.met = {}, {}, []
        self._lock = threading.Lock()

    def registry(self):
        registry = ToolRegistry()
        registry.register(self.write, writes="{name}")
        registry.register(self.read, reads="{name}")
        registry.register(self.copy, reads="{source}", writes="{target}")
        registry.register(self.all, reads=True)
        registry.register(self.free)
        return registry

    def _enter(self, name, writes):
        with self._lock:
            others = self.busy.setdefault(name, [])
            if others and (writes or "write" in others):
                self.met.append(name)
            others.append("write" if writes else "read")

    def _leave(self, name, writes):
        with self._lock:
            self.busy[name].remove("write" if writes else "read")

    def write(self, name: str, number: int):
        self._enter(name, True)
        before = self.numbers.get(name, 1)
        time.sleep(0)
        self.numbers[name] = 3 * before + number
        self._leave(name, True)
        return self.numbers[name]

    def read(self, name: str):
        self._enter(name, False)
        number = self.numbers.get(name, 1)
        self._leave(name, False)
        return number

    def copy(self, source: str, target: str):
        number = self.read(source)
        self._enter(target, True)
        self.numbers[target] = 2 * number
        self._leave(target, True)
        return number

    def all(self):
        return sorted(self.numbers.items())

    def free(self, name: str):
        return name


NAMES = st.sampled_from(["a", "b", "c"])
CALLS = st.one_of(
    st.builds(lambda n, x: ("write", {"name": n, "number": x}), NAMES, st.integers(0, 9)),
    st.builds(lambda n: ("read", {"name": n}), NAMES),
    st.builds(lambda a, b: ("copy", {"source": a, "target": b}), NAMES, NAMES),
    st.builds(lambda n: ("free", {"name": n}), NAMES),
    st.just(("all", {})),
)


@given(st.lists(CALLS, max_size=14), st.integers(1, 6), st.sampled_from(["ours", "another"]))
@settings(max_examples=60, deadline=None)
def test_the_outcome_is_that_of_running_them_in_order(named, workers, pool):
    calls, one, many = calls_of(*named), Board(), Board()
    expected = execute_sequential(calls, one.registry())
    if pool == "ours":
        results = execute_parallel(calls, many.registry(), workers)
    else:
        with ThreadPoolExecutor(workers) as executor:
            results = execute_parallel(calls, many.registry(), executor=executor)
    assert [result.output for result in results] == [result.output for result in expected]
    assert many.numbers == one.numbers and not many.met


def test_only_conflicts_wait_and_each_for_its_own(registry):
    """A graph and no segments: the second chain ends before the first one's second call starts."""
    go_on, order = threading.Event(), []

    @registry.tool(writes="{k}")
    def step(k: str, n: int):
        if (k, n) == ("slow", 1):
            assert go_on.wait(PATIENCE)
        order.append((k, n))
        if (k, n) == ("quick", 3):
            go_on.set()

    named = [("slow", 1), ("quick", 1), ("slow", 2), ("quick", 2), ("quick", 3)]
    results = execute_parallel(
        calls_of(*(("step", {"k": k, "n": n}) for k, n in named)), registry, 2
    )
    assert all(result.success for result in results)
    assert order == [("quick", 1), ("quick", 2), ("quick", 3), ("slow", 1), ("slow", 2)]


def test_readers_read_together(registry):
    barrier = threading.Barrier(3)
    registry.register(lambda: barrier.wait(PATIENCE), name="read", reads="inbox")
    results = execute_parallel(calls_of(*["read"] * 3), registry, 3)
    assert all(result.success for result in results) and most_at_once(spans(results)) == 3


def test_a_waiting_call_holds_no_worker(registry):
    """Two workers: three calls wait for the first, and the free ones get done meanwhile."""
    free_done = threading.Semaphore(0)

    @registry.tool(writes="x")
    def alone(first: bool):
        return all(free_done.acquire(timeout=PATIENCE) for _ in range(5)) if first else True

    registry.register(lambda: free_done.release(), name="free")
    named = [("alone", {"first": True})] + [("alone", {"first": False})] * 3 + ["free"] * 5
    results = execute_parallel(calls_of(*named), registry, 2)
    assert [result.output for result in results[:4]] == [True] * 4


def test_a_folder_meets_the_files_in_it(registry, tmp_path):
    """A search waits for the edit before it, and the edit of another folder doesn't."""
    (tmp_path / "in").mkdir()
    registry.register(lambda folder: 1, name="search", reads=lambda folder: Path(folder))
    registry.register(lambda file: 1, name="edit", writes=lambda file: Path(file))
    inside, outside = str(tmp_path / "in" / "a.txt"), str(tmp_path / "b.txt")
    calls = calls_of(("edit", {"file": inside}), ("edit", {"file": outside}),
                     ("search", {"folder": str(tmp_path / "in")}))  # fmt: skip
    assert [sorted(before) for before in predecessors(calls, registry)] == [[], [], [0]]


def test_a_failure_holds_up_nobody(registry):
    @registry.tool(writes="x")
    def fails():
        raise ValueError("no")

    registry.register(lambda: "ran", name="next", writes="x")
    results = execute_parallel(calls_of("fails", "next", "unknown", "next"), registry)
    assert [result.output for result in results] == [None, "ran", None, "ran"]


def test_a_retry_holds_on(registry):
    """Between its attempts nobody else gets at what it writes."""
    seen = []

    @registry.tool(writes="x")
    def flaky():
        seen.append("flaky")
        if len(seen) < 3:
            raise ConnectionError("down")

    registry.register(lambda: seen.append("next"), name="next", writes="x")
    execute_parallel(calls_of("flaky", "next"), registry, retry=AT_ONCE)
    assert seen == ["flaky", "flaky", "flaky", "next"]


def test_without_expected_seconds_calls_start_in_request_order(registry):
    """One worker: a call that becomes ready goes before those that were asked after it."""
    order = []

    @registry.tool(writes="{k}")
    def step(k: str, n: int):
        order.append(n)

    resources = ["page"] * 3 + ["menu"] * 2 + ["news"]
    named = [("step", {"k": k, "n": n}) for n, k in enumerate(resources)]
    execute_parallel(calls_of(*named), registry, 1)
    assert order == [0, 1, 2, 3, 4, 5]


def test_the_longest_chain_starts_first(registry):
    """One worker: the chain of two is longer than the single call that takes longest."""
    started = []

    @registry.tool(writes="{k}", expected_seconds=lambda k, seconds: seconds)
    def timed(k: str, seconds: float):
        started.append((k, seconds))

    named = [("a", 2.0), ("b", 1.5), ("b", 1.5)]
    execute_parallel(calls_of(*(("timed", {"k": k, "seconds": s}) for k, s in named)), registry, 1)
    assert started == [("b", 1.5), ("a", 2.0), ("b", 1.5)]


# Across batches


def test_four_batches_on_one_file_lose_nothing(registry, tmp_path):
    file = tmp_path / "count"
    file.write_text("0")

    @registry.tool(writes=lambda: file)
    def add():
        number = int(file.read_text())
        time.sleep(0.0002)
        file.write_text(str(number + 1))

    batches = [
        in_thread(lambda: execute_parallel(calls_of(*["add"] * 25), registry, 8)) for _ in range(4)
    ]
    assert all(result.success for batch in batches for result in batch())
    assert file.read_text() == "100"


def test_no_batch_starves(registry):
    """Readers come without end, and the writer gets its turn all the same."""
    stop = threading.Event()
    registry.register(lambda: time.sleep(0.001), name="read", reads="x")
    registry.register(lambda: "wrote", name="write", writes="x")

    def read_on():
        while not stop.is_set():
            execute_parallel(calls_of(*["read"] * 4), registry, 2)

    readers = [in_thread(read_on) for _ in range(3)]
    (result,) = execute_parallel(calls_of("write"), registry, timeout=PATIENCE)
    stop.set()
    for reader in readers:
        reader()
    assert result.output == "wrote"


def test_an_abandoned_call_keeps_what_it_holds(registry):
    """It may still write; who waits for it is told who holds what, and once it ends, can run."""
    release = threading.Event()
    registry.register(lambda: release.wait(PATIENCE), name="hang", writes="inbox", timeout=0.05)
    registry.register(lambda: "ran", name="read", reads="inbox", timeout=0.1)
    hung, starved = execute_parallel(calls_of("hang", "read"), registry)
    assert "abandoned" in hung.error
    assert "abandoned calls that have not ended hold 'inbox': 'hang' (c0)" in starved.error
    waiting = in_thread(lambda: execute_parallel(calls_of("read"), registry, timeout=PATIENCE))
    release.set()
    for _ in range(PATIENCE * 20):
        if execute_parallel(calls_of("read"), registry)[0].success:
            break
        time.sleep(0.05)
    waiting()
    assert execute_parallel(calls_of("read"), registry)[0].output == "ran"


def test_after_an_interrupt_the_next_batch_works(registry):
    registry.register(lambda: time.sleep(0.001), name="write", writes="x")

    def stop(result):
        raise LookupError("enough")

    for _ in range(20):
        with pytest.raises(LookupError):
            execute_parallel(calls_of(*["write"] * 5), registry, on_result=stop)
    results = execute_parallel(calls_of(*["write"] * 3), registry, timeout=PATIENCE)
    assert all(result.success for result in results)


# Calls inside calls


def test_a_call_inside_a_call_shares_what_its_caller_holds(registry):
    registry.register(lambda: "inside", name="inner", writes="x")

    @registry.tool(writes="x")
    def outer():
        return [r.output or r.error for r in execute_parallel(calls_of(*["inner"] * 3), registry)]

    results = execute_parallel(calls_of("outer", "outer"), registry, 1, timeout=PATIENCE)
    assert [result.output for result in results] == [["inside"] * 3] * 2


def test_the_same_holds_for_permits(registry):
    """One at a time, inside too: the caller itself is not at work meanwhile."""
    registry.register(lambda: time.sleep(0.001), name="inner", max_concurrency=1)

    @registry.tool(max_concurrency=1)
    def outer(depth: int):
        if not depth:
            return "leaf"
        calls = calls_of(("outer", {"depth": depth - 1}), "inner")
        return execute_parallel(calls, registry)[0].output

    results = execute_parallel(calls_of(*[("outer", {"depth": 3})] * 2), registry, timeout=PATIENCE)
    assert [result.output for result in results] == ["leaf", "leaf"]


def test_callers_that_cross_get_an_error_at_once(registry):
    """Each holds what a call inside the other waits for: one of the two is told, neither hangs."""
    both_hold = threading.Barrier(2)
    for name, other in (("p", "q"), ("q", "p")):

        def outer(other=other):
            both_hold.wait(PATIENCE)
            (result,) = execute_parallel(calls_of(f"write_{other}"), registry)
            return result.output or result.error

        registry.register(lambda outer=outer: outer(), name=f"outer_{name}", schema={}, writes=name)
        registry.register(lambda: "wrote", name=f"write_{name}", writes=name)
    calls = calls_of("outer_p", "outer_q")
    outputs = [result.output for result in execute_parallel(calls, registry, timeout=PATIENCE)]
    told = [output for output in outputs if output != "wrote"]
    assert len(told) == 1 and "which waits in turn for what the caller of this one holds" in told[0]


def test_full_lanes_with_calls_inside_calls(registry):
    """Every worker has a call whose inner calls need what others of the line wait for."""

    registry.register(lambda k: k, name="leaf", writes="{k}")

    @registry.tool(reads="tree")
    def branch(k: str):
        calls = calls_of(*[("leaf", {"k": f"{k}{n}"}) for n in range(3)])
        return [result.output for result in execute_parallel(calls, registry, 1)]

    registry.register(lambda: "cut", name="cut", writes="tree")
    named = [("branch", {"k": "a"}), "cut", ("branch", {"k": "b"}), "cut", ("branch", {"k": "c"})]
    batches = [
        in_thread(lambda: execute_parallel(calls_of(*named), registry, 2, timeout=PATIENCE))
        for _ in range(3)
    ]
    for batch in batches:
        assert all(result.success for result in batch())


# In a stream


def test_in_a_stream_a_call_that_touches_waits_for_those_before_it(registry):
    """The second call is complete before the first is even known, and still runs after it."""
    order, free_ran = [], threading.Event()
    registry.register(
        lambda n: order.append(n), name="write", writes="x", schema={"type": "object"}
    )
    registry.register(free_ran.set, name="free", schema={})

    def stream():
        yield call_chunk(1, "write", '{"n": 2}')
        yield call_chunk(2, "free", "{}")
        assert free_ran.wait(PATIENCE), "what touches nothing doesn't wait"
        assert not order
        yield call_chunk(0, "write", '{"n": 1}')
        yield END

    reply = execute_stream(stream(), registry)
    assert order == [1, 2]
    assert [result.success for result in reply.results] == [True] * 3


def test_in_a_stream_calls_that_touch_still_start_early(registry):
    ran = threading.Event()
    registry.register(ran.set, name="write", writes="x", schema={})

    def stream():
        yield call_chunk(0, "write", "{}")
        assert ran.wait(PATIENCE)
        yield END

    assert execute_stream(stream(), registry).results[0].success


# What can't be said


def test_a_declaration_that_fails_touches_everything(registry):
    """The search can't be placed, so it waits for all before it, and all after it wait."""
    registry.register(lambda k: k, name="odd", reads=lambda k: 1 / 0)
    registry.register(lambda k: k, name="write", writes="{k}")
    calls = calls_of(("write", {"k": 1}), ("odd", {"k": 1}), ("write", {"k": 2}))
    with pytest.warns(UserWarning, match="counts as everything"):
        assert [sorted(b) for b in predecessors(calls, registry)] == [[], [0], [1]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert [result.output for result in execute_parallel(calls, registry)] == [1, 1, 2]
