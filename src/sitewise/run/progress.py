"""What a user sees while a run is going on."""

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from sitewise.run.engine import Progress


@contextlib.contextmanager
def shown(console: Console, jobs: int) -> Iterator[Callable[[Progress], None]]:
    """Show a run's progress: a bar on a terminal, a line a job elsewhere.

    jobs: how many are expected, until the engine says.
    """
    if console.is_terminal:
        with _bar(console) as bar:
            task = bar.add_task("Starting", total=jobs)

            def follow_bar(progress: Progress) -> None:
                bar.update(task, completed=progress.done, total=progress.total or jobs)
                if progress.message:
                    bar.update(task, description=progress.message)

            yield follow_bar
    else:
        started = 0

        def follow_lines(progress: Progress) -> None:
            nonlocal started
            if progress.message:
                started += 1
                total = max(started, progress.total or jobs)  # second attempts count as well
                line = f"[{started:3d}/{total}] {progress.message}"
                console.print(line, markup=False, highlight=False, soft_wrap=True)

        yield follow_lines


def _bar(console: Console) -> Bar:
    return Bar(
        MofNCompleteColumn(),
        BarColumn(bar_width=30),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
        console=console,
        transient=True,
    )
