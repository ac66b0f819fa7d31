"""An ``openai.OpenAI`` client whose usual failures end in one sentence that says what to do.

No sentence holds a key, nor a part of one: where a provider refuses a key, and quotes it, none of
its words are repeated.
"""

import os
import re
import textwrap
from collections.abc import Mapping
from typing import Any

import openai

from ..text import mask, secrets, shorten
from .proxies import http_client as direct_client

_LONGEST_WAIT = 5.0  # seconds
_NO_TOOLS = re.compile(r"not support tool|support tool use|--jinja|tool-call-parser", re.IGNORECASE)
# llama.cpp: ggml-org/llama.cpp#25510; a chat template: mudler/LocalAI#10256
_BROKEN_ARGUMENTS = re.compile(
    r"parse tool call arguments|item pairs from a mapping", re.IGNORECASE
)


class ModelError(RuntimeError):
    """The model can't be asked; the one sentence says what to do. A notebook shows it alone."""

    def _render_traceback_(self) -> list[str]:
        shown = f"{type(self).__name__}: {self}"  # IPython asks for it
        return textwrap.wrap(shown, 76, break_long_words=False, break_on_hyphens=False)


class Client(openai.OpenAI):
    """The client, with :class:`ModelError` for what a learner's set-up gets wrong.

    ``Client(base_url="http://127.0.0.1:8080/v1", api_key="none")`` is an ``openai.OpenAI`` as well.

    That is: no server, a key that is refused, no such model, a model without tools, a rate limit, a
    server that fails. Other errors are the client's own. It tries again as the client does, twice,
    but never waits for longer than 5 s: a provider may ask it to be silent for two minutes.
    """

    def __init__(self, **options: Any) -> None:
        http_client = options.pop("http_client", None)
        if http_client is None:  # a new one; a copy of this client brings its own
            url = str(options.get("base_url") or os.environ.get("OPENAI_BASE_URL") or "")
            http_client = direct_client(url, event_hooks={"response": [_no_long_wait]})
        super().__init__(http_client=http_client, **options)

    def request(self, cast_to: Any, options: Any, **more: Any) -> Any:
        try:
            return super().request(cast_to, options, **more)
        except openai.APIError as error:
            asked = options.json_data if isinstance(options.json_data, dict) else {}
            problem = sentence(error, self.address, asked.get("model"))
            if problem is None:
                raise
        raise ModelError(problem)  # out here it has no context: that one's request holds the key

    @property
    def address(self) -> str:
        """Where it asks, without a key that may stand in its ``base_url``."""
        url = self.base_url
        port = "" if url.port is None else f":{url.port}"
        return f"{url.scheme}://{url.host}{port}{url.path}".rstrip("/")


def sentence(error: openai.APIError, server: str, model: str | None) -> str | None:
    """What to do about an error, or None where that takes the error's own words."""
    problem = _sentence(error, getattr(error, "status_code", 0), server, model)
    return problem and mask(problem, secrets())


def _sentence(error: Any, status: int, server: str, model: str | None) -> str | None:
    words = _words(error.body)
    if isinstance(error, openai.APITimeoutError):
        return (
            f"{server} did not answer in time; see whether it still loads the model, or give it "
            "longer: client.with_options(timeout=…)"
        )
    if isinstance(error, openai.APIConnectionError):
        return (
            f"no server answers at {server}; start it, or set OPENAI_BASE_URL to where it listens "
            "(without PTC_MODEL the scripted model answers)"
        )
    if status >= 400 and _NO_TOOLS.search(words):
        return (
            f"model {model!r} at {server} can't call tools; set PTC_MODEL to one that can, or "
            "start its server with tool calls on (vLLM: --enable-auto-tool-choice and "
            "--tool-call-parser; llama-server: --jinja)"
        )
    if status == 401:
        return f"{server} refuses the key; set OPENAI_API_KEY to one that is valid there"
    if status == 403:
        return f"{server} does not let this key use model {model!r}; set PTC_MODEL to another one"
    if status == 404 and "model" in words:
        return (
            f"{server} has no model {model!r}; set PTC_MODEL to one that it has "
            f"(with Ollama, first: ollama pull {model})"
        )
    if status == 404:
        return f"{server} has no chat completions; set OPENAI_BASE_URL to an address ending in /v1"
    if status == 429 and _is_out_of_credit(error.body):
        return f"the account at {server} has no credit left; add some, or use a local model"
    if status == 429:
        wait = _asked_to_wait(error.response.headers)
        wait_for = "a minute" if wait is None else f"{wait:.0f} s"
        return f"the rate limit of {server} is reached; wait {wait_for}, then run this again"
    if status >= 500 and _BROKEN_ARGUMENTS.search(words):
        return (
            f"{server} can't read the arguments of a call in the history ({shorten(words, 150)}); "
            "append the model's messages as ptc.wire.assistant_message mends them, or begin anew"
        )
    if status >= 500:
        return (
            f"{server} failed with {status} ({shorten(words, 200)}); try again in a moment, and "
            "read its log if it is yours"
        )
    return None


def _words(body: Any) -> str:
    """What a provider said, on one line."""
    said = body.get("message") if isinstance(body, dict) else body
    return " ".join(str(said or "no reason given").split())


def _is_out_of_credit(body: Any) -> bool:
    return isinstance(body, dict) and body.get("code") == "insufficient_quota"


def _asked_to_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds; None where the provider says nothing, or names a date."""
    try:
        return float(headers["retry-after"])
    except (KeyError, ValueError):
        return None


def _no_long_wait(response: Any) -> None:
    """Lets the client give up at once where trying again means a long wait, or is no use."""
    if response.status_code >= 500:
        response.read()
        if _BROKEN_ARGUMENTS.search(response.text):
            response.headers["x-should-retry"] = "false"
    if response.status_code == 429:
        response.read()
        wait = _asked_to_wait(response.headers) or 0.0
        if wait > _LONGEST_WAIT or b"insufficient_quota" in response.content:
            response.headers["x-should-retry"] = "false"
