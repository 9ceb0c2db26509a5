"""What the moments of a model don't hold of its rows: who they are, counts, means by visit.

Made of each batch beside its moments; the tallies of all batches add up to that of the trial.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from sitewise.lmm.digest import digest, row_sums, text_hashes
from sitewise.lmm.formula import Formula, fixed_columns
from sitewise.terms import AVISIT, SITEID, TRT01P, USUBJID, WEEK
from sitewise.trial.selection import IDENTIFIERS, Selection

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.lmm.rows import Rows

Number = TypeVar("Number", int, float)

OUTCOME = ""  # the outcome's name among the columns of a visit


@dataclass(frozen=True)
class VisitProducts:
    """Columns of X and the outcome (named "") at one visit, n rows, k columns.

    columns: names, full indicators instead of contrasts. means (k,), products (k, k): about the
    means, so that they say what y - Xb has of mean and variance.
    """

    visit: str
    rows: int
    columns: tuple[str, ...]
    means: tuple[float, ...]
    products: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Tally:
    """The rows of one endpoint that a model meets in a batch, or in all of them.

    rows: analysis rows of the endpoint. unfit: of these, by reason, those that can't be outcomes.
    used: rows used; digest: of their identifiers and outcomes, sums that add up over batches.
    patients, sites: with a row used. arms, visits: rows used of each. sums: of each numeric column
    of the fixed part over the rows used. by_visit: of models linear in WEEK only.
    """

    endpoint: str
    model: str
    rows: int
    unfit: dict[str, int]
    used: int
    digest: tuple[int, int, int]
    patients: int
    sites: int
    arms: dict[str, int]
    visits: dict[str, int]
    sums: dict[str, float]
    by_visit: tuple[VisitProducts, ...] = field(repr=False)

    @property
    def identity(self) -> str:
        """Sha256 of identifiers and outcomes of the rows used: equal where they are the same."""
        return digest(self.digest)

    @property
    def means(self) -> dict[str, float]:
        """Of each numeric column of the fixed part, over the rows used."""
        return {name: total / self.used for name, total in self.sums.items()}


def row_keys(rows: "pd.DataFrame") -> list[np.ndarray]:
    """Hashes of what names each row, uint64 (n,) each, for the digest of the rows used."""
    return [_hashes(rows[name]) for name in IDENTIFIERS]


def tally_batch(
    endpoint: str, model: str, formula: Formula, selection: Selection, rows: "Rows | None",
    *, keys: Sequence[np.ndarray],
) -> Tally:  # fmt: skip
    """The tally of one batch.

    rows: of the formula on `selection.candidates`; None where no row is used. keys: `row_keys` of
    these candidates, which models of one analysis set share.
    """
    reasons, counts = np.unique(
        selection.reasons[~selection.candidate].astype(str), return_counts=True
    )
    unfit = dict(zip(reasons.tolist(), counts.tolist(), strict=True))
    if rows is None:
        return Tally(
            endpoint, model, len(selection.rows), unfit, 0, (0, 0, 0), 0, 0, {}, {}, {}, ()
        )
    used = selection.candidates.loc[rows.used, [USUBJID, SITEID, TRT01P, AVISIT]]
    names = fixed_columns(formula)
    return Tally(
        endpoint=endpoint,
        model=model,
        rows=len(selection.rows),
        unfit=unfit,
        used=len(used),
        digest=row_sums([key[rows.used] for key in keys], rows.y),
        patients=int(used[USUBJID].nunique()),
        sites=int(used[SITEID].nunique()),
        arms=_counts(used[TRT01P]),
        visits=_counts(used[AVISIT]),
        sums={name: float(rows.numbers[name].sum()) for name in names if name in rows.numbers},
        by_visit=tuple(_by_visit(formula, used, rows)) if linear_in_week(formula) else (),
    )


def add_tallies(tallies: Sequence[Tally]) -> Tally:
    """The tally of all batches of one model, in their order."""
    from sitewise.lmm.wide import add_digests

    first = tallies[0]
    visits: dict[str, VisitProducts] = {}
    for one in (v for tally in tallies for v in tally.by_visit):
        visits[one.visit] = _added(visits[one.visit], one) if one.visit in visits else one
    return Tally(
        endpoint=first.endpoint,
        model=first.model,
        rows=sum(one.rows for one in tallies),
        unfit=_summed([one.unfit for one in tallies]),
        used=sum(one.used for one in tallies),
        digest=add_digests([one.digest for one in tallies]),
        patients=sum(one.patients for one in tallies),
        sites=sum(one.sites for one in tallies),
        arms=_summed([one.arms for one in tallies]),
        visits=_summed([one.visits for one in tallies]),
        sums=_summed([one.sums for one in tallies]),
        by_visit=tuple(visits.values()),
    )


def linear_in_week(formula: Formula) -> bool:
    """Whether the fixed part draws a straight line through the visits."""
    names = fixed_columns(formula)
    return WEEK in names and AVISIT not in names


def _hashes(values: "pd.Series") -> np.ndarray:
    import pandas as pd

    codes, labels = pd.factorize(values.astype(str))
    found: np.ndarray = text_hashes([str(label) for label in labels])[codes]
    return found


def _counts(values: "pd.Series") -> dict[str, int]:
    counts = values.astype(str).value_counts()
    return {name: int(counts[name]) for name in sorted(counts.index)}


def _summed(parts: Sequence[Mapping[str, Number]]) -> dict[str, Number]:
    found: dict[str, Number] = {}
    for part in parts:
        for name, value in part.items():
            found[name] = found[name] + value if name in found else value
    return found


def _by_visit(formula: Formula, used: "pd.DataFrame", rows: "Rows") -> "list[VisitProducts]":
    from sitewise.lmm.columns import column_values, model_columns

    # A first level that never occurs: every other one then has its indicator, in every batch.
    full = {name: ("", *rows.labels[name]) for name in rows.factors}
    columns = model_columns(formula.fixed, full, tuple(rows.numbers))
    values = np.column_stack([column_values(columns, rows), rows.y])
    names = (*(column.name for column in columns), OUTCOME)
    visit = used[AVISIT].to_numpy(dtype=object)
    found = []
    for name in sorted(set(visit.tolist())):
        own = values[visit == name]
        mean = own.mean(axis=0)
        rest = own - mean
        products = rest.T @ rest
        found.append(
            VisitProducts(name, len(own), names, tuple(mean.tolist()),
                          tuple(tuple(row) for row in products.tolist()))
        )  # fmt: skip
    return found


def _added(a: VisitProducts, b: VisitProducts) -> VisitProducts:
    """Chan, Golub & LeVeque (1983), The American Statistician 37, 242-247."""
    names = tuple(dict.fromkeys([*a.columns, *b.columns]))
    n = a.rows + b.rows
    (first, own), (second, other) = _placed(a, names), _placed(b, names)
    apart = second - first
    mean = first + apart * (b.rows / n)
    products = own + other + np.outer(apart, apart) * (a.rows * b.rows / n)
    return VisitProducts(
        a.visit, n, names, tuple(mean.tolist()), tuple(tuple(row) for row in products.tolist())
    )


def _placed(one: VisitProducts, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Means and products among `names`; a column that a batch lacks is 0 in it."""
    at = [names.index(name) for name in one.columns]
    means, products = np.zeros(len(names)), np.zeros((len(names), len(names)))
    means[at] = one.means
    products[np.ix_(at, at)] = one.products
    return means, products


def visit_rest(one: VisitProducts, beta: Mapping[str, float]) -> tuple[float, float]:
    """Mean and SD of y - Xb at a visit; beta: estimates by name of column."""
    w = np.array([1.0 if name == OUTCOME else -beta.get(name, 0.0) for name in one.columns])
    mean = float(w @ np.array(one.means))
    variance = float(w @ np.array(one.products) @ w) / max(one.rows - 1, 1)
    return mean, float(np.sqrt(max(variance, 0.0)))
