"""The section `replication`: which second engine is asked, and how close it must come."""

from typing import Literal

from pydantic import Field

from sitewise.plan.section import Section


class Replication(Section):
    """The second engine."""

    engine: Literal["auto", "statsmodels", "mixedlm", "lme4", "none"] = Field(
        description="`auto`: statsmodels where it can express the model and bear the rows, mixedlm"
        " elsewhere; or one of them, `statsmodels` or `mixedlm`; `lme4`: R's (nlme's for residual"
        " covariances), which must be installed; `none`"
    )
    max_rows: int = Field(ge=0, description="rows beyond which replication is skipped, and said so")
    statsmodels_rows: int = Field(
        ge=0, description="rows beyond which statsmodels, whose time grows fast, is not asked"
    )
    tolerance: float = Field(
        gt=0, description="difference in log-likelihood beyond which the engines disagree"
    )
    tolerance_numbers: float = Field(
        gt=0,
        description="difference beyond which they disagree in the other numbers: of an estimate in"
        " standard errors, of a standard error or variance as a share of itself",
    )
