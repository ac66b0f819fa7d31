"""Three tools to call: the time, the date and the weather of a city.

Time and date are real. The weather is sample data from a loopback server, or Open-Meteo's
(CC BY 4.0) where the environment has ``PTC_LIVE=1``: see :mod:`ptc.tools.weather`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from math import inf
from time import sleep
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field

from .sample import find_place, known_cities, some_cities
from .weather import current_weather, warm_up

if TYPE_CHECKING:
    from ..registry import ToolRegistry

__all__ = ["CityTools", "get_date", "get_time", "get_weather", "known_cities"]

# Not strftime's names, which change with the reader's locale.
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_MONTHS = [
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
]

# A small model recites the examples that it reads, so none of them may be an answer of a lesson.
City = Annotated[str, Field(description="A city's name, such as 'Istanbul' or 'Lagos, Nigeria'")]


@dataclass(frozen=True, slots=True)
class CityTools:
    """The three tools with the seconds that each sleeps before it answers.

    >>> CityTools(now="2020-07-03T12:30Z").get_time("Lima")
    '07:30 (UTC-5)'

    The sleep comes on top of what the work itself takes, also where ``get_weather`` asks the real
    service. ``now`` pins the moment, so that outputs repeat: an aware datetime or ISO text with
    an offset; None is the real clock. The sample weather is the same at any moment.
    """

    time: float = 0.0
    date: float = 0.0
    weather: float = 0.0
    now: datetime | str | None = None

    def __post_init__(self) -> None:
        for name in ("time", "date", "weather"):
            delay = getattr(self, name)
            if not 0 <= delay < inf:
                raise ValueError(f"{name}={delay!r} is not a delay; give seconds, 0 or more")
        _moment(self.now)

    def get_time(self, city: City) -> str:
        """Get the local time in a city now, with its offset from UTC, such as "07:30 (UTC-5)"."""
        sleep(self.time)
        there = _moment(self.now).astimezone(_zone(city))
        return f"{there:%H:%M} ({_offset(there)})"

    def get_date(self, city: City) -> str:
        """Get today's date in a city, with the weekday, such as "Tuesday, 14 October 2025"."""
        sleep(self.date)
        there = _moment(self.now).astimezone(_zone(city))
        return f"{_DAYS[there.weekday()]}, {there.day} {_MONTHS[there.month - 1]} {there.year}"

    def get_weather(self, city: City) -> dict[str, Any]:
        """Get a city's weather now: temperature in °C, condition in words, wind in km/h."""
        sleep(self.weather)
        return current_weather(city)

    def registry(self, *, longest_first: bool = False, **options: Any) -> "ToolRegistry":
        """A registry of the three; ``options`` go to each ``register``.

        >>> list(CityTools().registry(timeout=5))
        ['get_time', 'get_date', 'get_weather']

        ``longest_first`` tells the runner each tool's delay as its ``expected_seconds``.
        """
        from ..registry import ToolRegistry

        registry = ToolRegistry()
        tools = (self.get_time, self.get_date, self.get_weather)
        delays = (self.time, self.date, self.weather)
        for tool, delay in zip(tools, delays, strict=True):
            expected = {"expected_seconds": delay} if longest_first else {}
            registry.register(tool, **{**expected, **options})
        warm_up()
        return registry


def _moment(now: datetime | str | None) -> datetime:
    if now is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(now) if isinstance(now, str) else now
    except ValueError:
        moment = None
    if moment is None or moment.utcoffset() is None:
        raise ValueError(
            f"now={str(now)!r} is not a moment; give its UTC offset too: '2026-11-23T14:05+01:00'"
        )
    return moment


def _zone(city: str) -> ZoneInfo:
    """The time zone of a known city, or the zone of that IANA name ("Europe/Paris")."""
    place = find_place(city)
    name = place["timezone"] if place else _zone_names().get(city.strip().casefold())
    if name is None:
        raise ValueError(
            f"unknown city {city!r}; known are {some_cities()}, and zones like 'Europe/Paris'"
        )
    return ZoneInfo(name)


@cache
def _zone_names() -> dict[str, str]:
    return {name.casefold(): name for name in available_timezones()}


def _offset(moment: datetime) -> str:
    """As "UTC+1" or "UTC-3:30": abbreviations differ between versions of the zone data."""
    offset = moment.utcoffset() or timedelta()
    minutes = abs(offset) // timedelta(minutes=1)
    sign = "-" if offset < timedelta() else "+"
    return f"UTC{sign}{minutes // 60}" + (f":{minutes % 60:02}" if minutes % 60 else "")


_default = CityTools()
get_time, get_date, get_weather = _default.get_time, _default.get_date, _default.get_weather
