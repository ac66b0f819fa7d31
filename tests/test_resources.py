"""What a tool's calls touch: declared at registration, resolved for a call's arguments."""

import doctest
import functools
import importlib
import os
import warnings
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptc import ToolRegistry
from ptc.conflicts import EVERYTHING as ROOT
from ptc.conflicts import describe_key, meet, prefixes
from ptc.conflicts import resources as keys_of

NOTHING, EVERYTHING = frozenset(), frozenset([ROOT])


def pay(iban: str, amount: float = 1.0, bank: str = "north", **note: Any): ...


@pytest.fixture
def tool():
    registry = ToolRegistry()
    registry.register(pay)
    return registry["pay"]


def touched(tool, declared, **arguments):
    """The keys, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return keys_of(declared, tool, arguments)


def plain(*resources):
    return frozenset(((resource,),) for resource in resources)


# --- at registration


@pytest.mark.parametrize("option", ["reads", "writes"])
@pytest.mark.parametrize("what", [None, True, "inbox", "account:{iban}", lambda **call: "x", set])
def test_a_tool_says_what_its_calls_touch(option, what):
    registry = ToolRegistry()
    registry.register(pay, **{option: what})
    assert getattr(registry["pay"], option) is what


@pytest.mark.parametrize("option", ["reads", "writes"])
@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("account:{ibn}", "names 'ibn', not a parameter; known: ['iban', 'amount', 'bank']"),
        ("{note}", "names 'note', not a parameter"),
        ("{}", "names '', not a parameter"),
        ("{0}", "names '0', not a parameter"),
        ("{iban:{width}}", "names 'width', not a parameter"),
        ("{iban", "is not a template: expected '}' before end of string"),
        ("iban}", "is not a template"),
        (False, "must be None (nothing), True (everything), a text or template, or a function"),
        (1, "must be None"),
        (["inbox"], "must be None"),
        (Path("/tmp"), "must be None"),
        (b"inbox", "must be None"),
    ],
)
def test_what_can_not_be_used_is_refused_at_once(option, what, why):
    """The message has the option, its value and the tool."""
    registry = ToolRegistry()
    with pytest.raises(ValueError) as refused:
        registry.register(pay, **{option: what})
    assert f"{option}={what!r} of 'pay' {why}" in str(refused.value)
    assert not len(registry)


def test_a_function_that_must_be_awaited_is_refused_at_once():
    async def accounts(**call): ...

    with pytest.raises(ValueError, match="of 'pay' must not be async"):
        ToolRegistry().register(pay, writes=accounts)


def test_a_template_may_name_what_a_given_schema_has():
    registry = ToolRegistry()
    schema = {"properties": {"path": {"type": "string"}, "mode": {"default": "r"}}}
    registry.register(lambda **call: call, name="open", schema=schema, writes="{path}:{mode}")
    assert touched(registry["open"], "{path}:{mode}", path="a") == plain("a:r")
    with pytest.raises(ValueError, match="names 'file', not a parameter; known:"):
        registry.register(lambda **call: call, name="close", schema=schema, writes="{file}")


def test_a_template_may_name_what_a_partial_has_bound():
    registry = ToolRegistry()
    bound = functools.partial(pay, bank="south")
    registry.register(bound, name="pay", writes="{bank}:{iban}")
    assert touched(registry["pay"], "{bank}:{iban}", iban="DE1") == plain("south:DE1")


# --- for a call


@pytest.mark.parametrize(
    ("what", "keys"),
    [
        (None, NOTHING),
        (True, EVERYTHING),
        ("inbox", plain("inbox")),
        ("", plain("")),
        ("{{iban}}", plain("{iban}")),
        ("account:{iban}", plain("account:DE1")),
        ("{bank}:{amount:.2f}", plain("north:1.00")),
        ("{iban[0]}{iban.__class__.__name__}", plain("Dstr")),
        (lambda iban, amount, bank: iban, plain("DE1")),
        (lambda iban, **call: [iban, call["bank"]], plain("DE1", "north")),
        (lambda **call: {"a", "b"}, plain("a", "b")),
        (lambda **call: frozenset("ab"), plain("a", "b")),
        (lambda **call: ("a", 1), plain(("a", 1))),
        (lambda **call: [("a", 1), ("a", 1)], plain(("a", 1))),
        (lambda **call: 0, plain(0)),
        (lambda **call: [], NOTHING),
        (lambda **call: None, NOTHING),
        (lambda **call: False, NOTHING),
        (lambda **call: [None, "a"], plain("a")),
        (lambda **call: True, EVERYTHING),
        (lambda **call: ["a", True], EVERYTHING | plain("a")),
        (lambda **call: PurePosixPath("/a"), plain(PurePosixPath("/a"))),
    ],
)
def test_a_call_touches_what_was_declared(tool, what, keys):
    """Its defaults count among its arguments."""
    assert touched(tool, what, iban="DE1") == keys


def fails(**call):
    raise SystemExit("no")


@pytest.mark.parametrize(
    ("what", "why"),
    [
        (fails, "SystemExit: no"),
        (lambda: "x", "unexpected keyword argument"),
        (lambda **call: {"a": 1}, "unhashable type: 'dict'"),
        (lambda **call: [["a"]], "unhashable type: 'list'"),
        (lambda **call: float("nan"), "nan is not a resource: it doesn't equal itself"),
        (lambda **call: ("a", float("nan")), "nan is not a resource"),
        (lambda **call: (name for name in "ab"), "is not a resource: give a list"),
        (lambda **call: iter(["a"]), "is not a resource: give a list"),
        ("{amount:d}", "Unknown format code 'd'"),
        ("{iban.nope}", "no attribute 'nope'"),
    ],
)
def test_where_that_fails_the_call_touches_everything(tool, what, why):
    """A warning says so: to run such calls together could be wrong, to run them in turn is slow."""
    with pytest.warns(UserWarning, match="'pay' .*counts as everything") as told:
        assert keys_of(what, tool, {"iban": "DE1"}) == EVERYTHING
    assert len(told) == 1 and why in str(told[0].message)


def test_what_was_to_be_awaited_is_not_left_behind(tool):
    """A coroutine that nobody awaits would be told by Python, at some other place."""

    async def account(): ...

    with pytest.warns(UserWarning, match="the function must not be async"):
        assert keys_of(lambda **call: account(), tool, {"iban": "DE1"}) == EVERYTHING


def test_an_interrupt_comes_through(tool):
    def interrupted(**call):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keys_of(interrupted, tool, {"iban": "DE1"})


def test_a_parameter_that_has_no_value_is_not_known():
    registry = ToolRegistry()
    registry.register(dict, name="open", schema={"properties": {"path": {}}}, writes="{path}")
    with pytest.warns(UserWarning, match="KeyError: 'path'"):
        assert keys_of("{path}", registry["open"], {}) == EVERYTHING


# --- paths


def key_of(tool, path, folders=None):
    [key] = keys_of(lambda **call: path, tool, {"iban": ""}, folders)
    return key


def test_a_path_is_the_parts_of_its_real_path(tool, tmp_path, monkeypatch):
    """Links, dots and the current folder make no difference."""
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real", target_is_directory=True)
    (tmp_path / "real" / "deep" / "file").write_text("")
    (tmp_path / "real" / "alias").symlink_to(Path("deep", "file"))
    monkeypatch.chdir(tmp_path / "real")
    whole = Path(os.path.realpath(tmp_path), "real", "deep", "file").parts
    ways = ["deep/file", "../link/deep/file", "./deep/../deep/file", "alias", "../link/alias"]
    folders: dict[str, tuple] = {}
    for way in ways:
        for path in (Path(way), tmp_path / "link" / way, Path("/", *Path.cwd().parts, way)):
            assert key_of(tool, path, folders) == key_of(tool, path) == whole
    assert key_of(tool, Path("deep/..")) == key_of(tool, tmp_path / "link") == whole[:-2]
    assert key_of(tool, Path("not/there")) == (*whole[:-2], "not", "there")


def test_a_path_meets_what_lies_above_and_below_it(tool, tmp_path):
    folder, file = key_of(tool, tmp_path), key_of(tool, tmp_path / "a" / "b")
    beside = key_of(tool, tmp_path / "ab")
    root = key_of(tool, Path(tmp_path.anchor))
    assert meet(folder, file) and meet(file, folder) and meet(root, file) and meet(file, file)
    assert not meet(file, beside) and not meet(key_of(tool, tmp_path / "a"), beside)
    assert meet((), file) and meet(root, ())


def test_a_text_is_never_a_path(tool, tmp_path):
    [text] = keys_of(str(tmp_path).replace("{", "{{"), tool, {"iban": ""})
    assert not meet(text, key_of(tool, tmp_path))
    assert not meet((("/",),), key_of(tool, Path("/")))


def test_a_key_is_told_as_what_it_stands_for(tool, tmp_path):
    whole = key_of(tool, tmp_path / "a")
    assert describe_key(whole) == repr(os.path.realpath(tmp_path / "a"))
    assert describe_key(ROOT) == "everything"
    assert describe_key((("inbox",),)) == "'inbox'"
    assert prefixes(whole)[-1] == key_of(tool, tmp_path) and prefixes(whole)[0] == ROOT


any_resource = st.integers() | st.text() | st.tuples(st.text(), st.integers()) | st.binary()


@given(one=any_resource, other=any_resource)
def test_plain_resources_meet_where_they_are_equal(one, other):
    registry = ToolRegistry()
    registry.register(pay)
    [first] = touched(registry["pay"], lambda **call: one, iban="")
    [second] = touched(registry["pay"], lambda **call: other, iban="")
    assert meet(first, second) == (one == other)
    assert meet(first, ()) and meet((), second)


@pytest.mark.parametrize("module", [importlib.import_module("ptc.conflicts.resources")])
def test_examples_are_right(module):
    found = doctest.testmod(module)
    assert found.attempted and not found.failed
