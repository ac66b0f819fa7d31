"""Tools by name: their schemas, the checks of what a model sent, and their options."""

import asyncio
import dataclasses
import doctest
import enum
import functools
import http.server
import json
import multiprocessing
import re
import threading
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from fractions import Fraction
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict, Unpack

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from ptc import ToolCall, ToolRegistry, execute_parallel, execute_with_retry, options, schemas
from ptc import registry as registry_module
from ptc.schemas import bounded, clock, faults, hints, parameters
from ptc.schemas import given as given_schemas
from ptc.schemas.bounded import Bounded
from ptc.wire.formats import WIRES

any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


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
    with pytest.raises(ValueError, match="is not a tool name; give name="):
        registry.register(lambda: None, name=name)


def test_a_lambda_needs_a_name(registry):
    with pytest.raises(ValueError, match="'<lambda>' is not a tool name; give name="):
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
    assert repr(output(registry, "tool")) == repr(default)


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


class Connection:
    """No JSON has one."""


def transfer(account: str, amount: int, conn: Connection, currency: str = "EUR", **note: str):
    """Moves money."""
    return account, amount, type(conn).__name__, currency, note


def decorated_partial(fn):
    """A partial that ``update_wrapper`` has made look like its function."""
    bound = functools.partial(fn, account="alice", conn=Connection())
    return functools.update_wrapper(bound, fn)


class Bank:
    conn = Connection()

    def pay(self, account: str, amount: int, conn: Connection, currency: str = "EUR", **note: str):
        """Moves money."""
        return transfer(account, amount, conn, currency, **note)

    pay_for_alice = functools.partialmethod(pay, account="alice", conn=conn)
    pay_first = functools.partialmethod(pay, "alice", conn=conn)


PARTIALS = {
    "by keyword": functools.partial(transfer, account="alice", conn=Connection()),
    "by position": functools.partial(transfer, "alice", conn=Connection()),
    "nested": functools.partial(functools.partial(transfer, "alice"), conn=Connection()),
    "nested twice": functools.partial(
        functools.partial(functools.partial(transfer, account="bob"), conn=Connection()),
        account="alice",
    ),
    "update_wrapper": decorated_partial(transfer),
    "nested in it": functools.partial(decorated_partial(transfer), currency="EUR"),
    "decorated": decorated(functools.partial(transfer, account="alice", conn=Connection())),
    "decorated twice": decorated(decorated_partial(transfer)),
    "of a method": functools.partial(Bank().pay, account="alice", conn=Connection()),
    "partialmethod": Bank().pay_for_alice,
    "partialmethod by position": Bank().pay_first,
}


@pytest.mark.parametrize("form", PARTIALS)
def test_what_a_partial_has_bound_is_not_the_models(registry, form):
    """It isn't in the schema, is refused, and is kept: no model pays from another's account."""
    registry.register(PARTIALS[form], name="pay")
    schema = registry.get_schema("pay")
    assert list(schema["properties"])[:1] == ["amount"]
    assert not {"account", "conn"} & schema["properties"].keys()
    assert schema["required"] == ["amount"]
    assert registry["pay"].description == "Moves money."
    assert output(registry, "pay", amount=3) == ("alice", 3, "Connection", "EUR", {})
    for bound in ("account", "conn"):
        error = refusal(registry, "pay", amount=3, **{bound: "mallory"})
        assert f"{bound}='mallory' is not a parameter; known: ['amount'" in error


def test_bound_arguments_are_refused_where_others_are_free(registry):
    """``**note`` takes any name but those that are bound."""
    registry.register(functools.partial(transfer, "alice", conn=Connection()), name="pay")
    assert output(registry, "pay", amount=3, to="bob")[-1] == {"to": "bob"}
    assert "account='bob' is not a parameter" in refusal(registry, "pay", amount=3, account="bob")


def test_a_partial_may_bind_what_has_only_a_position(registry):
    registry.register(functools.partial(positional_only, 1), name="tool")
    assert list(registry.get_schema("tool")["properties"]) == ["b"]
    assert output(registry, "tool", b=2) == (1, 2)


def test_a_partial_that_fits_no_call_is_refused_at_once(registry):
    with pytest.raises(TypeError, match="unexpected keyword argument 'nope'"):
        registry.register(functools.partial(Counter.same, nope=1), name="tool")


def test_hints_that_nobody_needs_need_not_exist(registry):
    """Of what is bound, and of what is returned, often only a type checker knows the type."""

    def query(conn: "Nowhere", text: str) -> "Nowhere":  # noqa: F821
        return text

    registry.register(functools.partial(query, "conn"), name="query")
    assert output(registry, "query", text="x") == "x"


def test_the_registry_knows_defaults_and_what_is_bound(registry):
    conn = Connection()
    registry.register(functools.partial(transfer, "alice", conn=conn), name="pay")
    assert registry["pay"].defaults == {"currency": "EUR"}
    assert registry["pay"].bound == {"account": "alice", "conn": conn}


def with_a_lock(n: int, lock: Any = threading.Lock()):  # noqa: B008
    return n, lock.locked()


def test_a_default_that_no_pickle_holds_stays_at_home(registry):
    """Another process has the function, and with it the default."""
    registry.register(with_a_lock)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        calls = [ToolCall("c", "with_a_lock", {"n": 1})]
        [result] = execute_parallel(calls, registry, executor=pool)
    assert result.output == (1, False), result.error


def test_a_cell_with_a_partial_can_be_run_again(registry):
    for account in ("alice", "bob"):
        registry.register(functools.partial(transfer, account, conn=Connection()), name="pay")
        assert output(registry, "pay", amount=3)[0] == account
    with pytest.raises(ValueError, match="registered already"):
        registry.register(functools.partial(Counter.same), name="pay")


class Place(NamedTuple):
    city: str
    days: int = 1


@pytest.mark.parametrize("cls", [Place, Trip, Point])
def test_a_class_has_the_hints_of_its_fields(registry, cls):
    registry.register(cls, name="tool")
    assert all(registry.get_schema("tool")["properties"].values())


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


def test_the_hint_of_double_star_holds_for_each_of_them(registry):
    registry.register(lambda **rest: rest, name="any")

    @registry.tool
    def total(a: int, **rest: int):
        return a + sum(rest.values())

    assert registry.get_schema("total")["additionalProperties"] == {"type": "integer"}
    assert output(registry, "total", a=1, b="2", c=3) == 6
    assert "b='x': Input should be a valid integer" in refusal(registry, "total", a=1, b="x")


class Options(TypedDict, total=False):
    unit: Literal["C", "F"]
    days: NotRequired[int]


def test_unpacked_options_are_parameters(registry):
    @registry.tool
    def forecast(city: str, **options: Unpack[Options]):
        return city, options

    schema = registry.get_schema("forecast")
    assert (list(schema["properties"]), schema["required"]) == (["city", "unit", "days"], ["city"])
    assert output(registry, "forecast", city="Rome", days="3") == ("Rome", {"days": 3})
    assert "zone=1 is not a parameter" in refusal(registry, "forecast", city="Rome", zone=1)


def test_star_takes_none(registry):
    """A model names its arguments: there is nothing to put there."""
    registry.register(lambda a, *rest: (a, rest), name="tool")
    assert output(registry, "tool", a=1) == (1, ())
    assert "rest=[2] is not a parameter" in refusal(registry, "tool", a=1, rest=[2])


def positional_only(a, /, b):
    return a, b


def unknown_hint(a: "Nowhere"):  # noqa: F821
    return a


def hint_of_an_odd_class(a: threading.Lock().__class__):
    return a


def field_as_default(a: int = Field(3)):
    return a


def looks_ahead(a: Annotated[str, Field(pattern="^(?!x)")]):
    return a


@pytest.mark.parametrize(
    ("fn", "why"),
    [
        (positional_only, "parameter 'a' of 'positional_only' can't be given by name"),
        (unknown_hint, "hints of 'unknown_hint' make no schema.*give schema=.*'Nowhere'"),
        (hint_of_an_odd_class, "hints of 'hint_of_an_odd_class' make no schema.*lock"),
        (looks_ahead, "hints of 'looks_ahead' make no schema.*look-ahead"),
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
        ({"n": 1, "m": "x"}, "m='x' is not a parameter; known: ['n']"),
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


def test_at_most_five_faults_are_told(registry):
    """A thousand wrong items would be told in 30,000 characters."""
    registry.register(dict, name="given", schema={"properties": {"a": {"items": {"type": "null"}}}})

    @registry.tool
    def hinted(a: list[int]): ...

    for name in ("given", "hinted"):
        error = refusal(registry, name, a=["x"] * 1000)
        assert ("a.4" in error, "a.5" in error, "; and more; " in error) == (True, False, True)


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


NO_PARAMETERS = {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({}, NO_PARAMETERS),
        ({"type": "object"}, NO_PARAMETERS),
        ({"type": None}, NO_PARAMETERS),
        ({"type": ["object", "null"]}, NO_PARAMETERS),
        ({"type": "object", "properties": None, "required": None}, NO_PARAMETERS),
        ({"required": []}, NO_PARAMETERS | {"required": []}),
        ({"properties": {"a": {}}}, {"type": "object", "properties": {"a": {}}}),
    ],
)
def test_a_schema_gets_the_form_that_providers_take(registry, sent, kept):
    """Of an object, with properties, without null where a keyword has no value."""
    registry.register(dict, name="tool", schema=sent)
    assert registry.get_schema("tool") == kept
    [described] = registry.to_wire("openai")
    assert described["function"]["parameters"] == kept


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"type": "string", "enum": None}, {"type": "string"}),
        ({"type": "object", "required": None}, {"type": "object"}),
        ({"type": "array"}, {"type": "array", "items": {}}),
        ({"type": "array", "items": None}, {"type": "array", "items": {}}),
        ({"type": ["array", "null"]}, {"type": ["array", "null"], "items": {}}),
        ({"anyOf": [{"type": "array"}]}, {"anyOf": [{"type": "array", "items": {}}]}),
        ({"$defs": {"b": {"enum": None}}}, {"$defs": {"b": {}}}),
        # null is a value here
        ({"default": None, "const": None}, {"default": None, "const": None}),
        ({"enum": [None], "examples": [None]}, {"enum": [None], "examples": [None]}),
        # no keywords here
        ({"const": {"type": "array", "enum": None}}, {"const": {"type": "array", "enum": None}}),
        ({"properties": {"enum": {"type": "null"}}}, {"properties": {"enum": {"type": "null"}}}),
        # another meaning with items
        ({"type": "array", "prefixItems": [{}]}, {"type": "array", "prefixItems": [{}]}),
        (
            {"type": "array", "unevaluatedItems": False},
            {"type": "array", "unevaluatedItems": False},
        ),
    ],
)
def test_the_parts_of_a_schema_do_too(registry, sent, kept):
    registry.register(dict, name="tool", schema={"properties": {"a": sent}})
    assert registry.get_schema("tool")["properties"]["a"] == kept


def test_a_function_without_parameters_has_properties(registry):
    registry.register(lambda: 1, name="none")
    registry.register(lambda **rest: 1, name="any")
    assert all(registry.get_schema(name)["properties"] == {} for name in registry)


def test_the_registry_keeps_its_schemas_to_itself(registry):
    """What is given, got or sent can be changed without changing what is checked."""
    given_schema = {"properties": {"a": {"enum": [1]}}}
    registry.register(dict, name="given", schema=given_schema)

    @registry.tool
    def hinted(a: Literal[1]): ...

    before = [registry.get_schema(name) for name in registry]
    given_schema["properties"]["a"]["enum"].append(2)
    for name in registry:
        registry.get_schema(name)["properties"]["a"].clear()
    for wire in WIRES:
        for described in registry.to_wire(wire):
            clear(described)
    assert [registry.get_schema(name) for name in registry] == before
    assert "a: 2 is not one of [1]" in refusal(registry, "given", a=2)


def clear(value):
    for part in value.values() if isinstance(value, dict) else value:
        if isinstance(part, dict | list):
            clear(part)
    value.clear()


@pytest.mark.parametrize("schema", [{"const": {1, 2}}, {"default": float("nan")}, {"a": object()}])
def test_a_schema_that_no_request_could_carry_is_refused_at_once(registry, schema):
    with pytest.raises(ValueError, match="the schema of 'tool' is not JSON"):
        registry.register(dict, name="tool", schema=schema)


# --- schemas that ask for too much


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(depth):
        schema = {"properties": {"a": schema}}
    return schema


def circle() -> dict[str, Any]:
    schema = {"properties": {}}
    schema["properties"]["a"] = schema
    return schema


# Patterns that the regex package would write out, in gigabytes, before it looks at any clock.
ENORMOUS = [
    *("a{4000000000}", "a{4000000,}", "((((a{50}){50}){50}){50}){50}", "a{" + "9" * 4400 + "}"),
    *("(?:[ab]{2000}|c){2000}", "[[]a{4000000}", "(?:[)]a{1000}){1000}", "(?:\\)a{1000}){1000}"),
    *("(?#[)a{4000000}(?#])", "(?x)#[\n a{4000000}#]", "(?i:(?ix)a{1000} b){1000}"),
]


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (nested(3000), "nested more than 100 deep"),
        (circle(), "nested more than 100 deep"),
        ({"pattern": "a" * 5001}, "a pattern has more than 5000 characters"),
        ({"patternProperties": {"a" * 5001: {}}}, "a pattern has more than 5000 characters"),
        ({"pattern": "(" * 2000 + ")" * 2000}, "that is nested too deep"),
        ({"pattern": "("}, "'\\(' is not a 'regex'"),
        *(({"pattern": pattern}, "100000 characters when written out") for pattern in ENORMOUS),
    ],
)
def test_a_schema_that_could_not_be_checked_is_refused_at_once(registry, schema, why):
    with pytest.raises(ValueError, match=f"the schema of 'tool' .*{why}"):
        registry.register(dict, name="tool", schema=schema)
    assert not len(registry)


def branching(keyword: str) -> dict[str, Any]:
    """Forty steps, each of which goes two ways to the next."""
    steps = {f"s{n}": {keyword: [{"$ref": f"#/$defs/s{n + 1}"}] * 2} for n in range(40)}
    return {"$defs": steps | {"s40": {"type": "string"}}, "$ref": "#/$defs/s0"}


ENDLESS = "^(a|a)*$"
LONG = "a" * 60 + "!"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"


@pytest.mark.parametrize(
    ("schema", "value", "why"),
    [
        ({"pattern": ENDLESS}, LONG, "that takes more than 0.5 s"),
        ({"propertyNames": {"pattern": ENDLESS}}, {LONG: 1}, "that takes more than 0.5 s"),
        ({"patternProperties": {ENDLESS: {}}}, {LONG: 1}, "that takes more than 0.5 s"),
        (
            {"patternProperties": {ENDLESS: {}}, "additionalProperties": False},
            {LONG: 1},
            "that takes more than 0.5 s",
        ),
        (
            {"unevaluatedProperties": False, "patternProperties": {ENDLESS: {}}},
            {LONG: 1},
            "that takes more than 0.5 s",
        ),
        ({"items": {"pattern": ENDLESS}}, [LONG] * 1000, "that takes more than 0.5 s"),
        ({"$schema": DRAFT_7, "pattern": ENDLESS}, LONG, "that takes more than 0.5 s"),
        (
            {"odd": {"$schema": DRAFT_7, "pattern": ENDLESS}, "$ref": "#/properties/a/odd"},
            LONG,
            "that takes more than 0.5 s",
        ),
        ({"items": {"type": "integer"}}, list(range(500_000)), "that takes more than 0.5 s"),
        ({"anyOf": [{"type": "null"}] * 100}, list(range(500_000)), "more than 0.5 s"),
        ({"uniqueItems": True}, [n * (2**61 - 1) for n in range(50_000)], "more than 0.5 s"),
        ({"enum": [[0] * 2000 + [n] for n in range(2000)]}, [0] * 2000 + [-1], "more than 0.5 s"),
        ({"$ref": "#/title"}, {}, "a part of the tool's schema is not a schema"),
        ({"$ref": "#/required"}, {}, "a part of the tool's schema is not a schema"),
        ({"odd": {"pattern": "("}, "$ref": "#/properties/a/odd"}, "", "is not a schema: error"),
        ({"odd": {"minimum": ""}, "$ref": "#/properties/a/odd"}, 1, "is not a schema: TypeError"),
        ({"odd": {"pattern": "a{9999999}"}, "$ref": "#/properties/a/odd"}, "", "written out"),
        ({"$ref": "#/properties/a"}, {}, "that is nested too deep"),
        (
            {"$ref": "#/properties/a", "unevaluatedProperties": False},
            {},
            "that is nested too deep",
        ),
    ],
)
def test_a_check_that_takes_too_long_or_can_t_be_made_is_given_up(registry, schema, value, why):
    """The call is answered, and its model reads why; nothing else waits for minutes."""
    whole = {"title": "A tool", "required": ["a"], "properties": {"a": schema}}
    registry.register(dict, name="tool", schema=whole)
    error = refusal(registry, "tool", a=value)
    assert error.startswith("the arguments for 'tool' can't be checked: ")
    assert why in error and len(error) < 300


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
def test_a_schema_that_branches_without_end_is_given_up(registry, keyword):
    registry.register(dict, name="tool", schema=branching(keyword))
    error = refusal(registry, "tool", a=1)
    assert "that takes more than 0.5 s" in error or "is not of type 'string'" in error


def test_a_check_after_one_that_was_given_up_has_its_whole_time(registry):
    registry.register(dict, name="tool", schema={"properties": {"a": {"pattern": ENDLESS}}})
    assert "0.5 s" in refusal(registry, "tool", a=LONG)
    assert output(registry, "tool", a="aaa") == {"a": "aaa"}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"pattern": "^(a+)+$"}, "a" * 28),
        ({"pattern": r"^(?!\.)(?<first>\p{L}+)\/\u0041$"}, "é/A"),
        (
            {"pattern": "^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$"},
            "01234567-89ab-cdef-0123-456789abcdef",
        ),
        ({"pattern": "^.{1,65535}$"}, "a" * 5000),
        ({"uniqueItems": True}, [1, True, "1", [1], [True], {"a": 1}, {"a": True}, None, 0, False]),
        ({"enum": list(range(50_000))}, 49_999),
        ({"enum": [[1], {"a": [1]}, 2]}, {"a": [1.0]}),
        ({"multipleOf": 0.1}, 0.3),
        ({"multipleOf": 1e-300}, 1e308),
        ({"multipleOf": 0.01}, 10**400),
        ({"type": "string", "format": "date"}, "not checked"),
        ({"anyOf": [{"items": {"type": "string"}}, {"minItems": 3}]}, list(range(100_000))),
    ],
)
def test_what_fits_is_found_to_fit(registry, schema, value):
    registry.register(dict, name="tool", schema={"properties": {"a": schema}})
    assert output(registry, "tool", a=value) == {"a": value}


@pytest.mark.timeout(20)
def test_unique_objects_are_not_compared_pair_by_pair(registry):
    """Five thousand have twelve million pairs, which take most of a minute."""
    registry.register(dict, name="tool", schema={"properties": {"a": {"uniqueItems": True}}})
    value = [{"x": n} for n in range(5000)]
    assert output(registry, "tool", a=value) == {"a": value}


@pytest.mark.parametrize(
    ("schema", "value", "told"),
    [
        ({"pattern": "^(a+)+$"}, "a" * 28 + "!", "aaa!' does not match '^(a+)+$'"),
        ({"uniqueItems": True}, [{"x": n // 2} for n in range(3000)], "has non-unique elements"),
        ({"uniqueItems": True}, [1, 1.0], "a: [1, 1.0] has non-unique elements"),
        ({"items": {"type": "string"}}, list(range(100_000)), "a.4: 4 is not of type"),
        ({"multipleOf": 0.01}, float("inf"), "a: inf is not a multiple of 0.01"),
        ({"multipleOf": 7}, 10**400, "is not a multiple of 7"),
        ({"enum": list(range(50_000))}, -1, "a: -1 is not one of [0, 1, 2"),
        ({"enum": [1, [1]]}, True, "a: True is not one of [1, [1]]"),
        ({"enum": [1, [1]]}, [True], "a: [True] is not one of [1, [1]]"),
        ({"anyOf": [{"type": "null"}, {"minimum": 3}]}, 1, "a: 1 is not valid under any"),
        ({"oneOf": [{"minimum": 3}, {"minimum": 4}]}, 5, "a: 5 is valid under each of"),
        ({"oneOf": [{"minimum": 3}, {"type": "null"}]}, 1, "a: 1 is not valid under any"),
        (
            {"additionalProperties": False},
            dict.fromkeys("abcdefg", 1),
            "('a', 'b', 'c', 'd', 'e' and 2 more were unexpected)",
        ),
        (
            {"patternProperties": {"^x": {}}, "additionalProperties": False},
            {"x": 1, "y": 2},
            "'y' does not match any of the regexes: ['^x']",
        ),
        ({"additionalProperties": {"type": "null"}}, {"y": 2}, "a.y: 2 is not of type 'null'"),
        ({"patternProperties": {"^x": {"type": "null"}}}, {"xy": 2}, "a.xy: 2 is not of type"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(registry, schema, value, told):
    registry.register(dict, name="tool", schema={"properties": {"a": schema}})
    error = refusal(registry, "tool", a=value)
    assert error.startswith("wrong arguments for 'tool': ")
    assert told in error and len(error) < 700


UNEVALUATED = [
    ({"properties": {"x": {}}}, {"x": 1}, {"y": 1}),
    ({"patternProperties": {"^x": {}}}, {"xy": 1}, {"y": 1}),
    ({"allOf": [{"properties": {"x": {}}}]}, {"x": 1}, {"y": 1}),
    ({"anyOf": [{"required": ["x"], "properties": {"x": {}}}, True]}, {"x": 1}, {"y": 1}),
    ({"$defs": {"d": {"properties": {"x": {}}}}, "$ref": "#/$defs/d"}, {"x": 1}, {"y": 1}),
    ({"allOf": [{"additionalProperties": {"type": "integer"}}]}, {"x": 1}, {"x": "1"}),
    ({"allOf": [{"unevaluatedProperties": {"type": "integer"}}]}, {"x": 1}, {"x": "1"}),
    (
        {"properties": {"x": {}}, "dependentSchemas": {"x": {"properties": {"y": {}}}}},
        {"x": 1, "y": 2},
        {"y": 2},
    ),
    (
        {"if": {"properties": {"x": {}}, "required": ["x"]}, "then": {"properties": {"y": {}}}},
        {"x": 1, "y": 2},
        {"y": 2},
    ),
    (
        {
            "if": {"required": ["x"]},
            "then": {"properties": {"x": {}}},
            "else": {"properties": {"y": {}}},
        },
        {"y": 2},
        {"x": 1, "y": 2},
    ),
]


@pytest.mark.parametrize("draft", ["2019-09", "2020-12"])
@pytest.mark.parametrize(("schema", "fits", "fails"), UNEVALUATED)
def test_unevaluated_properties_are_those_that_nothing_spoke_of(draft, schema, fits, fails):
    """As jsonschema itself says it, whose own way has no limit (and faults in draft 2019-09)."""
    whole = {"$schema": f"https://json-schema.org/draft/{draft}/schema", **schema}
    agree(whole | {"unevaluatedProperties": False}, fits, fails)


@pytest.mark.parametrize(
    ("draft", "schema", "fits", "fails"),
    [
        ("2020-12", {"prefixItems": [{"type": "integer"}]}, [1], [1, 2]),
        ("2020-12", {"contains": {"type": "integer"}}, [1, 2], [1, "2"]),
        ("2020-12", {"allOf": [{"prefixItems": [{}]}]}, [1], [1, 2]),
        ("2020-12", {"allOf": [{"items": {"type": "integer"}}]}, [1, 2], [1, "2"]),
        ("2020-12", {"allOf": [{"unevaluatedItems": {"type": "integer"}}]}, [1, 2], [1, "2"]),
        ("2019-09", {"items": [{"type": "integer"}]}, [1], [1, 2]),
        ("2019-09", {"items": [{}], "additionalItems": {"type": "integer"}}, [1, 2], [1, "2"]),
        ("2019-09", {"allOf": [{"items": {"type": "integer"}}]}, [1, 2], [1, "2"]),
    ],
)
def test_unevaluated_items_are_those_that_nothing_spoke_of(draft, schema, fits, fails):
    whole = {"$schema": f"https://json-schema.org/draft/{draft}/schema", **schema}
    agree(whole | {"unevaluatedItems": False}, fits, fails)


def agree(schema, fits, fails):
    """Ours and jsonschema's own verdict are these."""
    if "2020" in schema["$schema"]:
        own = jsonschema.validators.validator_for(schema)(schema)
        assert [own.is_valid(value) for value in (fits, fails)] == [True, False]
    assert [bool(Bounded(schema).first_errors(value)) for value in (fits, fails)] == [False, True]


# --- options


@pytest.mark.parametrize(
    ("option", "bad"),
    [
        *(("timeout", bad) for bad in (0, -1, float("nan"), "3", True, [1], -float("inf"))),
        *(("max_concurrency", bad) for bad in (0, -1, 1.5, "2", True, False, float("inf"))),
        *(("expected_seconds", bad) for bad in (-1, float("nan"), "long", True, False)),
        *(("idempotent", bad) for bad in (0, 1, None, "no")),
    ],
)
def test_an_unusable_option_is_refused_at_once(registry, option, bad):
    """The message has the option, its value and the tool."""
    with pytest.raises(ValueError, match=re.escape(f"{option}={bad!r} of 'tool' must be")):
        registry.register(lambda: None, name="tool", **{option: bad})
    assert not len(registry)


def test_an_unknown_option_is_refused_at_once(registry):
    with pytest.raises(TypeError, match="timeot"):
        registry.tool(timeot=3)(Counter.same)


@pytest.mark.parametrize("none", [None, float("inf"), 1e10, threading.TIMEOUT_MAX, 10**30])
def test_a_timeout_that_no_thread_could_wait_for_is_none(registry, none):
    registry.register(Counter.same, timeout=none)
    assert registry["same"].timeout is None
    assert output(registry, "same", n=1) == 1


@pytest.mark.parametrize("seconds", [np.float64(2), np.float32(2), np.int64(2), Fraction(2)])
def test_numbers_of_other_kinds_are_numbers(registry, seconds):
    registry.register(Counter.same, timeout=seconds, expected_seconds=seconds)
    assert registry["same"].timeout == registry["same"].expected_seconds == 2
    assert type(registry["same"].timeout) is float


def test_a_batch_may_have_a_timeout_of_zero():
    assert options.check_timeout("the batch", 0, may_be_zero=True) == 0
    with pytest.raises(ValueError, match="timeout=-1 of the batch must be 0 seconds or more"):
        options.check_timeout("the batch", -1, may_be_zero=True)


def test_options_reach_the_tool(registry):
    registry.register(
        Counter.same, timeout=2, max_concurrency=3, idempotent=False, expected_seconds=0.5
    )
    tool = registry["same"]
    assert (tool.timeout, tool.max_concurrency) == (2, 3)
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


# --- the examples in docstrings

MODULES = (
    options,
    registry_module,
    schemas,
    bounded,
    clock,
    faults,
    given_schemas,
    hints,
    parameters,
)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_examples_are_right(module):
    found = doctest.testmod(module, optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    assert not found.failed
