"""JSON Schemas of tools, and the checks of what a model sent against them."""

from .faults import ArgumentsError as ArgumentsError
from .given import from_schema as from_schema
from .hints import from_hints as from_hints
from .parameters import Parameters as Parameters
from .parameters import innermost as innermost
from .parameters import is_redefined as is_redefined
from .parameters import read_if_told as read_if_told
from .parameters import read_parameters as read_parameters
