"""Which hosts are this machine: what a server here answers to, and what no proxy can reach."""

import re

_OWN = re.compile(
    r"""
    localhost\.?          # localhost
    | 127(\.\d{1,3}){3}   # 127.0.0.1
    | ::1                 # ::1
    """,
    re.VERBOSE | re.IGNORECASE,
)
_HEADER = re.compile(
    r"""
    (?: \[ (?P<v6>[^\]]*) \]   # [::1]
      | (?P<name>[^:\[\]]*)    # localhost
    )
    (?: : \d* )?               # :8000
    """,
    re.VERBOSE,
)


def is_this_machine(host: str) -> bool:
    """Whether a host, without a port, is this machine under its own name.

    >>> is_this_machine("127.0.0.1"), is_this_machine("127.0.0.1.example.com")
    (True, False)
    """
    return _OWN.fullmatch(host) is not None


def is_for_this_machine(header: str | None) -> bool:
    """Whether a request with this ``Host`` header was meant for this machine.

    A web page whose name was made to lead here (DNS rebinding) sends its own name. A request
    without the header comes from no browser.

    >>> is_for_this_machine("localhost:8000"), is_for_this_machine("example.com:8000")
    (True, False)
    """
    if header is None:
        return True
    parts = _HEADER.fullmatch(header.strip())
    return parts is not None and is_this_machine(parts["v6"] or parts["name"] or "")
