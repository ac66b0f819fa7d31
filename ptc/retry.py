"""Which failures are tried again, how often, and after how long. The retrying is tenacity's."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RetryPolicy:
    """What is tried again: failures that may pass by themselves, of tools that may be repeated.

    ``on``: types of exceptions that the tool itself raised. ConnectionError and TimeoutError stand
    for the usual clients' own classes of these as well (requests, httpx, aiohttp, …), and a group
    of exceptions is tried again where each in it would be. ``attempts`` counts the first one too.
    The backoff doubles from ``wait_initial`` up to ``wait_max`` seconds, with a random part of at
    most ``wait_jitter`` in it. A timeout of ours is never retried, nor is a tool that isn't
    idempotent: it may have taken effect.

    >>> RetryPolicy(on=(ConnectionError, KeyError), attempts=5).attempts
    5

    Raises:
        ValueError: fewer than 1 attempt, or a negative wait.
        TypeError: ``on`` holds something other than exception types.
    """

    on: tuple[type[BaseException], ...] = (ConnectionError, TimeoutError)
    attempts: int = 3
    wait_initial: float = 0.1
    wait_max: float = 2.0
    wait_jitter: float = 0.1

    def __post_init__(self) -> None:
        on = self.on if isinstance(self.on, tuple) else (self.on,)
        for kind in on:
            if not (isinstance(kind, type) and issubclass(kind, BaseException)):
                raise TypeError(f"on={self.on!r} must be exception types; {kind!r} is not one")
        if not self.attempts >= 1:
            raise ValueError(f"attempts={self.attempts!r} must be at least 1: the first one counts")
        for name in ("wait_initial", "wait_max", "wait_jitter"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name}={getattr(self, name)!r} must be 0 seconds or more")
        object.__setattr__(self, "on", on)


# The clients' own names for a connection that was lost, and for an answer that didn't come: known
# by name, since nobody has all of these clients, and importing them takes seconds.
_CLIENTS = {"requests", "urllib3", "httpx", "httpx2", "httpcore", "aiohttp", "openai", "anthropic"}
_CLIENTS |= {"botocore", "redis", "websockets"}
_TIMEOUTS = {"Timeout", "TimeoutError", "TimeoutException", "APITimeoutError"}
_TIMEOUTS |= {"ConnectTimeoutError", "ReadTimeoutError"}
_LOST = {"ConnectionError", "NetworkError", "RemoteProtocolError", "APIConnectionError"}
_LOST |= {"ChunkedEncodingError", "NewConnectionError", "ProtocolError", "MaxRetryError"}
_LOST |= {"ClientConnectionError", "ClientPayloadError", "ConnectionClosed"}
_LOST |= {"EndpointConnectionError", "ConnectionClosedError"}


def standard_kind(error: BaseException) -> type[BaseException]:
    """ConnectionError or TimeoutError for a client's own class of these, else the error's type.

    >>> import socket
    >>> standard_kind(socket.gaierror("no such host"))
    <class 'ConnectionError'>
    """
    kind = type(error)
    if kind.__name__ == "gaierror":  # a name that could not be looked up
        return ConnectionError
    if kind.__name__ == "URLError":  # urllib's; its reason is a text for an odd address
        return ConnectionError if isinstance(getattr(error, "reason", ""), OSError) else kind
    clients = [each for each in kind.__mro__ if each.__module__.partition(".")[0] in _CLIENTS]
    names = {each.__name__ for each in clients}
    if names & _TIMEOUTS:
        return TimeoutError
    return ConnectionError if names & _LOST else kind


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The exceptions in a group, and in the groups in it; a plain exception is its own leaf."""
    if not isinstance(error, BaseExceptionGroup):
        yield error
        return
    for inner in error.exceptions:
        yield from leaves(inner)


def may_pass(error: BaseException, on: tuple[type[BaseException], ...] = RetryPolicy.on) -> bool:
    """Is it one of these kinds, or a group of nothing but these?

    >>> may_pass(ConnectionResetError()), may_pass(ValueError())
    (True, False)
    """
    every = [isinstance(leaf, on) or issubclass(standard_kind(leaf), on) for leaf in leaves(error)]
    return all(every)


def first_backoff(policy: RetryPolicy) -> float:
    """Seconds to wait after the first attempt, before :func:`later_attempts`."""
    import random

    return min(policy.wait_initial + random.uniform(0, policy.wait_jitter), policy.wait_max)


def later_attempts(policy: RetryPolicy) -> dict[str, Any]:
    """How tenacity's ``Retrying`` makes all attempts but the first, which has failed.

    Most calls need no other, and tenacity costs more than all the rest of a call: so the first is
    made without it, and these are the settings for what follows.
    """
    from tenacity import retry_if_exception, stop_after_attempt, wait_exponential_jitter

    backoff = wait_exponential_jitter(
        2 * policy.wait_initial, policy.wait_max, jitter=policy.wait_jitter
    )
    return {
        "stop": stop_after_attempt(policy.attempts - 1),
        "wait": backoff,
        "retry": retry_if_exception(lambda error: may_pass(error, policy.on)),
        "reraise": True,
    }
