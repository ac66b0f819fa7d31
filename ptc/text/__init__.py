"""What goes to a model as text: JSON, errors in words, and no secret in either.

``values`` takes an output as it is now, ``words`` writes it, and ``masking`` hides secrets.
"""

from .masking import *
from .values import *
from .words import *
