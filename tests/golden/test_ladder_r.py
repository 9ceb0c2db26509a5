"""Robust SEs, GEE, BLUPs, sites left out of Ghana and the CDISC pilot beside R 4.2.2.

clubSandwich 0.5.8: vcovCR(lm(...), cluster, "CR0" | "CR2" | "CR3"), coef_test("Satterthwaite").
geepack 1.3.9: geeglm(corstr = "exchangeable"); its correlation in matrices of each cluster gives
Kauermann-Carroll and Mancl-DeRouen. lme4 1.1-31, lmerTest 3.1-3: bobyqa to 1e-9, ranef(condVar).
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sitewise import lmm
from sitewise.classical.clustered import Exchangeable, cr2_df, sandwich
from sitewise.classical.gee import fit_gee
from sitewise.classical.guard import half_p
from sitewise.classical.least_squares import ordinary

Design = tuple[np.ndarray, np.ndarray, np.ndarray]
GHANA = {"visit": ["baseline", "month 6", "month 12"], "arm": ["HIC", "TASSH+HIC"]}
CDISC = {"ARM": ["Placebo", "Xanomeline Low Dose", "Xanomeline High Dose"]}


def ghana(shared: Path, outcome: str) -> pd.DataFrame:
    files = sorted((shared / "data" / "ghana" / "sites").glob("site_*.csv"))
    rows = pd.concat([pd.read_csv(path, dtype=str) for path in files], ignore_index=True)
    y = pd.to_numeric(rows[outcome], errors="coerce")
    return rows.assign(y=y)[y.notna()].reset_index(drop=True)


def cdisc(shared: Path) -> pd.DataFrame:
    path = shared / "data" / "cdiscpilot" / "analysis_bp.csv"
    rows = pd.read_csv(path, dtype={"USUBJID": str, "SITEID": str})
    return rows[rows["sbp"].notna()].reset_index(drop=True)


def columns(shared: Path, name: str) -> Design:
    """X, y and cluster; arm and its last interaction are columns 3 and 5."""
    if name == "cdisc":
        rows = cdisc(shared)
        t = [rows["week"].to_numpy(float)]
        arms = [(rows["ARM"] == arm).to_numpy(float) for arm in CDISC["ARM"][1:]]
        X = np.column_stack([np.ones(len(rows)), *t, *arms, *(t[0] * arm for arm in arms)])
        return X, rows["sbp"].to_numpy(float), pd.factorize(rows["USUBJID"])[0]
    rows = ghana(shared, name)
    t = [(rows["visit"] == visit).to_numpy(float) for visit in GHANA["visit"][1:]]
    arm = (rows["arm"] == "TASSH+HIC").to_numpy(float)
    X = np.column_stack([np.ones(len(rows)), *t, arm, *(one * arm for one in t)])
    return X, rows["y"].to_numpy(float), pd.factorize(rows["site"])[0]


# Of columns 3 and 5: least squares CR0, CR2, CR3, df of CR2; GEE alpha, Kauermann-Carroll,
# Mancl-DeRouen.
CLUSTERED = {
    "sbp": (
        [1.07523583360133, 1.90020757333823], [1.11362982610278, 1.96679761184577],
        [1.15345204592167, 2.03582666849899], [29.5092747348, 29.4476256709],
        0.0360951961498608, [1.09042658702952, 1.95220990167305],
        [1.12834515457303, 2.01981267838854],
    ),
    "dbp": (
        [1.09488524232882, 1.16392608612703], [1.13121853632217, 1.20411904259602],
        [1.16877771995614, 1.24576136507754], [29.5092747348, 29.4427831700],
        0.0695517872528668, [1.13134111108027, 1.19442848519093],
        [1.1685988703919, 1.23483364822134],
    ),
    "cdisc": (
        [2.19832605691731, 0.112483639630505], [2.21063350483083, 0.11391631710254],
        [2.22300631816726, 0.115376273932491], [160.175844978, 100.424546882],
        0.626574966951608, [2.24575870047922, 0.0816571740008974],
        [2.25930705550562, 0.082587730282566],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CLUSTERED)
def test_robust_standard_errors_are_those_of_clubsandwich(shared: Path, name: str) -> None:
    X, y, codes = columns(shared, name)
    clusters = Exchangeable(codes)
    found = sandwich(X, ordinary(X, y).residuals, clusters)
    expected = dict(zip(("none", "kc", "md"), CLUSTERED[name][:3], strict=True))
    for kind, se in expected.items():
        assert np.sqrt(np.diag(found.vcov[kind]))[[3, 5]] == pytest.approx(se, rel=1e-10)
    df = [cr2_df(X, clusters, row) for row in np.eye(6)[[3, 5]]]
    assert df == pytest.approx(CLUSTERED[name][3], rel=1e-10)


@pytest.mark.parametrize("name", CLUSTERED)
def test_corrected_gee(shared: Path, name: str) -> None:
    found = fit_gee(*columns(shared, name))
    alpha, kc, md = CLUSTERED[name][4:]
    assert found.rho == pytest.approx(alpha, rel=1e-9)
    for kind, se in (("kc", kc), ("md", md)):
        assert np.sqrt(np.diag(found.robust.vcov[kind]))[[3, 5]] == pytest.approx(se, rel=1e-9)


def test_ghana_diastolic_sites(shared: Path) -> None:
    rows = ghana(shared, "dbp")
    nested = "y ~ visit*arm + (1 | site) + (1 | patient)"
    small, fit = (lmm(f, rows, levels=GHANA) for f in (nested, f"{nested} + (1 | site:visit)"))
    assert fit.loglik == pytest.approx(-7607.89685834, abs=1e-7)
    blups = fit.ranef("site").iloc[:4].to_numpy()
    expected = [[1.358742316188, 1.78850091314], [-2.857587868078, 1.82551055724],
                [4.730135177713, 1.78858104316], [0.244922553061, 1.78965549720]]  # fmt: skip
    assert blups == pytest.approx(np.array(expected), rel=2e-6)
    # The guard's test: lme4's likelihood ratio, half of chi2(0), half of chi2(1).
    statistic = 2 * (fit.loglik - small.loglik)
    assert statistic == pytest.approx(12.0451901637, abs=1e-6)
    assert half_p(statistic) == pytest.approx(0.0002596309473632518, rel=1e-6)


@pytest.mark.parametrize(
    ("site", "estimate", "se", "df"),
    [
        ("01", -0.606172728558, 1.273059099978, 53.201470876441),
        ("17", -0.628068784700, 1.254419704560, 52.784833172934),
        ("32", -0.452857134634, 1.249739558279, 53.235923890694),
    ],
)
def test_ghana_without_a_site(shared: Path, site: str, estimate: float, se: float,
                              df: float) -> None:  # fmt: skip
    rows = ghana(shared, "dbp")
    left = rows[rows["site"] != site].reset_index(drop=True)
    formula = "y ~ visit*arm + (1 | site) + (1 | site:visit) + (1 | patient)"
    own = lmm(formula, left, levels=GHANA).tests(df="satterthwaite").iloc[5]
    found = [own["estimate"], own["se"], own["df"]]
    assert found == pytest.approx([estimate, se, df], rel=1e-6)


@pytest.mark.parametrize(
    ("site", "estimate", "se", "df"),
    [
        ("701", -4.3160684253134, 2.2491124267917, 114.5158540057750),
        ("702", -5.11007838191878, 1.91773279199312, 136.22754903677159),
        ("710", -4.6533954845459, 2.0710734631275, 121.5547101593430),
    ],
)
def test_cdisc_without_a_site(shared: Path, site: str, estimate: float, se: float,
                              df: float) -> None:  # fmt: skip
    rows = cdisc(shared)
    left = rows[rows["SITEID"] != site].reset_index(drop=True)
    formula = "sbp ~ week*ARM + (1 | SITEID) + (1 + week | USUBJID)"
    own = lmm(formula, left, levels=CDISC).tests(df="satterthwaite").iloc[5]
    found = [24 * own["estimate"], 24 * own["se"], own["df"]]
    # lmerTest differentiates a fit that stopped at 1e-9 of the deviance: 1e-6 and some in df.
    assert found[:2] == pytest.approx([estimate, se], rel=1e-6)
    assert found[2] == pytest.approx(df, rel=3e-6)
