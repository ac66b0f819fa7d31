"""The exercise of notebook 00."""

from collections.abc import Callable
from typing import Any

from .judging import Exercise, Wrong, call, close, is_number, shown

_BATCHES = (
    [0.2, 0.7, 0.1, 0.4],
    [0.1, 0.1, 0.4],
    [0.375, 0.1, 0.25],
    [0.5],
    [0.2, 0.2, 0.2, 0.2],
)


def _latency(together: Callable[[list[float]], Any]) -> None:
    mistakes = {
        "that is how long one after the other takes; together, the waits overlap": sum,
        "that is the average; the batch is over only when its slowest call is": (
            lambda delays: sum(delays) / len(delays)
        ),
        "that is when the first answer is there; the model needs all of them": min,
        "that is the batch above; work it out from delays, for any batch": lambda delays: 0.3,
        "that is the first call's; another one may take longer": lambda delays: delays[0],
        "that is the last call's; another one may take longer": lambda delays: delays[-1],
        "that must be milliseconds; give seconds, as the delays are": (
            lambda delays: 1000 * max(delays)
        ),
        "that is rounded; give it as it is": lambda delays: round(max(delays), 1),
    }
    for delays in _BATCHES:
        got, expected = call(together, list(delays)), max(delays)
        if close(got, expected):
            continue
        if not is_number(got):
            kind = type(got).__name__
            raise Wrong(f"for {delays} it gives {shown(got)}, a {kind}; give a number of seconds.")
        why = [text for text, wrong in mistakes.items() if close(got, wrong(delays))]
        why = why or ["think of three kettles on three stoves: when does the last one boil?"]
        raise Wrong(f"for {delays} it gives {got:.6g}, and {expected} is right: {why[0]}.")


EXERCISES = {
    "00.1": Exercise(
        title="the latency of a batch",
        judge=_latency,
        notice="As long as each call has a worker of its own, only the slowest one counts.",
        hints=(
            "With a worker for each call, all of them start at the same moment.",
            "The batch is over when the last call ends. Python has a function for that.",
        ),
        solution="""
            def together(delays):
                return max(delays)
        """,
    ),
}
