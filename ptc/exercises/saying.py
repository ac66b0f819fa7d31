"""Printing for a person, whatever the output can show."""

import sys

_PLAIN = str.maketrans({"✓": "OK", "✗": "NO", "○": "--", "…": "...", "×": "x", "≈": "~"})


def say(text: str) -> None:
    """Print, also where the output knows few characters: "✓" is then "OK"."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(_PLAIN).encode(encoding, "replace").decode(encoding)
    print(text)
