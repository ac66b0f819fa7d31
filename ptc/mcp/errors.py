"""What goes wrong with a server, in words for whoever has to act on it.

RuntimeError
  ServerStartError        the programmer's: the server can't be started, or doesn't list its tools
AdvisedError              the model's: each says itself what to do about it
  ServerError             the server answered with an error
  ConnectionEndedError    the server is gone, or the connection was left
"""

from collections.abc import Iterable

from ..machine.reasons import AdvisedError
from ..retry import leaves
from ..text import explain

_NOT_SENT = "go on without the tools of this server"
_WAS_SENT = f"the call may have taken effect, {_NOT_SENT}"


class ServerStartError(RuntimeError):
    """The server could not be started, or stayed silent: the text names its command or address."""


class ServerError(AdvisedError):
    """The server's own answer was an error."""

    def __init__(self, message: str, advice: str = "correct the arguments, or go on without it"):
        super().__init__(message, advice)


class ConnectionEndedError(AdvisedError):
    """The call has no answer, and no other call on this connection will have one."""

    def __init__(self, message: str, *, was_sent: bool) -> None:
        super().__init__(message, _WAS_SENT if was_sent else _NOT_SENT)


def failed_error(server: str, to_do: str, error: BaseException, log: str) -> ServerStartError:
    """What the server can't do, and why: each exception that is in a group, and its last words.

    >>> str(failed_error("the server 'serve'", "be started", OSError("no such file"), ""))
    "the server 'serve' can't be started: OSError: no such file"
    """
    causes = " and ".join(_distinct(explain(leaf) for leaf in leaves(error)))
    return ServerStartError(f"{server} can't {to_do}: {causes}{last_words(log)}")


def silent_error(server: str, seconds: float, log: str) -> ServerStartError:
    """It was started, and didn't answer."""
    return ServerStartError(f"{server} has said nothing for {seconds:g} s{last_words(log)}")


def last_words(log: str) -> str:
    """The last line that the server wrote to its standard error, to end a message with.

    >>> last_words("Traceback …\\nKeyError: 'HOME'\\n")
    ". The last line that it wrote: KeyError: 'HOME'"
    """
    lines = log.strip().splitlines()
    return f". The last line that it wrote: {lines[-1].strip()}" if lines else ""


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))
