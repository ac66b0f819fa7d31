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
        (lambda delays: str(max(delays)), "it gives '0.7', a str; give a number"),
        (lambda delays: [max(delays)], "it gives [0.7], a list"),
        (lambda delays: True, "it gives True, a bool"),
        (lambda delays: float("nan"), "it gives nan, and 0.7 is right"),
        (lambda delays: 1000 * max(delays), "milliseconds"),
        (lambda delays: round(max(delays), 1), "for [0.375, 0.1, 0.25] it gives 0.4"),
        (lambda delays: max(delays[1:] or delays), "for [0.375, 0.1, 0.25] it gives 0.25"),
        (lambda delays: "x" * 200, "xx…', a str"),
        (0.3, "give the function itself"),
    ],
}

EQUIVALENT = {
    "00.1": {"cache: first of equal": "the same delays have the same latency"},
}
