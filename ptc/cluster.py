"""What Dask's executor, ``client.get_executor()``, needs beyond any other.

Dask takes equal tasks for one, replaces a text that happens to be another task's key, and never
ends a task whose output can't be sent back. So a job travels as bytes under a key of its own, and
returns as bytes. It also runs the tasks of a lost worker again, however the executor is made.
Nothing is imported from Dask here: who hands its executor over has it. :func:`need` and
:func:`dashboard` are for the notebook that shows it.
"""

from concurrent.futures import Executor, Future
from dataclasses import replace
from importlib.util import find_spec
from typing import Any
from uuid import uuid4

from .jobs import Job, Report, run_job
from .text import explain

NOT_REPEATABLE = (
    "not started: Dask runs a call again when it loses its worker, and {name!r} is not idempotent; "
    "run it on threads, or accept a second run with executor=at_least_once(executor)"
)


def is_dask(executor: Executor) -> bool:
    """Is it the executor of a Dask client?"""
    return any(kind.__module__.split(".")[0] == "distributed" for kind in type(executor).__mro__)


def submit(executor: Executor, job: Job) -> Future:
    """A future of a packed report; it holds the error if the job can't be packed."""
    import cloudpickle

    try:
        packed = cloudpickle.dumps(job)
    except Exception as error:
        failed: Future = Future()
        failed.set_exception(error)
        return failed
    return executor.submit(_run_packed, packed, pure=False, key=f"{job.call.name}-{uuid4().hex}")


def _run_packed(packed: bytes) -> bytes:
    """On a worker: the report, packed; an output that can't be packed is an error of its call."""
    import cloudpickle
    from distributed import get_worker

    report = run_job(cloudpickle.loads(packed), get_worker().address)
    try:
        return cloudpickle.dumps(report)
    except Exception as error:
        why = f"its output can't be sent back from a worker: {explain(error)}; return plain data"
        failed = replace(report.result, success=False, output=None, error=why)
        return cloudpickle.dumps(replace(report, result=failed))


def unpack(packed: bytes) -> Report:
    import cloudpickle

    return cloudpickle.loads(packed)


def why_lost(error: BaseException) -> str | None:
    """What became of the workers, if it was they that were lost; else None."""
    if type(error).__name__ != "KilledWorker":
        return None
    return (
        f"KilledWorker: it was run on {error.allowed_failures + 1} workers, and each of them died"
    )


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
            return super()._repr_mimebundle_(**options) | {"text/plain": "Dask's dashboard"}

    return Link(f'<a href="{client.dashboard_link}" target="_blank">Dask\'s dashboard</a>')
