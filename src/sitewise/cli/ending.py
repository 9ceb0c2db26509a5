"""How a command ends that can't go on."""

from typing import NoReturn

import typer


def fail(error: Exception) -> NoReturn:
    """Print an error as it is, and end with its code."""
    typer.echo(str(error), err=True)
    raise typer.Exit(getattr(error, "exit_code", 1))
