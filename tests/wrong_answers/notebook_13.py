"""Wrong answers to the exercises of the further notebook "Tools of MCP servers"."""


def believes_all(hints, trusted):
    reads = hints.get("readOnlyHint", False)
    repeats = reads or hints.get("idempotentHint", False)
    return {"idempotent": repeats, "touches": "reads" if reads else "writes"}


def believes_the_readers(hints, trusted):
    reads = hints.get("readOnlyHint", False)
    repeats = trusted and (reads or hints.get("idempotentHint", False))
    return {"idempotent": repeats, "touches": "reads" if reads else "writes"}


def forgets_that_readers_repeat(hints, trusted):
    reads = trusted and hints.get("readOnlyHint", False)
    repeats = trusted and hints.get("idempotentHint", False)
    return {"idempotent": repeats, "touches": "reads" if reads else "writes"}


def forgets_idempotent(hints, trusted):
    reads = trusted and hints.get("readOnlyHint", False)
    return {"idempotent": reads, "touches": "reads" if reads else "writes"}


def what_repeats_reads(hints, trusted):
    repeats = trusted and (hints.get("readOnlyHint", False) or hints.get("idempotentHint", False))
    return {"idempotent": repeats, "touches": "reads" if repeats else "writes"}


def fears_what_destroys(hints, trusted):
    sure = trusted and not hints.get("destructiveHint", False)
    reads = sure and hints.get("readOnlyHint", False)
    repeats = trusted and (reads or hints.get("idempotentHint", False))
    return {"idempotent": repeats, "touches": "reads" if reads else "writes"}


def fears_the_world(hints, trusted):
    reads = trusted and hints.get("readOnlyHint", False)
    repeats = trusted and (reads or hints.get("idempotentHint", False))
    return {
        "idempotent": repeats and not hints.get("openWorldHint", False),
        "touches": "reads" if reads else "writes",
    }


def reads_unless_told(hints, trusted):
    reads = trusted and hints.get("readOnlyHint", True)
    repeats = trusted and (reads or hints.get("idempotentHint", False))
    return {"idempotent": repeats, "touches": "reads" if reads else "writes"}


def all_write(hints, trusted):
    reads = trusted and hints.get("readOnlyHint", False)
    repeats = trusted and (reads or hints.get("idempotentHint", False))
    return {"idempotent": repeats, "touches": "writes"}


def absent_is_true(hints, trusted):
    reads = trusted and hints.get("readOnlyHint", False)
    repeats = trusted and (reads or hints.get("idempotentHint", True))
    return {"idempotent": repeats, "touches": "reads" if reads else "writes"}


def gives_none_for_no(hints, trusted):
    reads = trusted and hints.get("readOnlyHint")
    repeats = trusted and (reads or hints.get("idempotentHint"))
    return {"idempotent": repeats, "touches": "reads" if reads else "writes"}


def needs_each_hint(hints, trusted):
    reads = trusted and hints["readOnlyHint"]
    repeats = trusted and (reads or hints["idempotentHint"])
    return {"idempotent": repeats, "touches": "reads" if reads else "writes"}


def takes_them_out(hints, trusted):
    reads = trusted and hints.pop("readOnlyHint", False)
    repeats = trusted and (reads or hints.get("idempotentHint", False))
    return {"idempotent": repeats, "touches": "reads" if reads else "writes"}


def a_pair(hints, trusted):
    reads = trusted and hints.get("readOnlyHint", False)
    return (reads, "reads" if reads else "writes")


WRONG = {
    "13.1": [
        (believes_all, "A stranger may say what it likes"),
        (believes_the_readers, "A stranger may say what it likes"),
        (forgets_that_readers_repeat, "it is idempotent, too"),
        (forgets_idempotent, "a second run does no more"),
        (what_repeats_reads, "may still write"),
        (reads_unless_told, "Without a readOnlyHint that is True"),
        (fears_what_destroys, "leave them out"),
        (fears_the_world, "leave them out"),
        (all_write, "can't be in the way"),
        (absent_is_true, "A hint that is absent counts as False"),
        (gives_none_for_no, "True or False"),
        (needs_each_hint, "KeyError"),
        (takes_them_out, "It has changed the hints"),
        (a_pair, "Give a dict"),
        (lambda hints, trusted: {"idempotent": True, "touches": "none"}, "'touches' should be"),
    ],
    "13.2": [
        ("a", "may be made twice"),
        ("B", "no proof that nothing happened"),
        ("c", "only says that a second run"),
        (2, "one letter of a, b, c, d"),
    ],
}

EQUIVALENT = {
    "13.1": {
        "argument: hints.get('readOnlyHint', False) → hints.get('readOnlyHint')": (
            "None is as false as False where only the tests of it are seen"
        ),
        "double: reads = trusted and hints.get('readOnlyHint', False)": "asked twice, the same",
        "double: repeats = trusted and hints.get('idempotentHint', False)": "asked twice, the same",
        "cache: first of equal": "the same hints are to be run in the same way",
    },
    "13.2": {},
}
