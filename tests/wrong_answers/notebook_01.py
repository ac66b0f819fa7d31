"""Wrong answers to the exercises of notebook 01."""

import json

from ptc import ToolCall


def asked(response):
    return response.choices[0].message.tool_calls or []


def made(call):
    return ToolCall(call.id, call.function.name, json.loads(call.function.arguments))


# --- 01.1


def the_first_one(response):
    """The textbook's own mistake."""
    return [made(call) for call in asked(response)[:1]]


def one_call(response):
    return made(asked(response)[0])


def words_raise(response):
    return [made(call) for call in response.choices[0].message.tool_calls]


def words_give_none(response):
    return [made(call) for call in asked(response)] or None


def arguments_as_text(response):
    return [ToolCall(c.id, c.function.name, c.function.arguments) for c in asked(response)]


def as_the_provider_wrote_them(response):
    return list(asked(response))


def as_dicts(response):
    return [call.model_dump() for call in asked(response)]


def as_tuples(response):
    return [(c.id, c.function.name, c.function.arguments) for c in asked(response)]


def by_name(response):
    return list({call.function.name: made(call) for call in asked(response)}.values())


def by_name_in_a_dict(response):
    return {call.function.name: made(call) for call in asked(response)}


def equal_ones_once(response):
    calls = {(c.function.name, c.function.arguments): made(c) for c in asked(response)}
    return list(calls.values())


def sorted_by_name(response):
    return sorted(map(made, asked(response)), key=lambda call: call.name)


def numbered(response):
    calls = [made(call) for call in asked(response)]
    return [ToolCall(f"call_{n}", call.name, call.arguments) for n, call in enumerate(calls)]


def unless_it_speaks(response):
    return [] if response.choices[0].message.content else [made(c) for c in asked(response)]


def by_finish_reason(response):
    if response.choices[0].finish_reason != "tool_calls":
        return []
    return [made(call) for call in asked(response)]


def no_arguments(response):
    return [ToolCall(call.id, call.function.name) for call in asked(response)]


def name_of_the_call(response):
    return [ToolCall(call.id, call.name, {}) for call in asked(response)]


def dict_of_text(response):
    return [
        ToolCall(call.id, call.function.name, dict(call.function.arguments))
        for call in asked(response)
    ]


def as_a_dict_is_read(response):
    return [made(call) for call in response["choices"][0]["message"]["tool_calls"]]


def as_python(response):
    return [ToolCall(c.id, c.function.name, eval(c.function.arguments)) for c in asked(response)]


def swallows_everything(response):
    try:
        return [made(call) for call in asked(response)]
    except Exception:
        return []


def swallows_broken_texts(response):
    calls = []
    for call in asked(response):
        try:
            calls.append(made(call))
        except ValueError:
            continue
    return calls


def runs_broken_texts_without(response):
    return [
        ToolCall(call.id, call.name, call.arguments)
        for call in (with_problem(call, an_object) for call in asked(response))
    ]


def swallows_other_shapes(response):
    choices = getattr(response, "choices", None) or []
    return [made(call) for choice in choices for call in choice.message.tool_calls or []]


def name_first(response):
    return [
        ToolCall(call.function.name, call.id, json.loads(call.function.arguments))
        for call in asked(response)
    ]


def arguments_first(response):
    return [
        ToolCall(json.loads(c.function.arguments), c.id, c.function.name) for c in asked(response)
    ]


# --- 01.3


def with_problem(call, read):
    try:
        return ToolCall(call.id, call.function.name, read(call.function.arguments or "{}"))
    except ValueError as error:
        text = f"{error}: {call.function.arguments}"
        return ToolCall(call.id, call.function.name, {}, problem=text)


def an_object(text):
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("no object")
    return value


def a_broken_one_raises(response):
    """The textbook's own mistake."""
    return [made(call) for call in asked(response)]


def a_try_around_all(response):
    try:
        return [made(call) for call in asked(response)]
    except ValueError:
        return []


def broken_ones_are_left_out(response):
    calls = []
    for call in asked(response):
        try:
            calls.append(made(call))
        except ValueError:
            continue
    return calls


def broken_ones_run_without(response):
    calls = [with_problem(call, an_object) for call in asked(response)]
    return [ToolCall(call.id, call.name, call.arguments) for call in calls]


def a_list_is_json_too(response):
    return [with_problem(call, json.loads) for call in asked(response)]


def no_quote(response):
    calls = [with_problem(call, an_object) for call in asked(response)]
    problem = "invalid JSON"
    return [ToolCall(c.id, c.name, c.arguments, problem=c.problem and problem) for c in calls]


def nothing_but_the_quote(response):
    calls = [with_problem(call, an_object) for call in asked(response)]
    return [
        ToolCall(c.id, c.name, c.arguments, problem=c.problem and sent.function.arguments)
        for c, sent in zip(calls, asked(response), strict=True)
    ]


def survives_other_shapes(response):
    calls = asked(response) if hasattr(response, "choices") else []
    return [with_problem(call, an_object) for call in calls]


def all_have_problems(response):
    return [
        ToolCall(c.id, c.name, c.arguments, problem="is it sound?")
        for c in (with_problem(call, an_object) for call in asked(response))
    ]


def nothing_is_a_problem(response):
    def read(text):
        return an_object(text)

    calls = []
    for call in asked(response):
        text = call.function.arguments
        try:
            calls.append(ToolCall(call.id, call.function.name, read(text)))
        except ValueError:
            problem = f"no JSON: {text}"
            calls.append(ToolCall(call.id, call.function.name, {}, problem=problem))
    return calls


def the_text_as_arguments(response):
    def read(call):
        text = call.function.arguments
        try:
            return ToolCall(call.id, call.function.name, an_object(text or "{}"))
        except ValueError:
            return ToolCall(call.id, call.function.name, {"raw": text}, problem=f"no JSON: {text}")

    return [read(call) for call in asked(response)]


# --- 01.4


def nothing_without_content(reply):
    return [used(block) for block in reply.get("content", []) if block["type"] == "tool_use"]


def swallows_all(reply):
    try:
        return [used(block) for block in reply["content"] if block["type"] == "tool_use"]
    except Exception:
        return []


def used(block):
    return ToolCall(block["id"], block["name"], block["input"])


def with_a_name(reply):
    return [used(block) for block in reply["content"] if "name" in block]


def ends_in_tool_use(reply):
    return [used(block) for block in reply["content"] if block["type"].endswith("tool_use")]


def all_but_text(reply):
    return [used(block) for block in reply["content"] if block["type"] != "text"]


def first_block(reply):
    return [used(reply["content"][0])]


def last_block(reply):
    block = reply["content"][-1]
    return [used(block)] if block["type"] == "tool_use" else []


def all_but_the_text_before(reply):
    return [used(block) for block in reply["content"][1:]]


def parsed_again(reply):
    blocks = [block for block in reply["content"] if block["type"] == "tool_use"]
    return [ToolCall(block["id"], block["name"], json.loads(block["input"])) for block in blocks]


def made_text_again(reply):
    blocks = [block for block in reply["content"] if block["type"] == "tool_use"]
    return [ToolCall(block["id"], block["name"], json.dumps(block["input"])) for block in blocks]


def blocks_themselves(reply):
    return [block for block in reply["content"] if block["type"] == "tool_use"]


def as_openai_sends_them(reply):
    """The textbook's own mistake: one shape is known."""
    message = reply.get("choices", [{}])[0].get("message", {})
    return [used(call) for call in message.get("tool_calls") or []]


def one_of_each(reply):
    blocks = {
        block["name"]: used(block) for block in reply["content"] if block["type"] == "tool_use"
    }
    return list(blocks.values())


WRONG = {
    "01.1": [
        (name_of_the_call, "stand in call.function"),
        (dict_of_text, "dict() does not"),
        (the_first_one, "take one and lose the others"),
        (one_call, "a single ToolCall"),
        (words_raise, "its tool_calls may be None"),
        (words_give_none, "it gives None"),
        (arguments_as_text, "a function needs them as a dict"),
        (as_the_provider_wrote_them, "as the provider wrote them"),
        (as_dicts, "as the provider wrote them"),
        (as_tuples, "one item is"),
        (by_name, "some share a name"),
        (by_name_in_a_dict, "it gives a dict"),
        (equal_ones_once, "some share a name"),
        (sorted_by_name, "the order of the reply is"),
        (numbered, "keeps the one that came with it"),
        (unless_it_speaks, "may say something and ask for tools"),
        (by_finish_reason, "a certain tool was forced"),
        (no_arguments, "is right"),
        (as_a_dict_is_read, "with dots"),
        (as_python, "json.loads reads it, and runs nothing"),
        ([], "give the function itself"),
        (swallows_everything, "for two calls, the second one cut off it gives []"),
        (swallows_broken_texts, "it gives 1 call (get_time), and the text"),
        (runs_broken_texts_without, "it would run without what the model meant"),
        (swallows_other_shapes, "for a reply of another provider it gives []"),
        (name_first, "ToolCall('call_9', 'get_weather', {'city': 'Paris'}) is right"),
        (arguments_first, "it takes the id first, then the name"),
    ],
    "01.3": [
        (a_broken_one_raises, "it raised a JSONDecodeError"),
        (a_try_around_all, "the other calls are lost with it"),
        (broken_ones_are_left_out, "the broken one too: keep it"),
        (broken_ones_run_without, "without what the model meant to send"),
        (a_list_is_json_too, "they have to be a dict"),
        (no_quote, "Quote in it the text that came"),
        (nothing_but_the_quote, "say in words, too, what is wrong"),
        (survives_other_shapes, "for a reply of another provider it gives []"),
        (all_have_problems, "only a broken call has a problem"),
        (nothing_is_a_problem, "An empty text means no arguments"),
        (the_text_as_arguments, "is right"),
        (lambda response: response.tool_calls, "AttributeError"),
    ],
    "01.4": [
        (with_a_name, "the provider has run it already"),
        (ends_in_tool_use, "the provider has run it already"),
        (first_block, "look at its type"),
        (all_but_text, "look at its type"),
        (lambda reply: reply.content, "with brackets"),
        (last_block, "take one and lose the others"),
        (all_but_the_text_before, "It asks for 3: get_weather, get_time, get_date"),
        (parsed_again, "an object already"),
        (made_text_again, "the input that came"),
        (blocks_themselves, "as the provider wrote them"),
        (as_openai_sends_them, "blocks of type 'tool_use'"),
        (one_of_each, "some share a name"),
        (nothing_without_content, "for a reply of OpenAI's shape it gives []"),
        (swallows_all, "for a reply of OpenAI's shape it gives []"),
    ],
    "01.2": [
        (1, "the first text is read"),
        (2, "a try of its own"),
        (3, "in the middle of a word"),
        (False, "give a number from 0 to 3"),
        ("none", "give a number from 0 to 3"),
        (29, "give a number from 0 to 3"),
    ],
}

EQUAL_REPLIES = "equal replies have equal calls"

EQUIVALENT = {
    "01.1": {
        "constant: 0 → -1": "a reply has one choice, which is the first and the last",
        "cache: first of equal": EQUAL_REPLIES,
    },
    "01.3": {
        "constant: 0 → -1": "a reply has one choice, which is the first and the last",
        "cache: first of equal": EQUAL_REPLIES,
        "exception: except ValueError → except Exception": "json.loads raises nothing else here",
        "exception: except ValueError → except BaseException": "json.loads raises nothing else here",
        "constant: None → 0": "0 is not a dict either",
        "argument: ToolCall(call.id, call.function.name, {}, problem=problem) → "
        "ToolCall(call.id, call.function.name, problem=problem)": "a ToolCall's arguments are {}",
        "double: try: arguments = json.loads(text or '{}') except ValueError:": "it reads it twice",
        "double: if isinstance(arguments, dict)": "the first one returns",
        "double: arguments = json.loads(text or '{}')": "it reads the text twice",
    },
    "01.4": {"cache: first of equal": EQUAL_REPLIES},
    "01.2": {},
}
