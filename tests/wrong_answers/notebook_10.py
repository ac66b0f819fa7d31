"""Wrong answers to the exercises of the further notebook on streams and real models."""

import json


def made(delta):
    return {"id": delta.get("id"), "name": "", "arguments": ""}


def add(call, delta):
    call["name"] = call["name"] or delta["function"].get("name", "")
    call["arguments"] += delta["function"].get("arguments", "")


def by_index(deltas):
    """The textbook's own mistake."""
    calls = {}
    for delta in deltas:
        add(calls.setdefault(delta["index"], made(delta)), delta)
    return list(calls.values())


def by_index_if_any(deltas):
    calls = {}
    for delta in deltas:
        add(calls.setdefault(delta.get("index"), made(delta)), delta)
    return list(calls.values())


def a_new_call_with_each_id(deltas):
    calls, at = [], {}
    for delta in deltas:
        if delta.get("id"):
            at[delta.get("index")] = made(delta)
            calls.append(at[delta.get("index")])
        add(at[delta.get("index")], delta)
    return calls


def to_the_last(deltas):
    calls = []
    for delta in deltas:
        if delta.get("id") and delta["id"] not in [call["id"] for call in calls]:
            calls.append(made(delta))
        add(calls[-1], delta)
    return calls


def by_name(deltas):
    calls, now = {}, ""
    for delta in deltas:
        now = delta["function"].get("name") or now
        add(calls.setdefault(now, made(delta)), delta)
    return list(calls.values())


def one_a_delta(deltas):
    return [made(delta) | delta["function"] for delta in deltas]


def needs_arguments(deltas):
    calls, at = [], {}
    for delta in deltas:
        call, id = at.get(delta.get("index")), delta.get("id")
        if call is None or (id and id != call["id"]):
            call = at[delta.get("index")] = made(delta)
            calls.append(call)
        call["name"] = call["name"] or delta["function"].get("name", "")
        call["arguments"] += delta["function"]["arguments"]
    return calls


def larger_ids_alone(deltas):
    calls, at = [], {}
    for delta in deltas:
        call, id = at.get(delta.get("index")), delta.get("id")
        if call is None or (id and id > call["id"]):
            call = at[delta.get("index")] = made(delta)
            calls.append(call)
        add(call, delta)
    return calls


def reads_the_id(deltas):
    return [{"id": delta["id"], "name": "", "arguments": ""} for delta in deltas]


def parsed(deltas):
    return [call | {"arguments": json.loads(call["arguments"])} for call in by_index(deltas)]


def start_at_the_end(deltas, start):
    texts = {}
    for delta in deltas:
        texts[delta["index"]] = texts.get(delta["index"], "") + delta["arguments"]
    return [start(index, json.loads(texts[index])) for index in sorted(texts)]


def start_when_the_next_begins(deltas, start):
    texts, results = {}, {}
    for delta in deltas:
        for index in texts:
            if index != delta["index"] and index not in results:
                results[index] = start(index, json.loads(texts[index]))
        texts[delta["index"]] = texts.get(delta["index"], "") + delta["arguments"]
    return [results[index] for index in sorted(results)]


def at_the_first_brace(deltas, start):
    texts, results = {}, {}
    for delta in deltas:
        index = delta["index"]
        texts[index] = texts.get(index, "") + delta["arguments"]
        if "}" in texts[index] and index not in results:
            results[index] = start(index, texts[index])
    return [results[index] for index in sorted(results)]


def start_again(deltas, start):
    texts, results = {}, {}
    for delta in deltas:
        index = delta["index"]
        texts[index] = texts.get(index, "") + delta["arguments"]
        try:
            results[index] = start(index, json.loads(texts[index]))
        except ValueError:
            continue
    return [results[index] for index in sorted(results)]


def start_early(deltas, start, arguments=json.loads):
    texts, results = {}, {}
    for delta in deltas:
        index = delta["index"]
        texts[index] = texts.get(index, "") + delta["arguments"]
        try:
            json.loads(texts[index])
        except ValueError:
            continue
        if index not in results:
            results[index] = start(index, arguments(texts[index]))
    return results


def give_a_dict(deltas, start):
    return start_early(deltas, start)


def give_as_started(deltas, start):
    return list(start_early(deltas, start).values())


def start_with_the_text(deltas, start):
    results = start_early(deltas, start, arguments=str)
    return [results[index] for index in sorted(results)]


def message_first(history, ask, run):
    """The textbook's own mistake."""
    history.append(ask(history))
    answers = run(history[-1]["tool_calls"])
    history.extend(answers)
    return len(answers)


def swallow(history, ask, run):
    message = ask(history)
    try:
        answers = run(message["tool_calls"])
    except KeyboardInterrupt:
        return 0
    history += [message, *answers]
    return len(answers)


def answer_and_swallow(history, ask, run):
    message = ask(history)
    try:
        answers = run(message["tool_calls"])
    except BaseException:
        answers = [
            {"role": "tool", "tool_call_id": item["id"], "content": "stopped"}
            for item in message["tool_calls"]
        ]
    history += [message, *answers]
    return len(answers)


def begin_anew(history, ask, run):
    message = ask(history)
    try:
        answers = run(message["tool_calls"])
    except KeyboardInterrupt:
        history.clear()
        raise
    history += [message, *answers]
    return len(answers)


def answer_one(history, ask, run):
    message = ask(history)
    history.append(message)
    try:
        answers = run(message["tool_calls"])
    except KeyboardInterrupt:
        item = message["tool_calls"][0]
        history.append({"role": "tool", "tool_call_id": item["id"], "content": "stopped"})
        raise
    history += answers
    return len(answers)


def a_new_list(history, ask, run):
    message = ask(history)
    answers = run(message["tool_calls"])
    history = [*history, message, *answers]
    return len(answers)


def give_the_answers(history, ask, run):
    message = ask(history)
    answers = run(message["tool_calls"])
    history += [message, *answers]
    return answers


def asks_twice(history, ask, run):
    ask(history)
    message = ask(history)
    answers = run(message["tool_calls"])
    history += [message, *answers]
    return len(answers)


def runs_twice(history, ask, run):
    message = ask(history)
    run(message["tool_calls"])
    answers = run(message["tool_calls"])
    history += [message, *answers]
    return len(answers)


def runs_the_message(history, ask, run):
    message = ask(history)
    answers = run(message)
    history += [message, *answers]
    return len(answers)


def needs_calls(history, ask, run):
    message = ask(history)
    answers = run(message["tool_calls"])
    history += [message, *answers]
    return len(answers)


def keeps_no_words(history, ask, run):
    message = ask(history)
    if not message.get("tool_calls"):
        return 0
    return needs_calls(history, lambda history: message, run)


def gives_the_words(history, ask, run):
    message = ask(history)
    if not message.get("tool_calls"):
        history.append(message)
        return message["content"]
    return needs_calls(history, lambda history: message, run)


def runs_the_words(history, ask, run):
    message = ask(history)
    answers = run(message.get("tool_calls") or [message])
    history += [message, *answers]
    return len(answers)


def asks_with_the_question(history, ask, run):
    message = ask(history[0])
    answers = run(message["tool_calls"])
    history += [message, *answers]
    return len(answers)


WRONG = {
    "10.1": [
        (by_index, "two share an index, or have none"),
        (by_index_if_any, "What tells them apart is a new id"),
        (a_new_call_with_each_id, "or with the same id again"),
        (to_the_last, "one after the other, and to that call"),
        (by_name, "one after the other"),
        (one_a_delta, "goes on with the call of its index"),
        (reads_the_id, "Only the first delta of a call has its id"),
        (needs_arguments, "Not every delta has arguments"),
        (larger_ids_alone, "ids of which one is a part of the other"),
        ([], "give the function itself"),
        (lambda deltas: {}, "Give a list of dicts"),
        (parsed, "The arguments are the text as it came"),
        (lambda deltas: [{**c, "id": 0} for c in by_index(deltas)], "It should be"),
    ],
    "10.2": [
        (start_at_the_end, "Look at its text after each delta"),
        (start_when_the_next_begins, "Look at its text after each delta"),
        (at_the_first_brace, "it should be {'city': 'Paris'}, a dict"),
        (start_again, "Remember which have been started"),
        (give_a_dict, "in the order of the indexes"),
        (give_as_started, "in the order of the indexes"),
        (start_with_the_text, "a dict"),
        (lambda deltas, start: [], "never started"),
        (lambda deltas, start: [start(d["index"], {}) for d in deltas], "a call twice"),
    ],
    "10.3": [
        (message_first, "the next request is refused"),
        (swallow, "it swallows the interrupt"),
        (answer_and_swallow, "it swallows the interrupt"),
        (begin_anew, "it lost or changed"),
        (answer_one, "the next request is refused"),
        (a_new_list, "it should grow in place"),
        (give_the_answers, "the number of answers"),
        (asks_twice, "it asks the model 2 times"),
        (runs_twice, "it runs the calls 2 times"),
        (runs_the_message, "run takes the message's tool_calls"),
        (needs_calls, "for a reply in words, a message without 'tool_calls', it raised KeyError"),
        (keeps_no_words, "it should grow by that message"),
        (gives_the_words, "nothing was answered"),
        (runs_the_words, "there is nothing to run"),
        (asks_with_the_question, "ask takes the history"),
        (lambda history, ask: 1, "TypeError"),
    ],
}

EQUIVALENT = {
    "10.1": {
        "argument: delta['function'].get('name', '') → delta['function'].get('name')": "a name that "
        "is None so far is replaced like an empty one",
        "double: call, id = (at.get(delta.get('index')), delta.get('id'))": "looks twice",
        "double: if call is None or (id and id != call['id'])": "the second time it is known",
        "double: call['name'] = call['name'] or delta['function'].get('name',": "it has its name",
        "double: at[delta.get('index')] = call": "remembers the same call",
        "cache: first of equal": "equal deltas hold equal calls",
    },
    "10.2": {
        "exception: except ValueError → except Exception": "json.loads raises no other",
        "exception: except ValueError → except BaseException": "json.loads raises no other",
        "double: for delta in deltas": "the second time nothing is left to read",
        "double: try: arguments = json.loads(texts[index]) except ValueError:": "reads twice",
        "double: if index not in results": "the second time it is there",
        "double: arguments = json.loads(texts[index])": "reads twice",
    },
    "10.3": {},
}
