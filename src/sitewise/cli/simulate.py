"""`sitewise simulate`: a demo trial, written as hospitals would."""

import enum
from pathlib import Path
from typing import Annotated

import typer

from sitewise.cli.failing import fail


class Design(enum.StrEnum):
    """What is randomised, as the plan's key `design` says it."""

    individual = "individual"
    cluster = "cluster"


def simulate(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="A new folder for the hospital files. [default: data/demo, or data/demo_cluster]",
            metavar="[FOLDER]",
            show_default=False,
        ),
    ] = None,
    *,
    design: Annotated[
        Design, typer.Option(help="What is randomised: patients or whole hospitals.")
    ] = Design.individual,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Seed of the random numbers; the same seed gives the same files.",
            show_default="that of the tutorial",
        ),
    ] = None,
) -> None:
    """Write a demo trial: 500 patients in 20 hospitals at six visits, one CSV file a hospital.

    The files have what hospital files have: another unit, odd identifiers, mistakes, a hospital
    full of trouble. What was put in stands beside them in truth.json.
    """
    from sitewise.errors import SitewiseError
    from sitewise.simulate.demo import SEED, TRIALS, write_demo

    trial = TRIALS[design.value]
    place = folder or Path("data", trial)
    try:
        paths = write_demo(place, design.value, SEED if seed is None else seed)
    except SitewiseError as error:
        fail(error)
    typer.echo(f"{len(paths) - 1} hospital files are in {place}, the truth in {paths[-1]}.")
    typer.echo(f"Next: sitewise run config/{trial}.yaml --data {place}")
