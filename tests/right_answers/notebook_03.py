"""Right answers to the exercises of notebook 03."""

import asyncio
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, as_completed, wait
from fractions import Fraction
from multiprocessing.pool import ThreadPool
from queue import Empty, SimpleQueue
from threading import Thread

from ptc.timeline import Span, schedule

# --- 03.1


def mapped(calls, run, workers):
    with ThreadPoolExecutor(max_workers=workers) as pool:
        return list(pool.map(run, calls))


def filed_by_place(calls, run, workers):
    outputs = [None] * len(calls)
    with ThreadPoolExecutor(workers) as pool:
        places = {pool.submit(run, call): place for place, call in enumerate(calls)}
        for future in as_completed(places):
            outputs[places[future]] = future.result()
    return outputs


def collected_after_the_pool(calls, run, workers):
    futures = []
    with ThreadPoolExecutor(workers) as pool:
        for call in calls:
            futures.append(pool.submit(run, call))
    outputs = []
    for future in futures:
        outputs.append(future.result())
    return outputs


def an_open_pool(calls, run, workers):
    pool = ThreadPoolExecutor(workers)
    futures = [pool.submit(run, call) for call in calls]
    return [future.result() for future in futures]


def threads_that_take_the_next(calls, run, workers):
    outputs, todo = [None] * len(calls), SimpleQueue()
    for place in range(len(calls)):
        todo.put(place)

    def work():
        while True:
            try:
                place = todo.get_nowait()
            except Empty:
                return
            outputs[place] = run(calls[place])

    threads = [Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outputs


def one_more_as_one_ends(calls, run, workers):
    todo, running, outputs = list(enumerate(calls)), {}, [None] * len(calls)
    with ThreadPoolExecutor(workers) as pool:
        while todo or running:
            while todo and len(running) < workers:
                place, call = todo.pop(0)
                running[pool.submit(run, call)] = place
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                outputs[running.pop(future)] = future.result()
    return outputs


def another_pool(calls, run, workers):
    with ThreadPool(workers) as pool:
        return pool.map(run, calls, chunksize=1)


def with_asyncio(calls, run, workers):
    async def all_of_them():
        with ThreadPoolExecutor(workers) as pool:
            loop = asyncio.get_running_loop()
            return await asyncio.gather(*(loop.run_in_executor(pool, run, c) for c in calls))

    return asyncio.run(all_of_them())


# --- 03.3

TRIPLES = [(1, 0.0, 0.3), (2, 0.0, 0.1), (2, 0.1, 0.2), (2, 0.2, 0.4)]

RIGHT = {
    "03.1": [
        *(mapped, filed_by_place, collected_after_the_pool, an_open_pool, another_pool),
        *(threads_that_take_the_next, one_more_as_one_ends, with_asyncio),
    ],
    "03.3": [
        TRIPLES,
        [list(bar) for bar in TRIPLES],
        [(3 - worker, start, end) for worker, start, end in TRIPLES],
        [(f"worker-{worker}", start, end) for worker, start, end in TRIPLES],
        [Span("", *bar) for bar in TRIPLES],
        [
            (w, s, round(s + d, 1))
            for (w, s, _), d in zip(TRIPLES, (0.3, 0.1, 0.1, 0.2), strict=True)
        ],
        schedule([0.3, 0.1, 0.1, 0.2], 2),
    ],
    "03.2": [1.25, 3 / 2.4, Fraction(5, 4), 1.250],
}
