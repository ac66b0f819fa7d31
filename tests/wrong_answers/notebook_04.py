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


def extra_key(calls, outputs):
    return [
        message(call.id, output) | {"name": call.name}
        for call, output in zip(calls, outputs, strict=True)
    ]


WRONG = {
    "04.1": [
        (as_they_finish, "the order in which they finished"),
        (one_after_the_other, "this pool has got no job"),
        (in_a_pool_of_its_own, "this pool has got no job"),
        (one_at_a_time, "before all calls are submitted"),
        (looked_up_by(lambda call: call.id), "One answer stands twice"),
        (looked_up_by(lambda call: call.name), "One answer stands twice"),
        (futures_themselves, "the promise of a result"),
        (keyed_by_id, "one overwrote the other"),
        (keyed_by_name, "one overwrote the other"),
        (sorted_by_text, "sorting does not bring a place back"),
        (inserted, "insert moves all that stand behind"),
        (last_first, "at the wrong places"),
        (a_dict, "Give a list of outputs"),
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
        (extra_key, "it should be"),
        (lambda calls, outputs: dict(zip(calls, outputs, strict=True)), "give a list of messages"),
    ],
}
