"""How much each way to run the calls of one reply costs, and how near it comes to the lower bound.

    python tests/benchmark.py [rounds]
    python tests/benchmark.py [rounds] meet     only the calls that touch the same files

Rounds are interleaved: in each, every candidate does the same work, so that a slow moment of the
machine hits all of them. Medians; ratios are to the new bare ``ThreadPoolExecutor`` of the same
rounds, which runs the tools and nothing else: no schemas, no ids, no messages, no failures.
Frameworks take part where they are installed; nothing requires them.
"""

import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.metadata import version
from importlib.util import find_spec
from time import perf_counter
from typing import NamedTuple

from ptc import (
    ToolCall,
    ToolRegistry,
    execute_parallel,
    execute_sequential,
    extract_parallel_calls,
    format_parallel_results,
)
from ptc.conflicts import predecessors
from ptc.timeline import lower_bound
from ptc.wire import assistant_message


def nothing(x: int) -> int:
    """Give back a number.

    Args:
        x: Any number.
    """
    return x


def wait(seconds: float) -> float:
    """Wait.

    Args:
        seconds: How long.
    """
    time.sleep(seconds)
    return seconds


TOOLS: dict[str, Callable] = {"nothing": nothing, "wait": wait}

registry = ToolRegistry()
registry.register(nothing)
registry.register(wait, expected_seconds=lambda seconds: seconds)

Hear = Callable[[object], object]
"""Is called in the caller's thread with each result as soon as the caller has it."""

Run = Callable[[Hear | None], list]
"""Runs the batch once more; its results, or the messages that hold them."""

Candidate = Callable[[str, list[dict], int], Run]
"""Prepares a batch: the tool's name, the arguments of each call, the number of workers."""


def in_pool(pool: ThreadPoolExecutor, fn: Callable, arguments: list, hear: Hear | None) -> list:
    futures = [pool.submit(fn, **a) for a in arguments]
    if hear:
        for future in as_completed(futures):
            hear(future.result())
    return [future.result() for future in futures]


def new_pool(name: str, arguments: list[dict], workers: int) -> Run:
    def run(hear: Hear | None) -> list:
        with ThreadPoolExecutor(workers) as pool:
            return in_pool(pool, TOOLS[name], arguments, hear)

    return run


def warm_pool(name: str, arguments: list[dict], workers: int) -> Run:
    pool = ThreadPoolExecutor(workers)
    return lambda hear: in_pool(pool, TOOLS[name], arguments, hear)


def gathered(name: str, arguments: list[dict], workers: int) -> Run:
    async def batch(hear: Hear | None) -> list:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(workers))

        async def one(a: dict) -> float:
            result = await asyncio.to_thread(TOOLS[name], **a)
            if hear:
                hear(result)
            return result

        return await asyncio.gather(*map(one, arguments))

    return lambda hear: asyncio.run(batch(hear))


def ptc_turn(name: str, arguments: list[dict], workers: int) -> Run:
    response = reply(name, arguments)

    def run(hear: Hear | None) -> list:
        calls = extract_parallel_calls(response)
        results = execute_parallel(calls, registry, workers, on_result=hear)
        return [assistant_message(response, calls), *format_parallel_results(results)]

    return run


def reply(name: str, arguments: list[dict]) -> dict:
    """A Chat Completions reply that asks for one call for each of the arguments."""
    tool_calls = [
        {"id": f"call_{n}", "type": "function"}
        | {"function": {"name": name, "arguments": json.dumps(a)}}
        for n, a in enumerate(arguments)
    ]
    message = {"role": "assistant", "content": None, "tool_calls": tool_calls}
    return {"choices": [{"message": message}]}


def langgraph(name: str, arguments: list[dict], workers: int) -> Run:
    from langchain_core.messages import AIMessage
    from langgraph.prebuilt import ToolNode
    from langgraph.runtime import Runtime

    node = ToolNode([*TOOLS.values()])
    tool_calls = [{"name": name, "args": a, "id": f"call_{n}"} for n, a in enumerate(arguments)]
    messages = [AIMessage("", tool_calls=tool_calls)]

    def run(hear: Hear | None) -> list:
        answers = node.invoke(messages, {"max_concurrency": workers}, runtime=Runtime())
        if hear:
            hear(answers[0])
        return answers

    return run


def smolagents(name: str, arguments: list[dict], workers: int) -> Run:
    from smolagents import ActionStep, LogLevel, Model, Timing, ToolCallingAgent, ToolOutput, tool
    from smolagents.models import ChatMessage, ChatMessageToolCall, ChatMessageToolCallFunction

    tools = [tool(fn) for fn in TOOLS.values()]
    settings = {"max_tool_threads": workers, "verbosity_level": LogLevel.OFF}
    agent = ToolCallingAgent(tools, Model(), **settings)
    tool_calls = [
        ChatMessageToolCall(ChatMessageToolCallFunction(a, name), f"call_{n}", "function")
        for n, a in enumerate(arguments)
    ]
    message = ChatMessage("assistant", tool_calls=tool_calls)

    def run(hear: Hear | None) -> list:
        step = ActionStep(step_number=1, timing=Timing(start_time=0.0))
        results = []
        for output in agent.process_tool_calls(message, step):
            if isinstance(output, ToolOutput):
                results.append(output)
                if hear:
                    hear(output)
        return results

    return run


def strands(name: str, arguments: list[dict], workers: int) -> Run:
    from strands import Agent, tool
    from strands.telemetry.metrics import Trace
    from strands.tools.executors import ConcurrentToolExecutor
    from strands.types._events import ToolResultEvent

    executor = ConcurrentToolExecutor()
    agent = Agent(tools=[tool(fn) for fn in TOOLS.values()], tool_executor=executor)
    tool_uses = [
        {"toolUseId": f"call_{n}", "name": name, "input": a} for n, a in enumerate(arguments)
    ]

    async def batch(hear: Hear | None) -> list:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(workers))
        results: list = []
        # Public is only what asks the model as well, through which an agent calls this.
        async for event in executor._execute(agent, tool_uses, results, Trace("turn"), None, {}):
            if hear and isinstance(event, ToolResultEvent):
                hear(event)
        return results

    return lambda hear: asyncio.run(batch(hear))


BARE = "bare `ThreadPoolExecutor`, new"

CANDIDATES: dict[str, Candidate] = {
    BARE: new_pool,
    "bare `ThreadPoolExecutor`, kept warm": warm_pool,
    "asyncio, `gather` over `to_thread`": gathered,
    "ptc, raw reply to messages": ptc_turn,
}

FRAMEWORKS: dict[str, tuple[str, str, Candidate]] = {
    "langgraph": ("langgraph-prebuilt", "`ToolNode`", langgraph),
    "smolagents": ("smolagents", "`ToolCallingAgent`", smolagents),
    "strands": ("strands-agents", "`ConcurrentToolExecutor`", strands),
}

NOTES = """
100 calls that do nothing, 8 workers: µs a call, and the ratio to a new bare pool. Then makespan
over the lower bound, in three cases. Then ms until the caller has the result of a 10 ms call that
runs beside three of 100 ms. The same blocking tools for all, in as many threads:

- ptc keeps its threads for some seconds, as the warm pool does; the others start theirs anew. It is
  told how long each call should take (`expected_seconds`), and starts the longest first; untold, it
  goes in request order, as the others do, who can't be told. It works from the raw reply to the
  messages; a framework, from its own parsed message to its own results.
- asyncio: the loop's default executor, with that many threads, is the bound; a semaphore more would
  only cost. strands has no setting for the workers, and gets such an executor, too; by default it
  would have min(32, processors + 4) threads.

What each does not do, by default (read and tried in langgraph-prebuilt 1.1.2, smolagents 1.26.0,
strands-agents 1.62.0):

- `ThreadPoolExecutor`: no ids, schemas or messages; `result()` raises what the tool raised; the end
  of its `with` block waits for a hung call.
- asyncio: nor any of these; `gather` raises the first exception, unless told
  `return_exceptions=True`; the end of `asyncio.run` waits for a hung thread.
- `ToolNode`: hands over all results together; raises a tool's exception, and the other answers are
  lost (`handle_tool_errors=True` answers all); gives a call with broken JSON, which is in
  `invalid_tool_calls`, no answer; has no timeout for one call.
- smolagents: raises at any failed call, and the other answers are lost; shows the model the results
  sorted by id as text, `call_10` before `call_2`; has no timeout for one call.
- strands: takes broken JSON for `{}`, so a tool without required arguments runs; has no timeout
  for one call.
- ptc: no hooks, no tracing; a hung call is answered, but its thread runs on until it ends.
"""


def installed() -> dict[str, Candidate]:
    return CANDIDATES | {
        f"{distribution} {version(distribution)}, {what}": candidate
        for module, (distribution, what, candidate) in FRAMEWORKS.items()
        if find_spec(module)
    }


def whole(run: Run) -> float:
    """Seconds for the batch."""
    begin = perf_counter()
    run(None)
    return perf_counter() - begin


def first(run: Run) -> float:
    """Seconds until the caller has the first result."""
    heard: list[float] = []
    begin = perf_counter()
    run(lambda _: heard.append(perf_counter()))
    return heard[0] - begin


def medians(
    name: str,
    arguments: list[dict],
    workers: int,
    rounds: int,
    clock: Callable[[Run], float] = whole,
) -> dict[str, float]:
    """Each candidate's median time in seconds, over interleaved rounds, after one to warm up."""
    runs = {who: make(name, arguments, workers) for who, make in installed().items()}
    times: dict[str, list[float]] = {who: [] for who in runs}
    for turn in range(rounds + 1):
        for who, run in runs.items():
            took = clock(run)
            if turn:
                times[who].append(took)
    return {who: statistics.median(took) for who, took in times.items()}


def eight_hung(rounds: int) -> float:
    """Seconds for eight calls that would take ten times their timeout of 100 ms."""
    hung = ToolRegistry()
    hung.register(lambda: time.sleep(1), name="hang", timeout=0.1)
    calls = extract_parallel_calls(reply("hang", [{}] * 8))
    return statistics.median(
        whole(lambda hear: execute_parallel(calls, hung, 8, on_result=hear)) for _ in range(rounds)
    )


# --- calls that meet -------------------------------------------------------------------------


def touch(file: str, seconds: float) -> None:
    """Read a file, or write it, for so long."""
    time.sleep(seconds)


def expected(file: str, seconds: float) -> float:
    return seconds


def touching(reads: str | None, writes: str | None) -> ToolRegistry:
    """A registry with the tools edit and view, which declare this."""
    tools = ToolRegistry()
    tools.register(touch, name="edit", expected_seconds=expected, writes=writes)
    tools.register(touch, name="view", expected_seconds=expected, reads=reads)
    return tools


DECLARED = touching(reads="{file}", writes="{file}")
UNDECLARED = touching(reads=None, writes=None)


def drawn_calls(seed: int, calls: int, files: int, ms: tuple[int, int]) -> list[ToolCall]:
    """Edits and views of files, half of each on average, that take between so many ms."""
    choose = random.Random(seed)
    return [
        ToolCall(
            f"call_{n}",
            choose.choice(["edit", "view"]),
            {"file": f"file {choose.randrange(files)}", "seconds": choose.randint(*ms) / 1000},
        )
        for n in range(calls)
    ]


def bound_of(calls: Sequence[ToolCall], workers: int) -> float:
    seconds = [call.arguments["seconds"] for call in calls]
    return lower_bound(seconds, workers, predecessors=predecessors(calls, DECLARED))


def segments_of(calls: Sequence[ToolCall]) -> list[list[ToolCall]]:
    """The batch cut before each call that conflicts with one of the segment so far."""
    segments: list[list[ToolCall]] = [[]]
    for call in calls:
        if predecessors([*segments[-1], call], DECLARED)[-1]:
            segments.append([])
        segments[-1].append(call)
    return segments


def in_sequence(calls: Sequence[ToolCall], workers: int) -> Callable[[], object]:
    return lambda: execute_sequential(calls, UNDECLARED)


def in_segments(calls: Sequence[ToolCall], workers: int) -> Callable[[], object]:
    segments = segments_of(calls)
    return lambda: [execute_parallel(segment, UNDECLARED, workers) for segment in segments]


def as_declared(calls: Sequence[ToolCall], workers: int) -> Callable[[], object]:
    return lambda: execute_parallel(calls, DECLARED, workers)


WAYS = {
    "all in sequence": in_sequence,
    "ordered segments": in_segments,
    "ptc, `reads=` and `writes=`": as_declared,
}


def seconds_for(run: Callable[[], object]) -> float:
    begin = perf_counter()
    run()
    return perf_counter() - begin


def sixteen_on_six(rounds: int, workers: int = 8) -> dict[str, dict[str, float]]:
    """Medians over batches of 16 calls on 6 files; each batch is run in all ways."""
    columns: dict[str, dict[str, list[float]]] = {
        name: {way: [] for way in WAYS} for name in ("makespan ÷ bound", "÷ ptc")
    }
    for seed in range(rounds):
        calls = drawn_calls(seed, 16, 6, (10, 60))
        bound = bound_of(calls, workers)
        took = {way: seconds_for(prepare(calls, workers)) for way, prepare in WAYS.items()}
        for way, seconds in took.items():
            columns["makespan ÷ bound"][way].append(seconds / bound)
            columns["÷ ptc"][way].append(seconds / took["ptc, `reads=` and `writes=`"])
    return {
        name: {way: statistics.median(each) for way, each in column.items()}
        for name, column in columns.items()
    }


def over_the_bound(batches: int = 40, workers: int = 4) -> list[float]:
    """Makespan over the bound of batches of 4 to 12 calls of about 20 ms, sorted."""
    ratios = []
    for seed in range(batches):
        calls = drawn_calls(seed, 4 + seed % 9, 4, (10, 30))
        took = seconds_for(as_declared(calls, workers))
        ratios.append(took / bound_of(calls, workers))
    return sorted(ratios)


class Many(NamedTuple):
    """Seconds for the graph of a batch, and for running it."""

    graph: float
    batch: float


def ten_thousand_on_500() -> Many:
    calls = drawn_calls(0, 10_000, 500, (0, 0))
    graph = seconds_for(lambda: predecessors(calls, DECLARED))
    return Many(graph, seconds_for(as_declared(calls, 8)))


def cost_of_declaring(rounds: int) -> dict[str, float]:
    """µs a call, of 100 that do nothing, on 8 workers, where they declare nothing and something."""
    calls = [ToolCall(f"call_{n}", "nothing", {"x": n}) for n in range(100)]
    tools = {"declares nothing": ToolRegistry(), "reads one thing": ToolRegistry()}
    tools["declares nothing"].register(nothing)
    tools["reads one thing"].register(nothing, reads="number:{x}")
    times: dict[str, list[float]] = {name: [] for name in tools}
    for _ in range(rounds):
        for name, declared in tools.items():
            times[name].append(seconds_for(lambda d=declared: execute_parallel(calls, d, 8)))
    return {name: statistics.median(each) * 1e4 for name, each in times.items()}


def print_calls_that_meet(rounds: int) -> None:
    print("", table("16 calls on 6 files, 8 workers", sixteen_on_six(rounds)), sep="\n")
    ratios = over_the_bound()
    print(
        f"\n40 batches of 4 to 12 calls of about 20 ms, 4 workers: makespan ÷ bound "
        f"{statistics.median(ratios):.3f} (median), {ratios[35]:.3f} (nine of ten)"
    )
    many = ten_thousand_on_500()
    print(f"10,000 calls on 500 files: graph {many.graph:.2f} s, batch {many.batch:.2f} s")
    for name, cost in cost_of_declaring(5 * rounds).items():
        print(f"100 calls that do nothing, 8 workers, {name}: {cost:.1f} µs a call")


def table(title: str, columns: dict[str, dict[str, float]]) -> str:
    lines = ["| " + " | ".join([title, *columns]) + " |", "|---" * (len(columns) + 1) + "|"]
    for name in next(iter(columns.values())):
        cells = [f"{column[name]:#.3g}".rstrip(".") for column in columns.values()]
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return "\n".join(lines)


def waits(durations: list[float]) -> list[dict]:
    return [{"seconds": seconds} for seconds in durations]


MIXED_MS = [20, 30, 50, 20, 40, 10, 30, 60, 20, 50, 10, 40, 30, 20, 70, 100]

CASES = {
    "makespan: 3 × 50 ms": ([0.05] * 3, 3),
    "16 mixed, 4 workers": ([ms / 1000 for ms in MIXED_MS], 4),
    "64 × 10 ms, 16 workers": ([0.01] * 64, 16),
}


def main(rounds: int) -> None:
    few = max(5, rounds // 4)
    detail: dict[str, dict[str, float]] = {}
    for workers in (4, 8, 16):
        took = medians("nothing", [{"x": n} for n in range(100)], workers, rounds)
        detail[f"µs a call, {workers} workers"] = {w: v * 1e4 for w, v in took.items()}
        detail[f"÷ new pool, {workers}"] = {w: v / took[BARE] for w, v in took.items()}
    columns = {name: column for name, column in detail.items() if "8" in name}
    for case, (durations, workers) in CASES.items():
        took = medians("wait", waits(durations), workers, few)
        bound = lower_bound(durations, workers)
        columns[case] = {who: value / bound for who, value in took.items()}
    took = medians("wait", waits([0.1, 0.1, 0.1, 0.01]), 4, few, first)
    columns["first result, ms"] = {who: value * 1e3 for who, value in took.items()}
    print(table("", columns), NOTES, table("100 calls that do nothing", detail), sep="\n")
    print(f"8 hung calls, 100 ms each, ptc: {eight_hung(5) * 1e3:.0f} ms")
    print_calls_that_meet(rounds)


if __name__ == "__main__":
    words = sys.argv[1:]
    count = int(next((word for word in words if word.isdecimal()), 20))
    if "meet" in words:
        print_calls_that_meet(count)
    else:
        main(count)
