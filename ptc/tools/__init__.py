"""Three tools to call: the time, the date and the weather of a city."""

from .city import CityTools, get_date, get_time, get_weather
from .sample import known_cities

__all__ = ["CityTools", "get_date", "get_time", "get_weather", "known_cities"]
