"""Wrong answers to the exercises of notebook 06."""

import json
import os
from collections import defaultdict

# --- 06.1


def answered(item, **rest):
    return {"id": item["id"], **rest}


def ran(item, functions):
    function = functions[item["function"]["name"]]
    return function(**json.loads(item["function"]["arguments"]))


def nothing_caught(item, functions):
    return answered(item, success=True, output=ran(item, functions))


def around_the_run_alone(item, functions):
    """The textbook's own mistake: the look-up and the arguments stand outside the try."""
    function = functions[item["function"]["name"]]
    arguments = json.loads(item["function"]["arguments"])
    try:
        return answered(item, success=True, output=function(**arguments))
    except Exception as error:
        return answered(item, success=False, error=repr(error))


def looked_up_outside(item, functions):
    function = functions[item["function"]["name"]]
    try:
        output = function(**json.loads(item["function"]["arguments"]))
        return answered(item, success=True, output=output)
    except BaseException as error:
        return answered(item, success=False, error=repr(error))


def exceptions_alone(item, functions):
    try:
        return answered(item, success=True, output=ran(item, functions))
    except Exception as error:
        return answered(item, success=False, error=repr(error))


def some_types(item, functions):
    try:
        return answered(item, success=True, output=ran(item, functions))
    except (ValueError, KeyError, TypeError, SystemExit) as error:
        return answered(item, success=False, error=repr(error))


def message_alone(item, functions):
    try:
        return answered(item, success=True, output=ran(item, functions))
    except BaseException as error:
        return answered(item, success=False, error=str(error))


def exception_itself(item, functions):
    try:
        return answered(item, success=True, output=ran(item, functions))
    except BaseException as error:
        return answered(item, success=False, error=error)


def empty_arguments(item, functions):
    try:
        arguments = json.loads(item["function"]["arguments"])
    except json.JSONDecodeError:
        arguments = {}
    try:
        output = functions[item["function"]["name"]](**arguments)
        return answered(item, success=True, output=output)
    except BaseException as error:
        return answered(item, success=False, error=repr(error))


def list_taken_for_none(item, functions):
    try:
        arguments = json.loads(item["function"]["arguments"])
        arguments = arguments if isinstance(arguments, dict) else {}
        output = functions[item["function"]["name"]](**arguments)
        return answered(item, success=True, output=output)
    except BaseException as error:
        return answered(item, success=False, error=repr(error))


def call_as_an_object(item, functions):
    try:
        function = functions[item.function.name]
        return answered(item, success=True, output=function(**json.loads(item.function.arguments)))
    except BaseException as error:
        return answered(item, success=False, error=repr(error))


def nothing_for_a_failure(item, functions):
    try:
        return answered(item, success=True, output=ran(item, functions))
    except BaseException:
        pass


def without_id(item, functions):
    return answered(item, success=True, output=ran(item, functions)) | {"id": None}


def output_alone(item, functions):
    return ran(item, functions)


def error_as_output(item, functions):
    try:
        return answered(item, success=True, output=ran(item, functions))
    except BaseException as error:
        return answered(item, success=True, output=repr(error))


def three_times(item, functions):
    """A retry that nobody asked for."""
    for _ in range(3):
        try:
            return answered(item, success=True, output=ran(item, functions))
        except BaseException as error:
            text = repr(error)
    return answered(item, success=False, error=text)


def twice(item, functions):
    try:
        ran(item, functions)
        return answered(item, success=True, output=ran(item, functions))
    except BaseException as error:
        return answered(item, success=False, error=repr(error))


def none_is_failure(item, functions):
    try:
        output = ran(item, functions)
    except BaseException as error:
        return answered(item, success=False, error=repr(error))
    if output is None:
        return answered(item, success=False, error="no output")
    return answered(item, success=True, output=output)


def empty_is_failure(item, functions):
    try:
        output = ran(item, functions)
        if not output:
            raise ValueError("empty output")
        return answered(item, success=True, output=output)
    except BaseException as error:
        return answered(item, success=False, error=str(error) or repr(error))


def output_under_another_name(item, functions):
    return answered(item, success=True, result=ran(item, functions))


def success_in_words(item, functions):
    return answered(item, success="yes", output=ran(item, functions))


def remembering(run):
    """Equal calls are run once."""
    outputs = {}

    def run_one(item, functions):
        key = str(item["function"])
        try:
            if key not in outputs:
                outputs[key] = run(item, functions)
            return answered(item, success=True, output=outputs[key])
        except BaseException as error:
            return answered(item, success=False, error=repr(error))

    return run_one


def falsy_is_failure(item, functions):
    output = ran(item, functions)
    return answered(item, success=bool(output), output=output)


# --- 06.2


def status_of(results):
    succeeded = sum(result.success for result in results)
    return "complete" if succeeded == len(results) else "partial" if succeeded else "failed"


def textbook(results, calls):
    """Goes on unless nothing worked."""
    status = status_of(results)
    return status if len(results) == len(calls) else "partial", status != "failed"


def status_of_what_came(results, calls):
    return status_of(results), bool(results) and len(results) == len(calls)


def counted(results, calls):
    if len(results) != len(calls):
        return ("partial" if any(r.success for r in results) else "failed"), False
    return status_of(results), status_of(results) != "failed"


def nothing_twice(results, calls):
    there = all(any(r.call == call for r in results) for call in calls)
    if not there:
        return ("partial" if any(r.success for r in results) else "failed"), False
    return status_of(results), status_of(results) != "failed"


def strangers_pass(results, calls):
    ids = [result.call.id for result in results]
    there = all(ids.count(call.id) == 1 for call in calls)
    if not there:
        return ("partial" if any(r.success for r in results) else "failed"), False
    return status_of(results), status_of(results) != "failed"


def abort_on_any_failure(results, calls):
    return status_of(results), status_of(results) == "complete"


def always_go_on(results, calls):
    return status_of(results), True


def nothing_is_a_failure(results, calls):
    status, go_on = counted(results, calls)
    return (status, go_on) if results else ("failed", False)


def in_request_order_alone(results, calls):
    if [result.call.id for result in results] != [call.id for call in calls]:
        return ("partial" if any(r.success for r in results) else "failed"), False
    return status_of(results), status_of(results) != "failed"


def forgets_a_branch(results, calls):
    if len(results) == len(calls):
        return status_of(results), status_of(results) != "failed"


def status_alone(results, calls):
    return status_of(results)


def in_words(results, calls):
    return status_of(results), "go on"


def by_place(results, calls):
    outcomes = [results[place].success for place in range(len(calls))]
    return status_of(results), any(outcomes)


# --- 06.3

DO = "correct the call, or go on without it"


def failed(results):
    return [result for result in results if not result.success]


def hide(text):
    for name, value in os.environ.items():
        if value and any(word in name for word in ("KEY", "TOKEN", "SECRET", "PASSWORD")):
            text = text.replace(value, "***")
    return text


def one_line(text):
    return " ".join(text.split())


def lines(results, line):
    return "\n".join(line(result) for result in failed(results))


def unknown_error(results):
    """The textbook's own: asks one level too high, and a default hides it."""
    return lines(results, lambda r: f"{r.call.name}: {getattr(r, 'message', 'Unknown error')}")


def with_header(results):
    return "Some tools failed:\n" + lines(results, lambda r: f"{r.call.name}: {r.error}; {DO}")


def with_header_where_due(results):
    text = lines(results, lambda r: f"{r.call.name}: {r.error}; {DO}")
    return f"Some tools failed, try again:\n{text}" if text else ""


def none_for_none(results):
    return lines(results, lambda r: f"{r.call.name}: {r.error}; {DO}") or None


def a_list(results):
    return [f"{r.call.name}: {r.error}; {DO}" for r in failed(results)] or ""


def without_name(results):
    return lines(results, lambda r: f"{r.error}; {DO}")


def without_error(results):
    return lines(results, lambda r: f"{r.call.name} failed; {DO}")


def glued(results):
    return lines(results, lambda r: f"{r.call.name}{r.error}; {DO}")


def does_once(results):
    return lines(results, lambda r: f"{r.call.name}: {one_line(r.error)}") + (
        f"; {DO}" if failed(results) else ""
    )


def known_secrets(results):
    def line(r):
        text = one_line(r.error)
        for value in ("sk-4f9a77c1", "tok-81d3b0aa", "oyster-and-pearl", "correct-horse"):
            text = text.replace(value, "***")
        return f"{r.call.name}: {text[:400]}; {DO}"

    return lines(results, line)


def nothing_to_do(results):
    return lines(results, lambda r: f"The tool call {r.call.name} ({r.call.id}) failed: {r.error}")


def by_name(results):
    errors = {r.call.name: one_line(r.error) for r in failed(results)}
    return "\n".join(f"{name}: {error}; {DO}" for name, error in errors.items())


def grouped(results):
    groups = defaultdict(list)
    for r in failed(results):
        groups[r.call.name].append(r)
    ordered = [r for group in groups.values() for r in group]
    return lines(ordered, lambda r: f"{r.call.name}: {one_line(r.error)}; {DO}")


def as_many_lines_as_the_error(results):
    return lines(results, lambda r: f"{r.call.name}: {r.error}; {DO}")


def first_line(results):
    return lines(results, lambda r: f"{r.call.name}: {r.error.splitlines()[0]}; {DO}")


def secrets_shown(results):
    return lines(results, lambda r: f"{r.call.name}: {one_line(r.error)[:400]}; {DO}")


def keys_alone(results):
    key = os.environ.get("PTC_CHECK_API_KEY", "?")
    return secrets_shown(results).replace(key, "***")


def nothing_but_stars(results):
    def line(r):
        return f"{r.call.name}: {'***' if hide(r.error) != r.error else one_line(r.error)}; {DO}"

    return lines(results, line)


def empty_value_hidden(results):
    text = secrets_shown(results)
    for name, value in os.environ.items():
        if any(word in name for word in ("KEY", "TOKEN", "SECRET", "PASSWORD")):
            text = text.replace(value, "***")
    return text


def never_cut(results):
    return lines(results, lambda r: f"{r.call.name}: {one_line(hide(r.error))}; {DO}")


def cut_at_the_end(results):
    return lines(results, lambda r: f"{r.call.name}: {one_line(hide(r.error))}; {DO}"[:500])


def cut_from_behind(results):
    return lines(results, lambda r: f"{r.call.name}: {one_line(hide(r.error))[-400:]}; {DO}")


def cut_then_hidden(results):
    return lines(results, lambda r: hide(f"{r.call.name}: {one_line(r.error)[:400]}; {DO}"))


WRONG = {
    "06.1": [
        (nothing_caught, "The tool is run outside the try"),
        (three_times, "ran the tool 3 times"),
        (twice, "ran the tool 2 times"),
        (none_is_failure, "The tool returns None, and that is an answer"),
        (empty_is_failure, "a call fails where it raises, whatever it returns"),
        (output_under_another_name, "that belongs under 'output'"),
        (remembering(ran), "this time the tool was not run"),
        (success_in_words, "'success' is True or False"),
        (around_the_run_alone, "The arguments are read outside the try"),
        (looked_up_outside, "The tool is looked up outside the try"),
        (exceptions_alone, "SystemExit is a BaseException"),
        (some_types, "Not every type of exception"),
        (message_alone, "gives an empty error"),
        (exception_itself, "it should be text"),
        (empty_arguments, "arguments that the model never sent"),
        (list_taken_for_none, "arguments that the model never sent"),
        (nothing_for_a_failure, "the call has no answer"),
        (without_id, "it should be the call's own"),
        (output_alone, "give a dict with id"),
        (error_as_output, "that is not a success"),
        (falsy_is_failure, "The tool returns 0, and that is an answer"),
        (call_as_an_object, "that of your own code around it"),
        ({"success": True}, "give the function itself"),
        (lambda item: item, "TypeError"),
    ],
    "06.2": [
        (textbook, "as long as an answer is missing"),
        (status_of_what_came, "none with an output"),
        (counted, "counting is not enough"),
        (nothing_twice, "a call that is answered twice"),
        (strangers_pass, "what no call has asked"),
        (abort_on_any_failure, "An error is an answer too"),
        (always_go_on, "none with an output"),
        (nothing_is_a_failure, "Nothing was asked"),
        (in_request_order_alone, "whatever the order of the results"),
        (forgets_a_branch, "each way through needs its return"),
        (status_alone, "give a pair"),
        (in_words, "give a pair"),
        (by_place, "it raised IndexError"),
        (lambda results, calls: ("failed", False), "all succeeded"),
        ("complete", "give the function itself"),
    ],
    "06.3": [
        (unknown_error, "no default needed"),
        (with_header, "A header without errors"),
        (with_header_where_due, "one line for each that failed, and no other"),
        (none_for_none, '"" for none'),
        (a_list, '"" for none'),
        (without_name, "the tool's name"),
        (glued, "as a word of its own"),
        (does_once, "each line names the tool"),
        (known_secrets, "hide what os.environ holds"),
        (without_error, "what was wrong, result.error, is not there"),
        (nothing_to_do, "and not what to do"),
        (by_name, "names repeat"),
        (grouped, "keep the results' order"),
        (as_many_lines_as_the_error, "one failure, one line"),
        (first_line, "the last of the three"),
        (secrets_shown, "should show as ***"),
        (keys_alone, "should show as ***"),
        (nothing_but_stars, "not the text around it"),
        (empty_value_hidden, "leave empty values out"),
        (never_cut, "500 is the most"),
        (cut_at_the_end, "cut the error, then add that"),
        (cut_from_behind, "at its beginning, is lost"),
        (cut_then_hidden, "half a secret is left"),
        (lambda results: results[1].error, "it raised IndexError"),
    ],
    "06.4": [
        (1, "the first reply only asks"),
        (2, "if both calls of the first turn succeeded"),
        (4, "nothing is left to repeat"),
        ("3", "is not a number"),
    ],
}

EQUIVALENT = {
    "06.1": {
        "double: arguments = json.loads(tool_call['function']['arguments'])": "reads a text twice",
        "double: text = f'{type(error).__name__}: {error}'": "makes the same text twice",
    },
    "06.2": {
        "loop: for result in results → for result in list(results)[::-1]": "sorted afterwards",
        "loop: for call in calls → for call in list(calls)[::-1]": "sorted afterwards",
        "loop: for result in results → for result in list(results)[::-1] (2)": "all, in any order",
        "loop: for result in results → for result in list(results)[::-1] (3)": "any, in any order",
        "double: answered = sorted(ids) == sorted((call.id for call in calls)": "compares twice",
        "double: if answered and all((result.success for result in results))": "asks twice",
        "double: if any((result.success for result in results))": "asks twice",
        "cache: first of equal": "equal results and calls have one class",
    },
    "06.3": {
        "loop: for (name, value) in os.environ.items() → "
        "for (name, value) in list(os.environ.items())[1:]": "the first variable is not a secret",
        "loop: for (name, value) in os.environ.items() → "
        "for (name, value) in list(os.environ.items())[::-1]": "all are hidden, in any order",
        "loop: for word in words → for word in list(words)[::-1]": "any, in any order",
        "constant: 400 → 401": "about where the cut is, is free",
        "constant: 400 → 399": "about where the cut is, is free",
        "double: for (name, value) in os.environ.items()": "hiding twice changes nothing",
        "double: if value and any((word in name.upper() for word in words))": "hidden already",
        "double: text = text.replace(value, '***')": "replaced already",
        "double: error = ' '.join(hide(result.error).split())[:400]": "makes the same text twice",
    },
    "06.4": {},
}
