"""What tests and means ask of a fit: covariance, degrees of freedom and F by one method."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from sitewise.lmm.basis import Basis
from sitewise.lmm.engine import Solution
from sitewise.lmm.estimates import Estimates
from sitewise.lmm.linear.between_within import between_within
from sitewise.lmm.linear.delta import delta_of
from sitewise.lmm.linear.joint import FTest, f_test, plain_f
from sitewise.lmm.linear.method import Method, method_of
from sitewise.lmm.threads import one_thread

if TYPE_CHECKING:
    from sitewise.lmm.lmmfit import LmmFit


class Wald(Protocol):
    """Linear functions of the fixed effects of a fit under one method."""

    @property
    def method(self) -> Method:
        """Which."""

    @property
    def beta(self) -> np.ndarray:
        """Fixed effects, (p,)."""

    @property
    def vcov(self) -> np.ndarray:
        """Their covariance under the method, (p, p)."""

    def df(self, rows: np.ndarray) -> np.ndarray:
        """Denominator degrees of freedom of each row, (k,) of (k, p); inf for z tests."""

    def joint(self, rows: np.ndarray) -> FTest:
        """F test that all rows are 0."""


@dataclass(frozen=True)
class Asymptotic:
    """Normal and chi-square tests."""

    method: Method
    beta: np.ndarray
    vcov: np.ndarray = field(repr=False)

    def df(self, rows: np.ndarray) -> np.ndarray:
        """Inf for each row."""
        return np.full(len(np.atleast_2d(rows)), np.inf)

    def joint(self, rows: np.ndarray) -> FTest:
        """Chi-square over its df."""
        F, q = plain_f(rows, self.beta, self.vcov)
        return f_test(F, q, np.inf)


def wald_of(
    fit: "LmmFit", df: str | None, information: str | None = None, form: str = "linear"
) -> Wald:
    """For a fit; raises ModelError where the words don't fit it (see `method_of`)."""
    method = method_of(df, information, form, fit.reml)
    return wald(fit.solution, fit.estimates, fit.basis, method)


@one_thread
def wald(solution: Solution, estimates: Estimates, basis: Basis, method: Method) -> Wald:
    """For a solution."""
    beta, vcov = estimates.beta, estimates.vcov
    if method.df == "asymptotic":
        return Asymptotic(method, beta, vcov)
    if method.df == "between-within":
        return between_within(solution, basis, beta, vcov, method)
    return delta_of(solution, beta, method)


def standard_errors(rows: np.ndarray, vcov: np.ndarray) -> np.ndarray:
    """(k,) of rows (k, p)."""
    return np.asarray(np.sqrt(np.einsum("ki,ij,kj->k", rows, vcov, rows, optimize=True)))
