"""Exercises in a notebook: ``check("00.1", my_answer)``, ``hint("00.1")``, ``solution("00.1")``."""

from .judging import check, hint, progress, solution

__all__ = ["check", "hint", "progress", "solution"]
