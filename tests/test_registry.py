"""Tools by name: their schemas, the checks of what a model sent, and their options."""

import asyncio
import dataclasses
import enum
import functools
import http.server
import json
import threading
from datetime import date
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from ptc import ToolCall, ToolRegistry, execute_with_retry
from ptc.wire.formats import WIRES

any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def registry():
    return ToolRegistry()


def run(registry, name, /, **arguments):
    return execute_with_retry(ToolCall("c", name, arguments), registry)


def output(registry, name, /, **arguments):
    result = run(registry, name, **arguments)
    assert result.success, result.error
    return result.output


def refusal(registry, name, /, **arguments):
    result = run(registry, name, **arguments)
    assert not result.success and not result.attempts, result
    return result.error


# --- names


def test_the_decorator_gives_the_function_back(registry):
    """Bare, with options, or as a call of register: the function stays what it was."""

    def ping() -> str:
        return "pong"

    def pong() -> str:
        return "ping"

    assert registry.tool(ping) is ping
    assert registry.tool(name="other", timeout=3)(ping) is ping
    assert registry.register(pong) is pong
    assert (list(registry), len(registry)) == (["ping", "other", "pong"], 3)
    assert "other" in registry and "nope" not in registry


def test_an_unknown_name_is_told_with_the_known_ones(registry):
    registry.register(dict, name="weather", schema={})
    for ask in (registry.get_schema, registry.__getitem__):
        with pytest.raises(KeyError, match=r"no tool named 'wether'; known: \['weather'\]"):
            ask("wether")


@pytest.mark.parametrize("name", ["a b", "ünï", "a.b", "x" * 65, "a\n", 3])
def test_a_name_that_a_provider_refuses_is_refused_at_once(registry, name):
    with pytest.raises(ValueError, match="is no tool name; give name="):
        registry.register(lambda: None, name=name)


def test_a_lambda_needs_a_name(registry):
    with pytest.raises(ValueError, match="'<lambda>' is no tool name; give name="):
        registry.register(lambda: None)


def test_the_same_name_twice_is_refused(registry):
    """The first one stays."""

    def one():
        return 1

    def two():
        return 2

    registry.register(one, name="tool")
    with pytest.raises(ValueError, match="a tool named 'tool' is registered already"):
        registry.register(two, name="tool")
    assert output(registry, "tool") == 1


def test_a_cell_that_is_run_again_replaces_its_tool(registry):
    """Else every second run of a notebook's cell would fail."""
    for answer in (1, 2):

        @registry.tool
        def tool():
            return answer  # noqa: B023

        assert output(registry, "tool") == answer
    assert len(registry) == 1


# --- schemas from type hints


def test_the_schema_comes_from_the_hints(registry):
    @registry.tool
    def forecast(
        city: Annotated[str, Field(description="where")],
        days: Annotated[int, Field(ge=1)] = 3,
        unit: Literal["C", "F"] = "C",
        note: str | None = None,
    ) -> str: ...

    assert registry.get_schema("forecast") == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "where"},
            "days": {"type": "integer", "minimum": 1, "default": 3},
            "unit": {"type": "string", "enum": ["C", "F"], "default": "C"},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        },
        "required": ["city"],
        "additionalProperties": False,
    }


def test_postponed_annotations_are_read():
    """``from __future__ import annotations`` turns hints into text."""
    module = {"__name__": "postponed"}
    exec("from __future__ import annotations\ndef double(n: int) -> int: return 2 * n", module)
    registry = ToolRegistry()
    registry.register(module["double"])
    assert registry.get_schema("double")["properties"] == {"n": {"type": "integer"}}
    assert output(registry, "double", n="21") == 42


def test_a_default_of_none_allows_none(registry):
    """``n: int = None`` says int and means int or None."""

    @registry.tool
    def tool(n: int = None):  # noqa: RUF013
        return n

    assert output(registry, "tool", n=None) is None
    assert output(registry, "tool") is None


def test_a_parameter_without_a_hint_takes_anything(registry):
    registry.register(lambda x: x, name="same")
    assert registry.get_schema("same")["properties"] == {"x": {}}
    assert output(registry, "same", x=[1, {"a": None}]) == [1, {"a": None}]


@pytest.mark.parametrize("default", [float("nan"), float("inf"), {1}, object()])
def test_a_default_that_json_lacks_is_not_shown(registry, default):
    """Else no request with this tool could be sent at all."""
    registry.register(lambda x=default: x, name="tool")
    json.dumps(registry.to_wire("openai"), allow_nan=False)
    assert registry.get_schema("tool")["properties"] == {"x": {}}
    assert output(registry, "tool") is default


@dataclasses.dataclass
class Point:
    x: int


class Colour(enum.Enum):
    RED = "red"


class Trip(BaseModel):
    to: str
    via: list["Trip"] = []


def test_arguments_arrive_as_their_types(registry):
    """Enums, dates, dataclasses and models are made from what JSON has for them."""

    @registry.tool
    def book(trip: Trip, day: date, point: Point, colour: Colour):
        return trip, day, point, colour

    arguments = {"trip": {"to": "Rome", "via": [{"to": "Pisa"}]}, "day": "2026-01-02"}
    arguments |= {"point": {"x": "3"}, "colour": "red"}
    trip = Trip(to="Rome", via=[Trip(to="Pisa")])
    assert output(registry, "book", **arguments) == (trip, date(2026, 1, 2), Point(3), Colour.RED)


ODD_NAMES = (
    "schema copy json model_config model_fields cls self fn name call registry validate __x _y"
)


def test_any_parameter_name_will_do(registry):
    """Names that mean something to pydantic, or to this package, are a tool's own."""
    names = ODD_NAMES.split()
    module: dict[str, Any] = {}
    exec(f"def tool({': int, '.join(names)}: int): return dict(locals())", module)
    registry.register(module["tool"])
    arguments = dict(zip(names, range(len(names)), strict=True))
    assert list(registry.get_schema("tool")["properties"]) == names
    assert output(registry, "tool", **arguments) == arguments


class Counter:
    """Counts."""

    def __init__(self, start: int):
        self.start = start

    def plus(self, n: int):
        return self.start + n

    @classmethod
    def kind(cls, n: int):
        return cls.__name__, n

    @staticmethod
    def same(n: int):
        return n

    def __call__(self, n: int):
        return self.start * n


def decorated(fn):
    @functools.wraps(fn)
    def wrapper(*args, **kwargs):
        return fn(*args, **kwargs)

    return wrapper


@pytest.mark.parametrize(
    ("fn", "expected"),
    [
        (Counter(5).plus, 7),
        (Counter.kind, ("Counter", 2)),
        (Counter.same, 2),
        (Counter(5), 10),
        (functools.partial(Counter(5)), 10),
        (functools.partial(Counter.plus, Counter(5)), 7),
        (functools.partial(functools.partial(Counter.plus), Counter(5)), 7),
        (decorated(Counter.same), 2),
        (functools.lru_cache(Counter.same), 2),
    ],
)
def test_whatever_can_be_called_can_be_a_tool(registry, fn, expected):
    """Methods, partials, objects that are called, wrapped functions: their hints are found."""
    registry.register(fn, name="tool")
    assert registry.get_schema("tool")["properties"] == {"n": {"type": "integer"}}
    assert output(registry, "tool", n="2") == expected


def test_a_class_is_a_tool_that_makes_an_object(registry):
    registry.register(Counter)
    assert registry.get_schema("Counter")["properties"] == {"start": {"type": "integer"}}
    assert output(registry, "Counter", start="5").start == 5


def test_an_async_function_is_a_tool(registry):
    @registry.tool
    async def double(n: int) -> int:
        await asyncio.sleep(0)
        return 2 * n

    assert output(registry, "double", n="21") == 42


def test_double_star_takes_other_arguments_too(registry):
    registry.register(lambda a, **rest: (a, rest), name="tool")
    assert registry.get_schema("tool")["additionalProperties"] is True
    assert output(registry, "tool", a=1, b=2) == (1, {"b": 2})


def test_star_takes_none(registry):
    """A model names its arguments: there is nothing to put there."""
    registry.register(lambda a, *rest: (a, rest), name="tool")
    assert output(registry, "tool", a=1) == (1, ())
    assert "rest=[2] is no parameter" in refusal(registry, "tool", a=1, rest=[2])


def positional_only(a, /, b):
    return a, b


def unknown_hint(a: "Nowhere"):  # noqa: F821
    return a


def hint_of_an_odd_class(a: threading.Lock().__class__):
    return a


def field_as_default(a: int = Field(3)):
    return a


@pytest.mark.parametrize(
    ("fn", "why"),
    [
        (positional_only, "parameter 'a' of 'positional_only' can't be given by name"),
        (unknown_hint, "hints of 'unknown_hint' make no schema.*give schema=.*'Nowhere'"),
        (hint_of_an_odd_class, "hints of 'hint_of_an_odd_class' make no schema.*lock"),
        (field_as_default, "'a' of 'field_as_default' has a Field as its default; write Annotated"),
    ],
)
def test_a_function_that_no_model_could_call_is_refused_at_once(registry, fn, why):
    with pytest.raises(TypeError, match=why) as refused:
        registry.register(fn)
    assert "\n" not in str(refused.value)
    assert not len(registry)


def test_what_is_no_function_is_refused_at_once(registry):
    with pytest.raises(TypeError, match="'text' is not a callable object"):
        registry.register("text", name="tool")


# --- what a model sent


def test_lax_mode_reads_text_as_numbers(registry):
    """Models send "7" for 7."""
    registry.register(Counter.same)
    assert output(registry, "same", n="7") == 7


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"n": "seven"}, "n='seven': Input should be a valid integer"),
        ({}, "n is required"),
        ({"n": 1, "m": "x"}, "m='x' is no parameter; known: ['n']"),
        ({"n": [1] * 1000}, "n=[1, 1, 1"),
    ],
)
def test_wrong_arguments_are_quoted(registry, arguments, told):
    """The tool doesn't run, and its model reads what to send instead."""
    registry.register(Counter.same)
    error = refusal(registry, "same", **arguments)
    assert error.startswith(f"wrong arguments for 'same': {told}")
    assert error.endswith("; correct them and call again")
    assert len(error) < 300


def test_all_faults_are_told_at_once(registry):
    """One at a time would cost the model a turn each."""

    @registry.tool
    def tool(a: int, b: int, c: int): ...

    error = refusal(registry, "tool", b="x", d=1)
    assert all(told in error for told in ("a is required", "b='x'", "c is required", "d=1 is no"))


@pytest.mark.parametrize("given_schema", [False, True])
@given(arguments=st.dictionaries(st.sampled_from(["n", "items", "", "x"]) | st.text(), any_json))
def test_no_arguments_at_all_raise(given_schema, arguments):
    """Any JSON object gives a result, and a tool that runs has got what its hints say."""
    registry, got = ToolRegistry(), []

    def tool(n: int, items: list[str] | dict[str, float] = (), **rest: Any):
        got.append(n)

    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    registry.register(tool, schema=schema if given_schema else None)
    result = execute_with_retry(ToolCall("c", "tool", arguments), registry)
    if result.success:
        assert float(got[0]).is_integer()
    else:
        assert "wrong arguments for 'tool': " in result.error and not got


# --- schemas from elsewhere

SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"properties": {"c": {"enum": [1, 2]}}}},
    "required": ["a"],
    "additionalProperties": False,
}


def test_a_given_schema_is_the_tools_own(registry):
    """Arguments are checked against it, and reach the function as they were sent."""
    registry.register(lambda **kwargs: kwargs, name="tool", schema=SCHEMA)
    assert registry.get_schema("tool") == SCHEMA
    assert output(registry, "tool", a=1, b={"c": 2}) == {"a": 1, "b": {"c": 2}}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"a": "1"}, "a: '1' is not of type 'integer'"),
        ({"a": 1, "b": {"c": 3}}, "b.c: 3 is not one of [1, 2]"),
        ({}, "'a' is a required property"),
        ({"a": 1, "z": 2}, "Additional properties are not allowed ('z' was unexpected)"),
    ],
)
def test_arguments_against_a_given_schema_are_told_with_their_place(registry, arguments, told):
    registry.register(dict, name="tool", schema=SCHEMA)
    assert told in refusal(registry, "tool", **arguments)


def test_a_long_value_does_not_hide_what_is_wrong_with_it(registry):
    registry.register(dict, name="tool", schema=SCHEMA)
    error = refusal(registry, "tool", a="x" * 10_000)
    assert "is not of type 'integer'" in error
    assert len(error) < 300


def test_a_schema_says_which_draft_it_is(registry):
    """In draft 4, exclusiveMinimum is true or false."""
    odd = {"$schema": "http://json-schema.org/draft-04/schema#", "type": "object"}
    odd["properties"] = {"a": {"minimum": 3, "exclusiveMinimum": True}}
    registry.register(dict, name="tool", schema=odd)
    assert output(registry, "tool", a=4) == {"a": 4}
    assert "a: 3" in refusal(registry, "tool", a=3)


@pytest.mark.parametrize("schema", [{"type": "objet"}, {"type": "string"}, "{}", [], True])
def test_a_bad_schema_is_refused_at_once(registry, schema):
    with pytest.raises(ValueError, match="the schema of 'tool' is no"):
        registry.register(dict, name="tool", schema=schema)
    assert not len(registry)


def test_a_schema_fetches_nothing(registry):
    """A reference to an address is an error result, and nobody asks there."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *args): ...

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/schema.json"
        schema = {"type": "object", "properties": {"a": {"$ref": address}}}
        registry.register(dict, name="tool", schema=schema)
        assert address in refusal(registry, "tool", a=1)
        server.shutdown()
    assert asked == []


# --- options


@pytest.mark.parametrize(
    ("option", "bad"),
    [
        *(("timeout", bad) for bad in (0, -1, float("nan"), "3")),
        *(("max_concurrency", bad) for bad in (0, -1, 1.5, "2")),
        *(("expected_seconds", bad) for bad in (-1, float("nan"), "long")),
    ],
)
def test_an_unusable_option_is_refused_at_once(registry, option, bad):
    """The message has the option, its value and the tool."""
    with pytest.raises(ValueError, match=f"{option}={bad!r} of 'tool' must be"):
        registry.register(lambda: None, name="tool", **{option: bad})
    assert not len(registry)


def test_an_unknown_option_is_refused_at_once(registry):
    with pytest.raises(TypeError, match="timeot"):
        registry.tool(timeot=3)(Counter.same)


def test_options_reach_the_tool(registry):
    registry.register(
        Counter.same, timeout=2, max_concurrency=3, idempotent=False, expected_seconds=0.5
    )
    tool = registry["same"]
    assert (tool.timeout, tool.places.limit) == (2, 3)
    assert (tool.idempotent, tool.expected_seconds) == (False, 0.5)


# --- what a provider is told


def test_each_wire_format_has_its_own_list(registry):
    """Name, description and schema, each where its provider looks for them."""

    def same(n: int) -> int:
        """The same number."""

    registry.register(same)
    schema = registry.get_schema("same")
    about = {"name": "same", "description": "The same number."}
    function = {"type": "function", "function": about | {"parameters": schema}}
    flat = {"type": "function", "strict": False} | about | {"parameters": schema}
    assert registry.to_wire() == registry.to_wire("openai") == [function]
    assert registry.to_wire("ollama") == [function]
    assert registry.to_wire("openai-responses") == [flat]
    assert registry.to_wire("anthropic") == [about | {"input_schema": schema}]
    declaration = about | {"parametersJsonSchema": schema}
    assert registry.to_wire("gemini") == [{"functionDeclarations": [declaration]}]


@pytest.mark.parametrize("wire", WIRES)
def test_no_tools_give_an_empty_list(registry, wire):
    assert registry.to_wire(wire) == []


def test_an_unknown_wire_format_is_told_with_the_known_ones(registry):
    with pytest.raises(ValueError, match=r"no wire format named 'open-ai'; known: .*anthropic"):
        registry.to_wire("open-ai")


def test_a_description_is_the_docstring_or_what_is_given(registry):
    """Of a partial it is the function's, not that of ``functools.partial``."""
    registry.register(Counter.same, name="none")
    registry.register(Counter.same, name="given", description="As given.")
    registry.register(functools.partial(Counter, 5), name="partial")
    assert [registry[name].description for name in registry] == ["", "As given.", "Counts."]
