"""Straight lines in time against a mean for every visit, by the same hypothesis written otherwise.

Three visits at equal distances: lines hold where the second difference of each arm's means is 0.
"""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from sitewise import lmm
from sitewise.classical.ladder_result import Ladder
from sitewise.classical.relatives import relatives
from sitewise.inference.fitting import fit_planned
from sitewise.inference.planned_contrasts import ask_primary
from sitewise.plan.parts import part_data, read_part
from sitewise.store.results import read_result, to_plain, write_result

RANDOM = "(1 | SITEID) + (1 | USUBJID)"
LINES = f"AVAL ~ WEEK*TRT01P + {RANDOM}"
VISITS = f"AVAL ~ AVISIT*TRT01P + {RANDOM}"
LEVELS = {"AVISIT": ["Baseline", "Month 6", "Month 12"], "TRT01P": ["HIC", "TASSH+HIC"]}


@pytest.fixture
def climb(replan, make_trial):
    """The ladder of a trial with patients randomised, its primary model by formula."""

    def made(formula: str, frame: Any = None) -> Ladder:
        model = {"label": "Planned", "formula": formula, "set": "FAS", "reml": True}
        primary = {"model": "m", "visit": "Month 12", "arm": "TASSH+HIC", "contrast": "change"}
        plan = replan(design="individual", randomised_unit="USUBJID", models={"m": model},
                      primary=primary, comparisons=[])  # fmt: skip
        own = make_trial() if frame is None else frame
        own = own.assign(SRCFILE="all.csv", SRCROW=range(2, len(own) + 2))
        fit = to_plain(fit_planned(plan, own, "SYSBP", "m").planned)
        part = read_part(part_data(plan, "crosscheck"))
        return relatives(part, own, "SYSBP", fit, ask_primary)[1]

    return made


def test_f_is_that_of_second_differences(climb, make_trial) -> None:
    frame = make_trial().drop(index=[4, 7, 31])
    found = climb(LINES, frame).straight
    by_visit = lmm(VISITS, frame, levels=LEVELS)
    means = by_visit.emmeans("AVISIT", by="TRT01P")
    # Rows of the reference arm's and the other's second difference over the fixed effects.
    L = np.array([[1.0, -2.0, 1.0, 0, 0, 0], [0, 0, 0, 1.0, -2.0, 1.0]]) @ means.rows
    test = by_visit.contrast(L, df="kenward-roger", joint=True).iloc[0]
    assert (found.df1, found.df_method) == (2, "kenward-roger")
    assert found.f == pytest.approx(test["F"], rel=1e-8)
    assert found.df2 == pytest.approx(test["df2"], rel=1e-8)
    assert found.p == pytest.approx(stats.f.sf(test["F"], 2, test["df2"]), rel=1e-7)
    ml = [lmm(f, frame, levels=LEVELS, reml=False).loglik for f in (LINES, VISITS)]
    assert found.chi2 == pytest.approx(2 * (ml[1] - ml[0]), abs=1e-6)
    assert found.chi2_p == pytest.approx(stats.chi2.sf(found.chi2, 2), rel=1e-6)


def test_the_contrast_between_means_is_that_of_the_models_by_visit(climb, make_trial) -> None:
    frame = make_trial().drop(index=[4, 7, 31])
    ladder = climb(LINES, frame)
    rows = {row.key: row for row in ladder.straight.rows}
    assert list(rows) == ["primary", "visits", "mmrm", "mmrm_visits"]
    assert [row.means for row in rows.values()] == ["lines", "visits"] * 2
    taken = ladder.covariance.taken
    mmrm = f"AVAL ~ AVISIT*TRT01P + {taken}(AVISIT | USUBJID)"
    for key, formula in (("visits", VISITS), ("mmrm_visits", mmrm)):
        fit = lmm(formula, frame, levels=LEVELS)
        means = fit.emmeans("TRT01P", by="AVISIT").change("AVISIT", "Baseline")
        expected = means.pairs().query("AVISIT == 'Month 12'").iloc[0]
        answer = rows[key].answer
        assert answer.estimate == pytest.approx(-expected["estimate"], rel=1e-7)
        assert fit.contrast(-(means.rows[-2] - means.rows[-1]), df="kenward-roger")[
            "se"
        ].item() == pytest.approx(answer.se, rel=1e-7)
    planned = next(rung for rung in ladder.rungs if rung.planned)
    assert rows["primary"].answer == planned.answer
    along = next(rung for rung in ladder.rungs if rung.key == "mmrm")
    assert rows["mmrm"].answer == along.answer


def test_bent_means_are_found_bent(climb, make_trial) -> None:
    frame = make_trial()
    flat = frame.assign(AVAL=frame["AVAL"] + (frame["AVISIT"] == "Month 6") * 5.5)
    bent = frame.assign(AVAL=frame["AVAL"] - (frame["AVISIT"] == "Month 6") * 20.0)
    assert climb(LINES, flat).straight.p > 0.05
    assert climb(LINES, bent).straight.p < 1e-6


def test_none_where_the_primary_model_lays_no_line_or_two_visits_are_one(climb, make_trial) -> None:
    assert climb(VISITS).straight is None
    frame = make_trial()
    two = frame[frame["AVISIT"] != "Month 6"].reset_index(drop=True)
    assert climb(LINES, two).straight is None


def test_a_fit_that_stops_is_said(climb, monkeypatch) -> None:
    from sitewise.classical import straight
    from sitewise.errors import ModelError

    def refuse(*_: Any, **__: Any) -> None:
        raise ModelError("The search found nothing.")

    monkeypatch.setattr(straight, "_answer", refuse)
    found = climb(LINES).straight
    assert found.refused == "The search found nothing."
    assert np.isnan(found.f) and found.rows[0].answer is not None


def test_it_is_kept_as_it_was(climb, tmp_path) -> None:
    ladder = climb(LINES)
    write_result(tmp_path / "ladder.json", ladder)
    assert read_result(tmp_path / "ladder.json", Ladder).straight == ladder.straight
