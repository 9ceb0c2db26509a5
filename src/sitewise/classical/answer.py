"""One contrast under one analysis."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """One contrast under one analysis; NaN where a number does not exist."""

    estimate: float
    se: float
    df: float
    p: float
    lower: float
    upper: float
