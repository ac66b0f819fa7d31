"""Made-up weather in Open-Meteo's shapes, and the loopback server that answers with it."""

import json
import socketserver
import unicodedata
from functools import cache
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

_UNITS = {"temperature_2m": "°C", "weather_code": "wmo code", "wind_speed_10m": "km/h"}


@cache
def _sample() -> dict[str, Any]:
    path = Path(__file__).with_name("open_meteo.json")
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
