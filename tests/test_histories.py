"""Whatever becomes of a batch, the history that it leaves is one that a strict provider takes."""

import threading
import warnings
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptc import ToolRegistry, answer
from ptc.machine import waiting
from ptc.provider import ScriptedProvider, tool_call
from ptc.provider.refusals import check_request
from ptc.provider.server import in_pieces, reply_bodies

NEXT = {"role": "user", "content": "And then?"}
WORDS = {"role": "assistant", "content": "That is all."}

CALLS = st.one_of(
    st.builds(tool_call, st.sampled_from(["fine", "fails", "leaves", "odd", "pays"]), st.just({})),
    st.builds(tool_call, st.just("nobody knows it"), st.just({"x": 1})),
    st.builds(tool_call, st.just("fine"), st.sampled_from(['{"x"', "[1]", "NaN", "", '{"y": 2}'])),
    st.builds(tool_call, st.just("fine"), st.just({}), st.sampled_from(["same", "", None])),
)
BATCHES = st.lists(st.lists(CALLS, min_size=1, max_size=5), min_size=1, max_size=3)


class Stop(BaseException):
    """As an interrupt is: nobody may swallow it. (A real KeyboardInterrupt would end the tests.)"""


class Client:
    """Speaks as the scripted provider does, chunk by chunk, and breaks off where it is told to.

    ``cut`` is the number of chunks after which a turn's stream ends; ``stop`` the turn in which
    asking the model is interrupted. Every request is checked as a strict provider does it.
    """

    def __init__(self, replies, cut, stop):
        self.provider = ScriptedProvider(replies)
        self.cut, self.stop, self.turn = cut, stop, 0
        self.chat = SimpleNamespace(completions=SimpleNamespace(create=self.create))

    def create(self, stream=False, **request):
        check_request(request)
        turn, self.turn = self.turn, self.turn + 1
        if turn == self.stop:
            raise Stop
        message = self.provider.reply(request)
        bodies = reply_bodies(message, request, in_pieces(message) if stream else None)
        if not stream:
            return bodies[0]
        return iter(bodies[: self.cut.get(turn)])


@pytest.fixture(scope="module")
def registry():
    registry = ToolRegistry()
    registry.register(lambda: threading.Event().wait(30), name="hangs")

    @registry.tool
    def fine(x: int = 1) -> int:
        return x

    @registry.tool
    def fails() -> None:
        raise ValueError("no")

    @registry.tool
    def leaves() -> None:
        raise SystemExit(3)

    @registry.tool
    def odd() -> object:
        return {"set": {1}, "nan": float("nan"), "text": "\ud800"}

    @registry.tool(idempotent=False)
    def pays() -> str:
        return "paid"

    return registry


def is_accepted(messages, registry):
    check_request({"messages": [*messages, NEXT], "tools": registry.to_wire()})
    return True


def quietly(*args, **options):
    """The answer, without its warnings of what was mended; None where it was interrupted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            return answer(*args, **options)
        except (Stop, ConnectionError):
            return None


@given(batches=BATCHES, stream=st.booleans(), data=st.data())
def test_any_batch_leaves_a_valid_history(batches, stream, data, registry):
    """Failures of all kinds, an interrupt before any turn's reply or results, streams cut anywhere."""
    replies = [{"content": None, "tool_calls": batch} for batch in batches] + [WORDS, WORDS]
    turns = st.none() | st.integers(0, len(batches))
    asking, running = (
        data.draw(turns, "interrupted asking"),
        data.draw(turns, "interrupted running"),
    )
    cut = data.draw(st.dictionaries(st.integers(0, len(batches)), st.integers(0, 12)), "cut")
    messages = [{"role": "user", "content": "go"}]
    client = Client(replies, cut, asking)
    with pytest.MonkeyPatch.context() as patch:
        wait = waiting.next_news

        def stop_or_wait(batch):
            if client.turn - 1 == running:
                raise Stop
            return wait(batch)

        patch.setattr(waiting, "next_news", stop_or_wait)
        outcome = quietly(messages, registry, client, stream=stream)
    assert is_accepted(messages, registry)
    if outcome is not None:
        assert outcome.messages is messages
    client.stop, client.cut = None, {}
    resumed = quietly(messages, registry, client, stream=stream)
    assert resumed.text == WORDS["content"] and is_accepted(messages, registry)


@given(place=st.integers(0, 3), stream=st.booleans())
@settings(max_examples=8)
def test_a_timeout_leaves_a_valid_history(place, stream, registry):
    """Also of the one call that hangs; the others keep their results."""
    made = [tool_call("fine", {}) for _ in range(3)]
    made.insert(place, tool_call("hangs", {}))
    client = Client([{"content": None, "tool_calls": made}, WORDS], {}, None)
    outcome = quietly("go", registry, client, timeout=0.3, stream=stream, max_workers=4)
    assert [result.success for result in outcome.turns[0].results].index(False) == place
    assert is_accepted(outcome.messages, registry)


@pytest.mark.parametrize("chunks", [0, 1, 2])
def test_words_that_are_cut_off_are_no_answer(chunks, registry):
    """Half a sentence reads like a whole one; the list stays as it was, so it can be asked again."""
    messages = [{"role": "user", "content": "go"}]
    client = Client([WORDS], {0: chunks}, None)
    with pytest.raises(ConnectionError, match=r"cut off: .*; ask again"):
        answer(messages, registry, client, stream=True)
    assert messages == [{"role": "user", "content": "go"}]
    assert quietly(messages, registry, client, stream=True).text == WORDS["content"]


def test_an_interrupt_in_a_tool_of_ours_is_an_error_for_the_model(registry):
    """Only the caller's own interrupt stops the loop."""

    @registry.tool
    def interrupts() -> None:
        raise KeyboardInterrupt

    made = [tool_call("interrupts", {}), tool_call("fine", {})]
    client = Client([{"content": None, "tool_calls": made}, WORDS], {}, None)
    outcome = quietly("go", registry, client)
    assert [result.success for result in outcome.turns[0].results] == [False, True]
    assert is_accepted(outcome.messages, registry)
