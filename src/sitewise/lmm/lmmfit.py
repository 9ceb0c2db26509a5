"""A fitted mixed model as a notebook sees it: `sitewise.lmm(...)` returns an `LmmFit`."""

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.basis import Basis
from sitewise.lmm.certificate import Certificate
from sitewise.lmm.covariances import semidefinite_factor
from sitewise.lmm.covariances import triangle as lower_triangle
from sitewise.lmm.engine import Solution
from sitewise.lmm.estimates import Estimates, TermCovariance, edge_notes, singularity_of
from sitewise.lmm.linear.of_fit import LinearFunctions
from sitewise.lmm.result import Singularity
from sitewise.lmm.structures import INSIDE

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class LmmFit(LinearFunctions):
    """A fitted linear mixed model, p fixed effects, n rows.

    loglik: REML as lme4, nlme and SAS count it (no log|X'X| term), or ML. npar, aic, bic: as lme4
    counts: fixed effects and covariance parameters, bic with log(nobs). aic_mmrm, bic_mmrm:
    covariance parameters only, log(subjects); aic_sas, bic_sas: so under REML, with the fixed
    effects under ML, log(units of the outermost grouping). sigma: residual SD, None with a residual
    covariance. theta: relative Cholesky factors, term by term, lower triangles by column (as lme4);
    with a residual covariance the Cholesky factors of the random terms and the structure's own
    parameters.
    """

    solution: Solution = field(repr=False)
    estimates: Estimates = field(repr=False)
    basis: Basis = field(repr=False)
    certificate: Certificate = field(repr=False)

    # -- what was fitted ----------------------------------------------------------------------

    @property
    def formula(self) -> str:
        """As written, single blanks."""
        return self.basis.formula.text

    @property
    def reml(self) -> bool:
        """REML or ML."""
        return self.solution.model.likelihood.reml

    @property
    def nobs(self) -> int:
        """Rows used."""
        return self.solution.model.likelihood.bottom.n

    @property
    def dropped(self) -> dict[str, int]:
        """Rows dropped for a missing value, by column."""
        return dict(self.basis.dropped)

    @property
    def levels(self) -> dict[str, tuple[str, ...]]:
        """Of each factor, the first is the reference."""
        return dict(self.basis.levels)

    @property
    def aliased(self) -> tuple[str, ...]:
        """Columns dropped because they are combinations of others."""
        return self.estimates.aliased

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know, in sentences."""
        return (*self.basis.notes, *edge_notes(self.singularity), *self.certificate.problems)

    # -- likelihood ---------------------------------------------------------------------------

    @property
    def deviance(self) -> float:
        """-2 log-likelihood (REML criterion under REML)."""
        return self.solution.deviance

    @property
    def loglik(self) -> float:
        """Log-likelihood, REML or ML."""
        return -self.deviance / 2

    @property
    def npar(self) -> int:
        """Fixed effects and covariance parameters (as lme4)."""
        return len(self.estimates.beta) + self.npar_cov

    @property
    def npar_cov(self) -> int:
        """Covariance parameters."""
        return int(self.solution.model.parameters.n_phi)

    @property
    def aic(self) -> float:
        """As lme4."""
        return self.deviance + 2 * self.npar

    @property
    def bic(self) -> float:
        """As lme4: log(nobs), REML too."""
        return self.deviance + math.log(self.nobs) * self.npar

    @property
    def aic_mmrm(self) -> float:
        """As the R package mmrm: covariance parameters only."""
        return self.deviance + 2 * self.npar_cov

    @property
    def bic_mmrm(self) -> float:
        """As the R package mmrm: covariance parameters only, log(subjects)."""
        return self.deviance + math.log(self.basis.subjects) * self.npar_cov

    @property
    def aic_sas(self) -> float:
        """As SAS PROC MIXED: covariance parameters under REML, all parameters under ML."""
        return self.deviance + 2 * (self.npar_cov if self.reml else self.npar)

    @property
    def bic_sas(self) -> float:
        """As SAS PROC MIXED: log of its subjects, the units of the outermost grouping with data."""
        top = max(self.basis.terms, key=lambda term: term.level, default=None)
        blocks = self.basis.subjects if top is None or top.level == INSIDE else len(top.labels)
        return self.deviance + math.log(blocks) * (self.npar_cov if self.reml else self.npar)

    # -- fixed effects ------------------------------------------------------------------------

    @cached_property
    def fixef(self) -> "pd.Series":
        """Estimates of the fixed effects."""
        import pandas as pd

        return pd.Series(self.estimates.beta, index=list(self.estimates.names), name="estimate")

    @cached_property
    def se(self) -> "pd.Series":
        """Their standard errors, model-based."""
        import pandas as pd

        ses = np.sqrt(np.diag(self.estimates.vcov))
        return pd.Series(ses, index=list(self.estimates.names), name="se")

    @cached_property
    def vcov(self) -> "pd.DataFrame":
        """Their covariance, (p, p)."""
        import pandas as pd

        names = list(self.estimates.names)
        return pd.DataFrame(self.estimates.vcov, index=names, columns=names)

    # -- covariances --------------------------------------------------------------------------

    @property
    def sigma(self) -> float | None:
        """Residual SD; None with a residual covariance."""
        return None if self.estimates.sigma2 is None else math.sqrt(self.estimates.sigma2)

    @cached_property
    def theta(self) -> np.ndarray:
        """See the class."""
        scale = self.sigma or 1.0
        parts = [semidefinite_factor(t.D)[lower_triangle(len(t.D))] / scale for t in self.terms()]
        if self.sigma is None:
            structure = self.solution.model.parameters.residual
            parts.append(structure.from_matrix(self._residual_full))
        return np.concatenate(parts)

    @property
    def _residual_full(self) -> np.ndarray:
        return np.asarray(self.estimates.residual)

    def terms(self) -> list[TermCovariance]:
        """In the order of the formula."""
        at = {term.basis.label: term for term in self.estimates.terms}
        return [at[str(spec)] for spec in self.basis.formula.random]

    @cached_property
    def varcorr(self) -> "pd.DataFrame":
        """One row a random effect and, last, the residual (its mean variance over visits with a
        residual covariance): group, term, variance, sd, correlations with the terms before it."""
        import pandas as pd

        rows: list[tuple[str, str, float, float, tuple[float, ...]]] = []
        for term in self.terms():
            sds = np.sqrt(np.diag(term.D))
            for i, name in enumerate(term.basis.names):
                with np.errstate(divide="ignore", invalid="ignore"):
                    own = tuple(float(term.D[i, j] / (sds[i] * sds[j])) for j in range(i))
                rows.append((term.basis.group, name, float(sds[i] ** 2), float(sds[i]), own))
        size = self.residual_variance
        rows.append(("Residual", "", size, math.sqrt(size), ()))
        columns = ["group", "term", "variance", "sd", "correlations"]
        return pd.DataFrame(rows, columns=columns)

    @property
    def residual_variance(self) -> float:
        """sigma^2, or the mean over visits of a residual covariance."""
        if self.estimates.sigma2 is not None:
            return self.estimates.sigma2
        return float(np.mean(np.diag(self._residual_full)))

    @cached_property
    def residual_cov(self) -> "pd.DataFrame":
        """Residual covariance over the visits; sigma^2 I without a residual structure.

        ModelError where the rows have no schedule: there is no visit to name.
        """
        import pandas as pd

        slots = list(self.solution.model.slots)
        if not slots:
            raise ModelError(
                "There is no covariance over visits.",
                [Problem("the rows of this model have no schedule: residuals are independent with"
                         f" SD {self.sigma:.6g}", where=self.formula, fix="see fit.sigma")],
            )  # fmt: skip
        R = self.estimates.residual
        if R is None:
            R = self.residual_variance * np.eye(len(slots))
        return pd.DataFrame(R, index=slots, columns=slots)

    def icc(self) -> "pd.DataFrame":
        """Intraclass correlations, a row a grouping, outermost first; see `correlations.icc`."""
        from sitewise.lmm.correlations import icc

        return icc(self)

    # -- random effects, fitted values --------------------------------------------------------

    def ranef(self, group: str, data: "pd.DataFrame | None" = None) -> "pd.DataFrame":
        """BLUPs of a grouping and their SEs given the data (as lme4's condVar): a row a level.

        Columns: each term, then `se(term)`. Groupings above the patient need no rows; patients of a
        scheduled trial do (`data`), since their readings are not in the moments. Levels sorted.
        """
        from sitewise.lmm.predictions import ranef

        wanted = sorted(str(group).split(":"))
        same = [t for t in self.basis.terms if sorted(t.group.split(":")) == wanted]
        found = ranef(self, same[0].group if same else group, data)
        # Labels across others keep the order of those, as of the visits.
        return found if any(t.across_labels for t in same) else found.sort_index()

    def units(self, label: str) -> int:
        """Levels of the grouping of a random term that have a reading."""
        term = next(t for t in self.basis.terms if t.label == label)
        if term.level == INSIDE:
            return self.basis.subjects
        from sitewise.lmm.predictions import occurring

        return int(occurring(self, term).sum()) if term.across_labels else len(term.labels)

    def fitted(self, data: "pd.DataFrame | None" = None) -> "pd.Series":
        """Fitted values of the rows of `data`, fixed and random effects; NaN for rows not used.

        The readings of `data` give its patients' random effects; groupings above must be known.
        """
        from sitewise.lmm.predictions import by_row

        return by_row(self, data, "fitted")

    def residuals(
        self,
        data: "pd.DataFrame | None" = None,
        kind: str = "response",
        level: str = "conditional",
    ) -> "pd.Series":
        """Residuals of the rows of `data`, NaN for rows not used.

        level: "conditional", y less fitted, or "marginal", y - Xb. kind: "raw" (or "response");
        "pearson", over their SD; "scaled", by the Cholesky factor of their covariance, so that they
        are uncorrelated: see `residual_kinds`.
        """
        from sitewise.lmm.predictions import residuals

        return residuals(self, data, kind, level)

    # -- state --------------------------------------------------------------------------------

    @property
    def converged(self) -> bool:
        """Whether the certificate holds."""
        return self.certificate.holds

    @property
    def singularity(self) -> Singularity:
        """The scale-free verdict in full, on the terms as the formula writes them."""
        return singularity_of(self.estimates)

    @property
    def singular(self) -> bool:
        """Whether a random term has no variance in some direction."""
        return self.singularity.singular

    def summary(self) -> str:
        """The fit as text."""
        from sitewise.lmm.display import summary_text

        return summary_text(self)

    def __repr__(self) -> str:
        """One line."""
        method = "REML" if self.reml else "ML"
        return f"LmmFit({self.formula!r}, {method}, nobs={self.nobs}, loglik={self.loglik:.6f})"

    def _repr_html_(self) -> str:
        from sitewise.lmm.display import summary_html

        return summary_html(self)
