"""What is wrong with a call's arguments, in words that a model can act on."""

from collections.abc import Iterable
from itertools import islice

MOST_TOLD = 5
"""How many faults one message tells: a model that reads these mends the others as well."""

MOST_QUOTED = 100
"""How many characters of a wrong value are quoted."""


class ArgumentsError(ValueError):
    """Arguments that don't fit a tool's schema; its text tells the model what to send instead."""


def wrong_arguments(name: str, faults: Iterable[str]) -> ArgumentsError:
    """The error that tells the first faults, and that there are more.

    >>> print(wrong_arguments("get_time", ["city is required", "zone=3 is not a parameter"]))
    wrong arguments for 'get_time': city is required; zone=3 is not a parameter
    """
    told = list(islice(faults, MOST_TOLD + 1))
    if len(told) > MOST_TOLD:
        told[MOST_TOLD] = "and more"
    return ArgumentsError(f"wrong arguments for {name!r}: {'; '.join(told)}")
