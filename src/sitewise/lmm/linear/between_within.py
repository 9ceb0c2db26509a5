"""Between-within degrees of freedom: each column is counted where it varies.

Pinheiro & Bates 2000, Mixed-Effects Models in S and S-PLUS, sec. 2.4.2 (as nlme): with groupings
1..Q from the outermost, a column belongs to the outermost one in whose units it is constant, else
to the rows; df_i = m_i - (m_{i-1} + p_i), m_i units with data (m_0 = 1 where the columns span a
constant, else 0; m_{Q+1} rows), p_i columns of that stratum. A combination has the least df of the
columns in it. A constant column counts with the outermost grouping (nlme: with the rows), so that
the mean of an arm of whole sites does not have the df of patients.
"""

from dataclasses import dataclass, field

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.basis import Basis
from sitewise.lmm.bottoms import SlotBottom
from sitewise.lmm.engine import Solution
from sitewise.lmm.linear.joint import FTest, f_test, plain_f
from sitewise.lmm.linear.method import Method
from sitewise.lmm.model import Model

CONSTANT = 1e-11  # share of a column's sum of squares within units that is rounding


@dataclass(frozen=True)
class BetweenWithin:
    """Between-within of one solution. by_column: df of each column, (p,)."""

    method: Method
    beta: np.ndarray
    vcov: np.ndarray = field(repr=False)
    by_column: np.ndarray

    def df(self, rows: np.ndarray) -> np.ndarray:
        """(k,): the least df of the columns with a weight; ModelError where none are left."""
        rows = np.atleast_2d(rows)
        used = np.abs(rows) > 1e-12 * np.abs(rows).max(initial=0.0)
        found: np.ndarray = np.where(used, self.by_column, np.inf).min(axis=1)
        if np.any(found < 1):
            raise ModelError(
                "Between-within leaves no degrees of freedom.",
                [Problem(f"a column has {int(found.min())}: as many columns as units",
                         where="df", allowed="more units than columns that vary between them",
                         fix="ask for df='satterthwaite'; by REML df='kenward-roger' too")],
            )  # fmt: skip
        return found

    def joint(self, rows: np.ndarray) -> FTest:
        """F test that all rows are 0."""
        F, q = plain_f(rows, self.beta, self.vcov)
        return f_test(F, q, float(self.df(rows).min()))


def between_within(
    solution: Solution, basis: Basis, beta: np.ndarray, vcov: np.ndarray, method: Method
) -> BetweenWithin:
    """For a solution; raises ModelError where groupings cross or a level has no intercept."""
    model = solution.model
    across = [term.label for term in basis.terms if term.across_labels]
    if across:
        raise ModelError(
            "Between-within degrees of freedom need nested groupings.",
            [Problem(f"({label}) crosses patients within its units: its units are neither of"
                     " patients nor of rows, so that no count of either holds for what varies"
                     " with them", where=basis.formula.text, allowed="groupings that nest",
                     fix=f"ask for {instead(model.likelihood.reml)}")
             for label in across],
        )  # fmt: skip
    constants, units = strata(model, basis)
    names = np.array(model.fixed.names)[model.fixed.kept]
    whole = names == "(Intercept)"
    place = np.where(constants.any(axis=0), constants.argmax(axis=0), len(units))
    counted = np.array([int(np.sum((place == i) & ~whole)) for i in range(len(units) + 1)])
    m = np.array([int(bool(whole.any())), *units, model.likelihood.bottom.n])
    df = m[1:] - m[:-1] - counted
    return BetweenWithin(method, beta, vcov, df[place].astype(float))


def instead(reml: bool) -> str:
    """Methods that every model has."""
    return "df='kenward-roger' or 'satterthwaite'" if reml else "df='satterthwaite'"


def strata(model: Model, basis: Basis) -> tuple[np.ndarray, list[int]]:
    """Where each column is constant, bool (Q, p), groupings from the outermost; their units."""
    R, bottom = model.fixed.R, model.likelihood.bottom
    total = bottom.n * np.einsum("ap,ap->p", R, R)
    constants, units = [], []
    if isinstance(bottom, SlotBottom):
        constants.append(_within_patient(bottom, R) <= CONSTANT * total)
        units.append(basis.subjects)
    shape = bottom.shape
    if shape.q:
        size, sums = _unit_sums(model, basis)
        for level in range(len(shape.q)):
            above = shape.ancestors(0, level)
            own = np.bincount(above, size)
            seen = own > 0.5
            each = np.stack([np.bincount(above, one) for one in sums.T], axis=1)
            between = (each[seen] ** 2 / own[seen][:, None]).sum(axis=0)
            constants.append(total - between <= CONSTANT * total)
            units.append(int(seen.sum()))
    return np.array(constants[::-1]), units[::-1]


def _within_patient(bottom: SlotBottom, R: np.ndarray) -> np.ndarray:
    """Sum of squares of each column within patients, (p,)."""
    seen = bottom.contraction.cells.patterns.astype(float)
    share = seen / seen.sum(axis=1, keepdims=True)
    W = seen[:, :, None] * np.eye(seen.shape[1]) - seen[:, :, None] * share[:, None, :]
    p = len(R)
    products = bottom.contraction.arrow(W).root[:p, :p]
    return np.asarray(np.einsum("ap,ab,bp->p", R, products, R))


def _unit_sums(model: Model, basis: Basis) -> tuple[np.ndarray, np.ndarray]:
    """Rows (units,) and sums of the columns (units, p) of each innermost unit of the levels."""
    bottom, R = model.likelihood.bottom, model.fixed.R
    shape = bottom.shape
    q, p = shape.q[0], len(R)
    if isinstance(bottom, SlotBottom):
        seen = bottom.contraction.cells.patterns.astype(float)
        first = bottom.contraction.arrow(seen[:, :, None] * np.eye(seen.shape[1])).rows[0]
    else:
        first = bottom.start(np.ones(1)).arrow.rows[0]
    SS = first[..., :q]
    cross = SS @ bottom.gammas[0] + first[..., q:]
    at = 0
    for level in range(1, len(shape.q)):  # columns right of S_k were given less S_k Gamma_k
        stop = at + shape.q[level]
        gamma = bottom.gammas[level][shape.ancestors(0, level)]
        cross[..., stop:] += cross[..., at:stop] @ gamma
        at = stop
    one = _constant(model, basis)
    sums = (one @ cross[..., at : at + p]) @ R
    return one @ SS @ one, sums


def _constant(model: Model, basis: Basis) -> np.ndarray:
    """The weights (q,) by which the innermost level's columns make 1."""
    terms = [term for term in model.terms if term.level == 0]
    found = np.zeros(sum(len(term.R) for term in terms))
    at = 0
    for term in terms:
        if "(Intercept)" in term.names:
            q = len(term.R)
            found[at : at + q] = term.R[:, term.names.index("(Intercept)")]
            return found
        at += len(term.R)
    raise ModelError(
        "Between-within degrees of freedom need a random intercept.",
        [Problem("the innermost grouping has none, so that its units can't be told from the"
                 " moments", where=basis.formula.text,
                 fix=f"ask for {instead(model.likelihood.reml)}")],
    )  # fmt: skip
