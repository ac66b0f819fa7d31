"""The weather of a city over HTTP: from Open-Meteo, or from a loopback server with sample data.

With ``PTC_LIVE=1`` in the environment the client asks Open-Meteo (https://open-meteo.com), which
needs no key and is free for non-commercial use; its data are offered under CC BY 4.0, its places
come from GeoNames. It answers an address one request at a time and refuses with status 429 where
more than a few wait. Otherwise the same client asks a server in this process, which answers in
the same shapes from ``data/open_meteo.json``; that weather is made up.
"""

import json
import os
import socketserver
import threading
import unicodedata
from functools import cache
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    import httpx2

TIMEOUT = 10.0  # seconds for each step of a request: to connect, to send, to wait for the answer
_LOOPBACK = "127.0.0.1"
_UNITS = {"temperature_2m": "°C", "weather_code": "wmo code", "wind_speed_10m": "km/h"}


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
    answer = _ask(f"{service.forecast}/v1/forecast", **where, current=",".join(_UNITS))
    current = answer.get("current") or {}
    if missing := [key for key in _UNITS if key not in current]:
        raise ConnectionError(f"the answer of {service.source} lacks {', '.join(missing)}")
    temperature, code, wind = (current[key] for key in _UNITS)
    return {
        "city": places[0].get("name", city),
        "temperature_c": temperature,
        "condition": _sample()["weather_codes"].get(str(code), f"weather code {code}"),
        "wind_kmh": wind,
        "source": service.source,
    }


def warm_up() -> None:
    """Imports and starts what the first request needs, so that a measured call doesn't."""
    _client(_service().forecast)


def _service() -> Service:
    if os.environ.get("PTC_LIVE") == "1":
        return OPEN_METEO
    url = _sample_url()
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
_server: "_SampleServer | None" = None


def _client(url: str) -> "httpx2.Client":
    import httpx2

    remote = urlsplit(url).hostname != _LOOPBACK
    with _lock:
        if remote not in _clients:
            # A proxy from the environment, and certificates, are for the world only.
            _clients[remote] = httpx2.Client(trust_env=remote, verify=remote)
        return _clients[remote]


def _sample_url() -> str:
    global _server
    with _lock:
        if _server is None:
            server = _SampleServer((_LOOPBACK, 0), _SampleHandler)
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


# The sample, and the server that answers from it.


@cache
def _sample() -> dict[str, Any]:
    path = Path(__file__).with_name("data") / "open_meteo.json"
    return json.loads(path.read_text(encoding="utf-8"))


@cache
def _cities() -> dict[str, dict[str, Any]]:
    return {_plain(name): city for city in _sample()["cities"] for name in city["names"]}


def known_cities() -> list[str]:
    """The names of the cities in the sample data."""
    return [city["place"]["name"] for city in _sample()["cities"]]


def some_cities(most: int = 8) -> str:
    """A few of the known cities, for an error message."""
    known = known_cities()
    return f"{', '.join(known[:most])} and {len(known) - most} more"


def find_place(city: str) -> dict[str, Any] | None:
    """The sample's record of a city, or None; case and accents don't matter.

    "Paris, France" finds Paris, "Paris, Texas" finds nothing.
    """
    name, area = (_plain(part) for part in (*city.split(","), "")[:2])
    found = _cities().get(name)
    if found is None or (area and area not in map(_plain, found["areas"])):
        return None
    return found["place"]


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(c for c in letters if not unicodedata.combining(c)).split())


def sample_answer(path: str, params: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """Status and body as Open-Meteo would give them, errors included, from the sample data."""
    answers = {"/v1/search": _search, "/v1/forecast": _forecast}
    if path not in answers:
        return 404, {"error": True, "reason": "Not Found"}
    try:
        return 200, answers[path](params)
    except KeyError as missing:
        return 400, {"error": True, "reason": f"Value required for key {missing}."}
    except ValueError as error:
        return 400, {"error": True, "reason": str(error)}


def _search(params: dict[str, str]) -> dict[str, Any]:
    place = find_place(params["name"])
    if not 1 <= int(params.get("count", "10")) <= 100:
        raise ValueError("Parameter count must be between 1 and 100.")
    return {**({"results": [place]} if place else {}), "generationtime_ms": 0.5}


def _forecast(params: dict[str, str]) -> dict[str, Any]:
    city = _city_at(float(params["latitude"]), float(params["longitude"]))
    wanted = params["current"].split(",")
    for name in set(wanted) - set(_UNITS):
        raise ValueError(f"Cannot initialize WeatherVariable from invalid String value {name}")
    frame = _sample()["forecast"]
    return {
        **{key: city["place"][key] for key in ("latitude", "longitude", "elevation")},
        **frame,
        "current_units": frame["current_units"] | {name: _UNITS[name] for name in wanted},
        "current": frame["current"] | {name: city["current"][name] for name in wanted},
    }


def _city_at(latitude: float, longitude: float) -> dict[str, Any]:
    if not -90 <= latitude <= 90:
        raise ValueError(f"Latitude must be in range of -90 to 90°. Given: {latitude}.")
    for city in _sample()["cities"]:
        place = city["place"]
        if abs(place["latitude"] - latitude) + abs(place["longitude"] - longitude) < 0.1:
            return city
    raise ValueError("No data is available for this location")


class _SampleServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128  # beyond it a burst of connections waits for a second or more

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: the client sees a broken connection; a traceback would be a notebook's."""


class _SampleHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept: thousands of calls would use up the ports
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one packet

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        status, answer = sample_answer(path, dict(parse_qsl(query, keep_blank_values=True)))
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a notebook would show it."""
