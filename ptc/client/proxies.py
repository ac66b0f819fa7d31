"""HTTP clients that ask a proxy of the environment for other machines only.

A proxy (``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY``, in capitals or not) can't reach a server on
this machine, and few classrooms have it in their ``NO_PROXY``.
"""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import httpx2


def may_use_proxy(url: str) -> bool:
    """Whether a proxy may be asked for that address; an HTTP client takes it as ``trust_env``.

    >>> may_use_proxy("http://127.0.0.1:8000/v1"), may_use_proxy("https://example.com/v1")
    (False, True)
    """
    from ..provider.loopback import is_this_machine  # here: `import ptc` loads no server

    try:
        host = urlsplit(url).hostname
    except ValueError:  # no address at all: the client says so
        return True
    return host is None or not is_this_machine(host)


def http_client(url: str, **options: Any) -> "httpx2.Client":
    """What ``openai.OpenAI(http_client=…)`` takes, for a server at that address.

    ``openai.OpenAI(base_url=url, http_client=http_client(url))`` reaches a server on this machine
    whatever proxy the environment names.
    """
    import openai

    return openai.DefaultHttpxClient(trust_env=may_use_proxy(url), **options)
