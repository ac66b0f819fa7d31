"""How much the package adds to a bare thread pool, and how near it comes to the lower bound.

    python tests/benchmark.py [rounds]

Rounds are interleaved: in each, every candidate does the same work, so that a slow moment of the
machine hits all of them. Medians; ratios are to the new bare ``ThreadPoolExecutor`` of the same
rounds, which runs the tools and nothing else: no schemas, no ids, no messages, no failures.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from ptc import (
    ToolRegistry,
    execute_parallel,
    extract_parallel_calls,
    format_parallel_results,
)
from ptc.timeline import lower_bound
from ptc.wire import assistant_message

registry = ToolRegistry()


@registry.tool
def nothing(x: int) -> int:
    return x


@registry.tool(expected_seconds=lambda seconds: seconds)
def wait(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def reply(name: str, arguments: list[dict]) -> dict:
    """A Chat Completions reply that asks for one call for each of the arguments."""
    tool_calls = [
        {"id": f"call_{n}", "type": "function"}
        | {"function": {"name": name, "arguments": json.dumps(a)}}
        for n, a in enumerate(arguments)
    ]
    message = {"role": "assistant", "content": None, "tool_calls": tool_calls}
    return {"choices": [{"message": message}]}


def whole_turn(response: dict, workers: int) -> list[dict]:
    """From the raw reply to the messages that answer it."""
    calls = extract_parallel_calls(response)
    results = execute_parallel(calls, registry, workers)
    return [assistant_message(response, calls), *format_parallel_results(results)]


def bare_pool(fn: Callable, values: list, workers: int) -> list:
    with ThreadPoolExecutor(workers) as pool:
        return [future.result() for future in [pool.submit(fn, value) for value in values]]


def warm_pool(pool: ThreadPoolExecutor, fn: Callable, values: list) -> list:
    return [future.result() for future in [pool.submit(fn, value) for value in values]]


def seconds(work: Callable[[], object]) -> float:
    begin = perf_counter()
    work()
    return perf_counter() - begin


def medians(candidates: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Each candidate's median time in seconds, over interleaved rounds, after one to warm up."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(rounds + 1):
        for name, work in candidates.items():
            took = seconds(work)
            if turn:
                times[name].append(took)
    return {name: statistics.median(took) for name, took in times.items()}


def overhead(workers: int, rounds: int) -> dict[str, float]:
    """Seconds for 100 calls that do nothing."""
    response = reply("nothing", [{"x": n} for n in range(100)])
    with ThreadPoolExecutor(workers) as pool:
        return medians(
            {
                "bare pool, new": lambda: bare_pool(nothing, range(100), workers),
                "bare pool, kept warm": lambda: warm_pool(pool, nothing, range(100)),
                "ptc, raw reply to messages": lambda: whole_turn(response, workers),
            },
            rounds,
        )


def makespans(durations: list[float], workers: int, rounds: int) -> dict[str, float]:
    """Makespan over the lower bound."""
    response = reply("wait", [{"seconds": s} for s in durations])
    bound = lower_bound(durations, workers)
    with ThreadPoolExecutor(workers) as pool:
        took = medians(
            {
                "bare pool, new": lambda: bare_pool(time.sleep, durations, workers),
                "bare pool, kept warm": lambda: warm_pool(pool, time.sleep, durations),
                "ptc, raw reply to messages": lambda: whole_turn(response, workers),
            },
            rounds,
        )
    return {name: value / bound for name, value in took.items()}


def first_result(rounds: int) -> float:
    """Seconds until ``on_result`` hears of a 10 ms call that runs beside three of 100 ms."""
    calls = extract_parallel_calls(reply("wait", [{"seconds": s} for s in (0.1, 0.1, 0.1, 0.01)]))

    def once() -> float:
        heard: list[float] = []
        begin = perf_counter()
        execute_parallel(calls, registry, 4, on_result=lambda _: heard.append(perf_counter()))
        return heard[0] - begin

    return statistics.median(once() for _ in range(rounds))


def eight_hung(rounds: int) -> float:
    """Seconds for eight calls that would take ten times their timeout of 100 ms."""
    hung = ToolRegistry()
    hung.register(lambda: time.sleep(1), name="hang", timeout=0.1)
    calls = extract_parallel_calls(reply("hang", [{}] * 8))
    return statistics.median(
        seconds(lambda: execute_parallel(calls, hung, 8)) for _ in range(rounds)
    )


def table(title: str, columns: dict[str, dict[str, float]]) -> str:
    lines = ["| " + " | ".join([title, *columns]) + " |", "|---" * (len(columns) + 1) + "|"]
    for name in next(iter(columns.values())):
        cells = [f"{column[name]:.2f}" for column in columns.values()]
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return "\n".join(lines)


def main(rounds: int) -> None:
    columns = {}
    for workers in (4, 8, 16):
        took = overhead(workers, rounds)
        base = took["bare pool, new"]
        columns[f"{workers} workers"] = {name: value / base for name, value in took.items()}
        print(
            f"{workers} workers, 100 calls: "
            + ", ".join(f"{k} {v * 1e3:.2f} ms" for k, v in took.items())
        )
    print(table("overhead of 100 calls, ratio", columns))
    mixed = [
        0.02,
        0.03,
        0.05,
        0.02,
        0.04,
        0.01,
        0.03,
        0.06,
        0.02,
        0.05,
        0.01,
        0.04,
        0.03,
        0.02,
        0.07,
        0.1,
    ]
    cases = {
        "3 x 50 ms": ([0.05] * 3, 3),
        "16 mixed, 4 workers": (mixed, 4),
        "64 x 10 ms, 16 workers": ([0.01] * 64, 16),
    }
    few = max(5, rounds // 4)
    print(table("makespan / lower bound", {n: makespans(d, w, few) for n, (d, w) in cases.items()}))
    print(f"first result of a 10 ms tool: {first_result(few) * 1e3:.1f} ms")
    print(f"8 hung calls, 100 ms each: {eight_hung(5) * 1e3:.0f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
