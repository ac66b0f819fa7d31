"""A conversation with the model, scripted or real, and how long each of its turns takes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from contextlib import contextmanager, suppress
from time import perf_counter
from typing import Any, NamedTuple

from ..calls import ToolCall, ToolResult
from ..client import connect
from ..provider import MODEL, ScriptedProvider
from ..wire import assistant_message, extract_parallel_calls, format_parallel_results
from .settings import Settings
from .tools import Stop, lab_registry

__all__ = ["Conversation", "Model", "converse", "open_model", "real_model"]

_PATIENCE = 0.05  # seconds between two looks at the stop button, while the model takes its turn
_MOST_TURNS = 8  # of a model that asks again and again, beyond those that it needs


def real_model() -> str:
    """The name of the model that ``PTC_MODEL`` sets; empty where the scripted one answers."""
    return os.environ.get("PTC_MODEL", "")


@contextmanager
def open_model(settings: Settings, stop: Stop) -> Iterator[Model]:
    """The model behind a client that is warm: what it loads for its first request isn't timed."""
    if real_model():
        client, name = connect()
        with client:
            with suppress(Exception):  # not every server lists its models
                client.models.list()
            yield Model(client, name, settings, stop)
        return
    from ..client.failures import Client

    with (
        ScriptedProvider(latency=settings.model) as provider,
        Client(base_url=provider.base_url, api_key="none", max_retries=0) as client,
    ):
        client.models.list()
        yield Model(client, MODEL, settings, stop)


class Model:
    """A model behind a client of its provider."""

    def __init__(self, client: Any, name: str, settings: Settings, stop: Stop) -> None:
        self._client, self._name, self._stop = client, name, stop
        self._tools = lab_registry(settings, stop).to_wire()

    def ask(self, messages: list[Any], **options: Any) -> _Reply:
        """The model's reply, and how many seconds it took.

        It is waited for aside, so that Stop needn't wait until the model has thought to its end.
        """
        self._stop.check()
        reply: Future[_Reply] = Future()
        request = {"model": self._name, "messages": messages, "tools": self._tools, **options}
        threading.Thread(target=self._complete, args=(reply, request), daemon=True).start()
        while not wait_for([reply], timeout=_PATIENCE).done:
            self._stop.check()
        return reply.result()

    def _complete(self, reply: Future[_Reply], request: dict[str, Any]) -> None:
        began = perf_counter()
        try:
            response = self._client.chat.completions.create(**request)
        except BaseException as error:
            reply.set_exception(error)
        else:
            reply.set_result(_Reply(response, perf_counter() - began))


class _Reply(NamedTuple):
    response: Any
    seconds: float


class Conversation(NamedTuple):
    """What became of a question: the calls of each turn, its seconds, and the answer in words."""

    asked: list[list[ToolCall]]
    turns: list[float]
    answer: str


def converse(
    model: Model,
    question: str,
    results_of: Callable[[list[ToolCall]], list[ToolResult]],
    tell: Callable[[int], object],
    *,
    needed: int,
    **options: Any,
) -> Conversation:
    """Ask and answer until the model says something in words, or has asked too often.

    ``results_of`` answers its calls, ``tell`` hears the number of each turn as it begins. It is
    expected to take as many turns as ``needed``; ``options`` go with each request.
    """
    history: list[Any] = [{"role": "user", "content": question}]
    asked: list[list[ToolCall]] = []
    turns: list[float] = []
    while True:
        tell(len(turns) + 1)
        response, seconds = model.ask(history, **options)
        turns.append(seconds)
        calls = extract_parallel_calls(response)
        if not calls:
            return Conversation(asked, turns, response.choices[0].message.content or "")
        asked.append(calls)
        if len(turns) == needed + _MOST_TURNS:
            return Conversation(asked, turns, "")
        results = results_of(calls)
        history += [assistant_message(response, calls), *format_parallel_results(results)]
