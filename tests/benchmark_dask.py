"""What a call costs on a Dask cluster of this machine, and whether memory stays flat.

    python tests/benchmark_dask.py [calls] [rounds]

Two processes of eight threads run calls of 10 ms, in interleaved rounds: through Dask's own
``client.get_executor()``, which gives futures and nothing else, and through ``execute_parallel`` on
that executor. Each round's outputs are counted: none may be lost. Memory is what each process holds
after a round; the scheduler lives in the caller's process, as it does with any ``LocalCluster``.
Dask keeps logs of a fixed length, so memory grows until they are full: then a second series, of
``execute_parallel`` alone, shows what a call leaves behind.
"""

import gc
import logging
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor
from time import perf_counter

import psutil
from distributed import Client, LocalCluster

from ptc import ToolCall, ToolRegistry, execute_parallel

SECONDS = 0.01


def wait(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


registry = ToolRegistry()
registry.register(wait)


def bare(executor: Executor, calls: int) -> list[float]:
    futures = [executor.submit(wait, SECONDS, pure=False) for _ in range(calls)]
    return [future.result() for future in futures]


def ptc(executor: Executor, calls: int) -> list[float]:
    asked = [ToolCall(f"call_{n}", "wait", {"seconds": SECONDS}) for n in range(calls)]
    return [result.output for result in execute_parallel(asked, registry, executor=executor)]


def held() -> float:
    """What this process holds in memory, in MB."""
    gc.collect()
    return psutil.Process().memory_info().rss / 1e6


def timed(run: Callable[[Executor, int], list[float]], executor: Executor, calls: int) -> float:
    """Milliseconds a call; raises if one is lost."""
    begin = perf_counter()
    outputs = run(executor, calls)
    took = (perf_counter() - begin) / calls * 1e3
    if outputs != [SECONDS] * calls:
        raise AssertionError(f"{calls - outputs.count(SECONDS)} of {calls} calls lost")
    return took


def main(calls: int, rounds: int) -> None:
    quiet = {"silence_logs": logging.CRITICAL, "dashboard_address": ":0"}
    with (
        LocalCluster(n_workers=2, threads_per_worker=8, **quiet) as cluster,
        Client(cluster) as client,
    ):
        measure(client, calls, rounds)


def measure(client: Client, calls: int, rounds: int) -> None:
    executor = client.get_executor()

    def memory() -> str:
        return " | ".join(f"{mb:.0f}" for mb in [held(), *client.run(held).values()])

    took: dict[str, list[float]] = {"bare": [], "ptc": []}
    for run in (bare, ptc):
        timed(run, executor, 100)  # to warm up
    for _ in range(rounds):
        for name, run in (("bare", bare), ("ptc", ptc)):
            took[name].append(timed(run, executor, calls))
    ratios = [ours / theirs for theirs, ours in zip(took["bare"], took["ptc"], strict=True)]
    print(f"{calls:,} calls of 10 ms, 2 processes of 8 threads; medians of {rounds} rounds")
    print("\n| | ms a call | over bare | lost |\n|---|---|---|---|")
    print(f"| bare `get_executor()` | {statistics.median(took['bare']):.2f} | 1 | 0 |")
    ratio = statistics.median(ratios)
    print(f"| ptc | {statistics.median(took['ptc']):.2f} | {ratio:.2f} | 0 |")
    print(f"\nratio of each round: {', '.join(f'{ratio:.2f}' for ratio in ratios)}\n")
    print("| ptc alone, calls so far | caller and scheduler, MB | worker 1 | worker 2 |")
    print(f"|---|---|---|---|\n| 0 | {memory()} |", flush=True)
    for done in range(1, 7):
        timed(ptc, executor, calls)
        print(f"| {done * calls:,} | {memory()} |", flush=True)


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(*(given + [10_000, 3][len(given) :]))
