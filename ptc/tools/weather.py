"""The weather of a city over HTTP: from Open-Meteo, or from a loopback server with sample data.

With ``PTC_LIVE=1`` in the environment the client asks Open-Meteo (https://open-meteo.com), which
needs no key and is free for non-commercial use; its data are offered under CC BY 4.0, its places
come from GeoNames. It answers an address one request at a time and refuses with status 429 where
more than a few wait. Otherwise the same client asks a server in this process, which answers in
the same shapes from ``open_meteo.json``; that weather is made up.
"""

import os
import threading
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from ..client import may_use_proxy
from .sample import CURRENT_UNITS, SampleHandler, SampleServer, sample_data, some_cities

if TYPE_CHECKING:
    import httpx2

TIMEOUT = 10.0  # seconds for each step of a request: to connect, to send, to wait for the answer
_LOOPBACK = "127.0.0.1"


class Service(NamedTuple):
    """Where to ask, and how the answer names its source."""

    geocoding: str
    forecast: str
    source: str


OPEN_METEO = Service(
    "https://geocoding-api.open-meteo.com", "https://api.open-meteo.com", "Open-Meteo.com"
)


def current_weather(city: str) -> dict[str, Any]:
    """The weather of a city now: its name, °C, the condition in words, km/h, and the source.

    >>> current_weather("Lima")["temperature_c"]
    18.9

    Raises ConnectionError or TimeoutError where asking again may help (no connection, no answer
    in time, status 429 or 5xx, an answer that can't be read), ValueError where it won't.
    """
    service = _service()
    places = _ask(f"{service.geocoding}/v1/search", name=city, count=1).get("results")
    if not places:  # the key is absent where nothing was found
        live = service.source == OPEN_METEO.source
        way_out = "name a larger one nearby" if live else f"the sample has {some_cities()}"
        raise ValueError(f"unknown city {city!r}; {way_out}")
    where = {key: places[0].get(key) for key in ("latitude", "longitude")}
    answer = _ask(f"{service.forecast}/v1/forecast", **where, current=",".join(CURRENT_UNITS))
    current = answer.get("current") or {}
    if missing := [key for key in CURRENT_UNITS if key not in current]:
        raise ConnectionError(f"the answer of {service.source} lacks {', '.join(missing)}")
    temperature, code, wind = (current[key] for key in CURRENT_UNITS)
    return {
        "city": places[0].get("name", city),
        "temperature_c": temperature,
        "condition": sample_data()["weather_codes"].get(str(code), f"weather code {code}"),
        "wind_kmh": wind,
        "source": service.source,
    }


def warm_up() -> None:
    """Imports and starts what the first request needs, so that a measured call doesn't."""
    _client(_service().forecast)


def _service() -> Service:
    if os.environ.get("PTC_LIVE") == "1":
        return OPEN_METEO
    url = sample_url()
    return Service(url, url, "sample data")


def _ask(url: str, **params: Any) -> dict[str, Any]:
    """The JSON object that a service answers."""
    import httpx2

    host = urlsplit(url).hostname
    try:
        response = _client(url).get(url, params=params, timeout=TIMEOUT)
    except httpx2.TimeoutException as error:
        raise TimeoutError(f"no answer from {host} within {TIMEOUT:g} s") from error
    except httpx2.RequestError as error:
        raise ConnectionError(f"no answer from {host}: {error}") from error
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if response.status_code == 200 and isinstance(answer, dict):
        return answer
    reason = answer.get("reason") if isinstance(answer, dict) else repr(response.text[:80])
    raise _refusal(response.status_code)(
        f"status {response.status_code} and no data from {host} for {params}: {reason}"
    )


def _refusal(status: int) -> type[Exception]:
    ours = 400 <= status < 500 and status != 429
    return ValueError if ours else ConnectionError


# What a process has once: a client for the loopback, one for the world, and a server.

_lock = threading.Lock()
_clients: "dict[bool, httpx2.Client]" = {}
_server: "SampleServer | None" = None


def _client(url: str) -> "httpx2.Client":
    import httpx2

    remote = may_use_proxy(url)
    with _lock:
        if remote not in _clients:
            # Certificates are for the world only too, and take a tenth of a second to load.
            _clients[remote] = httpx2.Client(trust_env=remote, verify=remote)
        return _clients[remote]


def sample_url() -> str:
    """The address of this process's server with sample data, which starts when first asked for."""
    global _server
    with _lock:
        if _server is None:
            server = SampleServer((_LOOPBACK, 0), SampleHandler)
            run = server.serve_forever
            threading.Thread(target=run, name="ptc sample weather", daemon=True).start()
            _server = server
        return f"http://{_LOOPBACK}:{_server.server_address[1]}"


def _forget() -> None:
    """In a forked child: the threads, the lock and the connections are its parent's."""
    global _lock, _server
    _lock = threading.Lock()
    _clients.clear()
    if _server is not None:
        _server.socket.close()
        _server = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
