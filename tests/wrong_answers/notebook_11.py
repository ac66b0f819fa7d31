"""Wrong answers to the exercises of the further notebook "Beyond one machine"."""


def one_by_one(meets, most):
    return next((workers for workers in range(1, most + 1) if meets(workers)), 0)


def doubling(meets, most):
    """Stops at the first power of two that meets the goal."""
    workers = 1
    while workers <= most and not meets(workers):
        workers *= 2
    return workers if workers <= most else 0


def search(meets, low, high):
    while low < high:
        middle = (low + high) // 2
        if meets(middle):
            high = middle
        else:
            low = middle + 1
    return low


def the_most_if_none(meets, most):
    return search(meets, 1, most)


def one_too_few(meets, most):
    found = search(meets, 1, most + 1)
    return found - 1 if found <= most else 0


def one_too_many(meets, most):
    found = search(meets, 1, most + 1)
    return found + 1 if found <= most else 0


def never_the_last(meets, most):
    found = search(meets, 1, most)
    return found if found < most else 0


def from_zero(meets, most):
    found = search(meets, 0, most + 1)
    return found if found <= most else 0


def in_halves(meets, most):
    low, high = 1, most + 1
    while high - low > 0.5:
        middle = (low + high) / 2
        if meets(middle):
            high = middle
        else:
            low = middle
    return high


WRONG = {
    "11.1": [
        ("a", "retries counts tasks that raised"),
        ("b", "a timeout ends our waiting"),
        ("D", "accepts a second run"),
        (1, "one letter of a, b, c, d"),
    ],
    "11.2": [
        (lambda calls, batches: batches, "the share of the batches"),
        (lambda calls, batches: batches**calls, "goes the other way"),
        (lambda calls, batches: round(batches ** (1 / calls), 2), "That is rounded"),
        (lambda calls, batches: round(batches ** (1 / calls), 4), "That is rounded"),
        (lambda calls, batches: 1 - batches**calls, "some call is late"),
        (lambda calls, batches: 1 - (1 - batches) / calls, "shares the late ones out evenly"),
        (lambda calls, batches: 1 - (1 - batches) ** (1 / calls), "that not all calls be late"),
        (lambda calls, batches: 1 - (1 - batches) ** calls, "at least one call is in time"),
        (lambda calls, batches: 100 * batches ** (1 / calls), "from 0 to 1"),
        (lambda calls, batches: 0.99, "n times"),
        (lambda calls, batches: "0.99", "Give one number"),
    ],
    "11.3": [
        (one_by_one, "20 simulations are enough"),
        (doubling, "that is fewer"),
        (the_most_if_none, "it should give 0"),
        (one_too_few, "doesn't meet the goal"),
        (one_too_many, "one worker too many"),
        (never_the_last, "a number at the edge"),
        (from_zero, "there are 1 to"),
        (in_halves, "Give a whole number"),
        (lambda meets, most: 0, "a number at the edge"),
        (lambda meets, most: most, "that is fewer"),
    ],
}

EQUIVALENT = {
    "11.1": {},
    "11.2": {"cache: first of equal": "the same batches need the same share"},
    "11.3": {"double: while low < high": "the second time they have met"},
}
