"""Parallel tool calls of language models: run them together, answer every one of them."""

from .calls import Attempt, ToolCall, ToolResult
from .check import (
    Completeness,
    PartialResultsWarning,
    aggregate_errors,
    check_parallel_completeness,
)
from .client import connect
from .execute import execute_parallel, execute_sequential, execute_with_retry
from .loop import answer
from .machine import given_up
from .registry import ToolRegistry
from .retry import RetryPolicy
from .wire import extract_parallel_calls, format_parallel_results

__all__ = [
    "Attempt",
    "Completeness",
    "PartialResultsWarning",
    "RetryPolicy",
    "ToolCall",
    "ToolRegistry",
    "ToolResult",
    "aggregate_errors",
    "answer",
    "check_parallel_completeness",
    "connect",
    "execute_parallel",
    "execute_sequential",
    "execute_with_retry",
    "extract_parallel_calls",
    "format_parallel_results",
    "given_up",
]
