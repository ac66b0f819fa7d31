"""Wrong answers to the exercise of notebook 00."""

WRONG = {
    "00.1": [
        (sum, "one after the other"),
        (lambda delays: sum(delays) / len(delays), "the average"),
        (min, "the first answer"),
        (lambda delays: delays[0], "the first call's"),
        (lambda delays: delays[-1], "the last call's"),
        (lambda delays: 0.3, "the batch above"),
        (lambda delays: 0.9, "three kettles"),
        (lambda delays: delays.max(), "AttributeError"),
        (0.3, "give the function itself"),
    ],
}

EQUIVALENT = {
    "00.1": {"cache: first of equal": "the same delays have the same latency"},
}
