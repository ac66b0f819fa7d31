"""The scripted model: a loopback server that speaks Chat Completions, and refuses bad requests."""

from .refusals import Refused
from .script import Script, city_script, in_turn, tool_call
from .server import MODEL, ScriptedProvider
from .small import SMALL_MODELS, SmallModels

__all__ = ["MODEL", "SMALL_MODELS", "Refused", "Script", "ScriptedProvider", "SmallModels"]
__all__ += ["city_script", "in_turn", "tool_call"]
