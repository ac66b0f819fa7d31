"""The latency lab: move a slider, see how a batch of tool calls behaves, then run it for real.

From the ground up: settings and what they predict, the real run, the picture, the challenges, and
the widgets, which only show what the others say.
"""

from .challenges import CHALLENGES, CONCLUSION, Challenge
from .history import chart, to_csv
from .layout import Box, axis_end, boxes, headlines
from .overhead import NO_OVERHEADS, Overhead, Overheads, measured_overheads
from .page import describe, table, turns
from .picture import Picture, png
from .prediction import Outcome, Phase, Prediction, phases, predict, simulate
from .real_run import Run, new_run, run_for_real
from .settings import (
    BACKOFF,
    CITIES,
    HOLDS,
    KINDS,
    MOST_SECONDS,
    MOST_WORKERS,
    ORDERS,
    RELEASES,
    SCENARIOS,
    WAITS,
    Settings,
    capacity,
    cores,
)
from .tools import Stop, Stopped, lab_registry
from .widget import LatencyLab

__all__ = [
    "BACKOFF",
    "CHALLENGES",
    "CITIES",
    "CONCLUSION",
    "HOLDS",
    "KINDS",
    "MOST_SECONDS",
    "MOST_WORKERS",
    "NO_OVERHEADS",
    "ORDERS",
    "RELEASES",
    "SCENARIOS",
    "WAITS",
    "Box",
    "Challenge",
    "LatencyLab",
    "Outcome",
    "Overhead",
    "Overheads",
    "Phase",
    "Picture",
    "Prediction",
    "Run",
    "Settings",
    "Stop",
    "Stopped",
    "axis_end",
    "boxes",
    "capacity",
    "chart",
    "cores",
    "describe",
    "headlines",
    "lab_registry",
    "measured_overheads",
    "new_run",
    "phases",
    "png",
    "predict",
    "run_for_real",
    "simulate",
    "table",
    "to_csv",
    "turns",
]
