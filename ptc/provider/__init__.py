"""The scripted model: a loopback server that speaks Chat Completions, and refuses bad requests."""

from .refusals import Refused
from .script import Script, call, city_script, in_turn, tool_call
from .server import MODEL, ScriptedProvider

__all__ = ["MODEL", "Refused", "Script", "ScriptedProvider", "call"]
__all__ += ["city_script", "in_turn", "tool_call"]
