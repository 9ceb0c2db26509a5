"""The command for schedulers: a run that nobody watches."""

from pathlib import Path
from typing import Annotated

import typer


def nightly(
    plan: Annotated[Path, typer.Argument(help="The trial's plan.", metavar="PLAN")],
    *,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with the hospital files. [default: data/<trial>]"),
    ] = None,
    directory: Annotated[
        Path, typer.Option(help="Where results/, records/ and logs/ are written.")
    ] = Path(),
    cores: Annotated[int | None, typer.Option(min=1, help="Jobs at the same time.")] = None,
    profile: Annotated[
        str, typer.Option(help="Where jobs run, as for `sitewise run`.")
    ] = "default",
) -> None:
    """Run, verify, and write one page on what arrived and changed: for cron and its like.

    The page is records/<trial>/nightly/latest.txt (and .json). Ends with 0 when there is nothing
    new, 10 new results, 11 data problems, 12 locked data or plan changed and nothing was computed,
    13 the run failed or something does not verify, 14 another night or run of the trial is in
    progress and this one did nothing; where several are true, with the greatest. 130 stopped.
    """
    from sitewise.run.stopping import hold_stops

    hold_stops()  # until there is a page to tell of them
    from rich.console import Console

    from sitewise.errors import SitewiseError
    from sitewise.run.door import Request
    from sitewise.run.night_summary import Night
    from sitewise.run.nightly import NightInProgressError, run_night

    try:
        summary, page = run_night(
            Request(plan, directory, data, cores, profile=profile), Console(soft_wrap=True)
        )
    except NightInProgressError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(int(Night.BUSY)) from None
    except SitewiseError as error:
        typer.echo(f"{error}\nNo page was written of this night.", err=True)
        raise typer.Exit(int(Night.FAILED)) from None
    except OSError as error:
        typer.echo(f"The night could not be told: {error}", err=True)
        raise typer.Exit(int(Night.FAILED)) from None
    except KeyboardInterrupt:
        typer.echo("\nStopped. What was finished is kept; the next night goes on.", err=True)
        raise typer.Exit(int(Night.STOPPED)) from None
    typer.echo(page.read_text(encoding="utf-8"))
    raise typer.Exit(summary.exit_code or 0)
