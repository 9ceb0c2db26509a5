"""`sitewise.lrt`: rules, refusals, and the level of a test by simulation."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import optimize, stats

import sitewise
from sitewise.errors import ComparisonError
from sitewise.inference.lrt import SURE, lrt
from sitewise.inference.placed import place
from sitewise.lmm.lmmfit import LmmFit

TEXTS = {
    "patient": "y ~ week*arm + (1 | patient)",
    "nested": "y ~ week*arm + (1 | site) + (1 | patient)",
    "slope": "y ~ week*arm + (1 | site) + (1 + week | patient)",
    "apart": "y ~ week*arm + (1 | site) + (1 + week || patient)",
    "site slope": "y ~ week*arm + (1 + week | site) + (1 | patient)",
    "both": "y ~ week*arm + (1 + week | site) + (1 + week | patient)",
    "us": "y ~ week*arm + (1 | site) + us(visit | patient)",
    "cs": "y ~ week*arm + (1 | site) + cs(visit | patient)",
    "csh": "y ~ week*arm + (1 | site) + csh(visit | patient)",
    "ar1": "y ~ week*arm + (1 | site) + ar1(visit | patient)",
    "ar1h": "y ~ week*arm + (1 | site) + ar1h(visit | patient)",
    "site": "y ~ week*arm + (1 | site)",
}


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    rows = []
    for s in range(24):
        u = rng.normal(0, 4)
        for p in range(6):
            b, sb = rng.normal(0, 6), rng.normal(0, 0.3)
            for k, week in enumerate((0.0, 10.0, 20.0, 30.0)):
                y = 120 + u + b + (sb - 0.1) * week + rng.normal(0, 3)
                rows.append((f"s{s:02d}", f"s{s}p{p}", f"v{k}", week, ("A", "B")[p % 2], y))
    return pd.DataFrame(rows, columns=["site", "patient", "visit", "week", "arm", "y"])


@pytest.fixture(scope="module")
def fits(data: pd.DataFrame) -> dict[str, LmmFit]:
    return {name: sitewise.lmm(text, data) for name, text in TEXTS.items()}


@pytest.mark.parametrize(
    ("pair", "df", "kind", "q"),
    [
        (("patient", "nested"), 1, "mixture", 0),
        (("nested", "slope"), 2, "mixture", 1),
        (("nested", "apart"), 1, "mixture", 0),
        (("apart", "slope"), 1, "chi2", None),
        (("patient", "slope"), 3, "chi-bar", None),
        (("patient", "site slope"), 3, "chi-bar", None),
        (("site", "cs"), 1, "chi2", None),
        (("nested", "us"), 8, "chi2", None),
        (("nested", "cs"), 0, "refused", None),
        (("slope", "us"), 6, "chi2", None),
        (("site", "ar1"), 1, "chi2", None),
        (("ar1", "ar1h"), 3, "chi2", None),
        (("cs", "csh"), 3, "chi2", None),
        (("csh", "us"), 5, "chi2", None),
    ],
)
def test_rules(
    fits: dict[str, LmmFit], pair: tuple[str, str], df: int, kind: str, q: int | None
) -> None:
    null, full = pair
    if kind == "refused":
        with pytest.raises(ComparisonError, match="no parameter beyond"):
            lrt(fits[null], fits[full])
        return
    found = lrt(fits[null], fits[full])
    assert (found.df, found.kind, found.method) == (df, kind, "REML")
    assert found.statistic == pytest.approx(2 * (fits[full].loglik - fits[null].loglik))
    assert found.bootstrap is None
    if kind == "chi2":
        assert found.p == pytest.approx(stats.chi2.sf(found.statistic, df))
    if q is not None:
        tails = [stats.chi2.sf(found.statistic, k) if k else 0.0 for k in (q, q + 1)]
        assert found.p == pytest.approx(np.mean(tails))
    if kind == "chi-bar":
        assert found.p < found.p_naive
        assert "tangent cone" in found.rule
    assert found.p > 0


def test_a_text_is_the_model_without_random_terms(
    data: pd.DataFrame, fits: dict[str, LmmFit]
) -> None:
    """Against least squares by NumPy, REML as lme4 counts it."""
    found = lrt("y ~ week*arm", fits["patient"])
    arm = (data.arm == "B").to_numpy(dtype=float)
    X = np.column_stack([np.ones(len(data)), data.week, arm, data.week * arm])
    rest = data.y - X @ np.linalg.lstsq(X, data.y, rcond=None)[0]
    degrees = len(data) - 4
    log_det = np.linalg.slogdet(X.T @ X)[1] - 4 * np.log(rest @ rest / degrees)
    deviance = len(data) * np.log(rest @ rest / degrees) + log_det
    deviance += degrees * (1 + np.log(2 * np.pi))
    assert found.loglik_null == pytest.approx(-deviance / 2, abs=1e-8)
    assert (found.df, found.kind, found.rule) == (1, "mixture", "0.5 chi2(0) + 0.5 chi2(1)")


def test_fixed_effects(data: pd.DataFrame) -> None:
    add = sitewise.lmm("y ~ week + arm + (1 | site) + (1 | patient)", data, reml=False)
    full = sitewise.lmm(TEXTS["nested"], data, reml=False)
    found = lrt(add, full)
    assert (found.kind, found.df, found.df_fixed, found.units) == ("chi2", 1, 1, None)
    assert found.p == pytest.approx(stats.chi2.sf(found.statistic, 1))
    drawn = lrt(add, full, bootstrap=60, seed=3)
    assert drawn.bootstrap is not None
    # The test statistic of one fixed effect with many units is chi2(1).
    assert stats.kstest(drawn.bootstrap.statistics, stats.chi2(1).cdf).pvalue > 1e-3


def _dense_ml(X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> float:
    """ML log-likelihood of y = X b + (1 | groups) + e, sigma profiled, on n x n matrices."""
    n = len(y)
    same = np.equal.outer(groups, groups).astype(float)

    def deviance(log_ratio: float) -> float:
        V = np.eye(n) + np.exp(log_ratio) * same
        Vi = np.linalg.inv(V)
        r = y - X @ np.linalg.solve(X.T @ Vi @ X, X.T @ Vi @ y)
        return float(np.linalg.slogdet(V)[1] + n * (1 + np.log(2 * np.pi * (r @ Vi @ r) / n)))

    found = optimize.minimize_scalar(deviance, bounds=(-14, 14), method="bounded",
                                     options={"xatol": 1e-9})  # fmt: skip
    return -float(found.fun) / 2


@pytest.mark.parametrize("kind", ["rows", "wide"])
@pytest.mark.parametrize(("small", "large"), [
    ("x", "x + k"), ("1", "x*k"), ("0 + x", "x"), ("0 + k", "0 + x*k"),
])  # fmt: skip
@pytest.mark.parametrize("source", ["frame", "moments"])
def test_fixed_effects_against_dense_matrices(
    kind: str, small: str, large: str, source: str
) -> None:
    """Also where the smaller columns do not span what was taken out of y for the larger ones."""
    rng = np.random.default_rng(8)
    group = np.repeat(np.arange(14), 6)
    n = len(group)
    # By rows both vary freely; in a schedule x is a visit's and k a patient's.
    x = np.tile(np.arange(6.0), 14) if kind == "wide" else rng.normal(size=n)
    k = 40 + (rng.normal(size=14)[group] if kind == "wide" else rng.normal(size=n))
    y = 90 + x + 2 * k + rng.normal(size=14)[group] + rng.normal(size=n)
    frame = pd.DataFrame({"y": y, "x": x, "k": k, "g": [f"g{i:02d}" for i in group]})
    texts = [f"y ~ {fixed} + (1 | g)" for fixed in (small, large)]
    data = frame if source == "frame" else sitewise.moments(texts, frame)
    found = lrt(*(sitewise.lmm(text, data, reml=False) for text in texts), bootstrap=0)
    columns = {"1": np.ones(n), "x": x, "k": k, "x:k": x * k}
    held = {
        "x": ["1", "x"], "x + k": ["1", "x", "k"], "1": ["1"], "x*k": [*columns],
        "0 + x": ["x"], "0 + k": ["k"], "0 + x*k": ["x", "k", "x:k"],
    }  # fmt: skip
    expected = [
        _dense_ml(np.column_stack([columns[c] for c in held[fixed]]), y, group)
        for fixed in (small, large)
    ]
    assert (found.loglik_null, found.loglik_full) == pytest.approx(expected, abs=1e-6)
    assert found.statistic == pytest.approx(2 * (expected[1] - expected[0]), abs=2e-6)
    assert (found.kind, found.df) == ("chi2", len(held[large]) - len(held[small]))


def test_refusals(data: pd.DataFrame, fits: dict[str, LmmFit]) -> None:
    fewer = sitewise.lmm(TEXTS["patient"], data.iloc[:-4])
    by_ml = sitewise.lmm(TEXTS["patient"], data, reml=False)
    other = sitewise.lmm("z ~ week*arm + (1 | patient)", data.assign(z=data.y))
    without = sitewise.lmm("y ~ week + (1 | patient)", data)
    for null, full, says in (
        (fewer, "nested", "use other rows"),
        (by_ml, "nested", "REML and one by ML"),
        (other, "nested", "outcomes differ: z and y"),
        (without, "nested", "fixed parts differ"),
        (fits["nested"], "patient", r"no place for \(1 \| site\)"),
        (fits["slope"], "site slope", "no place for"),
        (fits["ar1"], "csh", "no special case of csh"),
        (fits["nested"], "nested", "no parameter beyond"),
    ):
        with pytest.raises(ComparisonError, match=says):
            lrt(null, fits[full])
    with pytest.raises(ComparisonError, match="without its random terms"):
        lrt("y ~ week", fits["patient"])


def test_a_null_on_the_boundary() -> None:
    """Site variance 0 under the null: no fixed mixture, the cone instead; the bootstrap beside."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        [(f"s{s}", f"s{s}p{p}", float(t)) for s in range(12) for p in range(6) for t in range(4)],
        columns=["site", "patient", "t"],
    )
    noise = rng.normal(size=len(frame))
    sites = frame.groupby("site").ngroup()
    noise -= pd.Series(noise).groupby(sites).transform("mean").to_numpy()  # variance 0 exactly
    patients = frame.groupby("patient").ngroup().to_numpy()
    effects = rng.normal(0, 1, 72)
    effects -= np.repeat(effects.reshape(12, 6).mean(axis=1), 6)
    order = frame["patient"].drop_duplicates().tolist()
    place_of = np.array([order.index(p) for p in frame["patient"]])
    frame["y"] = noise + effects[place_of]
    assert len(set(patients)) == 72
    null = sitewise.lmm("y ~ t + (1 | site) + (1 | patient)", frame)
    full = sitewise.lmm("y ~ t + (1 | site) + (1 + t | patient)", frame)
    assert null.singular
    found = lrt(null, full, bootstrap=0)
    assert found.kind == "chi-bar"
    assert "at a null on the boundary" in found.rule
    assert any("itself singular" in text for text in found.cautions)


def eight_sites(data: pd.DataFrame, smaller: str, larger: str) -> tuple[LmmFit, LmmFit]:
    few = data[data.site < "s08"]
    return sitewise.lmm(TEXTS[smaller], few), sitewise.lmm(TEXTS[larger], few)


def test_a_bootstrap_ends_where_its_p_is_sure(data: pd.DataFrame) -> None:
    """At the twentieth statistic as large; the draws made are the first of those asked for."""
    null, full = eight_sites(data, "slope", "both")
    few = lrt(null, full, bootstrap=30, seed=2).bootstrap
    assert few is not None
    assert few.draws == few.most == 30
    larger = int(np.sum(few.statistics >= lrt(null, full, bootstrap=0).statistic - 1e-6))
    assert 0 < larger < SURE
    assert few.p == (1 + larger) / 31
    many = lrt(null, full, bootstrap=999, seed=2).bootstrap
    assert many is not None
    assert many.draws < many.most == 999
    assert_array_equal(many.statistics[:30], few.statistics)
    statistic = lrt(null, full, bootstrap=0).statistic
    assert int(np.sum(many.statistics >= statistic - 1e-6)) == SURE
    assert many.statistics[-1] >= statistic - 1e-6
    assert many.p == SURE / many.draws


def test_few_units_have_a_bootstrap(data: pd.DataFrame) -> None:
    null, full = eight_sites(data, "patient", "nested")
    found = lrt(null, full, bootstrap=99, seed=2)
    again = lrt(null, full, bootstrap=99, seed=2)
    assert found.units == 8
    assert found.p_bootstrap == again.p_bootstrap
    assert found.bootstrap is not None
    assert found.bootstrap.failed == 0
    assert "parametric bootstrap, 99 draws, seed 2" in str(found)
    # Some draws are exactly 0, about half where units are many.
    assert 0.3 < np.mean(found.bootstrap.statistics < 1e-6) < 0.85


SIMULATIONS, GROUPS, TIMES = 200, 60, 4


def test_level_of_none_to_a_slope() -> None:
    """None to (1 + t | g) on pure noise. Tolerance: three binomial standard errors.

    chi2(3) would reject about 0.08 at 0.2: outside.
    """
    rng = np.random.default_rng(2026)
    g = np.repeat([f"g{k:02d}" for k in range(GROUPS)], TIMES)
    t = np.tile(np.arange(TIMES, dtype=float), GROUPS)
    statistics, law = [], None
    for _ in range(SIMULATIONS):
        frame = pd.DataFrame({"y": rng.normal(size=len(t)), "t": t, "g": g})
        pair = place("y ~ t", sitewise.lmm("y ~ t + (1 + t | g)", frame))
        statistics.append(max(pair.small.deviance - pair.larger.deviance, 0.0))
        # The weights hang on the design alone: they are free of sigma.
        law = law or pair.chi_bar(1)
    assert law is not None
    p = np.array([law.p(statistic)[0] for statistic in statistics])
    for level in (0.05, 0.2):
        error = np.sqrt(level * (1 - level) / SIMULATIONS)
        assert np.mean(p < level) == pytest.approx(level, abs=3 * error)
