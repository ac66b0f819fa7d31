"""The awaited door: the same guarantees, async tools on the caller's loop, and the loop left alone."""

import asyncio
import contextvars
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest
from common import AT_ONCE, END, PATIENCE, awaited, call_chunk, calls_of
from openai import AsyncOpenAI

from ptc import (
    aio,
    execute_parallel,
    format_parallel_results,
    given_up,
)
from ptc.provider import ScriptedProvider, tool_call
from ptc.timeline import most_at_once, spans
from ptc.tools import CityTools

both_ways = pytest.mark.parametrize("execute", [aio.execute_parallel, aio.execute_sequential])


# One answer a call, in request order


@both_ways
@awaited
async def test_one_answer_a_call_in_order_failures_isolated(registry, execute):
    @registry.tool
    async def nap(n: int):
        await asyncio.sleep(0.001 * (5 - n))
        return n

    @registry.tool
    def plain(n: int):
        return -n

    @registry.tool
    async def fails():
        raise ValueError("no such city")

    @registry.tool
    async def leaves():
        raise asyncio.CancelledError

    named = [("nap", {"n": 1}), "fails", ("plain", {"n": 2}), "unknown", ("nap", {"n": "x"}),
             "leaves", ("nap", {"n": 4})]  # fmt: skip
    calls = calls_of(*named)
    results = await execute(calls, registry)
    assert [result.output for result in results] == [1, None, -2, None, None, None, 4]
    assert all(result.call is call for result, call in zip(results, calls, strict=True))
    assert "ValueError: no such city" in results[1].error
    assert "CancelledError" in results[5].error


@awaited
async def test_async_tools_run_on_the_callers_loop(registry):
    """So that they can use its locks, clients and sessions."""
    lock, loop = asyncio.Lock(), asyncio.get_running_loop()

    @registry.tool
    async def locked():
        async with lock:
            await asyncio.sleep(0)
            return asyncio.get_running_loop() is loop

    results = await aio.execute_parallel(calls_of(*["locked"] * 9), registry)
    assert [result.output for result in results] == [True] * 9


def test_without_it_all_batches_share_one_loop(registry):
    """One lock and one connection serve every batch."""
    made = []

    @registry.tool
    async def shared():
        if not made:
            made.append(asyncio.Lock())
        async with made[0]:
            await asyncio.sleep(0.001)
            return id(asyncio.get_running_loop())

    loops = {
        r.output for _ in range(4) for r in execute_parallel(calls_of(*["shared"] * 3), registry)
    }
    assert len(loops) == 1 and None not in loops


@awaited
async def test_they_run_at_the_same_time_and_never_more_than_workers(registry):
    running, most = [0], [0]

    @registry.tool
    async def work():
        running[0] += 1
        most[0] = max(most[0], running[0])
        await asyncio.sleep(0.002)
        running[0] -= 1

    results = await aio.execute_parallel(calls_of(*["work"] * 20), registry, 3)
    assert most[0] == 3 == most_at_once(spans(results))


@awaited
async def test_ten_thousand_calls_lose_nothing(registry):
    @registry.tool
    async def echo(x: int):
        return x

    calls = calls_of(*(("echo", {"x": n}) for n in range(10_000)))
    results = await aio.execute_parallel(calls, registry)
    assert [result.output for result in results] == list(range(10_000))


@awaited
async def test_each_call_has_its_own_copy_of_the_callers_context(registry):
    user = contextvars.ContextVar("user")
    user.set("ada")

    async def who():
        seen = user.get()
        user.set("somebody else")
        return seen

    registry.register(who)
    registry.register(lambda: user.get(), name="plain")
    results = await aio.execute_parallel(calls_of("who", "plain", "who"), registry)
    assert [result.output for result in results] == ["ada"] * 3 and user.get() == "ada"


@awaited
async def test_an_async_generator_gives_its_items(registry):
    @registry.tool
    async def items():
        for n in range(3):
            await asyncio.sleep(0)
            yield n

    (result,) = await aio.execute_parallel(calls_of("items"), registry)
    assert result.output == [0, 1, 2]


@awaited
async def test_a_failure_that_may_pass_is_tried_again(registry):
    attempts = []

    @registry.tool
    async def flaky():
        attempts.append(1)
        if len(attempts) < 3:
            raise ConnectionError("down")
        return "up"

    (result,) = await aio.execute_parallel(calls_of("flaky"), registry, retry=AT_ONCE)
    assert result.output == "up" and len(result.attempts) == 3


# Listening


@awaited
async def test_on_result_may_be_async_and_hears_each_once(registry):
    @registry.tool
    async def echo(x: int):
        return x

    heard = []

    async def listen(result):
        await asyncio.sleep(0)
        heard.append(result.call.id)

    calls = calls_of(*(("echo", {"x": n}) for n in range(50)), "unknown")
    await aio.execute_parallel(calls, registry, on_result=listen)
    assert sorted(heard) == sorted(call.id for call in calls)


@awaited
async def test_an_exception_in_on_result_comes_through(registry):
    started = []

    @registry.tool
    async def step(n: int):
        started.append(n)
        await asyncio.sleep(0.01)

    async def stop(result):
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        await aio.execute_parallel(calls_of(*(("step", {"n": n}) for n in range(20))), registry, 2,
                                   on_result=stop)  # fmt: skip
    await asyncio.sleep(0.1)
    assert len(started) <= 4


@awaited
async def test_progress_shows_a_bar(registry, capfd):
    registry.register(lambda: None, name="nothing")
    await aio.execute_parallel(calls_of(*["nothing"] * 3), registry, progress=True)
    assert "3/3" in capfd.readouterr().err


# Giving up


@pytest.mark.parametrize("batch", [True, False])
def test_an_async_tool_is_cancelled_once_and_cleans_up(registry, batch):
    cleaned = threading.Event()

    @registry.tool(timeout=None if batch else 0.05)
    async def endless():
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.02)  # a second cancellation would cut this short
            cleaned.set()

    async def main():
        timeout = 0.05 if batch else None
        (result,) = await aio.execute_parallel(calls_of("endless"), registry, timeout=timeout)
        assert not cleaned.is_set(), "nobody waits for that"
        while not cleaned.is_set():
            await asyncio.sleep(0.001)
        return result

    result = asyncio.run(main())
    assert "cancelled: it may have taken effect" in result.error
    assert cleaned.wait(PATIENCE)


@awaited
async def test_cancelling_the_await_gives_up_and_returns_at_once(registry):
    cleaned, release, told = asyncio.Event(), threading.Event(), threading.Event()

    @registry.tool
    async def endless():
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    @registry.tool
    def plain():
        while not given_up() and not release.is_set():
            time.sleep(0.001)
        told.set()

    task = asyncio.create_task(aio.execute_parallel(calls_of("endless", "plain"), registry))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(cleaned.wait(), PATIENCE)
    assert told.wait(PATIENCE) and not release.is_set()


@awaited
async def test_a_second_cancel_comes_through_too(registry):
    """The tool is cancelled once all the same, and cleans up in peace."""
    cleaned = asyncio.Event()

    @registry.tool
    async def endless():
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.02)
            cleaned.set()

    task = asyncio.create_task(aio.execute_parallel(calls_of("endless"), registry))
    await asyncio.sleep(0.05)
    task.cancel()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(cleaned.wait(), PATIENCE)


def test_anyio_on_top(registry):
    """Its scopes cancel the await as asyncio's timeout does, and what is awaited whole is whole."""

    @registry.tool
    async def echo(n: int):
        await anyio.sleep(0.001)
        return n

    @registry.tool
    async def endless():
        await anyio.sleep_forever()

    async def main():
        whole = await aio.execute_parallel(
            calls_of(*(("echo", {"n": n}) for n in range(5))), registry
        )
        with anyio.move_on_after(0.05) as scope:
            await aio.execute_parallel(calls_of("endless"), registry)
        return [result.output for result in whole], scope.cancelled_caught

    assert anyio.run(main) == ([0, 1, 2, 3, 4], True)


@awaited
async def test_a_group_of_exceptions_is_told_one_by_one_and_retried_as_a_whole(registry):
    attempts = []

    @registry.tool
    async def grouped():
        attempts.append(1)
        async with asyncio.TaskGroup() as group:
            group.create_task(lose())

    async def lose():
        raise ConnectionError("down")

    (result,) = await aio.execute_parallel(calls_of("grouped"), registry, retry=AT_ONCE)
    assert len(attempts) == 3 and "ConnectionError: down" in result.error


@awaited
async def test_asyncio_timeout_around_it_holds(registry):
    registry.register(lambda: time.sleep(0.3), name="nap")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await aio.execute_parallel(calls_of("nap"), registry)


@awaited
async def test_the_batch_timeout_keeps_what_is_done(registry):
    registry.register(lambda: "done", name="quick")

    @registry.tool
    async def hang():
        await asyncio.Event().wait()

    calls = calls_of("quick", "hang", "hang")
    results = await aio.execute_parallel(calls, registry, 2, timeout=0.1)
    assert [result.success for result in results] == [True, False, False]
    nothing = await aio.execute_parallel(calls[1:2], registry, timeout=0)
    assert "not started" in nothing[0].error


@awaited
async def test_whoever_blocks_the_loop_is_named(registry):
    """A call that the loop never came to is told so, and by whom."""

    @registry.tool
    async def block():
        time.sleep(0.5)

    @registry.tool(timeout=0.1)
    async def quick():
        return 1

    blocked, starved = await aio.execute_parallel(calls_of("block", "quick"), registry)
    assert blocked.success
    assert "the async tool 'block' blocks the event loop, and it never began" in starved.error


def test_whoever_blocks_the_shared_loop_is_named_and_plain_tools_never_notice(registry):
    release = threading.Event()

    @registry.tool(timeout=0.3)
    async def block():
        release.wait(PATIENCE)

    @registry.tool(timeout=0.1)
    async def quick():
        await asyncio.sleep(0)

    registry.register(lambda: "plain", name="plain")
    results = execute_parallel(calls_of("block", "quick", "plain"), registry)
    release.set()
    assert "'block' blocks the event loop" in results[1].error
    assert results[2].output == "plain"


def test_an_interrupt_comes_through(registry):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    @registry.tool
    async def stop():
        signal.raise_signal(signal.SIGINT)
        await asyncio.Event().wait()

    try:
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(aio.execute_parallel(calls_of("stop"), registry))
    finally:
        signal.signal(signal.SIGINT, before)
    registry.register(lambda: 1, name="one")
    assert execute_parallel(calls_of("one"), registry)[0].success


# Batches inside calls, and beside each other


@awaited
async def test_a_batch_inside_a_call(registry):
    """Async in async, plain in async, async in plain."""

    @registry.tool
    async def leaf():
        await asyncio.sleep(0)
        return "leaf"

    registry.register(lambda: "plain leaf", name="plain_leaf")

    @registry.tool
    async def branch():
        return [
            r.output for r in await aio.execute_parallel(calls_of("leaf", "plain_leaf"), registry)
        ]

    @registry.tool
    def plain_branch():
        return [r.output for r in execute_parallel(calls_of("leaf", "plain_leaf"), registry)]

    results = await aio.execute_parallel(calls_of("branch", "plain_branch"), registry, 1)
    assert [result.output for result in results] == [["leaf", "plain leaf"]] * 2


def test_waiting_for_the_shared_loop_on_the_shared_loop_raises(registry):
    registry.register(lambda: 1, name="one")

    @registry.tool
    async def waits():
        return execute_parallel(calls_of("one"), registry)

    (result,) = execute_parallel(calls_of("waits"), registry)
    assert "aio.execute_parallel" in result.error


def test_one_permit_over_two_loops_and_the_plain_door(registry):
    running, most, lock = [0], [0], threading.Lock()

    @registry.tool(max_concurrency=1)
    async def single():
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        await asyncio.sleep(0.001)
        with lock:
            running[0] -= 1
        return "ok"

    calls, boxes = calls_of(*["single"] * 15), []

    def awaiting():
        boxes.append(asyncio.run(aio.execute_parallel(calls, registry)))

    threads = [threading.Thread(target=awaiting) for _ in range(2)]
    threads += [threading.Thread(target=lambda: boxes.append(execute_parallel(calls, registry)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert [result.output for box in boxes for result in box] == ["ok"] * 45 and most[0] == 1


@awaited
async def test_a_thousand_batches_at_once_are_answered_by_few_threads(registry):
    registry.register(lambda: time.sleep(0.001), name="nap")
    batches = [aio.execute_parallel(calls_of("nap", "nap"), registry) for _ in range(1000)]
    task = asyncio.gather(*batches)
    most = 0
    while not task.done():
        most = max(most, threading.active_count())
        await asyncio.sleep(0.005)
    assert all(result.success for results in await task for result in results)
    assert most < 400


@awaited
async def test_other_executors_take_plain_tools(registry):
    registry.register(lambda n: n, name="echo")
    with ThreadPoolExecutor(2) as pool:
        results = await aio.execute_parallel(
            calls_of(("echo", {"n": 1}), ("echo", {"n": 2})), registry, executor=pool
        )
    assert [result.output for result in results] == [1, 2]


@awaited
async def test_calls_that_conflict_run_in_request_order(registry):
    order = []

    @registry.tool(writes="x")
    async def write(n: int):
        await asyncio.sleep(0.001 * (3 - n))
        order.append(n)

    await aio.execute_parallel(calls_of(*(("write", {"n": n}) for n in range(4))), registry)
    assert order == [0, 1, 2, 3]


def test_the_loop_may_be_closed_while_a_call_hangs(registry):
    release = threading.Event()
    registry.register(lambda: release.wait(PATIENCE), name="hang")
    (result,) = asyncio.run(aio.execute_parallel(calls_of("hang"), registry, timeout=0.05))
    release.set()
    assert "abandoned" in result.error
    assert asyncio.run(aio.execute_parallel([], registry)) == []


# Wrong use


@awaited
async def test_wrong_use_raises(registry):
    with pytest.raises(ValueError, match="max_workers=0"):
        await aio.execute_parallel([], registry, 0)
    with pytest.raises(TypeError, match="not a ToolCall"):
        await aio.execute_parallel({"choices": []}, registry)
    with pytest.raises(ValueError, match="timeout=-1"):
        await aio.execute_parallel([], registry, timeout=-1)
    with pytest.raises(TypeError, match="not an async stream"):
        await aio.execute_stream([], registry)


# Streams and conversations


@awaited
async def test_a_call_starts_while_the_model_still_speaks(registry):
    ran = asyncio.Event()

    @registry.tool
    async def first():
        ran.set()
        return "first"

    registry.register(lambda: "second", name="second")

    async def stream():
        yield call_chunk(0, "first", "{}")
        await asyncio.wait_for(ran.wait(), PATIENCE)
        yield call_chunk(1, "second", "{}")
        yield END

    reply = await aio.execute_stream(stream(), registry)
    assert [result.output for result in reply.results] == ["first", "second"] and reply.cut is None


@awaited
async def test_a_stream_that_stalls_or_breaks_is_cut(registry):
    registry.register(lambda: "ran", name="quick")

    async def stalls():
        yield call_chunk(0, "quick", "{}")
        await asyncio.Event().wait()

    async def breaks():
        yield call_chunk(0, "quick", "{}")
        raise ConnectionError("gone")

    stalled = await aio.execute_stream(stalls(), registry, timeout=0.3)
    broken = await aio.execute_stream(breaks(), registry)
    assert stalled.results[0].output == broken.results[0].output == "ran"
    assert "stalled" in stalled.cut and "gone" in broken.cut


@pytest.mark.parametrize("stream", [False, True])
def test_answer_asks_until_the_model_has_words(stream):
    registry = CityTools().registry()

    async def main(base_url):
        async with AsyncOpenAI(base_url=base_url, api_key="none") as client:
            question = "What's the time, the date and the weather in Paris?"
            return await aio.answer(question, registry, client, stream=stream)

    with ScriptedProvider() as provider:
        outcome = asyncio.run(main(provider.base_url))
    assert len(outcome.turns) == 2 and len(outcome.turns[0].results) == 3
    assert "The weather in Paris is" in outcome.text


def test_a_lone_call_is_answered_too():
    registry = CityTools().registry()
    script = [{"content": None, "tool_calls": [tool_call("get_time", {"city": "Paris"})]},
              {"content": "done"}]  # fmt: skip

    async def main(base_url):
        async with AsyncOpenAI(base_url=base_url, api_key="none") as client:
            return await aio.answer("?", registry, client)

    with ScriptedProvider(script) as provider:
        outcome = asyncio.run(main(provider.base_url))
    assert outcome.text == "done"
    assert format_parallel_results(outcome.turns[0].results)[0] in outcome.messages
