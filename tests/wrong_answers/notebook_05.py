"""Wrong answers to the exercises of notebook 05."""

import json

from ptc import extract_parallel_calls, format_parallel_results
from ptc.wire import assistant_message


def answer(result, **other):
    return {"role": "tool", "tool_call_id": result.call.id, "content": result.content} | other


# --- 05.1


def numbered_and_rebuilt(message, results):
    """The textbook's own mistake."""
    asked, answers = [], []
    for n, result in enumerate(results):
        function = {"name": result.call.name, "arguments": json.dumps(result.call.arguments)}
        asked.append({"id": f"call_parallel_{n}", "type": "function", "function": function})
        answers.append(answer(result, tool_call_id=f"call_parallel_{n}"))
    return [{"role": "assistant", "content": None, "tool_calls": asked}, *answers]


def numbered(message, results):
    return [message, *numbered_and_rebuilt(message, results)[1:]]


def rebuilt_with_its_ids(message, results):
    return [{key: message.get(key) for key in ("role", "tool_calls")}, *map(answer, results)]


def without_failures(message, results):
    return [message, *(answer(result) for result in results if result.success)]


def without_a_single_call(message, results):
    return [message, *map(answer, results)] if len(results) > 1 else [message]


def without_the_message(message, results):
    return [answer(result) for result in results]


def outputs_themselves(message, results):
    return [message, *(answer(result, content=result.output) for result in results)]


def printed_outputs(message, results):
    return [message, *(answer(result, content=str(result.output)) for result in results)]


def silent_about_failures(message, results):
    contents = [result.content if result.success else '"failed"' for result in results]
    both = zip(results, contents, strict=True)
    return [message, *(answer(result, content=content) for result, content in both)]


def first_content_for_all(message, results):
    return [message, *(answer(result, content=results[0].content) for result in results)]


def last_first(message, results):
    return [message, *map(answer, reversed(results))]


def by_name(message, results):
    named = {result.call.name: answer(result) for result in results}
    return [message, *named.values()]


def all_twice(message, results):
    return [message, *map(answer, [*results, *results])]


def with_a_question(message, results):
    return [{"role": "user", "content": "?"}, message, *map(answer, results)]


def with_a_summary(message, results):
    end = {"role": "user", "content": "These are the results."}
    return [message, *map(answer, results), end]


# --- 05.2


def pass_on_a_single_call(history, ask, run):
    """The textbook's own mistake."""
    response = ask(history)
    calls = extract_parallel_calls(response)
    history.append(assistant_message(response, calls))
    if len(calls) > 1:
        history += format_parallel_results(run(calls))
    elif len(calls) == 1:
        pass
    else:
        return response.choices[0].message.content
    return ask(history).choices[0].message.content


def asks_twice(history, ask, run):
    response = ask(history)
    calls = extract_parallel_calls(response)
    if not calls:
        return response.choices[0].message.content
    history.append(assistant_message(response, calls))
    history += format_parallel_results(run(calls))
    return ask(history).choices[0].message.content


def loop(history, ask, run, is_done=lambda message, calls: not calls, result=None, answers=None):
    while True:
        response = ask(history)
        calls = extract_parallel_calls(response)
        message = assistant_message(response, calls)
        if is_done(message, calls):
            return result(response) if result else message["content"]
        history.append(message)
        history += (answers or format_parallel_results)(run(calls))


def three_turns(history, ask, run):
    for _ in range(3):
        response = ask(history)
        calls = extract_parallel_calls(response)
        if not calls:
            break
        history.append(assistant_message(response, calls))
        history += format_parallel_results(run(calls))
    return response.choices[0].message.content


def until_the_finish_reason(history, ask, run):
    response = ask(history)
    while response.choices[0].finish_reason == "tool_calls":
        calls = extract_parallel_calls(response)
        history += [assistant_message(response, calls), *format_parallel_results(run(calls))]
        response = ask(history)
    return response.choices[0].message.content


def keeps_the_last_round_alone(history, ask, run):
    sent = history
    while calls := extract_parallel_calls(response := ask(sent)):
        answers = format_parallel_results(run(calls))
        sent = [*history, assistant_message(response, calls), *answers]
    return response.choices[0].message.content


def stops_at_any_text(history, ask, run):
    return loop(history, ask, run, is_done=lambda message, calls: message["content"])


def gives_up_when_all_failed(history, ask, run):
    while True:
        response = ask(history)
        calls = extract_parallel_calls(response)
        if not calls:
            return response.choices[0].message.content
        results = run(calls)
        if not any(result.success for result in results):
            return "Sorry."
        history = [
            *history,
            assistant_message(response, calls),
            *format_parallel_results(results),
        ]


def leaves_failures_out(history, ask, run):
    def good(results):
        return format_parallel_results(result for result in results if result.success)

    return loop(history, ask, run, answers=good)


def forgets_the_message(history, ask, run):
    while calls := extract_parallel_calls(response := ask(history)):
        history += format_parallel_results(run(calls))
    return response.choices[0].message.content


def never_adds_anything(history, ask, run):
    while calls := extract_parallel_calls(response := ask(history)):
        run(calls)
    return response.choices[0].message.content


def never_ends(history, ask, run):
    return loop(history, ask, run, is_done=lambda message, calls: False)


def one_call_at_a_time(history, ask, run):
    return loop(history, ask, lambda calls: [run([call])[0] for call in calls])


def runs_all_twice(history, ask, run):
    return loop(history, ask, lambda calls: run(calls) and run(calls))


def gives_the_reply(history, ask, run):
    return loop(history, ask, run, result=lambda response: response)


def gives_nothing(history, ask, run):
    loop(history, ask, run)


def shouts(history, ask, run):
    return loop(history, ask, run).upper()


def asks_nobody(history, ask, run):
    return "Hello!"


def loses_reasoning(history, ask, run):
    while True:
        response = ask(history)
        calls = extract_parallel_calls(response)
        if not calls:
            return response.choices[0].message.content
        sent = assistant_message(response, calls)
        kept = {key: sent[key] for key in ("role", "content", "tool_calls")}
        history += [kept, *format_parallel_results(run(calls))]


def swallows_the_refusal(history, ask, run):
    try:
        return pass_on_a_single_call(history, ask, run)
    except Exception:
        return "Something went wrong."


# --- 05.3


def changes_in_place(messages):
    messages[0]["content"] = "?"


def without_the_call(message, results):
    return [message, *({"role": "tool", "tool_call_id": result.id} for result in results)]


def runs_a_call(history, ask, run):
    calls = extract_parallel_calls(ask(history))
    return [run(call) for call in calls]


WRONG = {
    "05.1": [
        (numbered_and_rebuilt, "comes back with other ids"),
        (numbered, "carries the id of its own call"),
        (rebuilt_with_its_ids, "reasoning_content is gone"),
        (without_failures, "Every call needs its answer"),
        (without_a_single_call, "Every call needs its answer"),
        (without_the_message, "has to stand before the answers"),
        (outputs_themselves, "The content of an answer is a text"),
        (printed_outputs, "how Python prints it"),
        (silent_about_failures, "the model must read that"),
        (first_content_for_all, "and the provider can't know"),
        (last_first, "keep the order of the results"),
        (by_name, "did not have response messages: f9"),
        (all_twice, "Each call is answered once"),
        (with_a_question, "only what follows on the question"),
        (with_a_summary, "and nothing else"),
        (lambda message, results: [message, list(map(answer, results))], "a list within the list"),
        (lambda message, results: [message, *results], "each one is a dict"),
        (lambda message, results: message, "give a list of messages"),
        (lambda message, results: [], "the model's own one is always due"),
        (without_the_call, "the id is its call's, result.call.id"),
        (lambda message: [message], "TypeError"),
        ("build", "give the function itself"),
    ],
    "05.2": [
        (pass_on_a_single_call, "for one call, then words the provider answers 400"),
        (swallows_the_refusal, "for one call, then words the provider answers 400"),
        (asks_twice, "after reply 2 of 3"),
        (stops_at_any_text, "after reply 1 of 2"),
        (gives_up_when_all_failed, "it stops with 'Sorry.'"),
        (leaves_failures_out, "Every call needs its answer"),
        (forgets_the_message, "has to stand before the answers"),
        (never_adds_anything, "request 2 has the question alone"),
        (three_turns, "after reply 3 of 6, which asks for calls"),
        (until_the_finish_reason, "a finish_reason may be 'stop' all the same"),
        (keeps_the_last_round_alone, "request 3 has lost reply 1 and its answers"),
        (never_ends, "after the model has answered in words"),
        (one_call_at_a_time, "Give it the whole batch"),
        (runs_all_twice, "each once"),
        (gives_the_reply, "give the words in it"),
        (gives_nothing, "it gives None"),
        (shouts, "it should be"),
        (asks_nobody, "without having asked the model"),
        (loses_reasoning, "reasoning_content is gone"),
        (lambda h, ask, run: assistant_message(ask(h)), "takes the reply and its calls"),
        (runs_a_call, "run takes the list of calls"),
        (lambda history, ask: ask(history), "TypeError"),
    ],
    "05.3": [
        (lambda messages: messages, "they are right"),
        (lambda messages: messages[:-1], "looks_complete counts"),
        (lambda messages: [*messages, messages[0]], "looks_complete counts"),
        (lambda messages: [m | {"tool_call_id": "x"} for m in messages], "knows the ids"),
        (lambda messages: messages[::-1], "each call still gets its own answer"),
        (changes_in_place, "changes the list, and gives None"),
        (lambda messages: False, "give a list of messages"),
        (lambda messages: messages[5], "IndexError"),
    ],
    "05.4": [
        ("a", "the user speaks while y has no answer"),
        ("B", "the model's own message is missing"),
        ("c", "x is answered twice"),
        ("both", "none of the choices"),
    ],
}

EQUIVALENT = {
    "05.1": {"cache: first of equal": "the same message and results give the same list"},
    "05.2": {
        "constant: 0 → -1": "a reply has one choice, the first and the last",
        "double: while True": "the first loop never ends without a return",
        "double: calls = extract_parallel_calls(response)": "reading a reply changes nothing",
    },
    "05.3": {
        "constant: 0 → 1": "any answer, given to all calls, fools the validator",
        "constant: 0 → -1": "any answer, given to all calls, fools the validator",
        "cache: first of equal": "the same messages can be fooled with the same list",
    },
    "05.4": {},
}
