"""What Dask's executor, ``client.get_executor()``, needs beyond any other.

Dask takes equal tasks for one, replaces a text that happens to be another task's key, and never
ends a task whose output can't be sent back. So a job travels as bytes under a key of its own, and
returns as bytes. It also runs the tasks of a lost worker again, however the executor is made. And
it can take many tasks in one message, which its executor never does: most of what a short call
costs there is its message. Nothing is imported from Dask here: who hands its executor over has it.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import replace
from functools import lru_cache
from itertools import repeat
from typing import Any
from uuid import uuid4
from weakref import WeakKeyDictionary

from ..registry import Tool
from ..text import explain
from .jobs import Job, Report, run_job

NOT_REPEATABLE = (
    "not started: Dask runs a call again when it loses its worker, and {name!r} is not idempotent; "
    "run it on threads, or accept a second run with executor=at_least_once(executor)"
)
_IN_ONE_MESSAGE = 20  # jobs; more gain nothing, and Dask logs the last thousand messages whole


def is_dask(executor: Executor) -> bool:
    """Is it the executor of a Dask client?"""
    return any(kind.__module__.split(".")[0] == "distributed" for kind in type(executor).__mro__)


class Dask:
    """A Dask client's executor for one batch: many jobs a message, and each tool packed once."""

    def __init__(self, executor: Any) -> None:
        self.executor, self.client = executor, executor._client
        self.packed_tools: dict[Tool, bytes] = {}
        self.tasks: WeakKeyDictionary[Future, Any] = WeakKeyDictionary()

    @property
    def is_closed(self) -> bool:
        """Has the client been closed? Its futures never end then."""
        return self.client.status in ("closing", "closed")

    def submit(self, jobs: Iterable[Job]) -> list[Future]:
        """A future of a packed report for each job; the error of one that can't be packed.

        Raises:
            RuntimeError: the executor was shut down.
        """
        if self.executor._shutdown:
            raise RuntimeError("cannot submit to an executor after its shutdown")
        futures, sound = [], []
        for job in jobs:
            try:
                packed = self._pack(job)
            except Exception as error:
                futures.append(failed(error))
            else:
                futures.append(None)
                sound.append((f"{job.call.name}-{uuid4().hex}", *packed))
        try:
            sent = iter(self._send(sound))
        except Exception:
            if not self.is_closed:
                raise
            sent = repeat(Future())  # ends as little as any other
        return [future or next(sent) for future in futures]

    def _pack(self, job: Job) -> tuple[bytes, bytes]:
        import cloudpickle

        if job.tool not in self.packed_tools:
            self.packed_tools[job.tool] = cloudpickle.dumps(job.tool)
        return self.packed_tools[job.tool], cloudpickle.dumps(replace(job, tool=None))

    def _send(self, packed: Sequence[tuple[str, bytes, bytes]]) -> list[Future]:
        futures = []
        for n in range(0, len(packed), _IN_ONE_MESSAGE):
            keys, tools, jobs = map(list, zip(*packed[n : n + _IN_ONE_MESSAGE], strict=True))
            tasks = self.client.map(_run_packed, tools, jobs, key=keys, **self.executor._kwargs)
            self.executor._futures.update(tasks)  # those that its shutdown waits for
            futures += map(self.executor._wrap_future, tasks)
            self.tasks.update(zip(futures[n:], tasks, strict=True))
        return futures

    def cancel(self, futures: Iterable[Future]) -> None:
        """Cancel them, those that run included, in one message; in any thread."""
        tasks = [self.tasks[future] for future in futures if future in self.tasks]
        if tasks and not self.is_closed:
            self.client.cancel(tasks)


def failed(error: BaseException) -> Future:
    """A future that ended with that error."""
    future: Future = Future()
    future.set_exception(error)
    return future


def _run_packed(packed_tool: bytes, packed_job: bytes) -> bytes:
    """On a worker: the report, packed; an output that can't be packed is an error of its call."""
    import cloudpickle
    from distributed import get_worker

    job = replace(cloudpickle.loads(packed_job), tool=_unpack_tool(packed_tool))
    report = run_job(job, get_worker().address)
    try:
        return cloudpickle.dumps(report)
    except Exception as error:
        why = f"its output can't be sent back from a worker: {explain(error)}; return plain data"
        unsent = replace(report.result, success=False, output=None, error=why)
        return cloudpickle.dumps(replace(report, result=unsent))


@lru_cache(maxsize=16)
def _unpack_tool(packed: bytes) -> Tool:
    """A tool, unpacked once on a worker, and not for each of its calls."""
    import cloudpickle

    return cloudpickle.loads(packed)


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
