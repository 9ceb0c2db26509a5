"""The plan's section on what is kept beside the ledger."""

from pydantic import Field

from sitewise.plan.sections import Section


class Records(Section):
    """What is kept beside the ledger."""

    raw_copies: bool = Field(
        default=True,
        description="whether records/<trial>/objects keeps copies of the hospital files; without"
        " them `diff` can't say which readings changed",
    )
