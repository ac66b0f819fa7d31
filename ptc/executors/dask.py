"""What Dask's executor, ``client.get_executor()``, needs beyond any other.

Dask takes equal tasks for one, replaces a text that happens to be another task's key, and never
ends a task whose output can't be sent back. So a job travels as bytes under a key of its own, and
returns as bytes. It also runs the tasks of a lost worker again, however the executor is made. And
it can take many tasks in one message, which its executor never does: most of what a short call
costs there is its message. Nothing is imported from Dask here: who hands its executor over has it.
"""

from collections.abc import Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple
from uuid import uuid4
from weakref import WeakKeyDictionary

from ..machine.keeper import KEEPER
from ..machine.state import CallState
from ..machine.threads import THREADS
from ..registry import Tool
from ..text import explain
from .jobs import Job, Report, run_job
from .pool import AWAY, Arrival, PoolRunner, failed

_IN_ONE_MESSAGE = 20  # jobs; more gain nothing, and Dask logs the last thousand messages whole


def is_dask(executor: Executor) -> bool:
    """Is it the executor of a Dask client?"""
    return any(kind.__module__.split(".")[0] == "distributed" for kind in type(executor).__mro__)


class DaskRunner(PoolRunner):
    """A Dask client's executor for one batch: many jobs a message, and each tool packed once."""

    def __init__(self, executor: Any, repeats_accepted: bool) -> None:
        super().__init__(executor)
        self.executor: Any = executor
        self.client, self.repeats_accepted = executor._client, repeats_accepted
        self.packed_tools: dict[Tool, bytes] = {}
        self.tasks: WeakKeyDictionary[Future[Any], Any] = WeakKeyDictionary()
        self._unwanted: SimpleQueue[Any] = SimpleQueue()  # tasks
        self._lost = False  # nothing arrives any more
        if self._is_closed:
            raise RuntimeError("the executor's client is closed; make a new client and executor")
        if executor._shutdown:
            raise RuntimeError("cannot submit to an executor after its shutdown")

    @property
    def _is_closed(self) -> bool:
        """Has the client been closed? Its futures never end then."""
        return self.client.status in ("closing", "closed")

    def refuse(self, tool: Tool) -> str | None:
        if tool.idempotent or self.repeats_accepted:
            return None
        return (
            f"not started: Dask runs a call again when it loses its worker, and {tool.name!r} is "
            "not idempotent; run it on threads, or accept a second run with "
            "executor=at_least_once(executor)"
        )

    def stop(self, state: CallState) -> bool:
        """Dask asks its scheduler, and cancels what runs as well; many are cancelled together."""
        future = self._futures.get(state)
        if future is not None and future in self.tasks:
            self._unwanted.put(self.tasks[future])
        return state.started is not None

    def flush(self) -> None:
        unwanted = []
        with suppress(Empty):
            while True:
                unwanted.append(self._unwanted.get_nowait())
        if unwanted and not self._is_closed:
            THREADS.submit(lambda: self.client.cancel(unwanted), lambda error: None)

    def _next_arrivals(self) -> list[Arrival]:
        arrived = super()._next_arrivals()
        if self._is_closed and not self._lost:
            self._lose_the_rest([arrival.state for arrival in arrived])
        return arrived

    def _is_wanted(self, state: CallState) -> bool:
        return not self._lost and super()._is_wanted(state)

    def _lose_the_rest(self, arrived: Sequence[CallState]) -> None:
        """Answer what is open: a client that was closed ends no future, and starts none."""
        self._lost = True
        lost = self._futures.keys() - set(arrived)
        KEEPER.jobs.put(lambda: self._answer_the_lost(list(lost)))

    def _answer_the_lost(self, lost: Sequence[CallState]) -> None:
        self.batch.give_up_all(f"its executor's client was closed meanwhile; {AWAY}")
        for state in lost:
            self._let_go(state)

    def _submit(self, states: Sequence[CallState]) -> None:
        parcels = []
        for state in self._wanted_of(states):
            try:
                parcels.append(self._pack(state, self._job(state)))
            except Exception as error:
                self._note_future(state, failed(error))
        for first in range(0, len(parcels), _IN_ONE_MESSAGE):
            self._send(parcels[first : first + _IN_ONE_MESSAGE])

    def _pack(self, state: CallState, job: Job) -> "_Parcel":
        import cloudpickle

        if job.tool not in self.packed_tools:
            self.packed_tools[job.tool] = cloudpickle.dumps(job.tool)
        return _Parcel(state, self.packed_tools[job.tool], cloudpickle.dumps(job.without_tool()))

    def _send(self, parcels: Sequence["_Parcel"]) -> None:
        keys = [f"{parcel.state.name}-{uuid4().hex}" for parcel in parcels]
        tools, jobs = [parcel.tool for parcel in parcels], [parcel.job for parcel in parcels]
        try:
            tasks = self.client.map(_run_packed, tools, jobs, key=keys, **self.executor._kwargs)
        except Exception as error:
            for parcel in parcels:  # on a closed client it ends as little as any other
                future = Future() if self._is_closed else failed(error)
                self._note_future(parcel.state, future)
            return
        self.executor._futures.update(tasks)  # those that its shutdown waits for
        for parcel, task in zip(parcels, tasks, strict=True):
            future = self.executor._wrap_future(task)
            self.tasks[future] = task
            self._note_future(parcel.state, future)

    def _limit(self, job: Job) -> None:
        """As a length: the clock of another machine may be wrong."""
        job.left = self.batch.timeout - job.submitted

    def _unpack(self, returned: Any) -> Report:
        import cloudpickle

        return cloudpickle.loads(returned)

    def _why_lost(self, error: Exception) -> str | None:
        """What became of the workers, if it was they that were lost; else None."""
        if type(error).__name__ != "KilledWorker":
            return super()._why_lost(error)
        runs = getattr(error, "allowed_failures", 0) + 1
        return f"KilledWorker: it was run on {runs} workers, and each of them died"


class _Parcel(NamedTuple):
    """A call, and its tool and its job as they travel."""

    state: CallState
    tool: bytes
    job: bytes


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
