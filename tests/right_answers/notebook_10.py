"""Right answers to the exercises of the further notebook on streams and real models."""

import json
from copy import deepcopy

# --- 10.1


def under_index_and_id(deltas):
    """One dict, whose keys are an index and the id that was seen there last."""
    calls, last = {}, {}
    for delta in deltas:
        index = delta.get("index")
        if delta.get("id"):
            last[index] = delta["id"]
        key = (index, last.get(index))
        call = calls.setdefault(key, {"id": last.get(index), "name": "", "arguments": ""})
        call["name"] = delta["function"].get("name") or call["name"]
        call["arguments"] += delta["function"].get("arguments") or ""
    return list(calls.values())


def by_id_alone(deltas):
    calls, now = {}, {}
    for delta in deltas:
        id = delta.get("id") or now[delta.get("index")]
        now[delta.get("index")] = id
        part = calls.setdefault(id, {"name": [], "arguments": []})
        for key in part:
            if delta["function"].get(key) and not (key == "name" and part["name"]):
                part[key].append(delta["function"][key])
    return [
        {"id": id, "name": "".join(part["name"]), "arguments": "".join(part["arguments"])}
        for id, part in calls.items()
    ]


def backwards_through_the_calls(deltas):
    calls, indexes = [], []
    for delta in deltas:
        index, id, function = delta.get("index"), delta.get("id", ""), delta["function"]
        places = [place for place, other in enumerate(indexes) if other == index]
        place = places[-1] if places else None
        if place is None or (id and calls[place]["id"] != id):
            calls.append({"id": id, "name": "", "arguments": ""})
            indexes.append(index)
            place = len(calls) - 1
        calls[place]["arguments"] += function.get("arguments", "")
        if not calls[place]["name"]:
            calls[place]["name"] = function.get("name", "")
    return calls


# --- 10.2


def is_whole(text):
    try:
        json.loads(text)
    except json.JSONDecodeError:
        return False
    return True


def with_a_helper(deltas, start):
    texts, results = {}, {}
    for delta in deltas:
        index = delta["index"]
        texts[index] = texts.get(index, "") + delta["arguments"]
        if index not in results and is_whole(texts[index]):
            results[index] = start(index, json.loads(texts[index]))
    return [result for _, result in sorted(results.items())]


def with_a_set(deltas, start):
    pieces, started, results = {}, set(), []
    for delta in deltas:
        index = delta["index"]
        pieces.setdefault(index, []).append(delta["arguments"])
        if index in started:
            continue
        text = "".join(pieces[index])
        if text.endswith("}") and is_whole(text):
            started.add(index)
            results.append((index, start(index, json.loads(text))))
    return [result for index, result in sorted(results)]


def places_for_results(deltas, start):
    texts, results = {}, {}
    for delta in deltas:
        text = texts[delta["index"]] = texts.get(delta["index"], "") + delta["arguments"]
        if delta["index"] in results:
            continue
        try:
            results[delta["index"]] = start(delta["index"], json.loads(text))
        except ValueError:
            pass
    return list(map(results.get, range(len(results))))


# --- 10.3


def appended_at_the_end(history, ask, run):
    message = ask(history)
    answers = run(message.get("tool_calls"))
    history.append(message)
    history.extend(answers)
    return len(answers)


def taken_back(history, ask, run):
    """The message first; where the calls are interrupted, it goes again."""
    message = ask(history)
    history.append(message)
    try:
        answers = run(message.get("tool_calls"))
    except BaseException:
        history.pop()
        raise
    history += answers
    return len(answers)


def answered_in_any_case(history, ask, run):
    """An interrupted call is answered too: that it was stopped."""
    message = deepcopy(ask(history))
    answers = [
        {"role": "tool", "tool_call_id": item["id"], "content": "stopped"}
        for item in message.get("tool_calls", [])
    ]
    try:
        answers = run(message.get("tool_calls"))
    finally:
        history += [message, *answers]
    return len(answers)


RIGHT = {
    "10.1": [under_index_and_id, by_id_alone, backwards_through_the_calls],
    "10.2": [with_a_helper, with_a_set, places_for_results],
    "10.3": [appended_at_the_end, taken_back, answered_in_any_case],
}
