"""Wrong answers to the exercises of notebook 04."""

import json
from concurrent.futures import ThreadPoolExecutor, as_completed


def as_they_finish(calls, run, pool):
    """The textbook's own mistake."""
    futures = [pool.submit(run, call) for call in calls]
    return [future.result() for future in as_completed(futures)]


def one_after_the_other(calls, run, pool):
    return [run(call) for call in calls]


def one_at_a_time(calls, run, pool):
    return [pool.submit(run, call).result() for call in calls]


def in_a_pool_of_its_own(calls, run, pool):
    with ThreadPoolExecutor(3) as own:
        return list(own.map(run, calls))


def looked_up_by(key):
    def runner(calls, run, pool):
        futures = {pool.submit(run, call): key(call) for call in calls}
        outputs = {futures[future]: future.result() for future in as_completed(futures)}
        return [outputs[key(call)] for call in calls]

    return runner


def futures_themselves(calls, run, pool):
    return [pool.submit(run, call) for call in calls]


def keyed_by_id(calls, run, pool):
    futures = {call.id: pool.submit(run, call) for call in calls}
    return [future.result() for future in futures.values()]


def keyed_by_name(calls, run, pool):
    futures = {call.name: pool.submit(run, call) for call in calls}
    return [future.result() for future in futures.values()]


def sorted_by_text(calls, run, pool):
    return sorted(pool.map(run, calls))


def inserted(calls, run, pool):
    results, futures = [], {pool.submit(run, call): n for n, call in enumerate(calls)}
    for future in as_completed(futures):
        results.insert(futures[future], future.result())
    return results


def last_first(calls, run, pool):
    return list(pool.map(run, calls))[::-1]


def a_dict(calls, run, pool):
    return dict(zip([call.id for call in calls], pool.map(run, calls), strict=True))


def last_to_first(calls, run, pool):
    futures = [pool.submit(run, call) for call in reversed(calls)]
    return [future.result() for future in futures]


def swapped(calls, run, pool):
    """All are there, and neither in finishing order nor in an order by text."""
    outputs = list(pool.map(run, calls))
    return [outputs[1], outputs[0], *outputs[2:]]


def filed_by_call(calls, run, pool):
    outputs = dict(zip(calls, pool.map(run, calls), strict=True))
    return [outputs[call] for call in calls]


def by_the_place_of_the_first_equal_one(calls, run, pool):
    outputs = list(pool.map(run, calls))
    return [outputs[calls.index(call)] for call in calls]


def some_in_a_pool_of_its_own(calls, run, pool):
    first = pool.submit(run, calls[0])
    for call in calls[1:]:
        pool.submit(len, call.id)
    return [first.result(), *map(run, calls[1:])]


def runs_here_and_submits(calls, run, pool):
    futures = [pool.submit(lambda output: output, run(call)) for call in calls]
    return [future.result() for future in futures]


def submits_twice(calls, run, pool):
    futures = [pool.submit(run, call) for call in calls * 2]
    return [future.result() for future in futures[: len(calls)]]


def gives_nothing_back(calls, run, pool):
    futures = [pool.submit(run, call) for call in calls]
    [future.result() for future in futures]


def message(call_id, output):
    return {"role": "tool", "tool_call_id": call_id, "content": output}


def pair_by_name(calls, outputs):
    by_name = dict(zip([call.name for call in calls], outputs, strict=True))
    ids = {call.name: call.id for call in calls}
    return [message(ids[name], output) for name, output in by_name.items()]


def look_up_by_name(calls, outputs):
    by_name = dict(zip([call.name for call in calls], outputs, strict=True))
    return [message(call.id, by_name[call.name]) for call in calls]


def look_up_by_id(calls, outputs):
    by_id = {call.id: json.dumps(output) for call, output in zip(calls, outputs, strict=True)}
    return [message(call.id, by_id[call.id]) for call in calls]


def backwards(calls, outputs):
    return [message(call.id, output) for call, output in zip(calls, outputs[::-1], strict=True)]


def number_the_ids(calls, outputs):
    return [message(f"call_{n}", output) for n, output in enumerate(outputs)]


def name_as_id(calls, outputs):
    return [message(call.name, output) for call, output in zip(calls, outputs, strict=True)]


def with_more(more):
    def pair(calls, outputs):
        pairs = zip(calls, outputs, strict=True)
        return [message(call.id, output) | more(call) for call, output in pairs]

    return pair


def content_as(change):
    def pair(calls, outputs):
        return [message(c.id, change(output)) for c, output in zip(calls, outputs, strict=True)]

    return pair


def without_content(calls, outputs):
    return [{"role": "tool", "tool_call_id": call.id} for call in calls]


def pair_by_call(calls, outputs):
    by_call = dict(zip(calls, outputs, strict=True))
    return [message(call.id, by_call[call]) for call in calls]


def pair_by_the_first_equal_one(calls, outputs):
    return [message(call.id, outputs[calls.index(call)]) for call in calls]


WRONG = {
    "04.1": [
        (as_they_finish, "the order in which they finished"),
        (one_after_the_other, "this pool ran 0 of 3 calls"),
        (in_a_pool_of_its_own, "this pool ran 0 of 3 calls"),
        (some_in_a_pool_of_its_own, "this pool ran 1 of 3 calls"),
        (runs_here_and_submits, "this pool ran 0 of 3 calls"),
        (submits_twice, "3 calls made 6 runs in the pool"),
        (gives_nothing_back, "gives nothing back"),
        (filed_by_call, "or are equal. Only a place"),
        (by_the_place_of_the_first_equal_one, "or are equal. Only a place"),
        (last_to_first, "All answers are there, at the wrong places: it should be ["),
        (swapped, "All answers are there, at the wrong places: it should be ["),
        (lambda calls, run, pool: pool.map(run, calls), "That is a generator; give a list"),
        (one_at_a_time, "before all calls are submitted"),
        (looked_up_by(lambda call: call.id), "One answer stands twice"),
        (looked_up_by(lambda call: call.name), "One answer stands twice"),
        (futures_themselves, "the promise of a result"),
        (keyed_by_id, "one overwrote the other"),
        (keyed_by_name, "one overwrote the other"),
        (sorted_by_text, "at the wrong places: it should be"),
        (inserted, "insert moves all that stand behind"),
        (last_first, "at the wrong places"),
        (a_dict, "That is a dict; give a list"),
        (lambda calls, run, pool: ["?"] * len(calls), "It should be"),
        (lambda calls: calls, "TypeError"),
    ],
    "04.2": [
        ("a", "line A submits each call once"),
        ("B", "line B yields futures as they finish"),
        ("d", "line D pairs the two lists by place"),
        (3, "one letter of a, b, c, d"),
    ],
    "04.3": [
        (pair_by_name, "a dict holds one value a key"),
        (look_up_by_name, "one stands twice, and one is lost"),
        (look_up_by_id, "one stands twice, and one is lost"),
        (backwards, "an answer stands under another call's id"),
        (number_the_ids, "the id of its own call"),
        (name_as_id, "the id of its own call"),
        (with_more(lambda call: {"type": "tool"}), "'type' is not a field of a tool message"),
        (with_more(lambda call: {"name": call.id}), "Its name is not that of its call"),
        (with_more(lambda call: {"role": "user"}), "Its role has to be 'tool'"),
        (without_content, "It has no 'content'"),
        (content_as(lambda text: "Output: " + text), "it should be the output as it is"),
        (content_as(str.upper), "it should be the output as it is"),
        (content_as(lambda text: [text]), "it should be the output as it is"),
        (pair_by_call, "or are equal, so go by place"),
        (pair_by_the_first_equal_one, "or are equal, so go by place"),
        (lambda calls, outputs: [message(c.id, outputs[0]) for c in calls], "one stands twice"),
        (
            lambda calls, outputs: [
                message(call.id, output) for call in calls for output in outputs
            ],
            "it gives 9 messages, and 3 are due",
        ),
        (lambda calls, outputs: outputs[5], "it raised IndexError"),
        (lambda calls, outputs: dict(zip(calls, outputs, strict=True)), "give a list of messages"),
    ],
}

EQUAL = "the same calls have the same answers, and the pool is a new one each time"

EQUIVALENT = {
    "04.1": {"cache: first of equal": EQUAL},
    "04.2": {},
    "04.3": {"cache: first of equal": "equal calls with equal outputs have equal messages"},
}
