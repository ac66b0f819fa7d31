"""Right answers to the exercises of notebook 06."""

import json
import os
import re
from collections import Counter

# --- 06.1


def with_else(tool_call, functions):
    id, wanted = tool_call["id"], tool_call["function"]
    try:
        output = functions[wanted["name"]](**json.loads(wanted["arguments"]))
    except BaseException as error:
        return {"id": id, "success": False, "error": repr(error)}
    else:
        return {"id": id, "success": True, "output": output}


def step_by_step(tool_call, functions):
    """What can be seen is asked first; what is left raises."""
    answer = {"id": tool_call["id"], "success": False}
    name = tool_call["function"]["name"]
    if name not in functions:
        return answer | {"error": f"no tool named {name}"}
    try:
        arguments = json.loads(tool_call["function"]["arguments"])
    except ValueError as error:
        return answer | {"error": f"not JSON: {error}"}
    if not isinstance(arguments, dict):
        return answer | {"error": "the arguments are not an object"}
    try:
        return {"id": tool_call["id"], "success": True, "output": functions[name](**arguments)}
    except (Exception, SystemExit) as error:
        return answer | {"error": str(error) or type(error).__name__}


def filled_in(tool_call, functions):
    result = {"id": tool_call["id"]}
    try:
        function = functions.get(tool_call["function"]["name"])
        result["output"] = function(**json.loads(tool_call["function"]["arguments"]))
        result["success"] = True
    except:  # noqa: E722
        import sys

        kind, error, _ = sys.exc_info()
        result["error"] = f"{kind.__name__}: {error}"
        result["success"] = False
    return result


# --- 06.2


def counted_by_id(results, calls):
    answers = Counter(result.call.id for result in results)
    answered = answers == Counter(call.id for call in calls)
    good = len([result for result in results if result.success])
    if not answered:
        return ("partial" if good else "failed"), False
    if good == len(calls):
        return "complete", True
    return ("partial", True) if good else ("failed", False)


def by_lookup(results, calls):
    answered = len(results) == len(calls)
    for call in calls:
        mine = [result for result in results if result.call.id == call.id]
        if len(mine) != 1:
            answered = False
    successes = [result.success for result in results]
    status = "failed"
    if True in successes:
        status = "partial"
    if answered and False not in successes:
        status = "complete"
    return [status, answered and status != "failed"]


def by_table(results, calls):
    by_the_calls = sorted(call.id for call in calls) == sorted(r.call.id for r in results)
    bad = sum(not r.success for r in results)
    how_many = "all" if not bad else "none" if bad == len(results) else "some"
    table = {
        (True, "all"): ("complete", True),
        (True, "some"): ("partial", True),
        (True, "none"): ("failed", False),
        (False, "all"): ("partial" if results else "failed", False),
        (False, "some"): ("partial", False),
        (False, "none"): ("failed", False),
    }
    return table[by_the_calls, how_many]


# --- 06.3


def secret_values():
    named = re.compile("KEY|TOKEN|SECRET|PASSWORD", re.IGNORECASE)
    return [value for name, value in os.environ.items() if named.search(name) and value]


def by_parts(results):
    lines = []
    for result in results:
        if result.success:
            continue
        error = result.error
        for value in secret_values():
            error = error.replace(value, "***")
        error = error.replace("\n", " ")
        if len(error) > 300:
            error = error[:300] + "…"
        lines.append(f"- {result.call.name} failed: {error} Please check the arguments.")
    return "\n".join(lines)


def with_a_regex(results):
    hidden = "|".join(map(re.escape, secret_values()))

    def line(result):
        error = re.sub(hidden, "***", result.error) if hidden else result.error
        return (
            f"{result.call.name}({result.call.id}): {' | '.join(error.splitlines())[:350]}; retry"
        )

    return "\n".join(line(result) for result in results if not result.success)


def what_to_do_first(results):
    text = ""
    for result in results:
        if not result.success:
            error = " ".join(result.error.split())
            for value in secret_values():
                error = error.replace(value, "***")
            line = f"Correct the call of {result.call.name} or go on without it: {error}"[:500]
            text += line + "\n"
    return text[:-1]


RIGHT = {
    "06.1": [with_else, step_by_step, filled_in],
    "06.2": [counted_by_id, by_lookup, by_table],
    "06.3": [by_parts, with_a_regex, what_to_do_first],
    "06.4": [3, 3.0, len("abc")],
}
