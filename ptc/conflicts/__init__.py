"""Which calls of a reply may run together, and which must wait for which."""

from .calls import predecessors as predecessors
from .graph import Graph as Graph
from .graph import chain_seconds as chain_seconds
from .resources import EVERYTHING as EVERYTHING
from .resources import Key as Key
from .resources import describe_key as describe_key
from .resources import meet as meet
from .resources import prefixes as prefixes
from .resources import resources as resources
