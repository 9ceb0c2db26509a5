"""Results of the baseline's handling, side by side."""

from dataclasses import dataclass

from sitewise.classical.answer import Answer


@dataclass(frozen=True)
class HandlingRow:
    """The primary contrast under one handling of the baseline.

    key: `free` (baseline as outcome, arms free there), `constrained` (arms equal there: cLDA),
    `constrained_intercept` (the same with a patient intercept, equal variances), `covariate`
    (ANCOVA), `change` (change score). rows: of the outcome. answer: None where `refused` says why.
    effect: estimate less that of `free`.
    """

    key: str
    label: str
    formula: str
    rows: int
    patients: int
    sites: int
    answer: Answer | None
    effect: float
    state: str
    refused: str


@dataclass(frozen=True)
class BaselineHandling:
    """All handlings of one endpoint, with an unstructured covariance over the visits.

    at_base: difference of the arms at baseline where it is free. sds: residual SD by
    visit under `free`, between patients of one site where the model has sites. refused: why there
    is no such table.
    """

    endpoint: str
    contrast: str
    sites_in: bool
    rows: tuple[HandlingRow, ...]
    at_base: Answer | None
    visits: tuple[str, ...]
    sds: tuple[float, ...]
    refused: str
