"""A fitted mixed model as a notebook sees it: `sitewise.lmm(...)` returns an `LmmFit`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.certificate import Certificate
from sitewise.lmm.engine import Solution
from sitewise.lmm.estimates import Estimates, TermCovariance, posteriors_of, singularity_of
from sitewise.lmm.formula import Formula
from sitewise.lmm.result import Singularity
from sitewise.lmm.structures import INSIDE

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.lmm.score import Scored


@dataclass(frozen=True)
class FittedTerm:
    """Where one random term stands: its level's labels, its own columns, its copies across.

    level: of the recursion, INSIDE for a patient's term within R.
    """

    label: str
    group: str
    columns: tuple[str, ...]
    across_labels: tuple[str, ...]
    level: int
    labels: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True)
class Basis:
    """What was fitted: n_frame rows seen, those dropped by column, levels of the factors.

    subjects: units of the innermost grouping with data. digest: of the rows used.
    """

    formula: Formula
    levels: Mapping[str, tuple[str, ...]]
    declared: Mapping[str, tuple[str, ...]]
    n_frame: int
    dropped: Mapping[str, int]
    subjects: int
    digest: str
    notes: tuple[str, ...]
    terms: tuple[FittedTerm, ...]


@dataclass(frozen=True, eq=False)
class LmmFit:
    """A fitted linear mixed model, p fixed effects, n rows.

    loglik: REML as lme4, nlme and SAS count it (no log|X'X| term), or ML. npar, aic, bic: as lme4
    counts: fixed effects and covariance parameters, bic with log(nobs). aic_mmrm, bic_mmrm:
    covariance parameters only, log(subjects); aic_sas, bic_sas: the same under REML, with the fixed
    effects under ML. sigma: residual SD, None with a residual covariance. theta: relative Cholesky
    factors, term by term, lower triangles by column (as lme4); with a residual covariance the
    Cholesky factors of the random terms and the structure's own parameters.
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
        return (*self.basis.notes, *self.certificate.problems)

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
        """As SAS PROC MIXED, log(subjects of the innermost grouping)."""
        return self.deviance + math.log(self.basis.subjects) * (
            self.npar_cov if self.reml else self.npar
        )

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
        parts = []
        for term in self._terms():
            L = semidefinite_factor(term.D) / scale
            columns, rows = np.triu_indices(len(L))
            parts.append(L[rows, columns])
        if self.sigma is None:
            parts.append(self._residual_parameters())
        return np.concatenate(parts) if parts else np.zeros(0)

    def _residual_parameters(self) -> np.ndarray:
        """Of us: lower triangle of the Cholesky factor by column; else log sd's, then correlation.

        In the units of the data; the correlation as the optimiser has it, unbounded.
        """
        model, parameters = self.solution.model, self.solution.model.parameters
        phi = parameters.residual.from_matrix(self._residual_full)
        if model.residual == "us":
            return np.asarray(phi)
        return np.asarray(phi)

    @property
    def _residual_full(self) -> np.ndarray:
        return np.asarray(self.estimates.residual)

    def _terms(self) -> list[TermCovariance]:
        """In the order of the formula."""
        at = {term.basis.label: term for term in self.estimates.terms}
        return [at[str(spec)] for spec in self.basis.formula.random]

    @cached_property
    def varcorr(self) -> "pd.DataFrame":
        """One row a random effect and, last, the residual (its mean variance over visits with a
        residual covariance): group, term, variance, sd, correlations with the terms before it."""
        import pandas as pd

        rows: list[tuple[str, str, float, float, tuple[float, ...]]] = []
        for term in self._terms():
            sds = np.sqrt(np.diag(term.D))
            for i, name in enumerate(term.basis.names):
                with np.errstate(divide="ignore", invalid="ignore"):
                    own = tuple(float(term.D[i, j] / (sds[i] * sds[j])) for j in range(i))
                rows.append((term.basis.group, name, float(sds[i] ** 2), float(sds[i]), own))
        size = self._residual_variance
        rows.append(("Residual", "", size, math.sqrt(size), ()))
        columns = ["group", "term", "variance", "sd", "correlations"]
        return pd.DataFrame(rows, columns=columns)

    @property
    def _residual_variance(self) -> float:
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
            R = self._residual_variance * np.eye(len(slots))
        return pd.DataFrame(R, index=slots, columns=slots)

    def icc(self) -> "pd.DataFrame":
        """Intraclass correlations, a row a grouping, outermost first.

        variance: of the intercept (at 0 of every other term). share: of the total. icc: correlation
        of two readings in the same unit, which are in the same units above too. Residual: the mean
        variance over visits with a residual covariance.
        """
        import pandas as pd

        own = {t.label: t for t in self.basis.terms}
        intercepts: dict[str, float] = {}
        order: dict[str, int] = {}
        for term in self._terms():
            group = term.basis.group
            if "(Intercept)" in term.basis.names:
                at = term.basis.names.index("(Intercept)")
                intercepts[group] = intercepts.get(group, 0.0) + float(term.D[at, at])
                order[group] = own[term.basis.label].level
        total = sum(intercepts.values()) + self._residual_variance
        groups = sorted(intercepts, key=lambda g: (-order[g], len(g)))
        rows, above = [], 0.0
        for group in groups:
            value = intercepts[group]
            above += value
            rows.append((group, value, value / total, above / total))
        return pd.DataFrame(rows, columns=["group", "variance", "share", "icc"]).set_index("group")

    # -- random effects, fitted values --------------------------------------------------------

    def ranef(self, group: str, data: "pd.DataFrame | None" = None) -> "pd.DataFrame":
        """BLUPs of a grouping and their SEs given the data (as lme4's condVar): a row a level.

        Columns: each term, then `se(term)`. Groupings above the patient need no rows; patients of a
        scheduled trial do (`data`), since their readings are not in the moments.
        """
        import pandas as pd

        found = [t for t in self.basis.terms if t.group == group]
        if not found:
            groups = sorted({t.group for t in self.basis.terms})
            raise ModelError(
                "There are no such random effects.",
                [Problem(f"no random term has the grouping {group!r}", where=self.formula,
                         allowed=", ".join(groups) or "none: the model has no random term")],
            )  # fmt: skip
        if any(t.level == INSIDE for t in found):
            scored = self._score(data, f"random effects of {group}")
            own = {p.label: p for p in scored.ranef}
            tables = [
                (own[t.label].labels, t.columns, own[t.label].blup, own[t.label].se) for t in found
            ]
        else:
            tables = [self._level_table(t) for t in found]
        frames = []
        for labels, columns, blup, se in tables:
            own_frame = pd.DataFrame(blup, index=list(labels), columns=list(columns))
            for j, name in enumerate(columns):
                own_frame[f"se({name})"] = se[:, j]
            frames.append(own_frame)
        joined = pd.concat(frames, axis=1)
        joined.index.name = group
        return joined

    def _level_table(
        self, term: FittedTerm
    ) -> tuple[tuple[str, ...], tuple[str, ...], np.ndarray, np.ndarray]:
        for basis, _, posterior in posteriors_of(self.solution):
            if basis.label != term.label:
                continue
            units, q = len(term.labels), len(term.columns)
            mean = posterior.mean.reshape(units, basis.copies, q)
            variance = np.einsum("uqq->uq", posterior.variance).reshape(mean.shape)
            se = np.sqrt(np.maximum(variance, 0.0))
            if not term.across_labels:
                return term.labels, term.columns, mean[:, 0], se[:, 0]
            labels = np.array([f"{u}:{a}" for u in term.labels for a in term.across_labels])
            seen = self._occurring(term)
            return (
                tuple(labels[seen].tolist()), term.columns,
                mean.reshape(-1, q)[seen], se.reshape(-1, q)[seen],
            )  # fmt: skip
        raise AssertionError(term.label)

    def _occurring(self, term: FittedTerm) -> np.ndarray:
        """Which pairs of unit and across label have a reading, (units * labels,)."""
        model = self.solution.model
        v = model.parameters.natural(self.solution.phi)[model.likelihood.split.bottom]
        at = 0
        for basis in model.terms:
            if basis.level == term.level and basis.label == term.label:
                break
            at += len(basis.R) * basis.copies if basis.level == term.level else 0
        size = basis.copies * len(basis.R)
        row = model.likelihood.bottom.start(v).arrow.rows[term.level]
        own = np.einsum("uqq->uq", row[:, at : at + size, at : at + size])
        found: np.ndarray = np.any(own.reshape(-1, len(basis.R)) > 0, axis=1)
        return found

    def units(self, label: str) -> int:
        """Levels of the grouping of a random term that have a reading."""
        term = next(t for t in self.basis.terms if t.label == label)
        if term.level == INSIDE:
            return self.basis.subjects
        return int(self._occurring(term).sum()) if term.across_labels else len(term.labels)

    def fitted(self, data: "pd.DataFrame") -> "pd.Series":
        """Fitted values of the rows of `data`, fixed and random effects; NaN for rows not used.

        The readings of `data` give its patients' random effects; groupings above must be known.
        """
        return self._by_row(data, "fitted")

    def residuals(self, data: "pd.DataFrame", kind: str = "response") -> "pd.Series":
        """Residuals of the rows of `data`: "response" (y less fitted) or "pearson" (over SD)."""
        if kind not in ("response", "pearson"):
            raise ModelError(
                "There are no such residuals.",
                [Problem(f"kind is {kind!r}", where="residuals", allowed="response, pearson")],
            )
        found = self._by_row(data, "residuals")
        return found if kind == "response" else found / self._residual_sds(data)

    def _residual_sds(self, data: "pd.DataFrame") -> "float | np.ndarray":
        if self.sigma is not None:
            return self.sigma
        slot = self.basis.formula.residual.slot  # type: ignore[union-attr]
        sds = dict(
            zip(self.solution.model.slots, np.sqrt(np.diag(self._residual_full)), strict=True)
        )
        return data[slot].astype(str).map(sds).to_numpy(dtype=np.float64)

    def _by_row(self, data: "pd.DataFrame", what: str) -> "pd.Series":
        import pandas as pd

        scored = self._score(data, what)
        values = np.full(len(data), np.nan)
        values[scored.used] = getattr(scored, what)
        return pd.Series(values, index=data.index, name=what)

    def _score(self, data: "pd.DataFrame | None", what: str) -> "Scored":
        from sitewise.lmm.score import score_frame

        if data is None:
            raise ModelError(
                "This needs rows.",
                [Problem(f"the moments hold no patient's readings, and {what} need them",
                         where=self.formula, fix="give the rows that were fitted: data=frame")],
            )  # fmt: skip
        return score_frame(self, data)

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


def semidefinite_factor(D: np.ndarray) -> np.ndarray:
    """Cholesky factor of a semidefinite matrix, zero columns where it has no variance left."""
    q = len(D)
    L, rest = np.zeros((q, q)), D.copy()
    for j in range(q):
        if rest[j, j] > max(1e-14 * D[j, j], 0.0):
            L[j:, j] = rest[j:, j] / np.sqrt(rest[j, j])
            rest = rest - np.outer(L[:, j], L[:, j])
    return L
