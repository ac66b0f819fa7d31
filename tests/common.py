"""What tests of the runner share: calls, chunks of a stream, threads, loops and patience."""

import asyncio
import functools
import os
import threading
import time

from ptc import RetryPolicy, ToolCall, aio

PATIENCE = int(os.environ.get("PTC_PATIENCE", 20))  # seconds that only a failing test needs
AT_ONCE = RetryPolicy(wait_initial=0, wait_jitter=0)
END = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}


def calls_of(*named):
    """Calls from names, or from pairs of name and arguments; their ids are c0, c1, …"""
    pairs = [(each, {}) if isinstance(each, str) else each for each in named]
    return [ToolCall(f"c{n}", name, arguments) for n, (name, arguments) in enumerate(pairs)]


def call_chunk(index, name, arguments):
    """A chunk of Chat Completions that holds one call whole; ``END`` comes last."""
    function = {"name": name, "arguments": arguments}
    delta = {"tool_calls": [{"index": index, "id": f"id{index}", "function": function}]}
    return {"choices": [{"index": 0, "delta": delta}]}


def in_thread(work):
    """Start the work in a thread; the function given back waits for what it returns."""
    box = []
    thread = threading.Thread(target=lambda: box.append(work()), daemon=True)
    thread.start()

    def result():
        thread.join(PATIENCE)
        return box[0]

    return result


def awaited(test):
    """The test is a coroutine function, and is run on a loop of its own."""

    @functools.wraps(test)
    def run(**fixtures):
        asyncio.run(asyncio.wait_for(test(**fixtures), 3 * PATIENCE))

    return run


def execute_awaited(calls, registry, **options):
    """As ``execute_parallel``, through the awaited door."""
    return asyncio.run(aio.execute_parallel(calls, registry, **options))


def comes_true(condition):
    """Does it within a test's patience? For what no event tells: another process, a cluster."""
    ends = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > ends:
            return False
        time.sleep(0.01)
    return True
