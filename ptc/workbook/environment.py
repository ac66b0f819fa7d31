"""Is all that the workbook needs here, and which model answers?"""

import os
import sys
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = ("ipywidgets", "jupyterlab", "matplotlib", "openai", "pydantic", "tenacity", "tqdm")
_SET_UP = (
    "run the first command of README.md again, and open the notebook from the JupyterLab it starts"
)


def check_environment() -> None:
    """Print what is here, what is missing with the way out, and which model is in use."""
    python = "Python 3.11 or newer"
    _say(python, sys.version_info >= (3, 11), f"this is {sys.version.split()[0]}; {_SET_UP}")
    missing = [name for name in _PACKAGES if not _is_installed(name)]
    _say("the packages", not missing, f"not installed: {', '.join(missing)}; {_SET_UP}")
    model = os.environ.get("PTC_MODEL")
    print(f"model in use: {model or 'the scripted one, on this machine; no key, no network'}")


def _is_installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def _say(what: str, good: bool, way_out: str) -> None:
    print(f"{'✓' if good else '✗'} {what}" + ("" if good else f": {way_out}"))
