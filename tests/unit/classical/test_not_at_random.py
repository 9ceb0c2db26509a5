"""Readings missing not at random: against dense algebra, multiple imputation, and a known truth."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sitewise import lmm
from sitewise.classical.influence import row_influence
from sitewise.classical.ladder_result import Ladder
from sitewise.classical.not_at_random import not_at_random
from sitewise.classical.not_at_random_result import NotAtRandom
from sitewise.classical.question import pose
from sitewise.classical.relatives import relatives
from sitewise.classical.tipping import Shift
from sitewise.inference.fitting import fit_planned
from sitewise.inference.planned_contrasts import ask_primary
from sitewise.lmm.design import build_design
from sitewise.plan.model import Plan
from sitewise.plan.parts import part_data, read_part
from sitewise.store.results import read_result, to_plain, write_result

ARMS = ("HIC", "TASSH+HIC")
VISITS = ("Baseline", "Month 6", "Month 12")
LEVELS = {"AVISIT": list(VISITS), "TRT01P": list(ARMS)}
MMRM = "AVAL ~ AVISIT*TRT01P + us(AVISIT | USUBJID)"
V = np.array([[100.0, 60, 50], [60, 120, 80], [50, 80, 140]])


def drawn(seed: int, n: int, *, drop: Any, delta: float = 0.0) -> pd.DataFrame:
    """Two arms of n patients in ten sites; who lacks Month 12 follows from Month 6.

    drop: logit of it per mmHg above 140, by arm. delta: what the missing ones differ by on top, in
    both arms; `truth` says what the arms' true difference then is, given the draw.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for a, arm in enumerate(ARMS):
        means = np.array([150.0, 140 - 3 * a, 138 - 6 * a])
        y = means + rng.standard_normal((n, 3)) @ np.linalg.cholesky(V).T
        gone = rng.random(n) < 1 / (1 + np.exp(0.8 - drop[a] * (y[:, 1] - 140)))
        y[gone, 2] = np.nan
        rows += [
            (f"S{i % 10}", f"{arm}-{i}", arm, visit, 26.0 * v, y[i, v])
            for i in range(n)
            for v, visit in enumerate(VISITS)
        ]
    columns = ["SITEID", "USUBJID", "TRT01P", "AVISIT", "WEEK", "AVAL"]
    frame = pd.DataFrame(rows, columns=columns).dropna().reset_index(drop=True)
    base = frame[frame["AVISIT"] == "Baseline"].set_index("USUBJID")["AVAL"]
    frame["BASE"] = base.reindex(frame["USUBJID"]).to_numpy()
    frame["CHG"] = frame["AVAL"] - frame["BASE"]
    frame["ABLFL"] = np.where(frame["AVISIT"] == "Baseline", "Y", "")
    return frame.assign(PARAMCD="SYSBP", ANL01FL="Y", FASFL="Y")


Sections = dict[str, Any]


@pytest.fixture
def planned(replan):
    """A plan whose primary contrast is the level at Month 12 of one model, by its formula."""

    def made(formula: str, deltas: Any, sections: Sections) -> Plan:
        model = {"label": "Planned", "formula": formula, "set": "FAS", "reml": True}
        primary = {"model": "m", "visit": "Month 12", "arm": ARMS[1], "contrast": "level"}
        own = {"design": "individual", "randomised_unit": "USUBJID", "models": {"m": model},
               "primary": primary, "comparisons": [], **sections}  # fmt: skip
        plan = replan(**own)
        end = plan.endpoints["SYSBP"].model_copy(update={"deltas": tuple(deltas)})
        return plan.model_copy(update={"endpoints": {**plan.endpoints, "SYSBP": end}})

    return made


@pytest.fixture
def shifted(planned):
    """The delta-adjusted contrasts of a frame, without the rest of the ladder."""

    def made(
        frame: pd.DataFrame, formula: str = MMRM, deltas: Any = (), **sections: Any
    ) -> NotAtRandom:
        plan = planned(formula, deltas, sections)
        own, fit = _rows_and_fit(plan, frame)
        question = pose(plan, own, "SYSBP", ask_primary)
        ladder: Any = SimpleNamespace(straight=None)
        return not_at_random(question, "SYSBP", ladder, fit, ask_primary)

    return made


@pytest.fixture
def climb(planned):
    """The whole ladder, from the part of the plan that its rule is granted."""

    def made(frame: pd.DataFrame, formula: str = MMRM, **sections: Any) -> Ladder:
        plan = planned(formula, (), sections)
        own, fit = _rows_and_fit(plan, frame)
        part = read_part(part_data(plan, "crosscheck"))
        return relatives(part, own, "SYSBP", fit, ask_primary)[1]

    return made


def _rows_and_fit(plan: Plan, frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Any]]:
    own = frame.assign(SRCFILE="all.csv", SRCROW=range(2, len(frame) + 2))
    return own, to_plain(fit_planned(plan, own, "SYSBP", "m").planned)


def found_of(ladder: Ladder) -> NotAtRandom:
    assert ladder.not_at_random is not None
    return ladder.not_at_random


def dense(formula: str, frame: pd.DataFrame) -> tuple[Any, np.ndarray, np.ndarray]:
    """Fit, design and the covariance of all readings as one matrix."""
    fit = lmm(formula, frame, levels=LEVELS)
    X = build_design(formula, frame, LEVELS).X
    same = {
        name: (frame[name].to_numpy()[:, None] == frame[name].to_numpy()).astype(float)
        for name in ("SITEID", "USUBJID")
    }
    if fit.sigma is None:
        visit = frame["AVISIT"].map({v: i for i, v in enumerate(VISITS)}).to_numpy()
        W = fit.residual_cov.to_numpy()[np.ix_(visit, visit)] * same["USUBJID"]
    else:
        W = fit.sigma**2 * np.eye(len(frame))
    for term in fit.terms():
        week = frame["WEEK"].to_numpy()
        Z = np.column_stack([np.ones(len(frame)), week])[:, : len(term.D)]
        W = W + (Z @ term.D @ Z.T) * same[term.basis.group]
    return fit, X, W


@pytest.mark.parametrize(
    "random",
    ["us(AVISIT | USUBJID)", "(1 | SITEID) + (1 + WEEK | USUBJID)",
     "(1 | SITEID) + csh(AVISIT | USUBJID)"],
)  # fmt: skip
def test_influence_is_that_of_the_estimating_equations(random: str) -> None:
    frame = drawn(3, 40, drop=(0.08, 0.08)).drop(index=[4, 31, 77]).reset_index(drop=True)
    fit, X, W = dense(f"AVAL ~ AVISIT*TRT01P + {random}", frame)
    k = np.arange(1.0, 7.0)
    left = frame["AVAL"].to_numpy() - X @ fit.fixef.to_numpy()
    expected = (X @ np.linalg.solve(X.T @ np.linalg.solve(W, X), k)) * np.linalg.solve(W, left)
    found = row_influence(fit, X, frame, k)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-8)
    assert abs(found.sum()) < 1e-6 * np.abs(found).sum()


def test_a_patient_adds_what_the_estimate_loses_with_its_weight() -> None:
    """d estimate / d weight of a patient, its covariance held, by differences."""
    frame = drawn(4, 25, drop=(0.1, 0.05))
    fit, X, W = dense(MMRM, frame)
    k = np.array([0, 0, 0, 1.0, 0, 1.0])
    own = pd.Series(row_influence(fit, X, frame, k)).groupby(frame["USUBJID"]).sum()
    for patient in ("HIC-3", "TASSH+HIC-7"):
        mine = (frame["USUBJID"] == patient).to_numpy()
        at = []
        for weight in (1 - 1e-4, 1 + 1e-4):
            P = np.linalg.inv(W)
            P[np.ix_(mine, mine)] *= weight
            at.append(k @ np.linalg.solve(X.T @ P @ X, X.T @ P @ frame["AVAL"].to_numpy()))
        assert own[patient] == pytest.approx((at[1] - at[0]) / 2e-4, rel=1e-5)


def imputed(frame: pd.DataFrame, draws: int, deltas: Any) -> dict[float, tuple[float, float]]:
    """Multiple imputation by data augmentation, delta added, Rubin's rules: estimate, SE.

    A normal distribution by arm with one covariance, Jeffreys' prior; means of the completed arms,
    each with its own variance.
    """
    rng = np.random.default_rng(11)
    wide = frame.pivot(index="USUBJID", columns="AVISIT", values="AVAL")[list(VISITS)]
    arm = np.array([name.startswith(ARMS[1]) for name in wide.index]).astype(int)
    y = wide.to_numpy().copy()
    gone = np.isnan(y[:, 2])
    y[gone, 2] = np.nanmean(y[:, 2])
    kept: dict[float, list[tuple[float, float]]] = {delta: [] for delta in deltas}
    for i in range(-200, 2 * draws):
        means = np.array([y[arm == a].mean(axis=0) for a in (0, 1)])
        left = y - means[arm]
        S = stats.invwishart.rvs(len(y) - 2, left.T @ left, random_state=rng)
        L = np.linalg.cholesky(S)
        mu = np.array([means[a] + L @ rng.standard_normal(3) / np.sqrt((arm == a).sum())
                       for a in (0, 1)])  # fmt: skip
        slope = np.linalg.solve(S[:2, :2], S[:2, 2])
        sd = np.sqrt(S[2, 2] - S[2, :2] @ slope)
        mean = mu[arm, 2] + (y[:, :2] - mu[arm, :2]) @ slope
        y[gone, 2] = (mean + sd * rng.standard_normal(len(y)))[gone]
        if i >= 0 and i % 2 == 0:
            for delta, own in kept.items():
                last = y[:, 2] + delta * (gone & (arm == 1))
                of = [last[arm == a] for a in (0, 1)]
                own.append((of[1].mean() - of[0].mean(),
                            sum(v.var(ddof=1) / len(v) for v in of)))  # fmt: skip
    rubin = {}
    for delta, own in kept.items():
        at = np.array(own)
        total = at[:, 1].mean() + (1 + 1 / len(at)) * at[:, 0].var(ddof=1)
        rubin[delta] = (float(at[:, 0].mean()), float(np.sqrt(total)))
    return rubin


def test_delta_is_that_of_multiple_imputation(shifted) -> None:
    """Estimate and SE over deltas, arm alone, where dropout hangs strongly on the last value.

    2000 imputations: the Monte-Carlo error of the estimate is 0.02 SE, of the SE 0.7%. Beside it
    stand terms of 1/n (posterior against REML, n - 1 against n, one variance an arm against one
    for both): with 100 patients an arm 0.05 SE and 2% are allowed for all of these together.
    Without the covariance of contrast and share the SE at the deltas is off by 4% and more.
    """
    frame = drawn(7, 100, drop=(0.15, 0.15))
    deltas = (-30.0, -15.0, 15.0, 30.0)
    arm = shifted(frame, deltas=deltas).arms[0]
    ours = {0.0: arm.start} | {s.delta: s.answer for s in arm.shifted if s.where == "arm"}
    rubin = imputed(frame, 2000, (0.0, *deltas))
    for delta, (estimate, se) in rubin.items():
        assert abs(ours[delta].estimate - estimate) < 0.05 * se
        assert ours[delta].se == pytest.approx(se, rel=0.02)
    bare = {d: np.sqrt(arm.start.se**2 + d**2 * arm.own.variance) for d in deltas}
    assert all(abs(bare[d] / rubin[d][1] - 1) > 0.04 for d in deltas)


def test_shares_are_of_the_analysis_set_and_the_contrast_shifts_by_them(shifted) -> None:
    frame = drawn(5, 60, drop=(0.05, 0.1))
    found = shifted(frame, deltas=(-4.0, 6.0))
    (one,) = found.arms
    seen = frame[frame["AVISIT"] == "Month 12"].groupby("TRT01P")["USUBJID"].nunique()
    assert (one.own.missing, one.reference.missing) == tuple(60 - seen[arm] for arm in ARMS[::-1])
    assert (one.own.patients, one.reference.patients) == (60, 60)
    p, q = one.own.share, one.reference.share
    assert one.own.variance == pytest.approx(p * (1 - p) / 60, rel=1e-12)
    shift = {"arm": p, "reference": -q, "both": p - q}
    assert [(s.where, s.delta) for s in one.shifted] == [
        (where, d) for where in shift for d in (-4.0, 6.0)
    ]
    for s in one.shifted:
        expected = one.start.estimate + s.delta * shift[s.where]
        assert s.answer.estimate == pytest.approx(expected, rel=1e-12)
        assert s.answer.df == one.start.df
    assert (found.model, found.planned, found.unit) == ("primary", True, "USUBJID")


def test_where_sites_were_randomised_shares_vary_between_sites(shifted, make_trial) -> None:
    """Variance of the ratio by site, and its covariance with what sites add to the contrast."""
    formula = "AVAL ~ AVISIT*TRT01P + (1 | SITEID) + (1 | SITEID:AVISIT) + (1 | USUBJID)"
    frame = make_trial(sites=10, patients=12)
    rng = np.random.default_rng(2)
    late = (frame["AVISIT"] == "Month 12") & frame["SITEID"].isin([f"S{i}" for i in range(6)])
    frame = frame[~(late & (rng.random(len(frame)) < 0.5))].reset_index(drop=True)
    own = {"design": "cluster", "randomised_unit": "SITEID"}
    (one,) = shifted(frame, formula, deltas=(5.0,), **own).arms
    whole = frame.drop_duplicates("USUBJID")
    seen = set(frame.loc[frame["AVISIT"] == "Month 12", "USUBJID"])
    mine = whole[whole["TRT01P"] == ARMS[1]]
    by = mine.assign(m=~mine["USUBJID"].isin(seen)).groupby("SITEID")["m"].agg(["sum", "size"])
    p = by["sum"].sum() / by["size"].sum()
    left = by["sum"] - p * by["size"]
    assert one.own.variance == pytest.approx(5 / 4 * (left**2).sum() / 60**2, rel=1e-12)
    assert one.own.variance > 1.5 * p * (1 - p) / 60
    width = next(s.answer for s in one.shifted if s.where == "both").se ** 2
    both = (one.own.variance + one.reference.variance) * 25
    between = 10 * (one.own.covariance - one.reference.covariance)
    assert width == pytest.approx(one.start.se**2 + both + between, rel=1e-12)


def test_tipping_points_are_where_the_interval_touches_0(shifted) -> None:
    (one,) = shifted(drawn(8, 160, drop=(0.05, 0.12))).arms
    assert one.start.upper < 0
    by = {t.where: t for t in one.tipping}
    for where in ("arm", "reference"):
        shift = Shift.of(one.start, one.own, one.reference, where)
        at = shift.at(by[where].interval, 0.05)
        assert at.upper == pytest.approx(0, abs=1e-9)
        assert at.p == pytest.approx(0.05, rel=1e-8)
        for part in (0.3, 0.9, 0.999):
            assert shift.at(part * by[where].interval, 0.05).upper < 0
        assert shift.at(by[where].estimate, 0.05).estimate == pytest.approx(0, abs=1e-9)
    assert by["arm"].interval > 0 > by["reference"].interval


def test_one_site_of_an_arm_tells_no_spread_of_shares(shifted, make_trial) -> None:
    frame = make_trial(sites=5, patients=12)
    frame["TRT01P"] = np.where(frame["SITEID"] == "S0", ARMS[1], ARMS[0])
    gone = (frame["AVISIT"] == "Month 12") & (frame.groupby("SITEID").cumcount() % 5 == 0)
    own = {"design": "cluster", "randomised_unit": "SITEID"}
    formula = "AVAL ~ AVISIT*TRT01P + (1 | SITEID) + (1 | USUBJID)"
    found = shifted(frame[~gone].reset_index(drop=True), formula, deltas=(5.0,), **own)
    assert found.refused == (
        f"one site has arm {ARMS[1]}: how the share of missing readings varies between sites can't"
        " be told"
    )
    assert found.arms == ()


def test_a_line_starts_from_the_model_with_means_by_visit(climb, make_trial) -> None:
    frame = drawn(9, 40, drop=(0.05, 0.05))
    lines = "AVAL ~ WEEK*TRT01P + (1 | SITEID) + (1 | USUBJID)"
    ladder = climb(frame, lines)
    found = found_of(ladder)
    rows = {row.key: row for row in ladder.straight.rows}
    assert found.model == "mmrm_visits"
    assert found.label == rows["mmrm_visits"].label
    assert found.arms[0].start == rows["mmrm_visits"].answer
    own = {"design": "cluster", "randomised_unit": "SITEID"}
    trial = make_trial(sites=8).drop(index=[2, 5, 14]).reset_index(drop=True)
    ladder = climb(trial, lines, **own)
    rows = {row.key: row for row in ladder.straight.rows}
    assert found_of(ladder).model == "visits"
    assert found_of(ladder).arms[0].start == rows["visits"].answer


def test_a_model_without_means_of_arms_by_visit_is_refused(shifted) -> None:
    found = shifted(drawn(9, 40, drop=(0.05, 0.05)), "AVAL ~ AVISIT + TRT01P + (1 | USUBJID)")
    assert found.arms == ()
    assert found.refused == "the primary model gives the arms no mean of their own at Month 12"


def test_deltas_come_from_the_spread_of_the_readings_where_the_plan_names_none(shifted) -> None:
    frame = drawn(6, 60, drop=(0.05, 0.05))
    found = shifted(frame)
    last = frame[frame["AVISIT"] == "Month 12"]
    left = last["AVAL"] - last.groupby("TRT01P")["AVAL"].transform("mean")
    sd = np.sqrt((left**2).sum() / (len(last) - 2))
    assert found.sd == pytest.approx(sd, rel=1e-12)
    assert 9 < sd < 12.5
    assert found.deltas == (-10.0, *(-d for d in found.deltas[4:2:-1]), *found.deltas[3:])
    assert not found.planned


def test_nothing_missing_shifts_nothing(shifted, make_trial) -> None:
    (one,) = shifted(make_trial()).arms
    assert one.own.missing == one.reference.missing == 0
    assert {s.answer for s in one.shifted} == {one.start}


def test_the_ladder_has_it_and_survives_its_file(climb, tmp_path) -> None:
    ladder = climb(drawn(9, 40, drop=(0.05, 0.05)))
    planned = next(r.answer for r in ladder.rungs if r.planned)
    assert found_of(ladder).arms[0].start == planned
    write_result(tmp_path / "ladder.json", ladder)
    again = read_result(tmp_path / "ladder.json", Ladder)
    assert again.not_at_random == ladder.not_at_random


def test_known_truth(shifted) -> None:
    """50 trials whose unseen readings are higher by delta: no bias, and the SE is the spread.

    More drop out of one arm, after high values. The mean error is within 3.3 of its Monte-Carlo
    errors, and the SD of the estimates, known to 10%, within 3.3 of these of the mean SE; more
    draws are in benchmarks/coverage_not_at_random.py.
    """
    delta = 12.0
    most = drawn(1, 20_000, drop=(0.02, 0.12))
    seen = most[most["AVISIT"] == "Month 12"].groupby("TRT01P")["AVAL"].size() / 20_000
    truth = -6 + delta * float(seen[ARMS[0]] - seen[ARMS[1]])
    found = []
    for seed in range(50):
        frame = drawn(1000 + seed, 60, drop=(0.02, 0.12))
        (one,) = shifted(frame, deltas=(delta,), df="satterthwaite").arms
        found.append(next(s.answer for s in one.shifted if s.where == "both"))
    estimates = np.array([a.estimate for a in found])
    ses = np.array([a.se for a in found])
    assert abs(estimates.mean() - truth) < 3.3 * estimates.std(ddof=1) / np.sqrt(50)
    assert estimates.std(ddof=1) == pytest.approx(ses.mean(), rel=3.3 * 0.1)
    assert sum(a.lower <= truth <= a.upper for a in found) >= 43  # 47.5 expected, SD 1.5
