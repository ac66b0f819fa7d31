"""Which model answers: the scripted one, or the one that the environment names."""

import os
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openai import OpenAI

SCRIPTED = "scripted"  # the model's name where the scripted provider answers


def connect() -> "tuple[OpenAI, str]":
    """A client and a model's name: the scripted provider's, unless ``PTC_MODEL`` is set.

    Then ``OPENAI_BASE_URL`` and ``OPENAI_API_KEY`` say where that model is. A key alone changes
    nothing, so nobody pays by accident.
    """
    import openai

    model = os.environ.get("PTC_MODEL")
    if not model:
        direct = openai.DefaultHttpxClient(trust_env=False)  # a proxy can't reach this machine
        url = _scripted_provider().base_url
        return openai.OpenAI(base_url=url, api_key=SCRIPTED, http_client=direct), SCRIPTED
    if os.environ.get("OPENAI_BASE_URL"):  # a local server, which may need no key
        return openai.OpenAI(api_key=os.environ.get("OPENAI_API_KEY") or "none"), model
    if not os.environ.get("OPENAI_API_KEY"):
        raise RuntimeError(
            f"PTC_MODEL={model!r} needs OPENAI_API_KEY, or OPENAI_BASE_URL for a local server; "
            "unset PTC_MODEL to use the scripted provider"
        )
    return openai.OpenAI(), model


@cache
def _scripted_provider() -> Any:
    from .provider import ScriptedProvider

    return ScriptedProvider().start()
