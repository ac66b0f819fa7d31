"""Wrong answers made by rule: each exercise's solution, with one thing in it changed.

    python tests/answer_mutants.py 03.1      prints which of them the judge takes for right

A mutant may loop for ever, wait for ever, or eat memory. So they are judged in a process of their
own, which is ended when it is silent for too long; the next one goes on behind that mutant.
"""

import ast
import copy
import functools
import io
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from pathlib import Path
from queue import Empty, Queue
from textwrap import dedent
from typing import Any, NamedTuple

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None

SILENCE = 60.0  # seconds without a verdict after which a process is ended
MEMORY = 4 << 30  # bytes of address space that a process may take

Mutate = Callable[[ast.AST], Iterator[tuple[str, ast.AST]]]


class Mutant(NamedTuple):
    """What was changed, such as ``drop: return 1``, and the source with the change in it."""

    name: str
    source: str


class Verdict(NamedTuple):
    """What ``check`` said of a mutant; ``passed`` where it took it for right."""

    name: str
    passed: bool
    said: str


# --- the rules: each yields what a node may become, and the name of the change ------------------


def other_conditions(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Conditions negated, comparisons and operators changed, one side of an `and` or `or` left."""
    if isinstance(node, ast.If | ast.While | ast.IfExp | ast.Assert):
        yield "negate", changed(node, test=ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, ast.comprehension):
        for place, test in enumerate(node.ifs):
            tests = [*node.ifs[:place], ast.UnaryOp(ast.Not(), test), *node.ifs[place + 1 :]]
            yield "negate", changed(node, ifs=tests)
            yield "drop condition", changed(node, ifs=node.ifs[:place] + node.ifs[place + 1 :])
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in COMPARISONS.get(type(node.ops[0]), ()):
            yield "compare", changed(node, ops=[other()])
    if isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield "and/or", changed(node, op=other)
        for value in node.values:
            yield "one side", value
    if isinstance(node, ast.BinOp | ast.AugAssign):
        for other in OPERATORS.get(type(node.op), ()):
            yield "operator", changed(node, op=other())
    if isinstance(node, ast.UnaryOp):
        yield "drop sign", node.operand


COMPARISONS: dict[type, tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq, ast.GtE, ast.LtE),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
OPERATORS: dict[type, tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult, ast.FloorDiv),
    ast.FloorDiv: (ast.Div,),
    ast.Mod: (ast.FloorDiv,),
    ast.BitOr: (ast.BitAnd,),
    ast.BitAnd: (ast.BitOr,),
    ast.Pow: (ast.Mult,),
}


def other_constants(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    if not isinstance(node, ast.Constant):
        return
    value = node.value
    if isinstance(value, bool):
        others: list[Any] = [not value]
    elif isinstance(value, int | float):
        others = [value + 1, value - 1]
    elif isinstance(value, str) and value:
        others = [value + "x", ""]
    elif value is None:
        others = [0]
    else:
        return
    for other in others:
        yield "constant", ast.Constant(other)


def other_exceptions(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """One exception for another, in `except` and in `raise`; a cause left out."""
    if isinstance(node, ast.ExceptHandler):
        caught = ast.unparse(node.type) if node.type else "BaseException"
        for other in ("KeyError", "Exception", "BaseException"):
            if other != caught:
                yield "exception", changed(node, type=ast.Name(other, ast.Load()))
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        other = changed(node.exc, func=ast.Name("RuntimeError", ast.Load()))
        yield "exception", changed(node, exc=other)


def fewer_arguments(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """An argument of a call left out; an item of a dict or list left out."""
    if isinstance(node, ast.Call):
        for place in range(len(node.args)):
            yield "argument", changed(node, args=node.args[:place] + node.args[place + 1 :])
        for place in range(len(node.keywords)):
            kept = node.keywords[:place] + node.keywords[place + 1 :]
            yield "argument", changed(node, keywords=kept)
    if isinstance(node, ast.Dict):
        for place in range(len(node.keys)):
            keys = node.keys[:place] + node.keys[place + 1 :]
            values = node.values[:place] + node.values[place + 1 :]
            yield "item", changed(node, keys=keys, values=values)
    if isinstance(node, ast.List | ast.Tuple) and isinstance(node.ctx, ast.Load):
        for place in range(len(node.elts)):
            yield "item", changed(node, elts=node.elts[:place] + node.elts[place + 1 :])


def other_loops(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Walk through all but the first, all but the last, the first alone, or from the end."""
    if isinstance(node, ast.For | ast.comprehension):
        walked = ast.unparse(node.iter)
        for cut in ("[1:]", "[:-1]", "[:1]", "[::-1]"):
            other = ast.parse(f"list({walked}){cut}", mode="eval").body
            yield "loop", changed(node, iter=other)


NODE_RULES: tuple[Mutate, ...] = (
    *(other_conditions, other_constants, other_exceptions, fewer_arguments, other_loops),
)


def changed(node: Any, **fields: Any) -> Any:
    """A copy of the node with other fields."""
    node = copy.copy(node)
    for name, value in fields.items():
        setattr(node, name, value)
    return node


# --- the mutants of a source --------------------------------------------------------------------


def mutants(source: str) -> Iterator[Mutant]:
    """Each mutant once, in the order of the source; those that say the same are left out."""
    plain = ast.unparse(ast.parse(source))
    seen, names = {plain}, Counter[str]()
    for name, tree in _all_changes(source):
        ast.fix_missing_locations(tree)
        made = ast.unparse(tree)
        if made in seen:
            continue
        seen.add(made)
        names[name] += 1
        yield Mutant(name if names[name] == 1 else f"{name} ({names[name]})", made)


def _all_changes(source: str) -> Iterator[tuple[str, ast.Module]]:
    tree = ast.parse(source)
    places = list(_places(tree))
    for place, node in enumerate(places):
        if _is_said_to_people(node, places):
            continue
        for rule in NODE_RULES:
            for kind, other in rule(node):
                before, after = _brief(node), _brief(other)
                yield f"{kind}: {before} → {after}", _with(source, place, other)
    yield from _other_statements(source)
    yield from _ignored_parameters(source)
    yield from _cached(source)


def _places(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes, in the order in which their text stands in the source as far as it has one."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        yield from _places(child)


def _is_said_to_people(node: ast.AST, places: list[ast.AST]) -> bool:
    """Docstrings, annotations and the parts of an f-string: their words are free."""
    if not isinstance(node, ast.Constant):
        return False
    for parent in places:
        if isinstance(parent, ast.JoinedStr) and node in parent.values:
            return True
        if isinstance(parent, ast.Expr) and parent.value is node:
            return True
    return False


def _brief(node: ast.AST) -> str:
    if isinstance(node, ast.If | ast.While):
        return f"{type(node).__name__.lower()} {ast.unparse(node.test)}"
    if isinstance(node, ast.For):
        return f"for {ast.unparse(node.target)} in {ast.unparse(node.iter)}"
    if isinstance(node, ast.ExceptHandler):
        return f"except {ast.unparse(node.type)}" if node.type else "except"
    return " ".join(ast.unparse(node).split())


def _with(source: str, place: int, other: ast.AST) -> ast.Module:
    """The source's tree with another node at a place."""
    tree = ast.parse(source)
    target = list(_places(tree))[place]

    class Put(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return other if node is target else self.generic_visit(node)

    return Put().visit(tree)


def _other_statements(source: str) -> Iterator[tuple[str, ast.Module]]:
    """Each statement dropped, and each that does something doubled."""
    count = sum(1 for _ in _blocks(ast.parse(source)))
    for number in range(count):
        size = len(_nth(source, number)[1])
        for place in range(size):
            statement = _nth(source, number)[1][place]
            if isinstance(statement, ast.Import | ast.ImportFrom | ast.Pass) or _is_text(statement):
                continue
            brief = _brief(statement).splitlines()[0][:60]
            tree, block = _nth(source, number)
            block[place] = ast.Pass()
            yield f"drop: {brief}", tree
            if _does_something(statement):
                tree, block = _nth(source, number)
                block.insert(place, copy.deepcopy(statement))
                yield f"double: {brief}", tree


def _blocks(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    """The bodies in the tree, the module's own left out: its names are what is judged."""
    for node in _places(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and block and not isinstance(node, ast.Module):
                yield block


def _nth(source: str, number: int) -> tuple[ast.Module, list[ast.stmt]]:
    tree = ast.parse(source)
    return tree, list(_blocks(tree))[number]


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _does_something(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.With) and isinstance(statement.body[-1], ast.Return):
        return False
    if isinstance(statement, ast.Return | ast.Raise | ast.FunctionDef | ast.ClassDef):
        return False
    calls = any(isinstance(node, ast.Call | ast.Await) for node in ast.walk(statement))
    return calls or isinstance(statement, ast.AugAssign)


def _ignored_parameters(source: str) -> Iterator[tuple[str, ast.Module]]:
    """Each parameter of each function replaced by a value that doesn't depend on the caller."""
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, FUNCTIONS)]
    for number, function in enumerate(functions):
        for parameter in [*function.args.args, *function.args.kwonlyargs]:
            for value in ("0", "1", "2", "3", "'x'", "[]"):
                made = ast.parse(source)
                same = [node for node in ast.walk(made) if isinstance(node, FUNCTIONS)][number]
                same.body = [ast.parse(f"{parameter.arg} = {value}").body[0], *same.body]
                yield f"ignore: {parameter.arg} is always {value}", made


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _cached(source: str) -> Iterator[tuple[str, ast.Module]]:
    """The answer remembers its first value; and each call of something that it was given, too."""
    tree = ast.parse(source)
    if not isinstance(tree.body[-1], ast.FunctionDef):
        return
    for how in ("_first_of_all", "_first_of_equal"):
        made = ast.parse(source)
        answer = made.body[-1]
        assert isinstance(answer, ast.FunctionDef)
        answer.decorator_list = [ast.Name(how, ast.Load())]
        yield f"cache: {how.replace('_', ' ').strip()}", made
    answer = tree.body[-1]
    assert isinstance(answer, ast.FunctionDef)
    given = {argument.arg for argument in answer.args.args}
    for place, node in enumerate(_places(tree)):
        if isinstance(node, ast.Call) and _root(node.func) in given:
            other = changed(
                node, func=ast.Name("_remembered", ast.Load()), args=[node.func, *node.args]
            )
            yield f"cache: {_brief(node)}", _with(source, place, other)


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _first_of_all(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator: the first value, whatever comes later."""
    values: list[Any] = []

    @functools.wraps(function)
    def cached(*args: Any, **options: Any) -> Any:
        if not values:
            values.append(function(*args, **options))
        return values[0]

    return cached


def _first_of_equal(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator: the first value for arguments that read the same."""
    values: dict[str, Any] = {}

    @functools.wraps(function)
    def cached(*args: Any, **options: Any) -> Any:
        key = repr((args, options))
        if key not in values:
            values[key] = function(*args, **options)
        return values[key]

    return cached


def _remembering() -> Callable[..., Any]:
    values: dict[str, Any] = {}

    def remembered(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        key = repr((getattr(function, "__name__", ""), args, options))
        if key not in values:
            values[key] = function(*args, **options)
        return values[key]

    return remembered


# --- judging them, in a process of their own ------------------------------------------------------


def answer_of(source: str) -> Any:
    """What the code leaves as its last name."""
    made: dict[str, Any] = {
        "_first_of_all": _first_of_all,
        "_first_of_equal": _first_of_equal,
        "_remembered": _remembering(),
    }
    exec(source, made)
    return list(made.values())[-1]


def solution_of(number: str) -> str:
    from ptc.exercises import judging

    module = import_module(f"ptc.exercises.{judging.MODULES[number[:2]]}")
    return dedent(module.EXERCISES[number].solution).strip()


def verdicts(
    number: str, todo: Sequence[Mutant] = (), rounds: int = 1, silence: float = SILENCE
) -> list[Verdict]:
    """The verdict on each mutant of an exercise, or on those given, whatever the mutants do."""
    todo = list(todo) or list(mutants(solution_of(number)))
    found: list[Verdict] = []
    while len(found) < len(todo):
        found += _run(number, todo[len(found) :], rounds, silence)
        if len(found) < len(todo):  # the next one ended the process, or kept it busy for ever
            found.append(Verdict(todo[len(found)].name, False, "it ended its process"))
    return found


def _run(number: str, todo: Sequence[Mutant], rounds: int, silence: float) -> list[Verdict]:
    """The verdicts of one process, up to the mutant that ended it."""
    command = [sys.executable, __file__, number, str(rounds)]
    found: list[Verdict] = []
    lines: Queue[str] = Queue()
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        output = child.stdout
        threading.Thread(target=lambda: [*map(lines.put, output), lines.put("")]).start()
        child.stdin.write(json.dumps(todo))
        child.stdin.close()
        try:
            while line := lines.get(timeout=silence):
                found.append(Verdict(*json.loads(line)))
        except Empty:
            pass
        finally:
            child.kill()
    return found


def _judge(source: str, number: str, rounds: int) -> tuple[bool, str]:
    """Whether each of the rounds passed, and what was said last."""
    from ptc.exercises import judging

    said = ""
    try:
        answer = answer_of(source)
    except Exception as error:
        return False, f"no answer: {type(error).__name__}: {error}"
    for _ in range(rounds):
        out = io.StringIO()
        with redirect_stdout(out), redirect_stderr(io.StringIO()):
            judging.check(number, answer)
        said = out.getvalue()
        if not said.startswith(f"✓ {number}"):
            return False, said
    return True, said


def judge_all() -> None:
    """Judge the mutants that stdin holds, and print a JSON line for each."""
    number, rounds = sys.argv[1:]
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    for name, source in json.load(sys.stdin):
        passed, said = _judge(source, number, int(rounds))
        print(json.dumps([name, passed, said]), file=lines, flush=True)
    os._exit(0)  # mutants leave threads behind, which nobody waits for


def show(number: str) -> None:
    """Print which mutants pass, and on which the judge itself fails."""
    found = verdicts(number)
    for verdict in found:
        if verdict.passed or "checking it raised" in verdict.said:
            print(f"{verdict.name}\n    {verdict.said.splitlines()[0]}")
    print(f"{number}: {sum(verdict.passed for verdict in found)} of {len(found)} mutants pass")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    judge_all() if len(sys.argv) == 3 else show(sys.argv[1])
