"""The plan's section on the treatment effect by site."""

from typing import Literal

from pydantic import Field

from sitewise.plan.section import Section


class TreatmentBySite(Section):
    """Whether the effect of the primary contrast differs between sites: two forms, none by default.

    Both are the primary model with what they need added, refused where sites have one arm each.
    """

    random: Literal["correlated", "uncorrelated", "none"] = Field(
        default="none",
        description="effects of sites as random: the SD between sites with its interval, and its"
        " test. `correlated`: (1 + ARM | SITEID) in the terms of the primary contrast, and in its"
        " place (1 + ARM || SITEID), with the reason, where it does not converge, is not identified"
        " or ends singular; `uncorrelated`: (1 + ARM || SITEID)",
    )
    fixed: bool = Field(
        default=False,
        description="effects of sites as fixed: F test of the interaction, each site's estimate",
    )
    missing_arm: Literal["pool", "leave out"] = Field(
        default="leave out",
        description="fixed form: sites without a patient of the primary contrast's arm or of the"
        " reference are taken together as one (`pool`), or have no part in it (`leave out`); both"
        " name them. The random form keeps every site",
    )
    most_sites: int = Field(
        default=50, ge=2, description="fixed form: refused with more sites than this"
    )

    @property
    def asked(self) -> bool:
        """Whether the plan asks for either form."""
        return self.fixed or self.random != "none"
