"""Where the members of a sweep are run: processes here, or a Dask cluster.

Both through `concurrent.futures.Executor`. Processes are spawned, never forked: a fork would share
the threads of compiled kernels. They compile nothing that the parent has compiled, as that is on
the disk (`kernels.cache`).
"""

from __future__ import annotations

import contextlib
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass

from meanfield.errors import FileProblem, Unsupported, require, require_count
from meanfield.stopping import Stop, Stopped
from meanfield.sweeps.folder import FAILED, Folder
from meanfield.sweeps.worker import Outcome, Task, be_a_worker, carry_out

TICK = 0.2  # seconds between two looks at whether to stop


@dataclass(frozen=True)
class Workers:
    """Who runs the members.

    Attributes
    ----------
    open : callable
        Returns a context with an executor of that many processes.
    width : int or None
        How many members are given out at a time; None: all, to who keeps a queue of his own.
    """

    open: Callable[[int], AbstractContextManager[Executor]]
    width: int | None


def local(jobs: int | None, threads: int) -> Workers:
    """Spawned processes on this machine; by default as many as there are processors for."""
    from meanfield.kernels.compile import processors

    require_count("threads", threads)
    most = processors()
    require(threads <= most, "threads", threads, f"at most {most}, as many as there are processors")
    if jobs is not None:
        require_count("jobs", jobs)
    return Workers(_processes, jobs or max(1, most // threads))


def cluster(address: str) -> Workers:
    """A Dask cluster, which must see the folder of the sweep under the same name.

    Raises
    ------
    InvalidInput
        If it is no address.
    Unsupported
        If Dask is not installed.
    FileProblem
        If nobody answers.
    """
    scheme, _, place = address.partition("://")
    require(bool(scheme and place), "--on", address, "an address like tcp://127.0.0.1:8786")
    try:
        import distributed
    except ImportError:
        raise Unsupported('--on needs Dask: pip install "meanfield[cluster]"') from None

    @contextlib.contextmanager
    def opened(_: int) -> Iterator[Executor]:
        try:
            client = distributed.Client(address, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise FileProblem(f"no Dask cluster answers at {address}: {error}") from None
        with client:
            yield client.get_executor(pure=False)

    return Workers(opened, None)


@contextlib.contextmanager
def _processes(count: int) -> Iterator[Executor]:
    from concurrent.futures import ProcessPoolExecutor

    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, spawn, initializer=be_a_worker) as pool:
        yield pool


def run_all(
    tasks: Sequence[Task],
    folder: Folder,
    workers: Workers,
    stop: Stop,
    tell: Callable[[Outcome], None],
) -> None:
    """Run every task, whatever happens to the others.

    A worker that dies takes its pool with it. Who was under way then is run again, alone, so that
    only the one that kills its process fails.

    Parameters
    ----------
    tasks : sequence of Task
    folder : Folder
        Held by the caller.
    workers : Workers
    stop : Stop
        Entered by the caller.
    tell : callable
        Gets each outcome as soon as it is there.

    Raises
    ------
    Stopped
        After everything under way has stopped in order and was told.
    """
    waiting, suspects, told = deque(tasks), deque[Task](), 0

    def count(outcome: Outcome) -> None:
        nonlocal told
        told += 1
        tell(outcome)

    while waiting and (told or not suspects):
        suspects += _round(waiting, folder, workers, workers.width, stop, count)
    suspects += waiting
    while suspects:
        task = suspects.popleft()
        if _round(deque([task]), folder, workers, 1, stop, count):
            tell(Outcome(task.digest, FAILED, KILLED))
            if not told:  # as no process lives long enough here, the others need not be tried
                while suspects:
                    tell(Outcome(suspects.popleft().digest, FAILED, KILLED))


KILLED = (
    "its process was killed, by the system for want of memory perhaps (and a script that starts "
    "processes does so under if __name__ == '__main__':)"
)


def _round(
    waiting: deque[Task],
    folder: Folder,
    workers: Workers,
    width: int | None,
    stop: Stop,
    tell: Callable[[Outcome], None],
) -> list[Task]:
    """Run tasks until none waits, or a pool breaks; who was under way then is returned."""
    running: dict[Future[Outcome], Task] = {}
    width = width or len(waiting)
    with workers.open(min(width, len(waiting))) as executor:
        try:
            while waiting or running:
                stop.check()
                while waiting and len(running) < width:
                    future = executor.submit(carry_out, waiting[0])
                    running[future] = waiting.popleft()
                done, _ = wait(running, TICK, FIRST_COMPLETED)
                for future in done:
                    tell(_outcome(future, running[future]))
                    del running[future]
        except BrokenExecutor:
            return list(running.values())
        except Stopped:
            folder.stop.touch()  # who is queued finds it, and leaves at once
            for future, task in running.items():
                with contextlib.suppress(BrokenExecutor):
                    tell(_outcome(future, task))
            raise
    return []


def _outcome(future: Future[Outcome], task: Task) -> Outcome:
    try:
        return future.result()
    except BrokenExecutor:
        raise
    except Exception as error:  # Dask's, of a task whose workers die again and again
        return Outcome(task.digest, FAILED, f"{type(error).__name__}: {error}")
