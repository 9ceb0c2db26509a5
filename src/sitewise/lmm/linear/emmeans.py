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
from sitewise.lmm.linear.comparisons import TAKEN, Compared, compared
from sitewise.lmm.linear.grid import WEIGHTS, Grid, Value, grid_of
from sitewise.lmm.linear.spans import spans_of
from sitewise.lmm.linear.tests import tested
from sitewise.lmm.linear.wald import Wald

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.lmm.lmmfit import LmmFit

BROKEN = 1e-7  # of the aliasing of the data, from which a mean is not estimable
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
        estimate it (a cell without rows).
        """
        from sitewise.lmm.linear.table import Tested

        names = _shown_as((*self.by, *self.specs))
        order = [(*cell[len(self.specs) :], *cell[: len(self.specs)]) for cell in self.cells]
        found = Tested(order, columns=list(names))
        for name, values in estimable(self.wald, self.rows, self.broken, self.level).items():
            found[name] = values
        found.attrs = self.wald.method.attrs | {"level": self.level, "averaged": dict(self.grid)}
        return found

    def pairs(self, adjust: str = "none") -> "pd.DataFrame":
        """Every pair within each cell of `by`, the first minus the second.

        adjust: none, bonferroni, holm, hochberg or tukey, for the pairs of one cell of `by`.
        """
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
        wanted = control if isinstance(control, tuple) else (control,)
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

        together: one test that this holds in every cell of `by`.
        """
        from sitewise.lmm.linear.table import Tested

        rows = [self.rows[own[1:]] - self.rows[own[0]] for _, own in self._families()]
        wheres = [where for where, _ in self._families()]
        named = _shown_as(self.by)
        if together:
            rows, wheres, named = [np.vstack(rows)], [()], ()
        tests = [(w, self.wald.joint(one)) for w, one in zip(wheres, rows, strict=True)]
        found = [(*where, test.F, test.df1, test.df2, test.p) for where, test in tests]
        table = Tested(found, columns=[*named, "F", "df1", "df2", "p"])
        table.attrs = self.wald.method.attrs
        return table

    def __repr__(self) -> str:
        """The frame."""
        return f"{self.what}\n{self.frame}"

    def _repr_html_(self) -> str:
        from sitewise.lmm.linear.table import as_html

        return as_html(self.frame, self.what)

    def _spec(self, i: int) -> Cell:
        return self.cells[i][: len(self.specs)]

    def _said(self, i: int) -> str:
        return " ".join(_text(value) for value in self._spec(i))

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
            if len(weights) != len(members):
                raise ModelError(
                    "The contrast can't be made.",
                    [Problem(f"{len(weights)} weights for {len(members)} means", where=name,
                             allowed="a weight each")],
                )  # fmt: skip
            return dict(zip(members, map(float, weights), strict=True))
        at = {self._spec(i): i for i in members}
        found = {}
        for key, weight in weights.items():
            own = key if isinstance(key, tuple) else (key,)
            if own not in at:
                raise self._unknown(own, name)
            found[at[own]] = float(weight)
        return found

    def _unknown(self, value: Cell, where: str) -> ModelError:
        said = dict.fromkeys(self._said(i) for i in range(len(self.cells)))
        return ModelError(
            "The comparison can't be made.",
            [Problem(f"{' '.join(map(_text, value))!r} is none of the means", where=where,
                     allowed=", ".join(said))],
        )  # fmt: skip

    def _compared(
        self, families: "list[tuple[Cell, int, list[Compared]]]", adjust: str,
        kinds: tuple[str, ...],
    ) -> "pd.DataFrame":  # fmt: skip
        return compared(self, families, adjust, kinds)


def estimable(
    wald: Wald, rows: np.ndarray, broken: np.ndarray, level: float
) -> dict[str, np.ndarray]:
    """Tests of the rows, NaN where the data can't estimate one."""
    good = np.abs(broken).max(axis=1, initial=0.0) < BROKEN
    found = tested(wald, rows[good], level) if good.any() else tested(wald, rows[:0], level)
    wide = {}
    for name, values in found.items():
        wide[name] = np.full(len(rows), np.nan)
        wide[name][good] = values
    return wide


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
    if var in spans.levels or var in (*specs, *by):
        raise ModelError(
            "There is no slope to take.",
            [Problem(f"{var!r} is {'a factor' if var in spans.levels else 'among the cells'}",
                     where="var", allowed="a number of the fixed part")],
        )  # fmt: skip
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
        for name in by if name in specs
    ]  # fmt: skip
    if problems:
        raise ModelError("The marginal means can't be made as asked.", problems)
    return specs, by


def _asked(name: str, weights: Mapping[int, float]) -> Compared:
    return Compared(name, weights)


def _shown_as(names: Sequence[str]) -> tuple[str, ...]:
    """Columns of these variables, apart from those of the numbers."""
    return tuple(f"{name}_" if name in TAKEN else name for name in names)


def _text(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:g}"
