"""What the further notebooks need besides: packages that may not be here, and Dask's dashboard."""

from importlib.util import find_spec
from typing import Any


class NotInstalledError(ImportError):
    """Some packages aren't here; a notebook shows the one line that says how to get them."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def need(*packages: str) -> None:
    """Stop, and give the one command that installs them, if one of the packages isn't here.

    Raises:
        NotInstalledError: one isn't.
    """
    if not all(map(find_spec, packages)):
        raise NotInstalledError(
            f"This part needs more packages. Run  %pip install {' '.join(packages)}  in a cell, "
            "then this cell again; or go on at a heading that doesn't need them."
        )


def dashboard(client: Any) -> Any:
    """A link to the dashboard of a Dask client. Its text is the same wherever it leads to."""
    import ipywidgets

    class Link(ipywidgets.HTML):
        def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
            bundle = super()._repr_mimebundle_(**options) or {}
            return bundle | {"text/plain": "Dask's dashboard"}

    style = "color: var(--jp-content-link-color, #0d47a1); text-decoration: underline"
    where = f'href="{client.dashboard_link}" target="_blank" style="{style}"'
    return Link(f"<a {where}>Dask's dashboard</a>")
