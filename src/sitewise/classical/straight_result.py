"""Result of asking whether the means lie on straight lines in time."""

from dataclasses import dataclass

from sitewise.classical.answer import Answer


@dataclass(frozen=True)
class MeansRow:
    """The primary contrast along straight lines, or between means of their own by visit.

    key, label, formula: of the model. means: `lines` or `visits`. answer: None where `refused`
    says why. state: `regular`, `singular` or `not converged`.
    """

    key: str
    label: str
    formula: str
    means: str
    answer: Answer | None
    state: str
    refused: str


@dataclass(frozen=True)
class StraightLines:
    """Straight lines in WEEK against a mean of its own for every visit and arm.

    formula: of the larger model: the primary one and these means. f, df1, df2, p: F test that what
        it has beyond the lines is 0, by df_method. chi2, chi2_p: likelihood ratio of both by ML on
        df1, which takes the variances for known. NaN where `refused` says why.
    rows: the primary contrast by both, with the primary model's covariance and by MMRM.
    """

    formula: str
    f: float
    df1: int
    df2: float
    p: float
    df_method: str
    chi2: float
    chi2_p: float
    rows: tuple[MeansRow, ...]
    refused: str
