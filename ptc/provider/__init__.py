"""The scripted model: a loopback server that speaks Chat Completions, and refuses bad requests."""

from .script import Script, call, city_script, in_turn
from .server import MODEL, ScriptedProvider

__all__ = ["MODEL", "Script", "ScriptedProvider", "call", "city_script", "in_turn"]
