"""What starting calls from a streamed reply saves, against waiting for the whole reply.

    python tests/benchmark_streams.py [rounds]

The scripted provider streams each reply evenly over its seconds, and the real client reads it. The
time counts from the request to the last result; medians of interleaved rounds. "Earliest" is
computed: each call starts when its last chunk is in and a worker is free, and nothing else takes
any time.
"""

import heapq
import statistics
import sys
import time
from time import perf_counter
from typing import Any, NamedTuple

from ptc import ToolRegistry, connect, execute_parallel, extract_parallel_calls
from ptc.provider import ScriptedProvider, tool_call
from ptc.stream import execute_stream

QUICK = 0.05  # seconds


class Setting(NamedTuple):
    """``reply`` in seconds, the seconds of each call in request order, and the workers."""

    name: str
    reply: float
    calls: list[float]
    workers: int


SETTINGS = [
    Setting("reply 1 s, tool of 0.5 s first of 3", 1.0, [0.5, QUICK, QUICK], 4),
    Setting("reply 1 s, tool of 0.5 s last of 3", 1.0, [QUICK, QUICK, 0.5], 4),
    Setting("reply 1 s, 3 tools of 0.5 s", 1.0, [0.5] * 3, 4),
    Setting("reply 0.5 s, 3 tools of 1 s", 0.5, [1.0] * 3, 4),
    Setting("reply 1 s, 6 tools of 0.5 s, 2 workers", 1.0, [0.5] * 6, 2),
]


def registry() -> ToolRegistry:
    made = ToolRegistry()

    @made.tool
    def wait(seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    return made


class Times(NamedTuple):
    """Seconds to the last result: medians of what was measured, and the computed earliest."""

    whole: float
    streamed: float
    earliest: float


def measure(setting: Setting, rounds: int) -> Times:
    tools = registry()
    reply = {
        "content": None,
        "tool_calls": [tool_call("wait", {"seconds": s}) for s in setting.calls],
    }
    client, model = connect()
    times: dict[bool, list[float]] = {False: [], True: []}
    with ScriptedProvider([reply]) as provider, client:
        ask = client.with_options(base_url=provider.base_url).chat.completions.create
        request = {"model": model, "messages": [{"role": "user", "content": "go"}]}
        request |= {"tools": tools.to_wire()}
        chunks = list(ask(**request, stream=True))
        provider.latency = setting.reply
        for _ in range(rounds):
            for stream, taken in times.items():
                begin = perf_counter()
                said = ask(**request, stream=stream)
                if stream:
                    results = execute_stream(said, tools, setting.workers).results
                else:
                    results = execute_parallel(extract_parallel_calls(said), tools, setting.workers)
                taken.append(perf_counter() - begin)
                assert [result.output for result in results] == setting.calls
    return Times(*map(statistics.median, times.values()), earliest(setting, chunks))


def earliest(setting: Setting, chunks: list[Any]) -> float:
    """List scheduling of calls that can't start before they are whole."""
    free, ends = [0.0] * setting.workers, [setting.reply]
    for whole, seconds in zip(whole_at(setting.reply, chunks), setting.calls, strict=True):
        ends.append(max(heapq.heappop(free), whole) + seconds)
        heapq.heappush(free, ends[-1])
    return max(ends)


def whole_at(reply: float, chunks: list[Any]) -> list[float]:
    """For each call, when its last chunk is sent; one more event says that the stream is over."""
    last: dict[int, int] = {}
    for number, chunk in enumerate(chunks, start=1):
        for delta in chunk.choices[0].delta.tool_calls or []:
            last[delta.index] = number
    return [reply * number / (len(chunks) + 1) for number in last.values()]


def main(rounds: int) -> None:
    print("| setting | whole reply | streamed | earliest | streamed / whole |")
    print("|---|---|---|---|---|")
    for setting in SETTINGS:
        taken = measure(setting, rounds)
        cells = [setting.name, *(f"{seconds:.2f} s" for seconds in taken)]
        print(f"| {' | '.join(cells)} | {taken.streamed / taken.whole:.2f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
