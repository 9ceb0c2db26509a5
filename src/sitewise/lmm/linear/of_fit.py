"""The linear functions of a fit as its methods; each imports what it needs when it is called."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.lmm.linear.emmeans import Means
    from sitewise.lmm.linear.tests import Contrast
    from sitewise.lmm.lmmfit import LmmFit


class LinearFunctions:
    """Tests, contrasts and marginal means of a fit.

    df: "kenward-roger" (REML only), "satterthwaite", "between-within" or "asymptotic"; None for
    Kenward-Roger of a fit by REML and Satterthwaite of one by ML, which the table then notes.
    information: on the covariance parameters, "expected" or "observed"; None for expected under
    Kenward-Roger (as pbkrtest) and observed under Satterthwaite (as lmerTest). form: of
    Kenward-Roger, "linear" (pbkrtest) or "full", with the second derivatives of V in the theta of
    the R package mmrm: mmrm's "Kenward-Roger" is observed and full. level: coverage of intervals.
    Frames carry all of these in `attrs` and print them above. ModelError where the words don't fit
    the model.
    """

    def tests(
        self,
        df: str | None = None,
        *,
        information: str | None = None,
        form: str = "linear",
        level: float = 0.95,
    ) -> "pd.DataFrame":
        """A t test of each fixed effect: estimate, se, df, t, p, lower, upper."""
        from sitewise.lmm.linear.tests import tests
        from sitewise.lmm.linear.wald import wald_of

        wald = wald_of(self._fit, df, information, form)
        return tests(wald, self._fit.estimates.names, level)

    def contrast(
        self,
        L: "Contrast",
        names: Sequence[str] | None = None,
        *,
        joint: bool = False,
        df: str | None = None,
        information: str | None = None,
        form: str = "linear",
        level: float = 0.95,
    ) -> "pd.DataFrame":
        """A t test of each linear combination of the fixed effects, or with `joint` one F test.

        L: weights by position (p,) or (k, p), or by name: {"ARMb": 1, "AVISIT2:ARMb": 1}, or a list
        of such. names: of the rows. joint: one row F, df1, df2, p instead.
        """
        from sitewise.lmm.linear import tests
        from sitewise.lmm.linear.wald import wald_of

        own = self._fit.estimates.names
        rows = tests.rows_of(L, own, self._fit.aliased)
        wald = wald_of(self._fit, df, information, form)
        if joint:
            return tests.joint(wald, rows)
        labels = tests.label_rows(rows, own) if names is None else names
        return tests.contrast(wald, rows, labels, level)

    def anova(
        self,
        df: str | None = None,
        type: int = 3,  # noqa: A002
        *,
        information: str | None = None,
        form: str = "linear",
    ) -> "pd.DataFrame":
        """F tests of the terms: sum_sq, mean_sq (with one sigma), df1, df2, F, p.

        type: 3 as SAS and lmerTest, 2 as the R package car, 1 as lmerTest; see `linear.anova`.
        """
        from sitewise.lmm.linear.anova import anova
        from sitewise.lmm.linear.wald import wald_of

        return anova(self._fit, wald_of(self._fit, df, information, form), type)

    def emmeans(
        self,
        specs: str | Sequence[str],
        by: str | Sequence[str] = (),
        *,
        at: Mapping[str, object] | None = None,
        weights: str = "equal",
        df: str | None = None,
        information: str | None = None,
        form: str = "linear",
        level: float = 0.95,
    ) -> "Means":
        """Marginal means of the cells of `specs`, within each cell of `by`.

        at: values of variables: numbers else stand at their mean over the rows used, factors at all
        their levels. weights: of the factors averaged over, "equal" or "proportional" to rows.
        The result has `.frame`, `.pairs()`, `.against(control)`, `.contrast(weights)`,
        `.change(over, first)`, `.joint()`.
        """
        from sitewise.lmm.linear.emmeans import emmeans
        from sitewise.lmm.linear.wald import wald_of

        wald = wald_of(self._fit, df, information, form)
        shown = _names(specs), _names(by)
        return emmeans(self._fit, wald, shown, at=at or {}, weights=weights, level=level)

    def emtrends(
        self,
        specs: str | Sequence[str],
        var: str,
        by: str | Sequence[str] = (),
        *,
        at: Mapping[str, object] | None = None,
        weights: str = "equal",
        df: str | None = None,
        information: str | None = None,
        form: str = "linear",
        level: float = 0.95,
    ) -> "Means":
        """Slopes in the number `var`, cell by cell; arguments and result as `emmeans`."""
        from sitewise.lmm.linear.emmeans import emtrends
        from sitewise.lmm.linear.wald import wald_of

        wald = wald_of(self._fit, df, information, form)
        shown = _names(specs), _names(by)
        return emtrends(self._fit, wald, shown, var, at=at or {}, weights=weights, level=level)

    @property
    def _fit(self) -> "LmmFit":
        return cast("LmmFit", self)


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)
