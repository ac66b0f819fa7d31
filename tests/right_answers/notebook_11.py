"""Right answers to the exercises of the further notebook "Beyond one machine"."""

import math
from bisect import bisect_left

# --- 11.2


def by_logarithms(calls, batches):
    return math.exp(math.log(batches) / calls)


def by_pow(calls, batches):
    return pow(batches, 1 / calls)


def by_halving(calls, batches):
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if middle**calls >= batches else (middle, high)
    return high


# --- 11.3


def by_bisect(meets, most):
    found = 1 + bisect_left(range(1, most + 1), True, key=meets)
    return found if found <= most else 0


def the_largest_first(meets, most):
    if not meets(most):
        return 0
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if meets(middle) else (middle, high)
    return high


def from_inside(meets, most, low=1):
    def search(low, high):
        if low > high:
            return low
        middle = low + (high - low) // 2
        return search(low, middle - 1) if meets(middle) else search(middle + 1, high)

    found = search(low, most)
    return 0 if found > most else found


RIGHT = {
    "11.1": ["c", "C", " c"],
    "11.2": [by_logarithms, by_pow, by_halving],
    "11.3": [by_bisect, the_largest_first, from_inside],
}
