"""What a scripted model says: the script of the lessons, and what other scripts are made of."""

import json
import re
from collections.abc import Callable
from typing import Any

from .refusals import Message, Refused, calls_of, read_json

Script = Callable[[dict[str, Any]], Message]

_TOOLS = {
    "get_time": re.compile(r"\b(times?|clock)\b", re.IGNORECASE),
    "get_date": re.compile(r"\b(dates?|(what|which) day|day is it)\b", re.IGNORECASE),
    "get_weather": re.compile(r"\b(weather|temperature|forecast|rain\w*)\b", re.IGNORECASE),
}
_KNOWN = [
    *("Paris", "London", "Tokyo", "New York", "São Paulo", "Sydney", "Mumbai", "Cairo", "Nairobi"),
    *("Lima", "Berlin", "Madrid", "Rome", "Los Angeles", "Mexico City", "Singapore", "Seoul"),
    *("Istanbul", "Reykjavik", "Cape Town", "Auckland", "Honolulu", "Kathmandu", "Beijing"),
    *("Toronto", "Buenos Aires", "Lagos", "Dubai", "Atlantis"),
]
_KNOWN_CITY = rf"\b (?i: {' | '.join(map(re.escape, _KNOWN))} ) \b"
_CAPITALISED = r"""
    \b (?! (?i: and|or|today|tonight|now|tomorrow|please|celsius|fahrenheit ) \b )
    [^\W\d_a-zß-öø-ÿ]             # a capital letter: Lima, Ålesund
    (?: [\w'-]                    # L'Aquila, Port-au-Prince
      | \. (?= \w | ,?[ ][A-Z] )  # St. Louis, D.C.; not the full stop in "in Lima. Thanks"
    )*
"""
_CITY = rf"""
    (?: {_KNOWN_CITY}              # new york
      | {_CAPITALISED}             # Ouagadougou
        (?: [ ] (?: (?: de|da|do|del|la|of|the ) [ ] )*
            {_CAPITALISED} )*      # Addis Ababa, Rio de Janeiro
    )
"""
_BETWEEN = r"""
    (?: ,[ ]? (?i: and[ ] )?       # Paris, Tokyo, and Lima
      | [ ] (?i: and|or ) [ ]      # Paris and Lima
      | [ ]? [&/] [ ]?             # Paris & Lima, Paris/Lima
    )
"""
_PLACES = re.compile(
    rf"""
    \b (?i: in|for|at|of ) [ ]
    ( {_CITY} (?: {_BETWEEN} {_CITY} )* )   # in Paris, Tokyo and New York
    """,
    re.VERBOSE,
)
_ANY_CITY = re.compile(_CITY, re.VERBOSE)
_ANY_KNOWN_CITY = re.compile(_KNOWN_CITY, re.VERBOSE)
_HELP = (
    "I am a scripted model. I can tell the time, the date and the weather in a city, if I am given "
    "the tools get_time, get_date and get_weather. Try “What's the time, the date and the weather "
    "in Paris?”"
)


def tool_call(name: str, arguments: dict[str, Any] | str, id: Any = ...) -> Message:
    """One tool call, for a script; the provider numbers it unless ``id`` is given.

    >>> tool_call("get_time", {"city": "Lima"}, id="a")["function"]
    {'name': 'get_time', 'arguments': '{"city": "Lima"}'}

    ``id=None`` leaves the id out. A text for ``arguments`` goes out as it is, JSON or not.
    """
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    function = {"name": name, "arguments": text}
    made = {"type": "function", "function": function}
    return made if id is None else {**made, "id": id}


def in_turn(messages: list[Message]) -> Script:
    """A script that says one message after the other, by how many the history holds already.

    >>> script = in_turn([{"content": "one"}, {"content": "two"}])
    >>> script({"messages": [{"role": "assistant", "content": "one"}]})
    {'content': 'two'}
    """

    def script(request: dict[str, Any]) -> Message:
        said = sum(message["role"] == "assistant" for message in request["messages"])
        if said < len(messages):
            return messages[said]
        raise IndexError(f"asked for reply {said + 1}, and the list has {len(messages)}")

    return script


def numbered(reply: Message, request: dict[str, Any]) -> Message:
    """The reply, with ``call_<turn>_<place>`` where a script left an id open.

    >>> reply = {"tool_calls": [tool_call("get_time", {"city": "Lima"})]}
    >>> numbered(reply, {"messages": []})["tool_calls"][0]["id"]
    'call_1_1'
    """
    calls = reply.get("tool_calls")
    if not calls:
        return reply
    history = [calls_of(message) or [] for message in request["messages"]]
    taken = {item["id"] for earlier in history for item in earlier}
    turn = 1 + len([calls for calls in history if calls])
    while any(f"call_{turn}_{place}" in taken for place in range(1, len(calls) + 1)):
        turn += 1  # the client sent only a part of the history
    numbered = [
        {**item, "id": f"call_{turn}_{place}"} if item.get("id") is ... else item
        for place, item in enumerate(calls, start=1)
    ]
    return {**reply, "tool_calls": numbered}


def city_script(request: dict[str, Any]) -> Message:
    """Ask for the time, date and weather that the last question is about, then say the answers.

    >>> question = {"role": "user", "content": "What time is it in Lima?"}
    >>> tools = [{"type": "function", "function": {"name": "get_time"}}]
    >>> reply = city_script({"messages": [question], "tools": tools})
    >>> reply["tool_calls"][0]["function"]["arguments"]
    '{"city": "Lima"}'

    City by city, all that is missing at once; with ``parallel_tool_calls`` false one a turn. An
    answer is said of the tool and city whose call has its id.
    """
    messages = request["messages"]
    asked = [_text(message) for message in messages if message["role"] == "user"]
    answers = _answers(messages)
    done = [subject for subject, _ in answers]
    calls = [
        tool_call(tool, {"city": city})
        for tool, city in _wanted(asked)
        if tool in _offered(request) and (tool, city) not in done
    ]
    if calls:
        most = 1 if request.get("parallel_tool_calls") is False else None
        return numbered({"content": None, "tool_calls": calls[:most]}, request)
    return {"content": " ".join(_say(*subject, said) for subject, said in answers) or _HELP}


def _answers(messages: list[Message]) -> list[tuple[tuple[str, str], str]]:
    """The tool and city of each call since the last question, with the content under its id."""
    found: dict[tuple[int, str], tuple[tuple[str, str], str]] = {}
    turn = 0  # an id is unique in its turn only
    for message in messages:
        if message["role"] == "user":
            found = {}
        elif calls := calls_of(message):
            turn += 1
            found |= {(turn, item["id"]): (_subject(item), "") for item in calls}
        elif message["role"] == "tool":
            subject, _ = found[turn, message["tool_call_id"]]
            found[turn, message["tool_call_id"]] = subject, _text(message)
    return list(found.values())


def _text(message: Message) -> str:
    content = message["content"]
    if isinstance(content, str):
        return content
    return "".join(str(part["text"]) for part in content or [] if "text" in part)


def _offered(request: dict[str, Any]) -> set[str]:
    choice = request.get("tool_choice")
    names = {tool["function"]["name"] for tool in request.get("tools") or []}
    if isinstance(choice, dict) and isinstance(choice.get("function"), dict):
        return {name for name in names if name == choice["function"].get("name")}
    return set() if choice == "none" else names


def _subject(item: Message) -> tuple[str, str]:
    arguments = json.loads(item["function"]["arguments"] or "{}")
    return item["function"]["name"], str(arguments.get("city", ""))


def _wanted(asked: list[str]) -> list[tuple[str, str]]:
    """The tools and cities of the last text; what it leaves out is what was asked before.

    "The time in Paris, and the weather in Lima": each place goes with the tools named before it.
    """
    text = asked[-1] if asked else ""
    if not _tools_in(text) and not _cities_in(text):
        return []
    tools = next(filter(None, map(_tools_in, reversed(asked))), [])
    cities = next(filter(None, map(_cities_in, reversed(asked))), [])
    pairs, begin = [], 0
    for match in _PLACES.finditer(text):
        tools = _tools_in(text[begin : match.start()]) or tools
        cities = _city_names(match[1])
        pairs += [(tool, city) for city in cities for tool in tools]
        begin = match.end()
    rest = _tools_in(text[begin:]) if pairs else tools
    pairs += [(tool, city) for city in cities for tool in rest]
    return list(dict.fromkeys(pairs))


def _tools_in(text: str) -> list[str]:
    """The tools that a text is about, in its order."""
    found = [
        (match.start(), name) for name, words in _TOOLS.items() if (match := words.search(text))
    ]
    return [name for _, name in sorted(found)]


def _cities_in(text: str) -> list[str]:
    """The cities after "in", "for", "at" and "of"; where there are none, known ones anywhere."""
    places = [match[1] for match in _PLACES.finditer(text)] or _ANY_KNOWN_CITY.findall(text)
    return [city for place in places for city in _city_names(place)]


def _city_names(text: str) -> list[str]:
    """The cities in a list of them: of "paris & Rio de Janeiro" Paris and Rio de Janeiro."""
    known = {name.lower(): name for name in _KNOWN}
    found: list[str] = _ANY_CITY.findall(text)
    return [known.get(name.lower(), name) for name in found]


def _say(tool: str, city: str, content: str) -> str:
    thing = f"the {tool.removeprefix('get_')} in {city}" if city else f"the answer of {tool}"
    try:
        value = read_json(content)
    except Refused:
        value = content
    if isinstance(value, dict) and "error" in value:
        return f"I could not get {thing}: {str(value['error']).rstrip('.')}."
    if isinstance(value, dict):
        said = [(key, item) for key, item in value.items() if key != "source" and item != city]
        value = ", ".join(_detail(key, item) for key, item in said)
    return f"{thing[0].upper()}{thing[1:]} is {value}."


def _detail(key: str, value: Any) -> str:
    if key == "condition":
        return str(value)
    thing, _, unit = key.rpartition("_")
    unit = {"c": "°C", "kmh": "km/h"}.get(unit)
    if unit:
        return f"{value} {unit}" if thing == "temperature" else f"{thing} {value} {unit}"
    return f"{key.replace('_', ' ')} {value}"
