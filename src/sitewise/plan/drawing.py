"""The plan's section on what is drawn: the parametric bootstrap of comparisons."""

from pydantic import Field

from sitewise.plan.section import Section


class Bootstrap(Section):
    """The parametric bootstrap of a comparison, made where a tested group has under 20 levels."""

    draws: int = Field(
        default=199, ge=0, le=100_000,
        description="outcomes drawn from the smaller model at most, to each of which both are"
        " fitted; fewer where 20 statistics are as large before; 0: none",
    )  # fmt: skip
