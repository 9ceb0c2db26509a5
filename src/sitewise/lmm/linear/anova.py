"""F tests of whole terms: hypotheses of type I, II and III, and their table.

Type III as SAS defines it and lmerTest computes it (Goodnight 1980, Commun. Stat. A9, 167-180): the
estimable functions of a term, made orthogonal to those of the terms that contain it. Type I: each
term after those before it, from X'X (lmerTest). Type II: each term after all that do not contain
it, from the covariance of the estimates (the R package car).
"""

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.columns import Column
from sitewise.lmm.linear.joint import FTest
from sitewise.lmm.linear.spans import Spans, spans_of
from sitewise.lmm.linear.wald import Wald

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.lmm.lmmfit import LmmFit

TYPES = (1, 2, 3)
ZERO = 1e-10  # entry of a hypothesis, relative to its largest, that is rounding
COLUMNS = ("df1", "df2", "F", "p")
NONE = FTest(np.nan, 0, np.nan, np.nan, np.nan)  # of a term whose columns are all aliased
Term = tuple[str, ...]


def anova(fit: "LmmFit", wald: Wald, type_: int) -> "pd.DataFrame":
    """A row a term: sum_sq, mean_sq (where there is one sigma), df1, df2, F, p.

    sum_sq = df1 x F x sigma^2, F without the scale of Kenward-Roger's, as lmerTest prints
    it. Raises ModelError for another type.
    """
    from sitewise.lmm.linear.table import Tested

    if isinstance(type_, bool) or type_ not in TYPES:
        raise ModelError(
            "There is no such analysis of variance.",
            [Problem(f"type is {type_!r}", where="type", allowed="1, 2 or 3")],
        )
    spans = spans_of(fit)
    found: dict[str, FTest] = {}
    for term, rows in hypotheses(spans, type_, fit.estimates.vcov).items():
        test = wald.joint(rows) if np.any(rows) else None
        found[":".join(term)] = test or NONE
    table = Tested(
        {name: [getattr(test, name) for test in found.values()] for name in COLUMNS},
        index=list(found),
    )
    if fit.sigma is not None:
        mean_sq = np.array([test.unscaled for test in found.values()]) * fit.sigma**2
        table.insert(0, "sum_sq", mean_sq * table["df1"])
        table.insert(1, "mean_sq", mean_sq)
    table.attrs = wald.method.attrs | {"type": type_}
    return table


def hypotheses(spans: Spans, type_: int, vcov: np.ndarray) -> dict[Term, np.ndarray]:
    """Rows over the columns kept, (k, p), by term in the order of the formula; (0, p) if aliased.

    vcov: of the estimates, for type II.
    """
    kept = [c for c, keep in zip(spans.part.columns, spans.part.kept, strict=True) if keep]
    terms = [_term(column) for column in kept]
    every = dict.fromkeys(_term(column) for column in spans.part.columns if column.atoms)
    at = {term: np.array([i for i, t in enumerate(terms) if t == term], int) for term in every}
    if type_ == 1:
        rows = spans.R / np.diag(spans.R)[:, None]
        found = {term: rows[own] for term, own in at.items()}
    elif type_ == 2:
        found = {t: _second(at[t], _marginal_to(t, at), vcov) for t in every}
    else:
        found = _third(spans, kept, at)
    return {term: _clean(rows) for term, rows in found.items()}


def _term(column: Column) -> Term:
    return tuple(dict.fromkeys(name for name, _ in column.atoms))


def _contains(larger: Term, term: Term, factors: "Collection[str]") -> bool:
    """SAS's rule: the same numbers in both, and more factors, among them all of the smaller."""
    numbers, more = set(term) - set(factors), set(larger) - set(factors)
    own, others = set(term) & set(factors), set(larger) & set(factors)
    return numbers == more and own < others


def _marginal_to(term: Term, at: dict[Term, np.ndarray]) -> np.ndarray:
    """Columns of the terms that hold all variables of `term` and more (numbers or factors)."""
    return np.concatenate([np.zeros(0, int), *(at[t] for t in at if set(term) < set(t))])


def _second(own: np.ndarray, above: np.ndarray, vcov: np.ndarray) -> np.ndarray:
    """`own` as it is estimated where the columns `above` are not in the model.

    The estimates of `own` less what the covariance V says of them given those of `above`: rows
    h with h V e = 0 for every unit row e of `above`.
    """
    rows = np.zeros((len(own), len(vcov)))
    rows[np.arange(len(own)), own] = 1.0
    if len(above):
        slopes = np.linalg.solve(vcov[np.ix_(above, above)], vcov[np.ix_(above, own)])
        rows[:, above] = -slopes.T
    return rows


def _third(spans: Spans, kept: list[Column], at: dict[Term, np.ndarray]) -> dict[Term, np.ndarray]:
    """Type III: rows of L that belong to columns of X, once terms are made orthogonal upwards."""
    factors = spans.levels
    L, own_row = _estimable(spans, kept)
    for term in sorted(at, key=lambda t: -len(t)):
        above = [at[t] for t in at if _contains(t, term, factors)]
        columns = np.concatenate([np.zeros(0, int), *above])
        if len(columns) and len(at[term]):
            base = L[:, columns]
            L[:, at[term]] -= base @ np.linalg.lstsq(base, L[:, at[term]], rcond=None)[0]
    return {term: L[own_row][:, own].T for term, own in at.items()}


def _estimable(spans: Spans, kept: list[Column]) -> tuple[np.ndarray, np.ndarray]:
    """Every indicator of every term in terms of the columns kept, (all, p); the rows of `kept`."""
    every: dict[frozenset[tuple[str, str | None]], None] = {}
    for column in spans.part.columns:
        products: list[frozenset[tuple[str, str | None]]] = [frozenset()]
        for name, level in column.atoms:
            choices = [None] if level is None else list(spans.part.levels[name])
            products = [one | {(name, choice)} for choice in choices for one in products]
        every |= dict.fromkeys(products)
    names = list(every)
    L = []
    for product in names:
        weights = spans.weights(product)
        if weights is None:
            raise ValueError(f"{sorted(product, key=str)}: not among the columns that make it")
        L.append(weights)
    return np.array(L), np.array([names.index(frozenset(column.atoms)) for column in kept])


def _clean(rows: np.ndarray) -> np.ndarray:
    top = np.abs(rows).max(initial=0.0)
    return np.where(np.abs(rows) <= ZERO * top, 0.0, rows)
