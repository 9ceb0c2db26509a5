"""Marginal means and slopes of a fit, and comparisons of them.

Searle, Speed & Milliken 1980, Am. Stat. 34, 216-221; conventions of the R package emmeans: a mean
is that of predictions over the reference grid, comparisons are made and adjusted within each cell
of `by`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.formula import fixed_columns
from sitewise.lmm.linear.anova import NONE
from sitewise.lmm.linear.comparisons import TAKEN, Compared, check_weights, compared, said
from sitewise.lmm.linear.estimable import REDUCED, estimable, estimable_rows, noted
from sitewise.lmm.linear.grid import WEIGHTS, Grid, Value, grid_of
from sitewise.lmm.linear.spans import spans_of
from sitewise.lmm.linear.wald import Wald

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.lmm.lmmfit import LmmFit

Cell = tuple[Value, ...]


@dataclass(frozen=True)
class Means:
    """Marginal means (or slopes) of the cells of `by` x `specs`, k of them.

    what: "emmean" or "trend". cells: joint values of specs + by, specs vary fastest, the first of
    specs slowest among them. rows: (k, p) over the fixed effects. broken: (k, dropped), how each
    breaks the aliasing of the data. grid: the values of the variables that were averaged.
    """

    what: str
    specs: tuple[str, ...]
    by: tuple[str, ...]
    cells: tuple[Cell, ...] = field(repr=False)
    rows: np.ndarray = field(repr=False)
    broken: np.ndarray = field(repr=False)
    wald: Wald = field(repr=False)
    level: float
    grid: Mapping[str, tuple[Value, ...]] = field(repr=False)

    @property
    def frame(self) -> "pd.DataFrame":
        """A row a cell: its values, estimate, se, df, t, p (against 0), lower, upper.

        A variable with the name of one of these (t, say) stands as `t_`. NaN where the data can't
        estimate it (a cell without rows), and `attrs["note"]` says so.
        """
        from sitewise.lmm.linear.table import Tested

        names = _shown_as((*self.by, *self.specs))
        order = [(*cell[len(self.specs) :], *cell[: len(self.specs)]) for cell in self.cells]
        found = Tested(order, columns=list(names))
        for name, values in estimable(self.wald, self.rows, self.broken, self.level).items():
            found[name] = values
        attrs = self.wald.method.attrs | {"level": self.level, "averaged": dict(self.grid)}
        found.attrs = noted(attrs, found["estimate"].to_numpy())
        return found

    def pairs(self, adjust: str = "none") -> "pd.DataFrame":
        """Every pair within each cell of `by`, the first minus the second.

        adjust: none, bonferroni, holm, hochberg or tukey, for the pairs of one cell of `by`.
        """
        self._alone()
        weights = []
        for where, members in self._families():
            own = []
            for a, b in combinations(members, 2):
                own.append(_asked(f"{self._said(a)} minus {self._said(b)}", {a: 1.0, b: -1.0}))
            weights.append((where, len(members), own))
        return self._compared(weights, adjust, ("tukey",))

    def against(self, control: Value | Cell, adjust: str = "none") -> "pd.DataFrame":
        """Each cell minus that of `control`, a value of specs, within each cell of `by`.

        adjust: none, bonferroni, holm, hochberg or dunnett, within one cell of `by`.
        """
        self._alone()
        wanted = self._cell(control)
        weights = []
        for where, members in self._families():
            reference = [i for i in members if self._spec(i) == wanted]
            if not reference:
                raise self._unknown(wanted, "control")
            own = [
                _asked(f"{self._said(i)} minus {self._said(reference[0])}",
                       {i: 1.0, reference[0]: -1.0})
                for i in members if i != reference[0]
            ]  # fmt: skip
            weights.append((where, len(members), own))
        return self._compared(weights, adjust, ("dunnett",))

    def contrast(
        self, weights: Mapping[str, Mapping[Value | Cell, float] | Sequence[float]],
        adjust: str = "none",
    ) -> "pd.DataFrame":  # fmt: skip
        """Contrasts by name, each weights of the values of specs, within each cell of `by`.

        weights: {"active minus placebo": {"Placebo": -1, "Low": 0.5, "High": 0.5}}, or in order.
        """
        size = len(self._families()[0][1])
        check_weights(weights, size)
        found = []
        for where, members in self._families():
            own = [_asked(name, self._weighted(w, members, name)) for name, w in weights.items()]
            found.append((where, len(members), own))
        return self._compared(found, adjust, ())

    def change(self, over: str, first: Value) -> "Means":
        """Each mean less that at `first` of the variable `over`, one of specs or by.

        The result can be compared in its turn: `.change("AVISIT", "Baseline").pairs()`.
        """
        names = (*self.specs, *self.by)
        if over not in names:
            raise ModelError(
                "The change can't be made as asked.",
                [Problem(f"{over!r} is not among the means", where="over",
                         allowed=", ".join(names))],
            )  # fmt: skip
        at = names.index(over)
        first = str(first) if isinstance(self.cells[0][at], str) else first
        place = {cell: i for i, cell in enumerate(self.cells)}
        if not any(cell[at] == first for cell in self.cells):
            raise self._unknown((first,), "first")
        kept = [i for i, cell in enumerate(self.cells) if cell[at] != first]
        base = [place[(*self.cells[i][:at], first, *self.cells[i][at + 1 :])] for i in kept]
        return replace(
            self, what=f"change of {self.what} from {first}",
            cells=tuple(self.cells[i] for i in kept), rows=self.rows[kept] - self.rows[base],
            broken=self.broken[kept] - self.broken[base],
        )  # fmt: skip

    def joint(self, together: bool = False) -> "pd.DataFrame":
        """F test, within each cell of `by`, that all means of specs are equal: F, df1, df2, p.

        together: one test that this holds in every cell of `by`. Where the data can't estimate some
        differences, of all that they can: df1 is less, and `attrs["note"]` says so.
        """
        from sitewise.lmm.linear.table import Tested

        self._alone()
        families = self._families()
        rows = [self.rows[own[1:]] - self.rows[own[0]] for _, own in families]
        broken = [self.broken[own[1:]] - self.broken[own[0]] for _, own in families]
        wheres, named = [where for where, _ in families], _shown_as(self.by)
        if together:
            rows, broken, wheres, named = [np.vstack(rows)], [np.vstack(broken)], [()], ()
        kept = [estimable_rows(one, own) for one, own in zip(rows, broken, strict=True)]
        tests = [self.wald.joint(one) if len(one) else NONE for one in kept]
        found = [(*w, t.F, t.df1, t.df2, t.p) for w, t in zip(wheres, tests, strict=True)]
        table = Tested(found, columns=[*named, "F", "df1", "df2", "p"])
        table.attrs = self.wald.method.attrs
        if any(len(one) < len(all_) for one, all_ in zip(kept, rows, strict=True)):
            table.attrs |= {"note": REDUCED}
        return table

    def __repr__(self) -> str:
        """The frame."""
        return f"{self.what}\n{self.frame}"

    def _repr_html_(self) -> str:
        from sitewise.lmm.linear.table import as_html

        return as_html(self.frame, self.what)

    def _spec(self, i: int) -> Cell:
        return self.cells[i][: len(self.specs)]

    def _cell(self, given: Value | Cell) -> Cell:
        """Values of specs; those of a factor are text, as its levels are."""
        values = given if isinstance(given, tuple) else (given,)
        like = self.cells[0][: len(values)]
        texts = [isinstance(one, str) for one in like]
        return tuple(str(v) if text else v for v, text in zip(values, texts, strict=False))

    def _said(self, i: int) -> str:
        return said(self._spec(i))

    def _families(self) -> list[tuple[Cell, list[int]]]:
        found: dict[Cell, list[int]] = {}
        for i, cell in enumerate(self.cells):
            found.setdefault(cell[len(self.specs) :], []).append(i)
        return list(found.items())

    def _weighted(
        self, weights: Mapping[Value | Cell, float] | Sequence[float], members: Sequence[int],
        name: str,
    ) -> dict[int, float]:  # fmt: skip
        if not isinstance(weights, Mapping):
            return dict(zip(members, map(float, weights), strict=True))
        at = {self._spec(i): i for i in members}
        found = {}
        for key, weight in weights.items():
            own = self._cell(key)
            if own not in at:
                raise self._unknown(own, name)
            found[at[own]] = float(weight)
        return found

    def _unknown(self, value: Cell, where: str) -> ModelError:
        known = dict.fromkeys(self._said(i) for i in range(len(self.cells)))
        return ModelError(
            "The comparison can't be made.",
            [Problem(f"{said(value)!r} is none of the means", where=where,
                     allowed=", ".join(known))],
        )  # fmt: skip

    def _alone(self) -> None:
        if len(self._families()[0][1]) < 2:
            raise ModelError(
                "There is nothing to compare.",
                [Problem("one mean alone", where=", ".join(self.specs), allowed="two or more")],
            )

    def _compared(
        self, families: "list[tuple[Cell, int, list[Compared]]]", adjust: str,
        kinds: tuple[str, ...],
    ) -> "pd.DataFrame":  # fmt: skip
        return compared(self, families, adjust, kinds)


def emmeans(
    fit: "LmmFit", wald: Wald, shown: tuple[tuple[str, ...], tuple[str, ...]], *,
    at: Mapping[str, object], weights: str, level: float,
) -> Means:  # fmt: skip
    """Marginal means; shown: specs and by."""
    specs, by = _checked(shown, weights)
    grid = grid_of(spans_of(fit), (*specs, *by), at)
    cells, rows, broken = _over(grid, specs, by, weights)
    averaged = {n: v for n, v in grid.values.items() if n not in (*specs, *by)}
    return Means("emmean", specs, by, cells, rows, broken, wald, level, averaged)


def emtrends(
    fit: "LmmFit", wald: Wald, shown: tuple[tuple[str, ...], tuple[str, ...]], var: str, *,
    at: Mapping[str, object], weights: str, level: float,
) -> Means:  # fmt: skip
    """Slopes in the number `var`: X is linear in each variable, so a difference is exact."""
    specs, by = _checked(shown, weights)
    spans = spans_of(fit)
    what = "not in the fixed part"
    if var in fixed_columns(spans.part.formula):
        what = "a factor" if var in spans.levels else ""
        what = what or ("among the cells" if var in (*specs, *by) else "")
    if what:
        raise ModelError(
            "There is no slope to take.",
            [Problem(f"{var!r} is {what}", where="var", allowed="a number of the fixed part")],
        )
    ends = []
    for value in (0.0, 1.0):
        grid = grid_of(spans, (*specs, *by, var), {**at, var: value})
        ends.append(_over(grid, specs, by, weights))
    (cells, low, _), (_, high, broken) = ends
    broken = broken - ends[0][2]
    averaged = {n: v for n, v in grid.values.items() if n not in (*specs, *by, var)}
    return Means(f"trend of {var}", specs, by, cells, high - low, broken, wald, level, averaged)


def _over(
    grid: Grid, specs: tuple[str, ...], by: tuple[str, ...], weights: str
) -> tuple[tuple[Cell, ...], np.ndarray, np.ndarray]:
    cells = [(*own, *where) for where in grid.cells(by) for own in grid.cells(specs)]
    found = [grid.row(dict(zip((*specs, *by), cell, strict=True)), weights) for cell in cells]
    return tuple(cells), np.array([row for row, _ in found]), np.array([b for _, b in found])


def _checked(
    shown: tuple[tuple[str, ...], tuple[str, ...]], weights: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    specs, by = shown
    problems = []
    if weights not in WEIGHTS:
        problems.append(
            Problem(f"unknown weights {weights!r}", where="weights", allowed=", ".join(WEIGHTS))
        )
    if not specs:
        problems.append(Problem("no variable was given", where="specs", allowed="one or more"))
    problems += [
        Problem(f"{name!r} is in specs too", where="by", allowed="another variable")
        for name in dict.fromkeys(by) if name in specs
    ]  # fmt: skip
    problems += [
        Problem(f"{name!r} is there twice", where=where, allowed="each variable once")
        for where, own in (("specs", specs), ("by", by))
        for name in dict.fromkeys(own) if own.count(name) > 1
    ]  # fmt: skip
    if problems:
        raise ModelError("The marginal means can't be made as asked.", problems)
    return specs, by


def _asked(name: str, weights: Mapping[int, float]) -> Compared:
    return Compared(name, weights)


def _shown_as(names: Sequence[str]) -> tuple[str, ...]:
    """Columns of these variables, apart from those of the numbers."""
    return tuple(f"{name}_" if name in TAKEN else name for name in names)
