"""`sitewise init`: a first plan from a folder of hospital files."""

import datetime
from pathlib import Path
from typing import Annotated

import typer

from sitewise.cli.failing import fail


def init(
    folder: Annotated[
        Path, typer.Argument(help="Folder with one file a hospital.", metavar="FOLDER")
    ],
    *,
    trial: Annotated[
        str | None,
        typer.Option(
            help="Name of the trial: small letters, digits, _. [default: the folder's]",
            metavar="NAME",
        ),
    ] = None,
    config: Annotated[
        Path, typer.Option(help="Where plan and site sheet are written.", metavar="FOLDER")
    ] = Path("config"),
) -> None:
    """Read the hospital files and write a first plan and site sheet, each guess marked.

    Nothing is replaced, nothing is analysed. Read the plan, settle its marks, then check it.
    """
    from sitewise.draft.drafting import draft_plan
    from sitewise.draft.marks import unsettled
    from sitewise.errors import SitewiseError

    name = trial or folder.resolve().name.casefold().replace("-", "_").replace(" ", "_")
    try:
        draft = draft_plan(folder, config, name, datetime.date.today().isoformat())
    except SitewiseError as error:
        fail(error)
    g = draft.guesses
    typer.echo(f"{len(g.sites)} hospital files; layout {g.roles.layout}; design {g.design}?")
    typer.echo(f"  arms: {', '.join(g.arms)}; reference {g.reference}?")
    typer.echo("  visits: " + ", ".join(f"{v.name} (week {v.week:g})" for v in g.visits))
    typer.echo(f"  outcomes: {', '.join(f'{c} ({n})' for c, n in g.roles.outcomes.items())}")
    for remark in draft.remarks:
        typer.echo(f"  to look at: {remark}")
    typer.echo(f"Written: {draft.plan} and {draft.sheet}.")
    typer.echo(f"Next: settle the {len(unsettled(draft.plan))} marked lines of the plan, then")
    typer.echo(f"      sitewise check {draft.plan} --data {folder}")


def note_marks(plan: Path) -> None:
    """Say where a plan still carries marks of `sitewise init`: nobody has settled those lines."""
    from sitewise.draft.marks import unsettled
    from sitewise.errors import plural

    lines = unsettled(plan)
    if lines:
        first = ", ".join(map(str, lines[:5])) + (", ..." if len(lines) > 5 else "")
        typer.echo(
            f"Note on the plan: {plural(len(lines), 'line is', 'lines are')} still marked GUESS or"
            f" WRITE ({plan.name}, lines {first}). Settle them before anybody reads the report."
        )
