"""What the references say of tests, F tests and marginal means, and how far the package is from it.

One list of cases over every file of ../shared/references that carries Satterthwaite or
Kenward-Roger values, analyses of variance or marginal means, and all tolerances.
`test_lmm_linear.py` asserts on it, `validation.py` writes it down.
"""

from typing import Any

import numpy as np
import pandas as pd

from sitewise.lmm.linear.anova import hypotheses
from sitewise.lmm.linear.spans import spans_of
from sitewise.lmm.linear.wald import wald_of
from sitewise.lmm.lmmfit import LmmFit
from tests.golden.lmm_cases import CROSSED, STRUCTURES, Case, fit_of, joined, load, reference_files
from tests.golden.lmm_exact_cases import AGAINST_LME4, exact_fit

# Tolerances, in one place. A difference is divided by its scale first; the scale in words.
TOLERANCES = {
    "SE": (1e-6, "relative"),
    "df, Kenward-Roger": (1e-8, "relative; pbkrtest: exact algebra"),
    "df, Satterthwaite": (3e-6, "relative; lmerTest: numerical derivatives"),
    "df, mmrm": (1e-6, "relative"),
    "t": (2e-6, "of max(|t|, 1)"),
    "p": (1e-4, "relative, down to 1e-300"),
    "means": (1e-6, "of max(|estimate|, SE)"),
    "limits": (2e-6, "of max(|limit|, SE)"),
    "F": (2e-6, "relative; lmerTest rounds its hypotheses to 7 digits"),
    "F, hypotheses rounded so": (1e-9, "relative; 1/3 as 0.3333333"),
    "F, df": (3e-6, "relative"),
    "sums of squares": (2e-6, "relative"),
    "Wald chi-square": (1e-8, "relative"),
}
# Files whose numbers of a kind are not compared, and why.
EXCUSED = {
    ", ".join(CROSSED): "crossed groupings are not fitted yet",
    "Satterthwaite of adv_time_in_seconds, random slope": "lme4 is wrong on it (README)",
    "Satterthwaite of adv_stiff_1e9, adv_huge_variance_ratio": "lme4 is wrong on them (README)",
    "Satterthwaite of adv_one_patient_per_site": "two variances that can't be told apart",
}
MMRM = {"df": "kenward-roger", "information": "observed", "form": "full"}


class Gap:
    """One quantity of one table: the largest difference found, over its scale."""

    def __init__(self, quantity: str, what: str, own: Any, expected: Any, scale: Any) -> None:
        self.quantity, self.what = quantity, what
        own = np.atleast_1d(np.asarray(own, dtype=float))
        expected = np.atleast_1d(np.asarray(expected, dtype=float))
        assert own.shape == expected.shape, f"{what}: {own.shape} is not {expected.shape}"
        differences = np.abs(own - expected) / np.atleast_1d(np.asarray(scale, dtype=float))
        assert np.isfinite(differences).all(), f"{what}: {own}"
        self.difference = float(differences.max(initial=0.0))

    @property
    def within(self) -> bool:
        return self.difference <= TOLERANCES[self.quantity][0]

    def __str__(self) -> str:
        tolerance, scale = TOLERANCES[self.quantity]
        return f"{self.quantity} ({self.what}): {self.difference:.3g} > {tolerance:g} {scale}"


def relative(quantity: str, what: str, own: Any, expected: Any) -> Gap:
    expected = np.asarray(expected, dtype=float)
    return Gap(quantity, what, own, expected, np.abs(expected))


def linear_cases() -> list[Case]:
    """Every file and block that carries such values."""
    found = []
    for name in reference_files("lmm"):
        if name not in CROSSED:
            found += [Case("lmm", name, "reml"), Case("lmm", name, "ml")]
    for name in reference_files("mmrm"):
        own = [s for s in STRUCTURES if s in load(name)]
        found += [Case("mmrm", name, f"{s} {m}") for s in own for m in ("reml", "ml")]
    if reference_files("adversarial"):
        found += [Case("adversarial", f"adv_{name}", "reml") for name in AGAINST_LME4]
    return found


def measure_linear(case: Case) -> list[Gap]:
    """All differences of one case."""
    kinds = {"lmm": _lmm, "mmrm": _mmrm, "adversarial": _adversarial}
    return kinds[case.kind](case)


def _lmm(case: Case) -> list[Gap]:
    ref = load(case.name)
    fit, fixed = fit_of(case.name, ref["r_formula"], case.block == "reml"), ref[case.block]["fixed"]
    found = coefficients(fit, fixed | fixed["satterthwaite"], "df, Satterthwaite",
                         df="satterthwaite")  # fmt: skip
    if case.block == "ml":
        return found
    if "kenward_roger" in fixed:
        found += coefficients(fit, fixed["kenward_roger"], "df, Kenward-Roger", df="kenward-roger")
    for words, method in (("satterthwaite", "satterthwaite"), ("kenward_roger", "kenward-roger")):
        if f"anova_type3_{words}" in ref:
            found += f_tests(fit, ref[f"anova_type3_{words}"], method)
        if f"emmeans_{words}" in ref:
            quantity = "df, Kenward-Roger" if words == "kenward_roger" else "df, Satterthwaite"
            found += marginal_means(fit, ref[f"emmeans_{words}"], quantity, df=method)
    if "anova_type2_wald_chisq" in ref:
        found += chi_squares(fit, ref["anova_type2_wald_chisq"])
    return found


def _mmrm(case: Case) -> list[Gap]:
    structure, method = case.block.split()
    ref = load(case.name)[structure][method]
    fit = fit_of(case.name, ref["formula"], method == "reml")
    found = coefficients(fit, ref["satterthwaite"], "df, mmrm", df="satterthwaite")
    found += marginal_means(fit, ref["emmeans_satterthwaite"], "df, mmrm", df="satterthwaite")
    if "kenward_roger" in ref:
        found += coefficients(fit, ref["kenward_roger"], "df, mmrm", **MMRM)
        found += marginal_means(fit, ref["emmeans_kenward_roger"], "df, mmrm", **MMRM)
    return found


def _adversarial(case: Case) -> list[Gap]:
    ref = load(case.name)
    fit = exact_fit(case.name, ref["r_formula"], reml=True)
    fixed = ref["lme4_check"]["fits"]["r_formula_reml"]["fixed"]
    return coefficients(fit, fixed | fixed["satterthwaite"], "df, Satterthwaite",
                        df="satterthwaite")  # fmt: skip


def coefficients(fit: LmmFit, expected: dict[str, Any], quantity: str, **how: Any) -> list[Gap]:
    own, what = fit.tests(**how), how["df"]
    return t_tests(own, expected, quantity, what)


def t_tests(own: pd.DataFrame, expected: dict[str, Any], quantity: str, what: str) -> list[Gap]:
    """se, df, t and p of a table."""
    t = np.atleast_1d(np.asarray(expected["t"], dtype=float))
    p = np.atleast_1d(np.asarray(expected["p"], dtype=float))
    seen = p > 1e-300
    return [
        relative("SE", what, own["se"], np.atleast_1d(expected["se"])),
        relative(quantity, what, own["df"], np.atleast_1d(expected["df"])),
        Gap("t", what, own["t"], t, np.maximum(np.abs(t), 1)),
        relative("p", what, own["p"].to_numpy()[seen], p[seen]),
    ]


def f_tests(fit: LmmFit, expected: dict[str, Any], method: str) -> list[Gap]:
    own, cols = fit.anova(df=method), {k: np.atleast_1d(v) for k, v in expected["cols"].items()}
    assert [joined(t) for t in own.index] == [joined(t) for t in np.atleast_1d(expected["term"])]
    assert own["df1"].tolist() == [int(n) for n in cols["NumDF"]]
    p = np.asarray(cols["Pr(>F)"], dtype=float)
    return [
        relative("F", method, own["F"], cols["F value"]),
        relative("F, hypotheses rounded so", method, _rounded(fit, method), cols["F value"]),
        relative("F, df", method, own["df2"], cols["DenDF"]),
        relative("sums of squares", method, own["sum_sq"], cols["Sum Sq"]),
        relative("sums of squares", method, own["mean_sq"], cols["Mean Sq"]),
        relative("p", method, own["p"][p > 1e-300], p[p > 1e-300]),
    ]


def _rounded(fit: LmmFit, method: str) -> list[float]:
    """F of type III hypotheses after R's zapsmall, by which lmerTest cleans the map to them."""
    wald = wald_of(fit, method)
    found = hypotheses(spans_of(fit), 3, fit.estimates.vcov).values()
    digits = [max(0, 7 - int(np.ceil(np.log10(np.abs(rows).max())))) for rows in found]
    return [wald.joint(np.round(rows, n)).F for rows, n in zip(found, digits, strict=True)]


def chi_squares(fit: LmmFit, expected: dict[str, Any]) -> list[Gap]:
    own = fit.anova(df="asymptotic", type=2)
    cols = {k: np.atleast_1d(v) for k, v in expected["cols"].items()}
    assert own["df1"].tolist() == [int(n) for n in cols["Df"]]
    assert np.isinf(own["df2"]).all()
    p = np.asarray(cols["Pr(>Chisq)"], dtype=float)
    return [
        relative("Wald chi-square", "type II", own["F"] * own["df1"], cols["Chisq"]),
        relative("p", "type II", own["p"][p > 1e-300], p[p > 1e-300]),
    ]


def marginal_means(fit: LmmFit, expected: dict[str, Any], quantity: str, **how: Any) -> list[Gap]:
    """emmeans' table and its pairwise differences: the first minus the second, as ours."""
    specs, _, by = expected["specs"].removeprefix("~").partition("|")
    shown = [name.strip() for name in by.split("*") if name.strip()]
    means = fit.emmeans(
        [name.strip() for name in specs.split("*")], by=shown, at=expected.get("at"), **how
    )
    own, table, what = means.frame, expected["means"], f"means by {how['df']}"
    for name in (*means.specs, *means.by):
        wanted = [str(value) for value in table[name]]
        assert [f"{v:g}" if not isinstance(v, str) else v for v in own[name]] == wanted
    found = [*_estimated(own, table, table["emmean"], what),
             relative(quantity, what, own["df"], table["df"])]  # fmt: skip
    for side in ("lower", "upper"):
        limits = np.asarray(table[f"{side}.CL"], dtype=float)
        scale = np.maximum(np.abs(limits), table["SE"])
        found.append(Gap("limits", what, own[side], limits, scale))
    if expected.get("pairs"):
        pairs, theirs = means.pairs(), expected["pairs"]
        found += _estimated(pairs, theirs, theirs["estimate"], f"pairs, {what}")
        renamed = {"se": theirs["SE"], "df": theirs["df"], "t": theirs["t.ratio"],
                   "p": theirs["p.value"]}  # fmt: skip
        found += t_tests(pairs, renamed, quantity, f"pairs, {what}")
    return found


def _estimated(own: pd.DataFrame, table: Any, estimate: Any, what: str) -> list[Gap]:
    estimate = np.atleast_1d(np.asarray(estimate, dtype=float))
    scale = np.maximum(np.abs(estimate), np.atleast_1d(table["SE"]))
    return [
        Gap("means", what, own["estimate"], estimate, scale),
        relative("SE", what, own["se"], np.atleast_1d(table["SE"])),
    ]
