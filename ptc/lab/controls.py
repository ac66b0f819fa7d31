"""The lab's controls: what they are called and how they look, not what they do."""

from dataclasses import fields
from typing import Any

import ipywidgets as widgets

from .settings import (
    CITIES,
    KINDS,
    MEETINGS,
    MOST_SECONDS,
    MOST_WORKERS,
    ORDERS,
    SCENARIOS,
    Settings,
)

__all__ = [
    "OWN",
    "make_box",
    "make_button",
    "make_conclusion",
    "make_controls",
    "make_guess",
    "make_run_button",
    "make_scenarios",
]

OWN = "your own settings"
_WORDS = {
    "workers": "workers",
    "time": "get_time takes (s)",
    "date": "get_date takes (s)",
    "weather": "get_weather takes (s)",
    "cities": "cities asked for",
    "model": "a model's turn (s)",
    "failures": "attempts that fail",
    "attempts": "attempts at most",
    "order": "start order",
    "kind": "a tool",
    "meet": "calls of one city meet",
}
_WHOLE = {"workers": MOST_WORKERS, "cities": len(CITIES), "attempts": 5}
_CHOICES = {"order": ORDERS, "kind": KINDS, "meet": MEETINGS}
_WIDE = {"description_width": "148px"}
_NARROW = {"description_width": "initial"}


def make_controls(start: Settings) -> dict[str, Any]:
    """A control for each of the settings, by its name.

    make_controls(Settings())["workers"].value = 3
    """
    return {field.name: _control(field.name, start) for field in fields(Settings)}


def _control(name: str, start: Settings) -> widgets.Widget:
    options = {"description": _WORDS[name], "value": getattr(start, name), "style": _WIDE}
    if name in _WHOLE:
        return widgets.IntSlider(min=1, max=_WHOLE[name], **options)
    if name in _CHOICES:
        return widgets.Dropdown(options=_CHOICES[name], **options)
    most = 0.9 if name == "failures" else MOST_SECONDS
    return widgets.FloatSlider(min=0.0, max=most, step=0.05, readout_format=".2f", **options)


def make_scenarios() -> widgets.Dropdown:
    return widgets.Dropdown(options=[OWN, *SCENARIOS], description="scenario", style=_WIDE)


def make_run_button() -> widgets.Button:
    button = make_button("Run it for real", icon="play")
    button.add_class("ptc-go")
    return button


def make_button(description: str, **options: Any) -> widgets.Button:
    """A button that is never disabled: one that is would lose the focus of who pressed it."""
    return widgets.Button(description=description, **options)


def make_guess() -> widgets.Text:
    return widgets.Text(
        description="guess the speedup",
        placeholder="2.5",
        style=_NARROW,
        layout={"width": "220px"},
    )


def make_conclusion() -> widgets.Textarea:
    return widgets.Textarea(
        placeholder="When does running in parallel pay, and how many workers are enough?",
        description="your conclusion",
        style=_NARROW,
        layout={"width": "100%", "max_width": "920px"},
    )


def make_box(name: str, *children: widgets.Widget) -> widgets.Box:
    box = widgets.Box(children)
    box.add_class(name)
    return box
