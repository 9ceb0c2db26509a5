"""The command `qualify`."""

from pathlib import Path
from typing import Annotated

import typer

from sitewise.cli.failing import fail


def qualify(
    folder: Annotated[
        Path, typer.Argument(help="Where qualification.pdf and .json go.", metavar="FOLDER")
    ] = Path("qualification"),
) -> None:
    """Check this installation, and compute known answers; writes a PDF and JSON with all verdicts.

    Ends with 0 when every check passed, else with 6.
    """
    from sitewise.errors import IntegrityError, SitewiseError
    from sitewise.run.qualifying import qualify as qualify_here

    try:
        found, pages = qualify_here(folder)
    except SitewiseError as error:
        fail(error)
    for check in found.checks:
        verdict = "pass" if check.passed else "FAIL"
        more = "" if check.passed else f": expected {check.expected}, found {check.found}"
        typer.echo(f"{verdict}  {check.name:14} {check.what}{more}")
    passed = sum(check.passed for check in found.checks)
    typer.echo(f"{passed} of {len(found.checks)} checks passed")
    for page in pages:
        typer.echo(str(page))
    if not found.passed:
        raise typer.Exit(IntegrityError.exit_code)
