"""Wrong answers to the exercises of notebook 03."""

from concurrent.futures import ThreadPoolExecutor, as_completed
from threading import Thread


def submit_and_result(calls, run, workers):
    """The textbook's own mistake."""
    with ThreadPoolExecutor(workers) as pool:
        return [pool.submit(run, call).result() for call in calls]


def a_pool_for_each(calls, run, workers):
    outputs = []
    for call in calls:
        with ThreadPoolExecutor(workers) as pool:
            outputs.append(pool.submit(run, call))
    return [output.result() for output in outputs]


def start_and_join(calls, run, workers):
    outputs = []
    for call in calls:
        thread = Thread(target=lambda call=call: outputs.append(run(call)))
        thread.start()
        thread.join()
    return outputs


def in_its_own_thread(calls, run, workers):
    return [run(call) for call in calls]


def one_worker(calls, run, workers):
    with ThreadPoolExecutor(1) as pool:
        return list(pool.map(run, calls))


def one_worker_and_futures(calls, run, workers):
    with ThreadPoolExecutor(max_workers=1) as pool:
        futures = [pool.submit(run, call) for call in calls]
    return [future.result() for future in futures]


def two_workers(calls, run, workers):
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(run, calls))


def a_worker_a_call(calls, run, workers):
    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def as_they_finish(calls, run, workers):
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(run, call) for call in calls]
        return [future.result() for future in as_completed(futures)]


def a_thread_a_call(calls, run, workers):
    outputs = []
    threads = [Thread(target=lambda call=call: outputs.append(run(call))) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outputs


def sorted_by_text(calls, run, workers):
    with ThreadPoolExecutor(workers) as pool:
        return sorted(pool.map(run, calls))


def futures_themselves(calls, run, workers):
    with ThreadPoolExecutor(workers) as pool:
        return [pool.submit(run, call) for call in calls]


def futures_of_an_open_pool(calls, run, workers):
    pool = ThreadPoolExecutor(workers)
    return [pool.submit(run, call) for call in calls]


def maps_generator(calls, run, workers):
    with ThreadPoolExecutor(workers) as pool:
        return pool.map(run, calls)


def nothing_back(calls, run, workers):
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(run, calls))


def submits_the_output(calls, run, workers):
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(run(call)) for call in calls]
        return [future.result() for future in futures]


def twice(calls, run, workers):
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(run, calls))
        return list(pool.map(run, calls))


def in_capitals(calls, run, workers):
    with ThreadPoolExecutor(workers) as pool:
        return [output.upper() for output in pool.map(run, calls)]


def the_first_alone(calls, run, workers):
    return [run(calls[0])]


def in_rounds(calls, run, workers):
    outputs = []
    with ThreadPoolExecutor(workers) as pool:
        for first in range(0, len(calls), workers):
            outputs += pool.map(run, calls[first : first + workers])
    return outputs


def in_rounds_of_threads(calls, run, workers):
    outputs = [None] * len(calls)

    def work(place):
        outputs[place] = run(calls[place])

    for first in range(0, len(calls), workers):
        places = range(len(calls))[first : first + workers]
        threads = [Thread(target=work, args=(place,)) for place in places]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return outputs


def dealt_like_cards(calls, run, workers):
    outputs = [None] * len(calls)

    def work(first):
        for place in range(first, len(calls), workers):
            outputs[place] = run(calls[place])

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(workers)))
    return outputs


def filed_by(key):
    def runner(calls, run, workers):
        with ThreadPoolExecutor(workers) as pool:
            futures = [(key(call), pool.submit(run, call)) for call in calls]
        outputs = {one: future.result() for one, future in futures}
        return [outputs[key(call)] for call in calls]

    return runner


def equal_ones_once(calls, run, workers):
    with ThreadPoolExecutor(workers) as pool:
        outputs = dict(zip(set(calls), pool.map(run, set(calls)), strict=True))
    return [outputs[call] for call in calls]


def by_the_place_of_the_first_equal_one(calls, run, workers):
    with ThreadPoolExecutor(workers) as pool:
        outputs = list(pool.map(run, calls))
    return [outputs[calls.index(call)] for call in calls]


TIME, DATE = (1, 0.0, 0.3), (2, 0.0, 0.1)

WRONG = {
    "03.1": [
        (submit_and_result, "each over before the next was submitted"),
        (a_pool_for_each, "each over before the next was submitted"),
        (start_and_join, "each over before the next was submitted"),
        (in_its_own_thread, "all ran in your own thread"),
        (one_worker, "the pool has one worker"),
        (one_worker_and_futures, "the pool has one worker"),
        (two_workers, "only 2 ran at once"),
        (a_worker_a_call, "4 ran at once"),
        (as_they_finish, "at the wrong places"),
        (a_thread_a_call, "at the wrong places"),
        (sorted_by_text, "at the wrong places"),
        (futures_themselves, "the promise of a result"),
        (futures_of_an_open_pool, "the promise of a result"),
        (maps_generator, "make it a list of outputs"),
        (nothing_back, "gives nothing back"),
        (submits_the_output, "submit(run(call)) would run the call here"),
        (twice, "it calls run 6 times"),
        (the_first_alone, "it calls run once; once for each"),
        (in_capitals, "It should be"),
        (in_rounds, "the other worker stood idle, with 2 of the calls not begun"),
        (in_rounds_of_threads, "the other worker stood idle"),
        (dealt_like_cards, "the other worker stood idle, with 1 of the calls not begun"),
        (filed_by(lambda call: call), "two of these calls are equal"),
        (filed_by(lambda call: call.id), "two of these calls are equal"),
        (filed_by(lambda call: call.name), "One answer stands twice"),
        (by_the_place_of_the_first_equal_one, "two of these calls are equal"),
        (equal_ones_once, "it calls run 2 times; once for each call"),
        (lambda calls, run, workers: [run(call.name) for call in calls], "run takes one of the"),
        (lambda calls: calls, "it raised TypeError"),
        (0.3, "give the function itself"),
    ],
    "03.3": [
        ([TIME, DATE, (1, 0.3, 0.4), (2, 0.3, 0.5)], "you go two by two"),
        ([TIME, DATE, (1, 0.3, 0.4), (2, 0.1, 0.3)], "you take the workers in turns"),
        ([TIME, (2, 0.2, 0.3), (1, 0.3, 0.4), (2, 0, 0.2)], "the longest calls first"),
        ([TIME, (1, 0.3, 0.4), (1, 0.4, 0.5), (1, 0.5, 0.7)], "one after the other"),
        ([TIME, DATE, (2, 0.1, 0.1), (2, 0.2, 0.2)], "those are the lengths"),
        ([TIME, DATE, (3, 0.0, 0.1), (4, 0.0, 0.2)], "you use 4 workers"),
        ([TIME, DATE, (2, 0.1, 0.2), (2, 0.2, 0.3)], "get_weather Tokyo takes 0.2 s"),
        ([TIME, DATE, (2, 0.1, 0.2), (2, 0.1, 0.3)], "worker 2 has two calls at 0.1 s"),
        ([TIME, DATE, (2, 0.2, 0.3), (2, 0.3, 0.5)], "get_date Tokyo stands at (2, 0.2, 0.3)"),
        ([(1, 0, 300), (2, 0, 100), (2, 100, 200), (2, 200, 400)], "milliseconds"),
        ([TIME, DATE], "and 2 in your list"),
        ([0.3, 0.1, 0.2, 0.4], "is not a list of (worker, start, end)"),
        ("1, 2, 2, 2", "is not a list of (worker, start, end)"),
        (0.4, "the right makespan"),
        (0.35, "not the makespan either"),
    ],
    "03.2": [
        (2, "the speedup of the tools"),
        (2.4, "the seconds that are left"),
        (0.6, "the seconds that are saved"),
        (0.8, "turn it round"),
        (0.25, "count the answer itself"),
        (25, "in per cent"),
        (1, "something is gained"),
        (1.1, "tools of 0.3 s bring"),
        (float("inf"), "its two turns of 1.2 s"),
        (1.7, "take the tools' 0.6 s"),
        (1.2, "rounded to one decimal it may be; give two"),
        (1.3, "rounded to one decimal it may be; give two"),
        (1.26, "take the tools' 0.6 s"),
        (float("nan"), "take the tools' 0.6 s"),
        ("x" * 60, "xxx…': give a number"),
        ("1.25 times", "give a number"),
    ],
}

EQUIVALENT = {
    "03.1": {},
    "03.3": {"constant: 1 → 0": "a worker's name is free, and the first has one call"},
    "03.2": {},
}
