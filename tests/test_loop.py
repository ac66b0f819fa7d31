"""A whole turn and the next, with the real client over a real wire, and a provider that refuses."""

import json
import threading
import warnings

import openai
import pytest

from ptc import ToolRegistry, answer, connect
from ptc.machine import waiting
from ptc.provider import ScriptedProvider, tool_call
from ptc.tools import CityTools

QUESTION = "What's the time, the date and the weather in Paris?"
KEY = "sk-hunter2-0123456789"
ANYTHING = {"type": "object", "properties": {}}
NOW = "2026-11-23T13:05:00+00:00"


@pytest.fixture
def registry():
    """The three tools of the lessons, pinned, and a few that go wrong."""
    registry, pinned = ToolRegistry(), CityTools(now=NOW)
    registry.register(pinned.get_time)
    registry.register(pinned.get_date)

    @registry.tool
    def get_weather(city: str) -> str:
        return f"sunny in {city}"

    @registry.tool
    def boom(why: str = "no"):
        raise ValueError(why)

    @registry.tool
    def leave():
        raise SystemExit(3)

    @registry.tool
    def odd():
        return {"set": {1}, "nan": float("nan"), "text": "\ud800", "object": object()}

    return registry


@pytest.fixture(scope="module")
def direct():
    """One for all tests: making it takes a tenth of a second."""
    with openai.DefaultHttpxClient(trust_env=False) as direct:
        yield direct


@pytest.fixture
def scripted(direct):
    """Gives a provider that replies these messages, and a client of it."""
    opened = []

    def scripted(*replies):
        provider = ScriptedProvider(list(replies) or None).start()
        opened.append(provider)
        options = {"api_key": "none", "http_client": direct, "max_retries": 0}
        return provider, openai.OpenAI(base_url=provider.base_url, **options)

    yield scripted
    for provider in opened:
        provider.close()


def calls(*made):
    return {"content": None, "tool_calls": list(made)}


def words(text):
    return {"content": text}


def tool_messages(messages):
    return [message for message in messages if message["role"] == "tool"]


def is_accepted(messages, client, registry):
    """Send the history again, with a new question: does a strict provider take it?"""
    messages = [*messages, {"role": "user", "content": "And then?"}]
    tools = registry.to_wire() if len(registry) else openai.NOT_GIVEN
    reply = client.chat.completions.create(model="any", messages=messages, tools=tools)
    return reply.choices[0].message.content == "again"


# --- the way it should go


def test_three_tools_in_one_reply(registry, scripted):
    """One query, one batch, one answer made from the three results."""
    provider, client = scripted()
    outcome = answer(QUESTION, registry, client)
    assert [len(turn.results) for turn in outcome.turns] == [3, 0]
    names = [result.call.name for result in outcome.turns[0].results]
    assert names == ["get_time", "get_date", "get_weather"]
    assert "14:05" in outcome.text and "23 November" in outcome.text and "sunny" in outcome.text
    roles = [message["role"] for message in outcome.messages]
    assert roles == ["user", "assistant", "tool", "tool", "tool", "assistant"]
    assert outcome.messages[-1]["content"] == outcome.text
    assert provider.requests[1]["messages"] == outcome.messages[:-1]


def test_answers_carry_the_ids_and_the_order_of_the_calls(registry, scripted):
    """The first call ends last, and is answered first."""
    others, slow_began = threading.Barrier(3), threading.Event()

    @registry.tool
    def wait_for_others(n: int):
        slow_began.set()
        others.wait(20)
        return n

    @registry.tool
    def meet(n: int):
        others.wait(20)
        return n

    made = [tool_call(name, {"n": n}) for n, name in enumerate(["wait_for_others", "meet", "meet"])]
    _, client = scripted(calls(*made), words("done"))
    outcome = answer("go", registry, client)
    asked = [each["id"] for each in outcome.messages[1]["tool_calls"]]
    answers = tool_messages(outcome.messages)
    assert [message["tool_call_id"] for message in answers] == asked
    assert [json.loads(message["content"]) for message in answers] == [0, 1, 2]


def test_the_words_are_made_of_the_results_by_id(registry, scripted):
    """Two contents swapped are two answers swapped: that is how a mistake would show."""
    _, client = scripted()
    outcome = answer(QUESTION, registry, client)
    history = outcome.messages[:-1]
    history[2]["content"], history[3]["content"] = history[3]["content"], history[2]["content"]
    swapped = client.chat.completions.create(model="any", messages=history)
    assert outcome.text.startswith("The time in Paris is 14:05")
    assert swapped.choices[0].message.content.startswith("The time in Paris is Monday")


def test_a_call_alone_is_answered_too(registry, scripted):
    """A single call is no special case on the wire."""
    _, client = scripted(
        calls(tool_call("get_time", {"city": "Paris"})), words("done"), words("again")
    )
    outcome = answer("go", registry, client)
    assert [len(turn.results) for turn in outcome.turns] == [1, 0]
    assert "14:05" in tool_messages(outcome.messages)[0]["content"]
    assert is_accepted(outcome.messages, client, registry)


def test_words_at_once(registry, scripted):
    _, client = scripted(words("Hello."))
    outcome = answer("Hello?", registry, client)
    assert outcome.text == "Hello."
    assert [turn.results for turn in outcome.turns] == [[]]
    assert [message["role"] for message in outcome.messages] == ["user", "assistant"]


def test_without_tools_none_are_offered(scripted):
    """An empty list of tools is refused by providers."""
    provider, client = scripted()
    outcome = answer(QUESTION, ToolRegistry(), client)
    assert "tools" not in provider.requests[0]
    assert outcome.text.startswith("I am a scripted model")


def test_several_turns(registry, scripted):
    """Each reply of the model is a turn, with the seconds spent in the model and in the tools."""
    one, two = (tool_call(name, {"city": "Rome"}) for name in ("get_time", "get_weather"))
    provider, client = scripted(calls(one), calls(two, one), words("done"))
    outcome = answer("go", registry, client)
    assert [len(turn.results) for turn in outcome.turns] == [1, 2, 0]
    assert all(turn.model_seconds > 0 for turn in outcome.turns)
    assert [turn.tool_seconds > 0 for turn in outcome.turns] == [True, True, False]
    assert len(provider.requests) == 3


def test_several_calls_run_at_once_within_max_workers(registry, scripted):
    """Two of them meet; with one worker they can't, and the timeout says so."""
    met = threading.Barrier(2)
    registry.register(lambda: met.wait(20), name="meet")
    _, client = scripted(calls(tool_call("meet", {}), tool_call("meet", {})), words("done"))
    outcome = answer("go", registry, client, max_workers=2)
    assert [result.success for result in outcome.turns[0].results] == [True, True]
    outcome = answer("go", registry, client, max_workers=1, timeout=0.05)
    assert [result.success for result in outcome.turns[0].results] == [False, False]
    met.abort()


def test_a_list_of_messages_grows(registry, scripted):
    """So a conversation is one list, and the second question stands on the first."""
    _, client = scripted()
    messages = [{"role": "user", "content": QUESTION}]
    outcome = answer(messages, registry, client)
    assert outcome.messages is messages
    messages.append({"role": "user", "content": "And the time in Tokyo?"})
    again = answer(messages, registry, client)
    assert again.messages is messages and "22:05" in again.text
    assert len(again.turns) == 2


@pytest.mark.parametrize("stream", [False, True])
def test_max_turns_ends_a_conversation_that_would_not(stream, registry, scripted):
    """The last batch is answered all the same, so that one can go on from there."""
    rounds = [calls(tool_call("get_time", {"city": "Paris"}))] * 3
    provider, client = scripted(*rounds, words("again"))
    with pytest.warns(UserWarning, match="no answer yet: in turn 3") as warned:
        outcome = answer("go", registry, client, max_turns=3, stream=stream)
    assert (outcome.text, len(outcome.turns), len(provider.requests)) == ("", 3, 3)
    assert outcome.stopped == (
        "no answer yet: in turn 3 the model still asked for get_time({'city': 'Paris'}); "
        "give it more max_turns, or go on from these messages"
    )
    assert [warned[0].filename, str(warned[0].message)] == [__file__, outcome.stopped]
    assert outcome.messages[-1]["role"] == "tool"
    assert is_accepted(outcome.messages, client, registry)
    assert answer(outcome.messages, registry, client).stopped is None


def test_what_was_asked_last_is_shortened_and_masked(registry, scripted, monkeypatch):
    """A model may ask for a book, or with a key that it was told; the sentence stays one."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    made = [tool_call("boom", {"why": f"{KEY}, {n}" + "x" * n}) for n in range(50)]
    _, client = scripted(calls(*made))
    with pytest.warns(UserWarning, match="no answer yet"):
        outcome = answer("go", registry, client, max_turns=1)
    assert len(outcome.stopped) < 400
    assert "***, 0" in outcome.stopped and KEY[:5] not in outcome.stopped


@pytest.mark.parametrize("reason", ["length", "content_filter"])
@pytest.mark.parametrize("stream", [False, True])
def test_words_that_the_provider_cut_are_kept_and_told(stream, reason, registry, scripted):
    """They may be of use, but nobody should take them for the whole answer."""
    _, client = scripted({**words("The time in"), "finish_reason": reason}, words("again"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        outcome = answer("go", registry, client, stream=stream)
    assert outcome.text == "The time in"
    assert outcome.stopped == f"the answer was cut off (finish_reason: {reason})"
    assert is_accepted(outcome.messages, client, registry)


@pytest.mark.parametrize(
    ("model", "variable", "asked"),
    [("mine", "theirs", "mine"), (None, "theirs", "theirs"), (None, None, "scripted")],
)
def test_the_models_name(registry, scripted, monkeypatch, model, variable, asked):
    """What is given, else what PTC_MODEL names, else the scripted one."""
    if variable:
        monkeypatch.setenv("PTC_MODEL", variable)
    provider, client = scripted(words("done"))
    answer("go", registry, client, model=model)
    assert provider.requests[0]["model"] == asked


# --- whatever goes wrong, the history stays valid


def without(made, *path):
    """A call with a part of it taken out."""
    made = json.loads(json.dumps({"id": "odd", **made}, default=str))
    *most, last = path
    place = made
    for key in most:
        place = place[key]
    del place[last]
    return made


PARIS = {"city": "Paris"}
FAILING = {
    "a tool that raises": ([tool_call("boom", {})], ["ValueError: no"]),
    "one of two": (
        [tool_call("boom", {}), tool_call("get_weather", PARIS)],
        ["ValueError", "sunny"],
    ),
    "all of three": ([tool_call("boom", {"why": str(n)}) for n in range(3)], ["0", "1", "2"]),
    "a tool that exits": (
        [tool_call("leave", {}), tool_call("get_weather", PARIS)],
        ["SystemExit", "sunny"],
    ),
    "what JSON doesn't know": ([tool_call("odd", {})], ["NaN"]),
    "an unknown tool": ([tool_call("get_wether", PARIS)], ["no tool named 'get_wether'; known: "]),
    "an unknown tool of two": (
        [tool_call("x", {}), tool_call("get_weather", PARIS)],
        ["no tool", "sunny"],
    ),
    "no such argument": (
        [tool_call("get_weather", {"town": "Paris"})],
        ["town='Paris' is not a parameter"],
    ),
    "an argument missing": ([tool_call("get_weather", {})], ["city is required"]),
}
MENDED = {
    "no JSON": (
        [tool_call("get_weather", '{"city": Par'), tool_call("get_weather", PARIS)],
        ["Par", "sunny"],
    ),
    "a JSON list": ([tool_call("get_weather", '["Paris"]')], ['["Paris"]']),
    "NaN": ([tool_call("boom", '{"why": NaN}')], ["NaN"]),
    "too deep": ([tool_call("boom", '{"why": ' + "[" * 100_000 + "]" * 100_000 + "}")], ["[[["]),
    "blank": ([tool_call("boom", "  ")], ["ValueError: no"]),
    "an id twice": (
        [tool_call("get_weather", {"city": city}, id="same") for city in ("Paris", "Rome")],
        ["sunny in Paris", "sunny in Rome"],
    ),
    "no id": ([tool_call("get_weather", PARIS, id=None)], ["sunny"]),
    "an empty id": ([tool_call("get_weather", PARIS, id="")], ["sunny"]),
    "an id that is a number": ([tool_call("get_weather", PARIS, id=7)], ["sunny"]),
    "arguments that are an object": (
        [{**tool_call("get_weather", ""), "function": {"name": "get_weather", "arguments": PARIS}}],
        ["sunny"],
    ),
    "arguments left out": (
        [without(tool_call("boom", {}), "function", "arguments")],
        ["ValueError"],
    ),
}


def check_answered(made, told, registry, scripted):
    _, client = scripted(calls(*made), words("done"), words("again"))
    outcome = answer("go", registry, client)
    answers = tool_messages(outcome.messages)
    assert outcome.text == "done" and len(answers) == len(told)
    for message, part in zip(answers, told, strict=True):
        said = json.loads(message["content"])
        assert part in (said.get("error", str(said)) if isinstance(said, dict) else said)
    assert is_accepted(outcome.messages, client, registry)


@pytest.mark.parametrize("case", FAILING)
def test_a_failure_is_for_the_model_to_read(case, registry, scripted):
    """Each call is answered with its own result or error, and the conversation goes on."""
    check_answered(*FAILING[case], registry, scripted)


@pytest.mark.parametrize("case", MENDED)
def test_a_malformed_call_is_mended_and_answered(case, registry, scripted):
    """Sent back as it came, it would be refused now and in every later request."""
    with pytest.warns(UserWarning, match="mended in the model's message"):
        check_answered(*MENDED[case], registry, scripted)


@pytest.mark.parametrize("lone", [True, False])
def test_a_hang_is_given_up_and_answered(lone, registry, scripted):
    """Also where the call is alone: the deadline stands on both ways."""
    release = threading.Event()
    registry.register(lambda: release.wait(20), name="hang")
    made = [tool_call("hang", {})] + [tool_call("get_weather", PARIS)] * (not lone)
    _, client = scripted(calls(*made), words("done"), words("again"))
    outcome = answer("go", registry, client, timeout=0.5)
    release.set()
    contents = [message["content"] for message in tool_messages(outcome.messages)]
    assert "abandoned" in contents[0] and len(contents) == len(made)
    assert lone or "sunny" in contents[1]
    assert is_accepted(outcome.messages, client, registry)


EMPTY = {
    "no words": {"content": None},
    "empty words": {"content": ""},
    "an empty list of calls": {"content": "Hello.", "tool_calls": []},
    "no list of calls": {"content": "Hello.", "tool_calls": None},
    "a refusal": {"content": None, "refusal": "I can't help with that."},
}


@pytest.mark.parametrize("case", EMPTY)
def test_an_odd_reply_without_calls_can_be_sent_again(case, registry, scripted):
    """Some servers send an empty list of calls with their words, and some models say nothing."""
    _, client = scripted(EMPTY[case], words("again"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        outcome = answer("go", registry, client)
    said = EMPTY[case]["content"] or EMPTY[case].get("refusal") or ""
    assert outcome.text == said
    nothing = "the reply of turn 1 has no words and asks for no tool"
    assert outcome.stopped == (None if said else nothing)
    assert is_accepted(outcome.messages, client, registry)


def test_words_in_parts_are_one_text(registry, scripted):
    """Some servers send a list of parts, and what the model thought among them."""
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "Hello "}]
    parts.append({"type": "text", "text": "you."})
    _, client = scripted({"content": parts}, words("again"))
    outcome = answer("go", registry, client)
    assert (outcome.text, outcome.stopped) == ("Hello you.", None)
    assert is_accepted(outcome.messages, client, registry)


BROKEN = {
    "no type": without(tool_call("get_weather", PARIS), "type"),
    "no function": without(tool_call("get_weather", PARIS), "function"),
    "null for a function": {**tool_call("get_weather", PARIS), "function": None},
    "no name": without(tool_call("get_weather", PARIS), "function", "name"),
    "an empty name": tool_call("", PARIS),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_call_with_a_part_missing_can_be_sent_again(case, registry, scripted):
    """Its sibling is answered as ever, and it is told what was missing."""
    made = [BROKEN[case], tool_call("get_weather", PARIS)]
    _, client = scripted(calls(*made), words("done"), words("again"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        outcome = answer("go", registry, client)
    contents = [message["content"] for message in tool_messages(outcome.messages)]
    assert contents[1] == '"sunny in Paris"' and len(contents) == 2
    assert is_accepted(outcome.messages, client, registry)


@pytest.mark.parametrize("lone", [True, False])
def test_an_interrupt_leaves_the_list_valid(lone, registry, scripted, monkeypatch):
    """The stop button during a batch: the reply whose calls have no answers isn't kept."""

    def stop(batch):
        raise KeyboardInterrupt

    first, later = (
        tool_call("get_time", PARIS),
        calls(*[tool_call("get_weather", PARIS)] * (2 - lone)),
    )
    _, client = scripted(calls(first), later, words("again"))
    messages, rounds = [{"role": "user", "content": "go"}], []
    wait = waiting.next_news

    def stop_in_the_second(batch):
        if batch not in rounds:
            rounds.append(batch)
        return wait(batch) if len(rounds) == 1 else stop(batch)

    monkeypatch.setattr(waiting, "next_news", stop_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        answer(messages, registry, client)
    monkeypatch.undo()
    assert [message["role"] for message in messages] == ["user", "assistant", "tool"]
    outcome = answer(messages, registry, client)
    assert outcome.text == "again" and is_accepted(outcome.messages[:3], client, registry) is False


def test_a_provider_that_refuses_is_heard(registry, scripted):
    """Its error is the caller's; the list stays as it was."""
    _, client = scripted(words("done"))
    messages = [{"role": "tool", "tool_call_id": "x", "content": "y"}]
    with pytest.raises(openai.BadRequestError, match="must be a response to"):
        answer(messages, registry, client)
    assert len(messages) == 1


# --- which model answers


def test_connect_gives_the_scripted_model(registry):
    client, model = connect()
    assert model == "scripted"
    with client:
        assert "14:05" in answer(QUESTION, registry, client, model=model).text


def test_a_key_alone_changes_nothing(registry, monkeypatch):
    """Nobody pays by accident, and neither a proxy nor a variable of the client gets in between."""
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:9")
    client, model = connect()
    assert model == "scripted" and client.base_url.host == "127.0.0.1"
    assert client.api_key == "scripted"
    with client:
        assert "14:05" in answer(QUESTION, registry, client, model=model).text


def test_the_scripted_provider_is_started_once():
    """Notebooks connect in every cell that they like."""
    assert connect()[0].base_url == connect()[0].base_url


def test_ptc_model_says_which_model_and_the_clients_variables_where(monkeypatch):
    monkeypatch.setenv("PTC_MODEL", "big-one")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    client, model = connect()
    assert (model, client.api_key) == ("big-one", KEY)
    assert client.base_url.host == "api.openai.com"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert connect()[0].base_url.port == 9


def test_a_local_server_needs_no_key(monkeypatch):
    monkeypatch.setenv("PTC_MODEL", "local")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    client, model = connect()
    assert (model, client.base_url.port) == ("local", 9)


def test_a_missing_key_is_told_with_the_way_out(monkeypatch):
    monkeypatch.setenv("PTC_MODEL", "big-one")
    with pytest.raises(RuntimeError, match=r"'big-one' needs OPENAI_API_KEY.*unset PTC_MODEL"):
        connect()


def test_no_key_reaches_an_output(registry, scripted, monkeypatch):
    """A tool that tells the key, or fails with it: neither the model nor a printed result has it."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    registry.register(lambda: f"key {KEY}", name="tell")
    registry.register(lambda **given: given, name="echo", schema=ANYTHING)
    made = [
        tool_call("tell", {}),
        tool_call("boom", {"why": KEY}),
        tool_call("get_weather", {KEY: KEY}),
    ]
    made += [
        tool_call("echo", {KEY: [KEY]}),
        tool_call(KEY, {}),
        tool_call("boom", "no JSON: " + KEY),
    ]
    provider, client = scripted(calls(*made), words("done"))
    with pytest.warns(UserWarning, match="mended"):
        outcome = answer("go", registry, client)
    answers = tool_messages(outcome.messages)
    assert len(answers) == 6 and KEY not in str(answers)
    assert all("***" in message["content"] for message in answers)
    assert KEY not in str([result.error for result in outcome.turns[0].results])
    assert KEY not in repr(client)
    assert KEY not in str([request.get("tools") for request in provider.requests])


def test_no_turn_at_all_raises(registry, scripted):
    with pytest.raises(ValueError, match="max_turns=0"):
        answer("go", registry, scripted()[1], max_turns=0)
