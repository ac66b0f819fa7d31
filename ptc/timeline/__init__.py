"""What ran when: timelines, predicted or measured, as numbers, as words and as a picture.

``spans`` has the bars and their measures, ``schedule`` predicts them, ``chart`` draws them in the
``styles`` that they have everywhere, and ``pictures`` shows a picture with its words.
"""

from .chart import *
from .pictures import *
from .schedule import *
from .spans import *
from .styles import *
