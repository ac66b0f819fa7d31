"""Why a call got no output, in words for the model: what went wrong, and what to do about it."""

from collections.abc import Sequence

from ..retry import leaves, may_pass
from ..text import UntellableError, explain, mask, secrets, shorten, without_surrogates

LONGEST_ERROR = 2000  # characters
_ABANDONED = (
    "abandoned: it can't be stopped by force, so it may still take effect; check that before you "
    "repeat it"
)
_CANCELLED = "cancelled: it may have taken effect before; check that before you repeat it"


class AdvisedError(Exception):
    """A failure whose class knows better than we what to do about it, and says so to the model.

    >>> AdvisedError("the printer is out of paper", "ask for it again later").advice
    'ask for it again later'
    """

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.advice = advice


def readable(error: str, most: int = LONGEST_ERROR) -> str:
    """An error's text for the model: secrets masked, not too long, and fit for UTF-8."""
    return shorten(without_surrogates(mask(error, secrets())), most)


def describe_error(error: BaseException) -> str:
    """Type and message; of a group of exceptions, those of each that is in it."""
    return readable(" and ".join(explain(leaf) for leaf in leaves(error)))


def failed(error: BaseException, attempts: int, idempotent: bool) -> str:
    """A tool raised, and isn't tried again."""
    return f"{describe_error(error)}; {_advice(error, attempts, idempotent)}"


def _advice(error: BaseException, attempts: int, idempotent: bool) -> str:
    if attempts > 1:
        return f"all {attempts} attempts failed: go on without it, or ask again later"
    if isinstance(error, AdvisedError):
        return error.advice
    if not idempotent:
        return "not tried again, since it may have taken effect: check that before you repeat it"
    if type(error).__module__ == "sqlite3" and "same thread" in str(error):
        return (
            "a tool runs on a worker's thread, so it has to open its connection itself, or to be "
            "given one made with check_same_thread=False; go on without it"
        )
    if isinstance(error, UntellableError):
        return "go on without it: it is the tool that has to change"
    if may_pass(error):
        return "go on without it, or ask again later"
    return "correct the arguments, or go on without it"


def cut_off(why: str) -> str:
    """A call of a reply that its provider ended early; its tool isn't idempotent."""
    return (
        f"not started: the reply that it is from was cut off ({why}), and it must not be run on "
        "half a plan; ask for it again if it is still needed"
    )


def unknown_tool(name: str, known: Sequence[str]) -> str:
    """There is no tool of that name."""
    return f"no tool named {name!r}; known: {list(known)}"


def late(started: bool, limit: str, cancelled: bool = False, blocker: str | None = None) -> str:
    """A timeout was over.

    ``cancelled``: its tool is async, and can be stopped. ``blocker``: the async tool that held the
    event loop then, so that no other could go on.
    """
    if blocker is not None:
        what = f"no answer within {limit}: the async tool {blocker!r} blocks the event loop"
        return (
            f"{what}; {_CANCELLED}" if started else f"{what}, and it never began; ask again later"
        )
    if not started:
        return f"not started within {limit}; ask for it again if it is still needed"
    return f"no answer within {limit}; {_CANCELLED if cancelled else _ABANDONED}"


def interrupted() -> str:
    """The caller was interrupted, or what it does with a result raised."""
    return "interrupted: the batch was stopped before this call had ended"


def lost_worker(error: BaseException) -> str:
    """Something set an exception in the worker's thread, outside its tool."""
    return (
        f"its worker was stopped from outside ({explain(error)}); it may have taken effect: check "
        "that before you repeat it"
    )


def no_threads() -> str:
    """The system gave no thread to run the call on."""
    return "not started: the system gives no more threads; ask for it again later"


def crossed(wanted: str, holders: str) -> str:
    """Two calls hold what calls inside the other wait for."""
    return (
        f"not started: it waits for {wanted}, held by {holders}, which waits in turn for what the "
        "caller of this one holds; go on without it, or ask for one after the other"
    )


def starved(wanted: str, holders: str) -> str:
    """Only calls that were abandoned, and haven't ended, are in its way."""
    return (
        f"not started: abandoned calls that have not ended hold {wanted}: {holders}; go on without "
        "it, or ask again later"
    )
