"""Right answers to the exercises of notebook 04."""

import json
from concurrent.futures import as_completed, wait

from ptc import ToolResult, format_parallel_results

# --- 04.1


def mapped(calls, run, pool):
    return list(pool.map(run, calls))


def filed_by_place(calls, run, pool):
    results = [None] * len(calls)
    places = {pool.submit(run, call): place for place, call in enumerate(calls)}
    for future in as_completed(places):
        results[places[future]] = future.result()
    return results


def sorted_by_place(calls, run, pool):
    def numbered(place):
        return place, run(calls[place])

    futures = [pool.submit(numbered, place) for place in range(len(calls))]
    return [output for _, output in sorted(future.result() for future in as_completed(futures))]


def told_by_a_callback(calls, run, pool):
    results = {}
    futures = []
    for place, call in enumerate(calls):
        future = pool.submit(run, call)
        future.add_done_callback(lambda done, place=place: results.update({place: done.result()}))
        futures.append(future)
    wait(futures)
    while len(results) < len(calls):
        pass
    return [results[place] for place in range(len(calls))]


def written_by_the_job(calls, run, pool):
    results = [None] * len(calls)

    def job(place, call):
        results[place] = run(call)

    wait([pool.submit(job, place, call) for place, call in enumerate(calls)])
    return results


# --- 04.3


def in_a_loop(calls, outputs):
    messages = []
    for place, call in enumerate(calls):
        message = {"role": "tool", "tool_call_id": call.id, "content": outputs[place]}
        messages.append(message)
    return messages


def with_a_name(calls, outputs):
    return [
        {"role": "tool", "name": call.name, "tool_call_id": call.id, "content": output}
        for call, output in zip(calls, outputs, strict=True)
    ]


def as_json(calls, outputs):
    return [
        {"tool_call_id": call.id, "role": "tool", "content": json.dumps(output)}
        for call, output in zip(calls, outputs, strict=True)
    ]


def with_the_package(calls, outputs):
    pairs = zip(calls, outputs, strict=True)
    return format_parallel_results([ToolResult(call, True, output) for call, output in pairs])


def mapped_pairs(calls, outputs):
    def message(call, output):
        return {"content": output, "tool_call_id": call.id, "role": "tool"}

    return list(map(message, calls, outputs))


RIGHT = {
    "04.1": [mapped, filed_by_place, sorted_by_place, told_by_a_callback, written_by_the_job],
    "04.2": ["c", "C", " c\n"],
    "04.3": [in_a_loop, with_a_name, as_json, with_the_package, mapped_pairs],
}
