"""The lab's controls: what they are called and how they look, not what they do."""

from dataclasses import fields
from typing import Any

import ipywidgets as widgets

from .settings import CITIES, KINDS, MOST_SECONDS, MOST_WORKERS, ORDERS, SCENARIOS, Settings

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
}
_WHOLE = {"workers": MOST_WORKERS, "cities": len(CITIES), "attempts": 5}
_CHOICES = {"order": ORDERS, "kind": KINDS}
_WIDE = {"description_width": "148px"}
_NARROW = {"description_width": "initial"}


def make_controls(start: Settings) -> dict[str, Any]:
    """A control for each of the settings, by its name."""
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
    button = widgets.Button(description="Run it for real", icon="play")
    button.add_class("ptc-go")
    return button


def make_stop_button() -> widgets.Button:
    layout = {"width": "90px"}
    return widgets.Button(description="Stop", icon="stop", disabled=True, layout=layout)


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


def make_image(*names: str) -> widgets.Image:
    image = widgets.Image(format="png")
    for name in names:
        image.add_class(name)
    return image


def make_box(name: str, *children: widgets.Widget) -> widgets.Box:
    box = widgets.Box(children)
    box.add_class(name)
    return box
