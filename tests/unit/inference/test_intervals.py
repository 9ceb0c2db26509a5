"""`confint`: closed forms of balanced designs, boundaries, structured residuals, refusals."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import sitewise
from sitewise.errors import ModelError
from sitewise.inference.intervals import confint
from sitewise.lmm.lmmfit import LmmFit

GROUPS, SIZE = 30, 5


def balanced(between: float, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g = np.repeat([f"g{k:02d}" for k in range(GROUPS)], SIZE)
    t = np.tile(np.arange(SIZE, dtype=float), GROUPS)
    y = 5 + np.repeat(rng.normal(0, between, GROUPS), SIZE) + rng.normal(size=len(g))
    return pd.DataFrame({"y": y, "g": g, "t": t, "visit": [f"v{int(x)}" for x in t]})


@pytest.fixture(scope="module")
def one_way() -> LmmFit:
    return sitewise.lmm("y ~ 1 + (1 | g)", balanced(1.0))


def row(table: pd.DataFrame, kind: str, group: str) -> "pd.Series":
    return table[(table.kind == kind) & (table.group == group)].iloc[0]


def anova(frame: pd.DataFrame) -> tuple[float, float, float]:
    """Sums of squares between and within, mean: sufficient in a balanced one-way design."""
    means = frame.groupby("g").y.mean()
    within = float(((frame.y - frame.g.map(means)) ** 2).sum())
    return SIZE * float(((means - means.mean()) ** 2).sum()), within, float(frame.y.mean())


def deviance(s2: float, t2: float, shift: float, frame: pd.DataFrame) -> float:
    """ML deviance of the balanced one-way design by hand; shift: of the mean off its estimate."""
    between, within, _ = anova(frame)
    lam = s2 + SIZE * t2
    n = GROUPS * SIZE
    return float(
        n * np.log(2 * np.pi) + GROUPS * np.log(lam) + (n - GROUPS) * np.log(s2)
        + (between + n * shift**2) / lam + within / s2
    )  # fmt: skip


def by_hand(kind: str, value: float, frame: pd.DataFrame) -> float:
    """The profile deviance of one number at `value`."""

    def cost(x: np.ndarray) -> float:
        a, b = np.exp(x)
        s2, t2, shift = a, b, 0.0
        if kind == "sd":
            t2 = value**2
        elif kind == "sigma":
            s2 = value**2
        elif kind == "icc":
            t2 = a * value / (1 - value)
        else:
            shift = value
        return deviance(s2, t2, shift, frame)

    return float(optimize.minimize(cost, [0.0, 0.0], method="Nelder-Mead",
                                   options={"xatol": 1e-9, "fatol": 1e-11}).fun)  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), [
    ("sd", ("sd", "g")), ("sigma", ("sd", "Residual")), ("icc", ("icc", "g")),
    ("mean", ("fixed", "")),
])  # fmt: skip
def test_profiles(one_way: LmmFit, kind: str, name: tuple[str, str]) -> None:
    """At both ends the deviance by hand has risen by the 0.9 quantile of chi2(1)."""
    frame = balanced(1.0)
    found = row(confint(one_way, "profile", 0.9), *name)
    lowest = by_hand("mean", 0.0, frame)
    middle = anova(frame)[2] if kind == "mean" else 0.0
    for end in (found.lower, found.upper):
        rise = by_hand(kind, end - middle, frame) - lowest
        assert rise == pytest.approx(stats.chi2.ppf(0.9, 1), abs=1e-5)
    assert found.lower < found.estimate < found.upper


def test_wald(one_way: LmmFit) -> None:
    """log sigma: SS within is sigma^2 chi2, so by REML its information is the degrees' half."""
    found = row(confint(one_way), "sd", "Residual")
    half = stats.norm.ppf(0.975) / np.sqrt(2 * (GROUPS * SIZE - GROUPS))
    assert np.log(found.upper / found.lower) / 2 == pytest.approx(half, rel=1e-6)
    assert np.sqrt(found.upper * found.lower) == pytest.approx(found.estimate)
    mean = row(confint(one_way), "fixed", "")
    assert mean.upper - mean.lower == pytest.approx(2 * 1.959963984540054 * one_way.se.iloc[0])
    variance = row(confint(one_way), "variance", "Residual")
    assert variance.upper == pytest.approx(found.upper**2)


def test_bootstrap(one_way: LmmFit) -> None:
    """Residual variance by REML is sigma^2 chi2(df) / df: its percentiles are known."""
    table = confint(one_way, "bootstrap", 0.8, draws=400, seed=5)
    found = row(table, "variance", "Residual")
    df = GROUPS * SIZE - GROUPS
    for tail, end in ((0.1, found.lower), (0.9, found.upper)):
        reached = stats.chi2.cdf(end * df / found.estimate, df)
        assert reached == pytest.approx(tail, abs=4 * np.sqrt(0.09 / 400))
    assert found.note == ""
    mean = row(table, "fixed", "")
    half = stats.norm.ppf(0.9) * one_way.se.iloc[0]
    assert mean.upper - mean.lower == pytest.approx(2 * half, rel=0.2)
    pd.testing.assert_frame_equal(table, confint(one_way, "bootstrap", 0.8, draws=400, seed=5))


def test_boundary() -> None:
    """No variance between groups: no Wald interval, a profile from 0, an ICC from 0."""
    frame = balanced(0.0)
    frame["y"] -= frame.groupby("g").y.transform("mean")
    fitted = sitewise.lmm("y ~ 1 + (1 | g)", frame)
    assert fitted.singular
    wald, profile = confint(fitted), confint(fitted, "profile")
    for kind in ("sd", "variance", "icc"):
        own = row(wald, kind, "g")
        assert np.isnan(own.lower)
        assert "boundary" in own.note
        own = row(profile, kind, "g")
        assert own.lower == 0
        assert 0 < own.upper < 1
    upper = row(profile, "sd", "g").upper
    rise = by_hand("sd", upper, frame) - deviance(anova(frame)[1] / (GROUPS * SIZE), 0, 0, frame)
    assert rise == pytest.approx(stats.chi2.ppf(0.95, 1), abs=1e-5)


@pytest.mark.parametrize("structure", ["us", "cs", "csh", "ar1", "ar1h"])
def test_residual_covariances(structure: str) -> None:
    """Every SD and correlation has both intervals; they hold the estimate and are close."""
    frame = balanced(1.0)
    frame = frame[frame.t < 3]
    fitted = sitewise.lmm(f"y ~ t + {structure}(visit | g)", frame, reml=False)
    wald, profile = confint(fitted), confint(fitted, "profile")
    own = profile[profile.kind.isin(["sd", "correlation"])]
    expected = {"us": 6, "cs": 2, "csh": 4, "ar1": 2, "ar1h": 4}[structure]
    assert len(own) == expected
    assert (own.lower < own.estimate).all()
    assert (own.estimate < own.upper).all()
    near = wald.loc[own.index]
    width = near.upper - near.lower
    assert ((own.lower - near.lower).abs() < 0.25 * width).all()
    assert ((own.upper - near.upper).abs() < 0.25 * width).all()


def test_cs_is_a_random_intercept(one_way: LmmFit) -> None:
    """The correlation under cs is the ICC of a random intercept."""
    fitted = sitewise.lmm("y ~ 1 + cs(visit | g)", balanced(1.0))
    for method in ("wald", "profile"):
        own = row(confint(fitted, method), "correlation", "Residual")
        icc = row(confint(one_way, method), "icc", "g")
        assert own.estimate == pytest.approx(icc.estimate, rel=1e-6)
        if method == "profile":
            assert (own.lower, own.upper) == pytest.approx((icc.lower, icc.upper), abs=1e-5)


def test_refusals(one_way: LmmFit) -> None:
    with pytest.raises(ModelError, match="wald, profile, bootstrap") as caught:
        confint(one_way, "exact", 95)
    assert "0 < level < 1" in str(caught.value)
