"""Kenward-Roger, Satterthwaite, between-within against matrices of the whole data; refusals."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sitewise
from sitewise.errors import ModelError
from sitewise.lmm.linear.wald import wald_of
from sitewise.lmm.lmmfit import LmmFit
from tests.unit.lmm.dense import dense

VISITS = ["v1", "v2", "v3"]
LEVELS = {"visit": VISITS, "arm": ["A", "B"]}
SAME = 1e-6  # relative: second derivatives of V are differences here
Theta = Callable[[np.ndarray], np.ndarray]


@lru_cache
def trial() -> pd.DataFrame:
    """Ten sites, arms within and between sites, readings missing."""
    rng = np.random.default_rng(3)
    rows = []
    for s in range(10):
        u = rng.normal(0, 3)
        for p in range(5):
            base = 120 + u + rng.normal(0, 5)
            age = rng.uniform(30, 80)
            for t in range(3):
                if rng.random() > 0.2:
                    y = base + t * (p % 2) + rng.normal(0, 3 + t)
                    rows.append((f"s{s}", f"s{s}p{p}", "AB"[p % 2], VISITS[t], t * 6.0, age,
                                 "xy"[s % 2], y))  # fmt: skip
    names = ["site", "patient", "arm", "visit", "week", "age", "region", "y"]
    return pd.DataFrame(rows, columns=names)


@lru_cache
def fit(formula: str, reml: bool = True) -> LmmFit:
    return sitewise.lmm(formula, trial(), reml, LEVELS)


# -- covariances by mmrm's theta, written for complex numbers -------------------------------------


def unstructured(theta: np.ndarray) -> np.ndarray:
    L = np.eye(3, dtype=theta.dtype)
    L[np.tril_indices(3, -1)] = theta[3:]
    L = np.diag(np.exp(theta[:3])) @ L
    return L @ L.T


def heterogeneous_cs(theta: np.ndarray) -> np.ndarray:
    share = 1 / (1 + np.exp(-theta[-1]))
    rho = 1.5 * share - 0.5
    sd = np.exp(theta[:-1]) * np.ones(3)
    return np.outer(sd, sd) * (np.eye(3) * (1 - rho) + rho)


def heterogeneous_ar1(theta: np.ndarray) -> np.ndarray:
    rho = theta[-1] / np.sqrt(1 + theta[-1] ** 2)
    lag = np.abs(np.subtract.outer(np.arange(3), np.arange(3)))
    sd = np.exp(theta[:-1]) * np.ones(3)
    return np.outer(sd, sd) * rho**lag


def theta_of(structure: str, R: np.ndarray) -> np.ndarray:
    sd = np.sqrt(np.diag(R)) if structure != "cs" else np.sqrt(R[:1, 0])
    rho = R[0, 1] / np.sqrt(R[0, 0] * R[1, 1])
    if structure == "us":
        L = np.linalg.cholesky(R)
        unit = L / np.diag(L)[:, None]
        return np.concatenate([np.log(np.diag(L)), unit[np.tril_indices(3, -1)]])
    if structure == "ar1h":
        return np.append(np.log(sd), rho / np.sqrt(1 - rho**2))
    share = (rho + 0.5) / 1.5
    return np.append(np.log(sd), np.log(share / (1 - share)))


STRUCTURES = {
    "us": unstructured, "csh": heterogeneous_cs, "cs": heterogeneous_cs,
    "ar1h": heterogeneous_ar1,
}  # fmt: skip


class Textbook:
    """Kenward & Roger 1997 with n x n matrices: V = site variance x same site + R(theta)."""

    def __init__(self, structure: str) -> None:
        formula = f"y ~ visit * arm + age + (1 | site) + {structure}(visit | patient)"
        self.fit = fit(formula)
        data = trial()
        names = list(self.fit.estimates.names)
        self.X = np.column_stack([self._column(data, name) for name in names])
        self.y = data["y"].to_numpy()
        same = {k: np.equal.outer(data[k].to_numpy(), data[k].to_numpy()) for k in
                ("site", "patient")}  # fmt: skip
        t = data["visit"].map(VISITS.index).to_numpy()
        self.same, self.at = same, np.ix_(t, t)
        own = STRUCTURES[structure]
        R = self.fit.residual_cov.to_numpy()
        theta = theta_of(structure, R)
        np.testing.assert_allclose(own(theta), R, rtol=1e-9)
        self.values = np.append(self.fit.varcorr["variance"].iloc[0], theta)
        self.own = own
        k = len(self.values)
        self.first = [self._slope(i, self.values) for i in range(k)]
        step = 1e-5
        self.second = {
            (i, j): (self._slope(i, self.values + step * np.eye(k)[j])
                     - self._slope(i, self.values - step * np.eye(k)[j])) / (2 * step)
            for i in range(k) for j in range(i, k)
        }  # fmt: skip

    @staticmethod
    def _column(data: pd.DataFrame, name: str) -> np.ndarray:
        out = np.ones(len(data))
        for part in [] if name == "(Intercept)" else name.split(":"):
            if part == "age":
                out = out * data["age"]
            else:
                variable = "visit" if part.startswith("visit") else "arm"
                out = out * (data[variable] == part.removeprefix(variable))
        return np.asarray(out, dtype=float)

    def _v(self, values: np.ndarray) -> np.ndarray:
        return values[0] * self.same["site"] + self.own(values[1:])[self.at] * self.same["patient"]

    def _slope(self, i: int, values: np.ndarray) -> np.ndarray:
        moved = values.astype(complex)
        moved[i] += 1e-20j
        return np.asarray(self._v(moved).imag / 1e-20)

    def inference(self, information: str, form: str) -> tuple[np.ndarray, ...]:
        V = self._v(self.values)
        own = dense(self.X, self.y, V, self.first, reml=True, d2V=list(self.second.items()))
        k = len(self.first)
        E = own.expected if information == "expected" else own.hessian / 2
        W, P, phi, Q = np.linalg.inv(E), own.first, own.phi, own.second
        half = np.linalg.inv(V) @ self.X
        inner = np.zeros_like(phi)
        for i in range(k):
            for j in range(k):
                R = half.T @ self.second[min(i, j), max(i, j)] @ half if form == "full" else 0.0
                inner += W[i, j] * (Q[i, j] - P[i] @ phi @ P[j] - R / 4)
        return phi + 2 * phi @ inner @ phi, phi, W, P


@pytest.mark.parametrize("form", ["linear", "full"])
@pytest.mark.parametrize("information", ["expected", "observed"])
@pytest.mark.parametrize("structure", list(STRUCTURES))
def test_kenward_roger_of_sites_and_residual_covariance(
    structure: str, information: str, form: str
) -> None:
    book = Textbook(structure)
    adjusted, phi, W, P = book.inference(information, form)
    own = book.fit.tests(information=information, form=form)
    np.testing.assert_allclose(own["se"], np.sqrt(np.diag(adjusted)), rtol=SAME)
    for i, df in enumerate(own["df"]):
        g = np.array([-(phi @ p @ phi)[i, i] for p in P])
        assert df == pytest.approx(2 * phi[i, i] ** 2 / (g @ W @ g), rel=SAME)
    # F of the interaction: Kenward & Roger 1997, p. 988
    names = list(own.index)
    L = np.eye(len(names))[[i for i, name in enumerate(names) if ":" in name]]
    q = len(L)
    theta = L.T @ np.linalg.inv(L @ phi @ L.T) @ L
    A1 = sum(W[i, j] * np.trace(theta @ phi @ P[i] @ phi) * np.trace(theta @ phi @ P[j] @ phi)
             for i in range(len(P)) for j in range(len(P)))  # fmt: skip
    A2 = sum(W[i, j] * np.trace(theta @ phi @ P[i] @ phi @ theta @ phi @ P[j] @ phi)
             for i in range(len(P)) for j in range(len(P)))  # fmt: skip
    B = (A1 + 6 * A2) / 2 / q
    g1 = ((q + 1) * A1 - (q + 4) * A2) / ((q + 2) * A2)
    d = 3 * q + 2 * (1 - g1)
    c1, c2, c3 = g1 / d, (q - g1) / d, (q + 2 - g1) / d
    mean = 1 / (1 - A2 / q)
    variance = 2 / q * (1 + c1 * B) / ((1 - c2 * B) ** 2 * (1 - c3 * B))
    rho = variance / (2 * mean**2)
    m = 4 + (q + 2) / (q * rho - 1)
    scale = m / (mean * (m - 2))
    b = book.fit.fixef.to_numpy()
    F = scale / q * (L @ b) @ np.linalg.solve(L @ adjusted @ L.T, L @ b)
    test = book.fit.contrast(L, joint=True, information=information, form=form)
    assert test["F"].item() == pytest.approx(F, rel=SAME)
    assert test["df2"].item() == pytest.approx(m, rel=10 * SAME)


def test_both_forms_are_one_without_a_residual_covariance() -> None:
    own = fit("y ~ visit * arm + (1 | site) + (1 + week | patient)")
    pd.testing.assert_frame_equal(own.tests(form="linear"), own.tests(form="full"))


def test_one_row_f_is_the_square_of_t() -> None:
    own = fit("y ~ visit * arm + (1 | site/patient)")
    for df in ("kenward-roger", "satterthwaite", "between-within", "asymptotic"):
        one = own.contrast({"armB": 1, "visitv3:armB": 1}, df=df)
        joint = own.contrast({"armB": 1, "visitv3:armB": 1}, df=df, joint=True)
        assert joint["F"].item() == pytest.approx(one["t"].item() ** 2, rel=1e-9)
        assert joint["df2"].item() == pytest.approx(one["df"].item(), rel=1e-9)
        assert joint["p"].item() == pytest.approx(one["p"].item(), rel=1e-8)
        assert one.attrs["df"] == df


def test_a_patient_between_two_bounds_of_satterthwaite() -> None:
    """Balanced one-way data: df are those of the analysis of variance, whatever the method."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(8), 5)
    data = pd.DataFrame({"g": [f"g{k}" for k in groups], "y": rng.normal(0, 1, 8)[groups] * 3
                         + rng.normal(0, 1, 40)})  # fmt: skip
    own = sitewise.lmm("y ~ 1 + (1 | g)", data)
    for df in ("kenward-roger", "satterthwaite", "between-within"):
        assert own.tests(df)["df"].item() == pytest.approx(7, rel=1e-6)


BW = {
    "y ~ visit * arm + age + region + (1 | site) + (1 | patient)": (True, True),
    "y ~ visit * arm + age + region + (1 | site) + us(visit | patient)": (True, True),
    "y ~ visit + arm + region + (1 + week | patient)": (False, True),
    "y ~ week * age + arm + region + (1 | site)": (True, False),
}


@pytest.mark.parametrize("formula", list(BW))
def test_between_within_by_counting(formula: str) -> None:
    with_site, with_patient = BW[formula]
    own, data = fit(formula), trial()
    groups = [g for g, used in (("site", with_site), ("patient", with_patient)) if used]
    constant = {"region": "site", "arm": "patient", "age": "patient"}
    place = []
    for name in own.fixef.index:
        parts = [p.rstrip("123ABxy") if p != "age" else p for p in name.split(":")]
        parts = ["visit" if p == "visitv" else p for p in parts]
        if name == "(Intercept)":
            place.append(None)
            continue
        stratum = "row" if {"visit", "week"} & set(parts) else max(
            (constant[p] for p in parts), key=["site", "patient"].index)  # fmt: skip
        if stratum == "site" and not with_site:
            stratum = "patient"
        if stratum == "patient" and not with_patient:
            stratum = "row"
        place.append(stratum)
    m = [1, *(data[g].nunique() for g in groups), len(data)]
    order = [*groups, "row"]
    df = {s: m[i + 1] - m[i] - place.count(s) for i, s in enumerate(order)}
    wanted = [df[order[0] if s is None else s] for s in place]
    assert own.tests("between-within")["df"].tolist() == wanted


def test_between_within_of_rows_without_a_schedule() -> None:
    data = trial().assign(dose=np.arange(len(trial())) * 1.37 % 5)
    own = sitewise.lmm("y ~ dose + arm + region + (1 | site/patient)", data, levels=LEVELS)
    sites, patients, n = 10, data["patient"].nunique(), len(data)
    wanted = [sites - 2, n - patients - 1, patients - sites - 1, sites - 2]
    assert own.tests("between-within")["df"].tolist() == wanted


def test_refusals() -> None:
    crossed = fit("y ~ visit * arm + (1 | site) + (1 | site:visit) + (1 | patient)")
    with pytest.raises(ModelError, match="nested groupings"):
        crossed.tests("between-within")
    nested = fit("y ~ visit * arm + (1 | site/patient)", False)
    with pytest.raises(ModelError, match="fit by REML"):
        nested.tests("kenward-roger")
    with pytest.raises(ModelError, match="unknown df method 'kr'"):
        nested.tests("kr")
    with pytest.raises(ModelError, match="has no full form"):
        nested.tests("satterthwaite", form="full")
    with pytest.raises(ModelError, match="uses no information"):
        nested.tests("asymptotic", information="observed")
    with pytest.raises(ModelError, match="level is 95"):
        nested.tests("satterthwaite", level=95)
    with pytest.raises(ModelError, match="no fixed effect is named 'armC'"):
        nested.contrast({"armC": 1}, df="satterthwaite")
    with pytest.raises(ModelError, match="all weights are 0"):
        nested.contrast([0, 0, 0, 0, 0, 0], df="satterthwaite")
    with pytest.raises(ModelError, match="1 x 2 weights for 6 effects"):
        nested.contrast([1, 0], df="satterthwaite")
    with pytest.raises(ModelError, match="1, 2 or 3"):
        nested.anova("satterthwaite", type=4)


def test_what_nothing_is_said_of_under_maximum_likelihood_is_satterthwaites() -> None:
    by_ml = fit("y ~ visit * arm + (1 | site/patient)", False)
    found, asked = by_ml.tests(), by_ml.tests("satterthwaite")
    pd.testing.assert_frame_equal(found, asked)
    assert found.attrs["df"] == "satterthwaite"
    assert "by maximum likelihood, and Kenward-Roger is for REML" in found.attrs["note"]
    assert "note" not in asked.attrs
    for table in (by_ml.anova(), by_ml.emmeans("arm").frame, by_ml.contrast([0, 1, 0, 0, 0, 0])):
        assert repr(table).splitlines()[0].startswith("df: Satterthwaite (observed information)")
        assert "\nnote: the fit is by maximum likelihood" in repr(table)


def test_tables_print_what_they_are() -> None:
    own = fit("y ~ visit * arm + age + (1 | site/patient)")
    kr = "df: Kenward-Roger (expected information, linear form)"
    rows = own.contrast([{"visitv2": 1}, {"visitv3": 1}], ["second", "third"])
    assert list(rows.index) == ["second", "third"]
    assert repr(rows).startswith(f"{kr}; 95% intervals\n")
    assert repr(rows[["t", "p"]]).startswith(kr)  # slices say it too
    together = own.contrast([{"visitv2": 1}, {"visitv3": 1}], joint=True)
    assert list(together.columns) == ["F", "df1", "df2", "p"]
    assert repr(together).startswith(f"{kr}\n")
    assert repr(own.anova(type=2)).startswith(f"{kr}; type II\n")
    full = {"df": "kenward-roger", "information": "observed", "form": "full"}
    means = own.emmeans("visit", by="arm", level=0.9, **full)
    said = "df: Kenward-Roger (observed information, full form)"
    assert repr(means).startswith(f"emmean\n{said}; 90% intervals\nover age (")
    pairs = means.pairs("tukey")
    assert repr(pairs).startswith(f"{said}; p adjusted: tukey; 90% intervals: simultaneous\n")
    assert "none: a stepwise adjustment" in repr(means.pairs("holm"))
    assert repr(means.joint()).startswith(said)
    for table in (means, pairs):
        assert said in table._repr_html_()
    assert "lower" in repr(pairs)  # no column is left out


def test_refusals_of_means() -> None:
    own = fit("y ~ visit * arm + age + (1 | site/patient)")
    with pytest.raises(ModelError, match="'dose' is not in the fixed part"):
        own.emmeans("arm", at={"dose": 3})
    with pytest.raises(ModelError, match="'v9' is no level of visit"):
        own.emmeans("arm", at={"visit": "v9"})
    with pytest.raises(ModelError, match="unknown weights"):
        own.emmeans("arm", weights="cells")
    means = own.emmeans("arm", by="visit")
    with pytest.raises(ModelError, match="'C' is none of the means"):
        means.against("C")
    with pytest.raises(ModelError, match="tukey is for all pairs"):
        means.against("A", adjust="tukey")
    with pytest.raises(ModelError, match="'age' is not among the means"):
        means.change("age", 1.0)
    with pytest.raises(ModelError, match="'arm' is a factor"):
        own.emtrends("visit", "arm")


NO_WEIGHTS = [
    ("armB", "'armB' is no weights"), (3, "3 is no weights"), (None, "None is no weights"),
    (["armB", "visitv2"], "is no weights"), ([], "no contrast was given"),
    ({"armB": "one"}, "'one' among the weights"), ({"armB": np.nan}, "nan among the weights"),
    (np.eye(3), "3 x 3 weights for 6 effects"), (np.eye(6)[:, :2], "6 x 2 weights for 6"),
    (np.zeros((2, 6, 2)), "2 x 6 x 2 weights for 6"), ([[1, 0, 0, 0, 0, 0], [1, 0]], "contrast 2"),
]  # fmt: skip


@pytest.mark.parametrize(("L", "said"), NO_WEIGHTS)
def test_what_is_no_contrast(L: Any, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        fit("y ~ visit * arm + (1 | site/patient)").contrast(L)


def test_weights_of_pandas_go_by_name() -> None:
    own = fit("y ~ visit * arm + (1 | site/patient)")
    wanted = own.contrast([{"armB": 1}, {"visitv2": 1, "armB": -1}])
    frame = pd.DataFrame({"armB": [1, -1], "visitv2": [0, 1]})
    pd.testing.assert_frame_equal(own.contrast(frame), wanted)
    pd.testing.assert_frame_equal(own.contrast(frame.loc[0]), wanted.iloc[[0]])


def test_a_dropped_column_is_told_from_an_unknown_one() -> None:
    data = trial().assign(twice=trial()["age"] * 2)
    own = sitewise.lmm("y ~ arm + age + twice + (1 | site/patient)", data, levels=LEVELS)
    with pytest.raises(ModelError, match="twice: dropped, as combinations of the other columns"):
        own.contrast({"twice": 1})


NO_VALUES = [
    ({"age": "old"}, "age is 'old'"), ({"age": None}, "age is None"),
    ({"age": np.nan}, "age is nan"), ({"age": []}, "no value of age"),
    ({"visit": []}, "no value of visit"),
    ({"visit": ["v1", "v1"]}, "a value of visit twice"), (["age", 3], "gives no values"),
]  # fmt: skip


@pytest.mark.parametrize(("at", "said"), NO_VALUES)
def test_what_is_no_value_of_a_grid(at: Any, said: str) -> None:
    own = fit("y ~ visit * arm + age + (1 | site/patient)")
    with pytest.raises(ModelError, match=said):
        own.emmeans("arm", at=at)


NO_CONTRASTS = [
    ([1, -1, 0], "names no contrast"), ({}, "names no contrast"), ({"v1": 1}, "1 is no weights"),
    ({"a": "v1"}, "'v1' is no weights"), ({"a": [1, -1]}, "2 weights for 3 means"),
    ({"a": {"v1": "x"}}, "'x' among the weights"), ({"a": {"v1": 0.0}}, "all weights are 0"),
    ({"a": [np.nan, 1, 0]}, "nan among the weights"), ({"a": {"v9": 1}}, "'v9' is none of"),
]  # fmt: skip


@pytest.mark.parametrize(("weights", "said"), NO_CONTRASTS)
def test_what_is_no_contrast_of_means(weights: Any, said: str) -> None:
    means = fit("y ~ visit * arm + age + (1 | site/patient)").emmeans("visit", by="arm")
    with pytest.raises(ModelError, match=said):
        means.contrast(weights)


def test_one_mean_is_no_comparison() -> None:
    one = fit("y ~ visit * arm + age + (1 | site/patient)").emmeans("visit", at={"visit": ["v1"]})
    for ask in (one.pairs, lambda: one.against("v1"), one.joint):
        with pytest.raises(ModelError, match="one mean alone"):
            ask()


def test_levels_that_are_numbers_are_found_by_number() -> None:
    data = trial().assign(arm=trial()["arm"].map({"A": "1", "B": "2"}))
    means = sitewise.lmm("y ~ visit * arm + (1 | site/patient)", data).emmeans("arm")
    pd.testing.assert_frame_equal(means.against(1), means.against("1"))
    assert means.contrast({"d": {1: -1, 2: 1}})["t"].item() == means.against(1)["t"].item()


def test_where_groupings_cross_the_message_says_what_instead() -> None:
    formula = "y ~ visit * arm + (1 | site) + (1 | site:visit) + (1 | patient)"
    for reml, instead in ((True, "'kenward-roger' or 'satterthwaite'"), (False, "'satterthwaite'")):
        with pytest.raises(ModelError, match=f"ask for df={instead}$"):
            fit(formula, reml).tests("between-within")


def test_a_mean_that_the_moments_lack_is_asked_for() -> None:
    own = sitewise.lmm("y ~ 0 + age:visit + (1 | site/patient)", trial(), levels=LEVELS)
    with pytest.raises(ModelError, match="the mean of age"):
        own.emmeans("visit")
    assert own.emmeans("visit", at={"age": 50}).frame["estimate"].notna().all()


def test_means_of_covariates_are_those_of_the_rows() -> None:
    data = trial()
    own = fit("y ~ visit * arm + age + (1 | site/patient)")
    at_mean = own.emmeans("arm", at={"age": float(data["age"].mean())}).frame
    pd.testing.assert_frame_equal(own.emmeans("arm").frame, at_mean, rtol=1e-12)
    shares = wald_of(own, "asymptotic")
    assert shares.beta.shape == (7,)


def test_a_cell_without_rows_has_no_mean() -> None:
    data = trial()
    data = data[(data["visit"] != "v3") | (data["arm"] != "B")]
    own = sitewise.lmm("y ~ visit * arm + (1 | site/patient)", data, levels=LEVELS)
    means = own.emmeans("arm", by="visit")
    assert means.frame["estimate"].isna().tolist() == [False] * 5 + [True]
    lacking = "NaN: these data can't estimate it, it needs an effect that was dropped"
    for table in (means.frame, means.pairs(adjust="tukey")):
        assert lacking in repr(table)
    average = own.emmeans("arm").frame  # of arm B over a cell without rows: the others tell of it
    assert average["estimate"].isna().tolist() == [False, True]
    assert "(fit.aliased)" in average.attrs["note"]
    assert "note" not in own.emmeans("arm", by="visit", at={"visit": ["v1"]}).frame.attrs
    assert means.pairs(adjust="tukey")["p"].isna().tolist() == [False, False, True]
    assert own.anova().loc["visit:arm", "df1"] == 1
    joint = means.joint()
    assert joint["df1"].tolist() == [1, 1, 0]
    assert joint[["F", "df2", "p"]].loc[2].isna().all()
    assert joint.attrs["note"].startswith("some differences are not estimable")
    assert means.joint(together=True)["df1"].item() == 2


def test_weights_need_what_the_moments_hold() -> None:
    data = trial().assign(sex=np.where(np.arange(len(trial())) % 2, "f", "m"))
    own = sitewise.lmm("y ~ arm + visit + region + sex + (1 | site)", data, levels=LEVELS)
    with pytest.raises(ModelError, match="visit x region x sex"):
        own.emmeans("arm", weights="proportional")
    shares = data[data["arm"] == "A"]
    assert len(shares)


def test_kenward_roger_where_the_approximate_variance_has_a_zero_denominator() -> None:
    """As in some balanced designs: rho grows without bound, and df go to 4 (1997, sec. 3)."""
    from sitewise.lmm.linear.joint import _moments

    for A1, A2 in ((0.8, 1.2), (0.8000000000000024, 1.1999999999999995)):
        df, scale = _moments(2, A1, A2)
        assert df == pytest.approx(4, rel=1e-9)
        assert scale == pytest.approx(4 * (1 - A2 / 2) / 2, rel=1e-9)


def test_a_variable_with_the_name_of_a_number_stands_beside_it() -> None:
    data = trial().rename(columns={"week": "t"})
    found = sitewise.lmm("y ~ arm*t + (1 | patient)", data).emmeans("arm", "t", at={"t": [0, 8]})
    assert list(found.frame.columns[:4]) == ["t_", "arm", "estimate", "se"]
    assert found.frame["t_"].tolist() == [0.0] * 2 + [8.0] * 2
    assert found.frame["t"].tolist() == (found.frame["estimate"] / found.frame["se"]).tolist()
    assert found.pairs()["t_"].tolist() == [0.0, 8.0]
    assert found.joint()["t_"].tolist() == [0.0, 8.0]
