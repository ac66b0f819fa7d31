"""Right answers to the exercises of notebook 05."""

from ptc import extract_parallel_calls, format_parallel_results
from ptc.wire import assistant_message

# --- 05.1


def ids_of_the_message(message, results):
    """The ids by place, from the model's own message."""
    messages = [message]
    for asked, result in zip(message["tool_calls"], results, strict=True):
        messages.append({"role": "tool", "tool_call_id": asked["id"], "content": result.content})
    return messages


def one_at_a_time(message, results):
    messages = [message]
    for result in results:
        answer = {"role": "tool"}
        answer["tool_call_id"] = result.call.id
        answer["content"] = result.content
        messages.append(answer)
    return messages


def with_names(message, results):
    """Providers take a name beside the id."""
    named = [
        {
            "role": "tool",
            "tool_call_id": result.call.id,
            "name": result.call.name,
            "content": result.content,
        }
        for result in results
    ]
    return [message, *named]


def by_the_package(message, results):
    return [message, *format_parallel_results(results, wire="openai")]


# --- 05.2


def while_there_are_calls(history, ask, run):
    response = ask(history)
    while calls := extract_parallel_calls(response):
        history = [
            *history,
            assistant_message(response, calls),
            *format_parallel_results(run(calls)),
        ]
        response = ask(history)
    return response.choices[0].message.content


def again_from_inside(history, ask, run):
    response = ask(history)
    calls = extract_parallel_calls(response)
    if not calls:
        return response.choices[0].message.content
    sent = assistant_message(response, calls)
    return again_from_inside([*history, sent, *format_parallel_results(run(calls))], ask, run)


def by_hand(history, ask, run):
    """Without the package's two functions, and with an upper limit that is high enough."""
    for _ in range(20):
        response = ask(history)
        message = response.choices[0].message
        if not message.tool_calls:
            return message.content
        results = run(extract_parallel_calls(response))
        history.append(message.model_dump(exclude_unset=True))
        for result in results:
            history.append(
                {"role": "tool", "tool_call_id": result.call.id, "content": result.content}
            )
    raise RuntimeError("too many turns")


def with_a_flag(history, ask, run):
    words = None
    while words is None:
        response = ask(history)
        calls = extract_parallel_calls(response)
        if calls:
            history.append(assistant_message(response, calls))
            history.extend(format_parallel_results(run(calls)))
        else:
            words = response.choices[0].message.content
    return words


# --- 05.3


def swapped(messages):
    first, second, *rest = messages
    one = first | {"content": second["content"]}
    return [one, second | {"content": first["content"]}, *rest]


def in_place(messages):
    messages[1] = messages[0]
    return messages


def with_a_lie(messages):
    return [messages[0] | {"content": '"25:99"'}, *messages[1:]]


RIGHT = {
    "05.1": [ids_of_the_message, one_at_a_time, with_names, by_the_package],
    "05.2": [while_there_are_calls, again_from_inside, by_hand, with_a_flag],
    "05.3": [swapped, in_place, with_a_lie, lambda messages: messages[:1] * len(messages)],
    "05.4": ["d", "D", " d "],
}
