"""The plan's sections on what is kept beside the ledger, and on runs that nobody watches."""

from typing import Literal

from pydantic import Field

from sitewise.plan.section import Section


class Records(Section):
    """What is kept beside the ledger."""

    raw_copies: bool = Field(
        default=True,
        description="whether records/<trial>/objects keeps copies of the hospital files; without"
        " them `diff` can't say which readings changed",
    )


class Nightly(Section):
    """`sitewise nightly`: what a night may do by itself, and what it points out."""

    moved: float = Field(
        default=0.5,
        gt=0,
        description="the summary points out that the primary estimate moved when it did by more"
        " than this many of its earlier standard errors",
    )
    bad_delivery: Literal["as the rules say", "keep last good"] = Field(
        default="as the rules say",
        description="a hospital file that can't be used: `rules.bad_site` decides, or the last file"
        " of that hospital that could be used is taken in its place, and named with its age"
        " (needs records.raw_copies)",
    )
