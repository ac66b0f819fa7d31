"""Mistakes that real runners make, made in a copy of the package: a test must notice each."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from ptc.workbook.build import TOP

# The mistake, the module, what stands there, what the mistake puts there, and who must notice.
MISTAKES = [
    ("results in completion order", "machine/batch", "return [run.result for run in runs]",
     "return sorted((r.result for r in runs), key=lambda result: result.finished)",
     "test_execute.py::test_order_is_that_of_the_calls"),
    ("ids by index", "wire/__init__", "for r in results]",
     "for n, r in enumerate(results) for r in [replace(r, call=replace(r.call, id=f'call_{n}'))]]",
     "test_execute.py::test_results_become_messages_in_request_order"),
    ("the caller's context is lost", "machine/batch", "run.context.run(run.execute)", "run.execute()",
     "test_execute.py::test_each_call_runs_in_its_own_copy_of_the_callers_context"),
    ("an error is swallowed", "machine/run", 'return self.fail(f"{readable(explain(error))}; {self._way_out()}")',
     "output = None", "test_execute.py::test_one_bad_call_touches_no_other"),
    ("a bad call loses the batch", "machine/batch", "elif call.name not in registry:", "elif False:",
     "test_execute.py::test_one_bad_call_touches_no_other"),
    ("the payment is made twice", "machine/run", "if self.tool.idempotent and", "if",
     "test_retry.py"),
    ("everything is retried", "retry", "= (ConnectionError, TimeoutError)", "= (Exception,)",
     "test_retry.py"),
    ("timeouts count from the batch's begin", "machine/batch", "run.started + run.tool.timeout",
     "run.tool.timeout", "test_execute.py::test_a_timeout_counts_from_its_own_calls_start"),
    ("a hung call keeps its worker", "machine/batch", "self._leave(run.lane)\n                self._start",
     "self.working -= 1\n                self._start",
     "test_execute.py::test_a_hung_call_frees_its_worker"),
    ("what comes too late counts", "machine/batch", "in_time = run.result is None", "in_time = True",
     "test_execute.py::test_what_an_abandoned_call_returns_later_changes_nothing"),
    ("an abandoned call frees its place", "machine/batch", "run.tool.places.abandon()",
     "run.tool.places.give_back()", "test_execute.py -k keeps_its_place_and"),
    ("a place is kept by a batch that is over", "machine/batch",
     "elif run.has_place:\n            run.tool.places.give_back()",
     "elif run.has_place:\n            pass",
     "test_execute.py::test_a_place_that_was_won_but_not_used_is_handed_on"),
    ("a worker waits for a place", "machine/permits", "self._waiting[run] = None\n            return False",
     "pass\n        import time\n        time.sleep(0.01)\n        return self.take(run)",
     "test_execute.py::test_no_worker_sits_idle_for_a_place"),
    ("sequential is parallel", "execute", "new_batch(calls, registry, 1,",
     "new_batch(calls, registry, 4,", "test_execute.py -k in_sequence"),
    ("parallel is sequential", "execute", "workers = max_workers if", "workers = 1 if",
     "test_execute.py::test_async_tools_run_at_the_same_time"),
    ("an interrupt lets the rest start", "machine/batch",
     'self._give_up(self.runs, "interrupted", last=True)', "pass",
     "test_execute.py::test_an_exception_in_on_result_cancels_the_rest_and_comes_through"),
    ("the interpreter waits for hung threads", "machine/threads", "daemon=True", "daemon=False",
     "test_execute.py::test_a_script_with_a_hung_tool_ends"),
    ("pairs by the text of the id", "check", "Counter(map(id, expected))",
     "Counter(call.id for call in expected)", "test_check.py"),
    ("streamed calls wait for the reply's end", "wire/deltas", "return self.ended or self.scan.whole",
     "return self.ended", "test_stream.py::test_a_call_starts_while_the_model_still_speaks"),
    ("a cut reply has paid", "stream", "return self.deltas.finished or not waits", "return True",
     "test_stream.py::test_a_cut_stream_keeps_what_is_done"),
]  # fmt: skip


@pytest.fixture(scope="module")
def tried(request, tmp_path_factory):
    """Each mistake that is asked for is on its way, two at a time: much of it is waiting."""
    asked = [i for i in request.session.items if getattr(i, "module", None) is request.module]
    with ThreadPoolExecutor(2) as pool:
        yield {
            mistake: pool.submit(outcome_with, mistake, tmp_path_factory.mktemp("mistake"))
            for mistake in (item.callspec.params["mistake"] for item in asked)
        }


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake[0].replace(" ", "-"))
def test_a_test_notices(mistake, tried):
    done = tried[mistake].result()
    assert done.returncode == 1, done.stdout[-2000:]
    assert " failed" in done.stdout or "Timeout" in done.stdout


def outcome_with(mistake, tmp_path):
    """The outcome of the tests that must notice it, in a copy that has the mistake."""
    _, module, right, wrong, tests = mistake
    for name in ("ptc", "tests", "pyproject.toml"):
        source = TOP / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    path = tmp_path / "ptc" / f"{module}.py"
    text = path.read_text("utf-8")
    assert text.count(right) == 1, f"{right!r} stands {text.count(right)} times in {module}.py"
    path.write_text(text.replace(right, wrong), "utf-8")
    selected, *options = f"tests/{tests}".split(" ")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--timeout=15"]
    return subprocess.run(
        [*command, selected, *options],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "PTC_PATIENCE": "3"},
        capture_output=True,
        text=True,
    )
