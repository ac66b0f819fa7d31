"""What ran when: timelines, predicted or measured, as numbers, as words and as a picture."""

from .chart import FAILED, FIXED_STYLES, Style, plot_timeline, show_timeline, small_png, tool_styles
from .schedule import lower_bound, schedule
from .spans import (
    Span,
    describe_timeline,
    lanes_of,
    makespan,
    most_at_once,
    spans,
    speedup,
    total_work,
    utilisation,
    worker_names,
)

__all__ = [
    "FAILED",
    "FIXED_STYLES",
    "Span",
    "Style",
    "describe_timeline",
    "lanes_of",
    "lower_bound",
]
__all__ += ["makespan", "most_at_once", "plot_timeline", "schedule", "show_timeline", "small_png"]
__all__ += ["spans", "speedup", "tool_styles", "total_work", "utilisation", "worker_names"]
