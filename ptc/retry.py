"""Which failures are tried again, how often, and after how long. The retrying is tenacity's."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RetryPolicy:
    """What is tried again: failures that may pass by themselves, of tools that may be repeated.

    ``on``: types of exceptions that the tool itself raised. ``attempts`` counts the first one too.
    The backoff doubles from ``wait_initial`` up to ``wait_max`` seconds, with a random part of at
    most ``wait_jitter`` in it. A timeout of ours is never retried, nor is a tool that isn't
    idempotent: it may have taken effect.

    Raises:
        ValueError: fewer than 1 attempt, or a negative wait.
        TypeError: ``on`` holds something else than exception types.
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
                raise TypeError(f"on={self.on!r} must be exception types; {kind!r} is none")
        if not self.attempts >= 1:
            raise ValueError(f"attempts={self.attempts!r} must be at least 1: the first one counts")
        for name in ("wait_initial", "wait_max", "wait_jitter"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name}={getattr(self, name)!r} must be 0 seconds or more")
        object.__setattr__(self, "on", on)


def retry_after(
    first: BaseException,
    attempt: Callable[[], Any],
    policy: RetryPolicy,
    pause: Callable[[float], object],
    given_up: Callable[[], bool],
) -> Any:
    """The output of a later attempt, after the ``first`` error; raises the last attempt's error.

    ``pause(seconds)`` waits for the backoff. Nothing is attempted once ``given_up()`` is true.
    """
    from tenacity import Retrying, retry_if_exception_type, stop_after_attempt
    from tenacity import wait_exponential_jitter as backoff

    errors = [first]  # the first attempt was made already; tenacity is told of it

    def replay_then_attempt() -> Any:
        if given_up():
            raise first
        if errors:
            raise errors.pop()
        return attempt()

    enough = stop_after_attempt(policy.attempts)
    retrying = Retrying(
        stop=lambda state: given_up() or enough(state),
        wait=backoff(policy.wait_initial, policy.wait_max, jitter=policy.wait_jitter),
        retry=retry_if_exception_type(policy.on),
        sleep=pause,
        reraise=True,
    )
    return retrying(replay_then_attempt)
