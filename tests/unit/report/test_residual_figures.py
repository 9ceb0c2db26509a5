"""The figures of residuals draw each kind where their captions say."""

import random
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sitewise.plan.parts import read_part
from sitewise.report.draw_marginal import draw_marginal
from sitewise.report.draw_residuals import draw_residuals
from sitewise.report.pictured import MOST_POINTS
from sitewise.report.residual_panels import NONE
from sitewise.report.words_figures import marginal_caption, residuals_caption

NAN = float("nan")


@pytest.fixture(scope="module")
def drawn(synthetic: Any) -> Any:
    """Panels of both figures from rows, and the rows."""
    trial = synthetic.Trial()
    plan = read_part(trial.plan())
    rows = synthetic.residuals(trial, random.Random(3), 150.0)
    sites = synthetic.site_results(trial, random.Random(3), "SYSBP")

    def make(**changes: Any) -> tuple[list[Any], list[Any], pd.DataFrame]:
        own = rows.assign(**changes)
        conditional = draw_residuals(plan, "SYSBP", own, sites)
        return conditional.axes, draw_marginal(plan, "SYSBP", own).axes, own[own["FITTED"].notna()]

    return make


def points(axes: Any) -> np.ndarray:
    """Of the paths of a panel those of lines without length: the points, (n, 2)."""
    found = [line.get_xydata()[::3] for line in axes.lines if np.isnan(line.get_ydata()).any()]
    return np.concatenate(found)


def normal_quantiles(n: int) -> np.ndarray:
    return np.array([NormalDist().inv_cdf((i + 0.5) / n) for i in range(n)])


def test_each_kind_is_drawn(drawn) -> None:
    conditional, marginal, used = drawn(NORMALIZED=lambda d: d["PEARSON"])
    assert len(used) <= MOST_POINTS, "all are shown"
    of_raw = np.column_stack([used["FITTED"], used["RESIDUAL"]])
    np.testing.assert_array_equal(points(conditional[0]), of_raw)
    mean = used["FITTED"] + used["RESIDUAL"] - used["MARGINAL"]
    np.testing.assert_allclose(points(marginal[0]), np.column_stack([mean, used["MARGINAL"]]))
    x = normal_quantiles(len(used))
    for panel, column in ((conditional[1], "PEARSON"), (marginal[2], "SCALED")):
        np.testing.assert_allclose(points(panel), np.column_stack([x, np.sort(used[column])]))
    visits = list(dict.fromkeys(used["AVISIT"]))
    medians = [line.get_ydata()[0] for line in marginal[1].lines if line.get_color() == "#D55E00"]
    by_visit = used.groupby("AVISIT", sort=False)["MPEARSON"].median()
    np.testing.assert_allclose(medians, by_visit[visits])
    rms = used.groupby("AVISIT", sort=False)["SCALED"].apply(lambda v: np.sqrt(np.mean(v**2)))
    np.testing.assert_allclose(points(marginal[3])[:, 1], rms[visits])


def test_scaled_stand_beside_pearson_only_where_they_differ(drawn) -> None:
    same, _, used = drawn(NORMALIZED=lambda d: d["PEARSON"])
    other, _, _ = drawn()
    assert not same[1].texts
    assert [t.get_text() for t in other[1].texts] == ["filled: by Pearson", "open: scaled"]
    drawn_there = points(other[1])
    assert set(np.sort(used["NORMALIZED"])) <= set(drawn_there[:, 1])


def test_of_many_readings_a_selection_with_the_ends(drawn, synthetic) -> None:
    trial = synthetic.Trial(sites=40)
    plan = read_part(trial.plan())
    rows = synthetic.residuals(trial, random.Random(4), 150.0)
    axes = draw_marginal(plan, "SYSBP", rows).axes
    assert len(rows) > MOST_POINTS
    assert len(points(axes[0])) == MOST_POINTS
    shown, every = points(axes[2])[:, 1], np.sort(rows["SCALED"].dropna())
    assert MOST_POINTS <= len(shown) <= MOST_POINTS + 20
    np.testing.assert_array_equal(shown[:10], every[:10])
    np.testing.assert_array_equal(shown[-10:], every[-10:])


def test_a_fit_that_did_not_converge_has_none(drawn) -> None:
    lost = dict.fromkeys(("PEARSON", "NORMALIZED", "MARGINAL", "MPEARSON", "SCALED"), NAN)
    conditional, marginal, _ = drawn(**lost)
    for panel in (conditional[1], *marginal):
        assert [t.get_text() for t in panel.texts] == [NONE]


def test_captions_say_what_is_shown(evidence_of) -> None:
    import dataclasses

    e = evidence_of()
    said = residuals_caption(e, "SYSBP")
    assert "open: scaled" not in said
    assert "as the fit did not converge" not in said + marginal_caption(e, "SYSBP")
    fit = e.primary_fit("SYSBP")
    many = dataclasses.replace(fit.fit, nobs=MOST_POINTS + 1, converged=False)
    e.endpoints["SYSBP"].fits[fit.model] = dataclasses.replace(fit, fit=many)
    for caption in (residuals_caption(e, "SYSBP"), marginal_caption(e, "SYSBP")):
        assert f"show {MOST_POINTS} readings" in caption
        assert "as the fit did not converge" in caption


def test_no_bar_of_the_root_mean_squares_is_cut(drawn) -> None:
    """The axis ends above the widest bar by more than half the thickness of its line."""
    _, (*_, panel), _ = drawn(SCALED=lambda d: d["SCALED"] / d["SCALED"].std())
    panel.figure.canvas.draw()
    top = max(np.nanmax(line.get_ydata()) for line in panel.lines)
    (_, edge), (_, end) = panel.transData.transform([(1, panel.get_ylim()[1]), (1, top)])
    assert (edge - end) * 72 / panel.figure.dpi > 1.5
