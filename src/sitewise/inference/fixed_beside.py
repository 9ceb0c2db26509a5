"""The F test that stands beside a likelihood-ratio chi-square of fixed effects.

The chi-square takes the variances for known, and is too large where units are few (Kenward & Roger
1997, Biometrics 53, 983-997, on the same of Wald tests): it is never shown alone.
"""

from sitewise.errors import ComparisonError, Problem
from sitewise.lmm.linear.joint import FTest
from sitewise.lmm.linear.wald import wald_of
from sitewise.lmm.lmmfit import LmmFit


def f_beside(null: LmmFit, full: LmmFit, df: str) -> FTest | None:
    """F test that all fixed effects which `full` has beyond `null` are 0; None if it has none.

    df: the method of `full`'s degrees of freedom. Raises ComparisonError where the columns of
    `null` are not among those of `full`, so that no rows of effects say what was added.
    """
    import numpy as np

    names, smaller = list(full.estimates.names), set(null.estimates.names)
    if len(names) == len(smaller):
        return None
    if not smaller <= set(names):
        lost = ", ".join(sorted(smaller - set(names)))
        raise ComparisonError(
            "The chi-square of fixed effects would stand alone.",
            [Problem(f"{lost} of the smaller model is no column of the larger one, so there is no F"
                     " test with degrees of freedom beside the chi-square",
                     fix="write the larger model as the smaller one and more terms")],
        )  # fmt: skip
    rows = np.eye(len(names))[[i for i, name in enumerate(names) if name not in smaller]]
    return wald_of(full, df).joint(rows)
