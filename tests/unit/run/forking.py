"""The process that forks for jobs, and jobs begun by it as the workflow engine does."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from sitewise.audit.parent import ENGINE, this_process
from sitewise.run import forkserver as room
from sitewise.run.environment import variables
from sitewise.run.forkserver import VARIABLE, forkserver

PATIENCE = 60.0
FORKED = Path(room.__file__).with_name("forked.py")
DONE = "import os, sys; print(os.getppid(), 'weasyprint' in sys.modules)"


@dataclass
class Start:
    """Begins jobs. asking: the words before a job's command. jobs: those that were begun."""

    asking: list[str]
    environment: dict[str, str]
    place: Path
    jobs: list["subprocess.Popen[str]"] = field(default_factory=list)

    def __call__(self, *command: str, **others: str) -> "subprocess.Popen[str]":
        """Begin one, with more in its environment."""
        job = subprocess.Popen(
            [*self.asking, *command],
            env={**self.environment, **others},
            cwd=self.place,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.jobs.append(job)
        return job


@contextlib.contextmanager
def serving(
    folder: Path,
    later: tuple[str, ...] = (),
    first: tuple[str, ...] = (),
    place: Path | None = None,
    path: Path | str = "",
) -> Iterator[tuple[psutil.Process, Start]]:
    """The process, and how a job is begun by it, in `place`.

    path: where Python looks for modules, too.
    """
    place = place or folder
    environment = {**os.environ, **variables(), ENGINE: this_process()}
    looked = [str(path), os.environ.get("PYTHONPATH", "")]
    if any(looked):
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, looked))
    before = set(psutil.Process().children())
    with (
        (place / "log").open("w") as log,
        forkserver(folder, place, environment, log, first=first, later=later) as more,
    ):
        assert list(more) == [VARIABLE]
        (server,) = set(psutil.Process().children()) - before
        asking = [sys.executable, "-I", "-S", str(FORKED), more[VARIABLE]]
        start = Start(asking, {**environment, **more}, place)
        try:
            yield server, start
        except BaseException:
            for job in start.jobs:
                job.kill()
            raise
        finally:
            for job in start.jobs:
                job.communicate(timeout=PATIENCE)


def script(folder: Path, text: str) -> tuple[str, str]:
    """The command of a job that runs this text."""
    path = folder / "job.py"
    path.write_text(text)
    return sys.executable, str(path)
