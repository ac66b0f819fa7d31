"""The latency lab: move a slider, see how a batch of tool calls behaves, then run it for real.

From the ground up: settings and what they predict, the real run, the pictures, the challenges, and
the widgets, which only show what the others say.
"""

from .challenges import *
from .history import *
from .layout import *
from .overhead import *
from .prediction import *
from .real_run import *
from .settings import *
from .tools import *
from .widget import *
