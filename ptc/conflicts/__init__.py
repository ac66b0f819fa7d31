"""Which calls of a reply may run together, and which must wait for which."""

from .graph import Graph, chain_seconds
from .resources import EVERYTHING, Key, describe_key, prefixes, resources

__all__ = ["EVERYTHING", "Graph", "Key", "chain_seconds", "describe_key", "prefixes", "resources"]
