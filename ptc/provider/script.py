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
_KNOWN = (
    "Paris|London|Tokyo|New York|São Paulo|Sydney|Mumbai|Cairo|Nairobi|Lima|Berlin|Madrid|Rome|"
    "Los Angeles|Mexico City|Singapore|Seoul|Istanbul|Reykjavik|Cape Town|Auckland|Honolulu|"
    "Kathmandu|Beijing|Toronto|Buenos Aires|Lagos|Dubai|Atlantis"
)
_NO_CITY = "and|or|today|tonight|now|tomorrow|please|celsius|fahrenheit"
_WORD = rf"\b(?!(?i:{_NO_CITY})\b)[^\W\d_a-zß-öø-ÿ](?:[\w'-]|\.(?=\w|,? [A-Z]))*"
_CITY = rf"(?:\b(?i:{_KNOWN})\b|{_WORD}(?: (?:(?:de|da|do|del|la|of|the) )*{_WORD})*)"
_LIST = rf"{_CITY}(?:(?:, ?(?i:and )?| (?i:and|or) | ?[&/] ?){_CITY})*"
_PLACES = re.compile(rf"\b(?i:in|for|at|of) ({_LIST})")
_HELP = (
    "I am a scripted model. I can tell the time, the date and the weather in a city, if I am given "
    "the tools get_time, get_date and get_weather. Try “What's the time, the date and the weather "
    "in Paris?”"
)


def call(name: str, arguments: dict[str, Any] | str, id: Any = ...) -> Message:
    """One tool call, for a script; the provider numbers it unless ``id`` is given.

    ``id=None`` leaves the id out. A text for ``arguments`` goes out as it is, JSON or not.
    """
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    function = {"name": name, "arguments": text}
    return {"type": "function", "function": function} | ({} if id is None else {"id": id})


def in_turn(messages: list[Message]) -> Script:
    """A script that says one message after the other, by how many the history holds already."""

    def script(request: dict[str, Any]) -> Message:
        said = sum(message["role"] == "assistant" for message in request["messages"])
        if said < len(messages):
            return messages[said]
        raise IndexError(f"asked for reply {said + 1}, and the list has {len(messages)}")

    return script


def numbered(reply: Message, request: dict[str, Any]) -> Message:
    """The reply, with ``call_<turn>_<place>`` where a script left an id open."""
    calls = reply.get("tool_calls")
    if not calls:
        return reply
    history = [calls_of(message) or [] for message in request["messages"]]
    taken = {item["id"] for turn in history for item in turn}
    turn = 1 + sum(map(bool, history))
    while any(f"call_{turn}_{place}" in taken for place in range(1, len(calls) + 1)):
        turn += 1  # the client sent only a part of the history
    numbered = [
        {**item, "id": f"call_{turn}_{place}"} if item.get("id") is ... else item
        for place, item in enumerate(calls, start=1)
    ]
    return {**reply, "tool_calls": numbered}


def city_script(request: dict[str, Any]) -> Message:
    """Ask for the time, date and weather that the last question is about, then say the answers.

    City by city, all that is missing at once; with ``parallel_tool_calls`` false one a turn. An
    answer is said of the tool and city whose call has its id.
    """
    messages = request["messages"]
    asked = [_text(message) for message in messages if message["role"] == "user"]
    answers = _answers(messages)
    done = [subject for subject, _ in answers]
    calls = [
        call(tool, {"city": city})
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
    """The tools and cities of the last text; what it leaves out is what was asked before."""
    text = asked[-1] if asked else ""
    tools = next(filter(None, map(_tools_in, reversed(asked))), [])
    cities = next(filter(None, map(_cities_in, reversed(asked))), [])
    if not _tools_in(text) and not _cities_in(text):
        return []
    pairs, begin = [], 0
    for match in _PLACES.finditer(text):
        tools = _tools_in(text[begin : match.start()]) or tools
        cities = _names(match[1])
        pairs += [(tool, city) for city in cities for tool in tools]
        begin = match.end()
    rest = _tools_in(text[begin:]) if pairs else tools
    pairs += [(tool, city) for city in cities for tool in rest]
    return list(dict.fromkeys(pairs))


def _tools_in(text: str) -> list[str]:
    found = {name: match.start() for name, words in _TOOLS.items() if (match := words.search(text))}
    return sorted(found, key=found.__getitem__)


def _cities_in(text: str) -> list[str]:
    found = " & ".join(match[1] for match in _PLACES.finditer(text))
    return _names(found or " & ".join(re.findall(rf"\b(?i:{_KNOWN})\b", text)))


def _names(text: str) -> list[str]:
    known = {name.lower(): name for name in _KNOWN.split("|")}
    return [known.get(name.lower(), name) for name in re.findall(_CITY, text)]


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
