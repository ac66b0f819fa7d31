"""Made-up weather in Open-Meteo's shapes, and the loopback server that answers with it."""

import json
import socketserver
import unicodedata
from functools import cache
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from ..provider.loopback import is_for_this_machine

# What a forecast tells of the weather now, and in which units.
CURRENT_UNITS = {"temperature_2m": "°C", "weather_code": "wmo code", "wind_speed_10m": "km/h"}


@cache
def sample_data() -> dict[str, Any]:
    """All of ``open_meteo.json``: cities, weather codes, and what frames a forecast."""
    path = Path(__file__).with_name("open_meteo.json")
    return json.loads(path.read_text(encoding="utf-8"))


@cache
def _cities() -> dict[str, dict[str, Any]]:
    return {_plain(name): city for city in sample_data()["cities"] for name in city["names"]}


def known_cities() -> list[str]:
    """The names of the cities in the sample data.

    >>> known_cities()[:3]
    ['Paris', 'London', 'Tokyo']
    """
    return [city["place"]["name"] for city in sample_data()["cities"]]


def some_cities(most: int = 8) -> str:
    """A few of the known cities, for an error message.

    >>> some_cities(2)
    'Paris, London and 26 more'
    """
    known = known_cities()
    return f"{', '.join(known[:most])} and {len(known) - most} more"


def find_place(city: str) -> dict[str, Any] | None:
    """The sample's record of a city, or None; case and accents don't matter.

    >>> find_place("sao paulo, Brazil")["timezone"]
    'America/Sao_Paulo'
    >>> find_place("Paris, Texas") is None
    True
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
    """Status and body as Open-Meteo would give them, errors included, from the sample data.

    >>> sample_answer("/v1/search", {"name": "Atlantis"})
    (200, {'generationtime_ms': 0.5})
    """
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
    for name in set(wanted) - set(CURRENT_UNITS):
        raise ValueError(f"Cannot initialize WeatherVariable from invalid String value {name}")
    frame = sample_data()["forecast"]
    return {
        **{key: city["place"][key] for key in ("latitude", "longitude", "elevation")},
        **frame,
        "current_units": frame["current_units"] | {name: CURRENT_UNITS[name] for name in wanted},
        "current": frame["current"] | {name: city["current"][name] for name in wanted},
    }


def _city_at(latitude: float, longitude: float) -> dict[str, Any]:
    if not -90 <= latitude <= 90:
        raise ValueError(f"Latitude must be in range of -90 to 90°. Given: {latitude}.")
    for city in sample_data()["cities"]:
        place = city["place"]
        if abs(place["latitude"] - latitude) + abs(place["longitude"] - longitude) < 0.1:
            return city
    raise ValueError("No data is available for this location")


class SampleServer(socketserver.ThreadingTCPServer):
    """Answers from the sample data, in threads that hold nobody up."""

    daemon_threads = True
    request_queue_size = 128  # beyond it a burst of connections waits for a second or more

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: the client sees a broken connection; a traceback would be a notebook's."""


class SampleHandler(BaseHTTPRequestHandler):
    """One connection: its requests, answered one after the other."""

    protocol_version = "HTTP/1.1"  # connections are kept: thousands of calls would use up the ports
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one packet

    def do_GET(self) -> None:
        if is_for_this_machine(self.headers.get("Host")):
            path, _, query = self.path.partition("?")
            status, answer = sample_answer(path, dict(parse_qsl(query, keep_blank_values=True)))
        else:
            status, answer = 403, {"error": True, "reason": "This host is not served here."}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a notebook would show it."""
