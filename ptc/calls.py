"""The words of this package: what a model asks, and what it is answered."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .text import mask_json, secrets, to_json

_SAME_AS_ID: Any = ...  # a default that says: as `id`


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's request to run one tool: ``ToolCall("call_1", "get_time", {"city": "Paris"})``.

    ``id`` is unique within its batch. ``sent_id`` is the id as the model sent it, None where it
    sent none; it differs from ``id`` only where the model's was missing or used twice.
    ``problem`` says why the call can't be run as it came, and is None for a sound one. ``cut`` says
    why the reply that the call is from ended early, and is None if it did not.
    """

    id: str
    name: str
    arguments: dict[str, Any] = field(default_factory=dict, hash=False)
    problem: str | None = None
    sent_id: str | None = _SAME_AS_ID
    cut: str | None = None

    def __post_init__(self) -> None:
        if self.sent_id is _SAME_AS_ID:
            object.__setattr__(self, "sent_id", self.id)


class Attempt(NamedTuple):
    """One run of a tool; times in seconds since the batch began.

    ``worker`` names the lane it ran on. ``error`` is None where the tool returned. An abandoned
    attempt ends when it was given up, and its error says so.

        >>> Attempt(0.0, 0.25, "worker-1", "ConnectionError: refused").error
        'ConnectionError: refused'
    """

    started: float
    finished: float
    worker: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The answer to one call: the tool's output, or an error that a model can read.

    ``submitted`` and ``finished`` are seconds since the batch began. ``attempts`` is empty for a
    call that never started. The output is written as JSON here and now, so that
    :attr:`content` doesn't change when the output does.

        >>> ToolResult(ToolCall("call_1", "get_time"), success=True, output={"h": 9}).content
        '{"h": 9}'
    """

    call: ToolCall
    success: bool
    output: Any = None
    error: str | None = None
    attempts: Sequence[Attempt] = ()
    submitted: float = 0.0
    finished: float = 0.0
    _json: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        told = self.output if self.success else {"error": self.error}
        object.__setattr__(self, "_json", to_json(told))

    @property
    def content(self) -> str:
        """The text for the wire: the output as JSON, or ``{"error": …}``; secrets masked."""
        return self.content_hiding(secrets())

    def content_hiding(self, hidden: Sequence[str]) -> str:
        """:attr:`content`, with the list of secrets read once for many results."""
        return mask_json(self._json, hidden) if hidden else self._json
