"""The command line: run and check; the other commands come from beside."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from sitewise.cli.failing import fail
from sitewise.cli.fetching import fetch
from sitewise.cli.init import init, note_marks
from sitewise.cli.nightly import nightly
from sitewise.cli.qualification import qualify
from sitewise.cli.records import diff, export, history, lock, sign, unlock, verify
from sitewise.cli.simulate import simulate

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Exit codes: 0 done, 2 the plan is wrong, 3 the data, 4 a model, 5 the run itself,"
    " 6 files were altered, 7 no ledger to verify against, 1 anything else, 130 stopped by Ctrl-C.",
)

PlanFile = Annotated[
    Path, typer.Argument(help="The trial's plan, config/<trial>.yaml.", metavar="PLAN")
]
DataFolder = Annotated[
    Path | None,
    typer.Option(
        "--data", help="Folder with the hospital files. [default: data/<trial>]", metavar="FOLDER"
    ),
]


def _print_version(wanted: bool) -> None:
    """Print the version and end, before any command is looked for."""
    if wanted:
        from sitewise.version import __version__

        typer.echo(f"sitewise {__version__}")
        raise typer.Exit


@app.callback()
def main(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and end."
        ),
    ] = False,
) -> None:
    """Reproducible analysis of multi-site clinical trials with longitudinal outcomes."""


@app.command()
def run(
    plan: PlanFile,
    *,
    data: DataFolder = None,
    directory: Annotated[
        Path,
        typer.Option(
            help="Where results/, records/ and logs/ are written.",
            metavar="FOLDER",
            show_default="here",
        ),
    ] = Path(),
    cores: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Jobs that run at the same time. [default: all cores; on a cluster what the"
            " profile says]",
        ),
    ] = None,
    profile: Annotated[
        str,
        typer.Option(
            help="Where jobs run: `default` (this machine), `slurm`, or a folder with a"
            " config.yaml of your own.",
            metavar="NAME",
        ),
    ] = "default",
    rebuild: Annotated[
        bool,
        typer.Option(
            "--rebuild",
            help="Move results that were altered to records/<trial>/set-aside and make them anew.",
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say which jobs would run and why; change nothing."),
    ] = False,
    reason: Annotated[
        str,
        typer.Option(
            help="Why the run goes on although plan or data are not what was locked; the report"
            " lists it as a deviation, with who and when.",
            metavar="TEXT",
        ),
    ] = "",
) -> None:
    """Run a trial, from its hospital files to the sealed report in results/<trial>.

    What is already there is held against its receipts first: what is stale or missing is computed
    again, what was altered stops the run.
    """
    with _plainly("What was finished is kept; run again to go on.", directory):
        from rich.console import Console

        from sitewise.run.door import Request, run_trial

        signal.signal(signal.SIGTERM, _as_interrupt)
        request = Request(plan, directory, data, cores, rebuild, dry_run, reason.strip(), profile)
        note_marks(plan)
        outcome = run_trial(request, Console(soft_wrap=True))
    for line in outcome.account:
        typer.echo(line)
    if outcome.ledger:
        typer.echo(outcome.ledger)
    for page in outcome.pages:
        typer.echo(str(page))
    if outcome.headline:
        typer.echo(outcome.headline)


@app.command()
def check(
    plan: PlanFile,
    data: DataFolder = None,
    show_all: Annotated[
        bool, typer.Option("--all", help="Show every finding, not the first of each kind.")
    ] = False,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", help="Write every finding to this CSV file.", metavar="FILE"),
    ] = None,
) -> None:
    """Check a plan, its site sheet and its hospital files; nothing is fitted.

    Ends with 0 when the trial can be run, also where the plan has readings set aside.
    """
    with _plainly("Nothing was written.", csv):
        from rich.console import Console

        from sitewise.cli.findings import refuse_listing, show_check, show_findings
        from sitewise.errors import SitewiseError
        from sitewise.run.checking import check_trial
        from sitewise.trial.stopped import StoppedError

        try:
            if csv is not None:
                refuse_listing(csv)
            note_marks(plan)
            checked, notes = check_trial(plan, data)
            for note in notes:
                typer.echo(f"Note on the plan: {note}")
            show_check(checked, Console(), show_all=show_all, csv=csv)
        except StoppedError as error:
            try:
                show_findings(error.findings, Console(), show_all=show_all, csv=csv)
            except SitewiseError as unwritten:
                typer.echo(str(unwritten), err=True)
            raise


for command in (
    fetch, nightly, verify, lock, unlock, sign, diff, history, export, qualify, init, simulate,
):  # fmt: skip
    app.command()(command)


@contextlib.contextmanager
def _plainly(stopped: str, place: Path | None = None) -> Iterator[None]:
    """Say errors as they are, without a traceback; stopped: what Ctrl-C leaves.

    place: where the command writes.
    """
    from sitewise.errors import SitewiseError
    from sitewise.store.trouble import storage_error

    try:
        yield
    except SitewiseError as error:
        fail(error)
    except OSError as error:
        told = storage_error(error, str(place.resolve()) if place else "")
        if told is None:
            raise
        fail(told)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one would cut this line short
        typer.echo(f"\nStopped. {stopped}", err=True)
        raise typer.Exit(130) from None


def _as_interrupt(_signal: int, _frame: FrameType | None) -> None:
    """Treat a request to terminate like Ctrl-C: children are ended in order."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(app())
