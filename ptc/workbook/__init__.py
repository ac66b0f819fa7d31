"""The workbook around the notebooks: is all here that they need, and how are they stored?"""

from .environment import check_environment
from .further import NotInstalledError, dashboard, need

__all__ = ["NotInstalledError", "check_environment", "dashboard", "need"]
