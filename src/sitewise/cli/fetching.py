"""The command that brings hospital files from servers."""

from pathlib import Path
from typing import Annotated

import typer


def fetch(
    plan: Annotated[
        Path, typer.Argument(help="The trial's plan, config/<trial>.yaml.", metavar="PLAN")
    ],
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder where the hospital files go. [default: data/<trial>]", metavar="FOLDER"
        ),
    ] = None,
) -> None:
    """Bring the hospital files whose `source` the site sheet names (sftp, https, s3).

    A file takes its place in the data folder when all of it has come; what could not be had is
    named, and leaves the earlier file where it is. Then `sitewise run` as always; `sitewise
    nightly` fetches by itself.
    """
    from sitewise.cli.failing import fail
    from sitewise.errors import SitewiseError, plural
    from sitewise.run.fetching import fetch_files
    from sitewise.run.readiness import read_plan

    try:
        read, sheet = read_plan(plan)
        folder = data or Path("data", read.trial)
        fetched = fetch_files(sheet, folder)
        asked = [site for site in sheet.sites if site.source]
        told = f"{len(asked)} of {len(sheet.sites)} hospitals have a source: "
        told += f"{plural(len(fetched.changed), 'file')} new or changed, "
        told += f"{len(fetched.same)} as before"
        typer.echo(f"{told}, {len(fetched.failed)} not fetched. They are in {folder}.")
        fetched.require_all()
    except SitewiseError as error:
        fail(error)
    except KeyboardInterrupt:
        typer.echo("\nStopped. No file in the data folder was changed.", err=True)
        raise typer.Exit(130) from None
