"""Which model answers: the scripted one, or the one that the environment names."""

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from .proxies import http_client, may_use_proxy

if TYPE_CHECKING:
    from openai import OpenAI

__all__ = ["SCRIPTED", "connect", "http_client", "may_use_proxy"]

SCRIPTED = "scripted"  # the model's name where the scripted provider answers


def connect(latency: float = 0.0, *, scripted: bool = False) -> "tuple[OpenAI, str]":
    """A client and a model's name: the scripted provider's, unless ``PTC_MODEL`` is set.

    Then ``OPENAI_BASE_URL`` and ``OPENAI_API_KEY`` say where that model is. A key alone changes
    nothing, so nobody pays by accident. ``latency`` is how many seconds the scripted model takes
    for a reply; a real one takes its own time. ``scripted`` asks for the scripted provider whatever
    ``PTC_MODEL`` says, for a lesson that needs certain replies. The client's usual failures are a
    :class:`ptc.client.failures.ModelError`: one sentence that says what to do.
    """
    from .failures import Client, ModelError

    model = os.environ.get("PTC_MODEL")
    if scripted or not model:
        return Client(base_url=_scripted_provider(latency).base_url, api_key=SCRIPTED), SCRIPTED
    if os.environ.get("OPENAI_BASE_URL"):  # a local server, which may need no key
        return Client(api_key=os.environ.get("OPENAI_API_KEY") or "none"), model
    if not os.environ.get("OPENAI_API_KEY"):
        raise ModelError(
            f"PTC_MODEL={model!r} needs OPENAI_API_KEY, or OPENAI_BASE_URL for a local server; "
            "unset PTC_MODEL to use the scripted provider"
        )
    return Client(), model


@cache
def _scripted_provider(latency: float) -> Any:
    """One for each latency."""
    from ..provider import ScriptedProvider

    return ScriptedProvider(latency=latency).start()
