"""The `adversarial` references: exact rational arithmetic where it exists, else lme4's value.

lme4 itself is wrong on three of these files (their README); it is not asked there.
"""

import math
from typing import Any

import pandas as pd

import sitewise
from sitewise.lmm.lmmfit import LmmFit
from tests.golden.lmm_cases import (
    TOLERANCES,
    Case,
    Measured,
    fixed_effects,
    frame_of,
    load,
    own_covariances,
    predictions,
    random_effects,
    worst,
)

ONE_WAY = (
    "perfectly_balanced", "site_variance_zero", "stiff_1e6", "stiff_1e9", "stiff_1enone",
    "huge_variance_ratio",
)  # fmt: skip
INTERCEPTS = ("balanced_longitudinal", "slope_variance_zero", "time_in_seconds")
SLOPES = ("balanced_longitudinal", "time_in_seconds")
NESTED = {"nested_balanced": "patient", "nested_repeating_labels": "patient:site"}
# Exact values are few there: lme4's own fit beside them.
AGAINST_LME4 = (
    "balanced_arm_by_visit", "balanced_longitudinal", "collinear_fixed", "nested_balanced",
    "nested_repeating_labels", "perfectly_balanced", "site_variance_zero", "stiff_1enone",
    "time_in_seconds",
)  # fmt: skip
# What must be refused, and what the message says.
REFUSED = {
    "constant_outcome": "does not vary",
    "one_visit_per_patient": "(1 | patient): 7 levels x 1 effect",
    "two_visits": "(time | patient): 9 levels x 2 effects",
    "zero_within_variance": "residual variance is 0",
}


def exact_cases() -> list[Case]:
    found = []
    for method in ("reml", "ml"):
        for name in (*ONE_WAY, *INTERCEPTS, *NESTED, "balanced_arm_by_visit", "collinear_fixed"):
            found.append(Case("adversarial", f"adv_{name}", method))
        found.append(Case("adversarial", "adv_one_patient_per_site", method))
        found.append(Case("adversarial", "adv_two_visits", f"us {method}"))
    found += [Case("adversarial", f"adv_{name}", "slopes reml") for name in SLOPES]
    found.append(Case("adversarial", "adv_slope_variance_zero", "slopes reml"))
    return sorted(found, key=str)


def exact_fit(name: str, formula: str, reml: bool) -> LmmFit:
    # R made factors of these in the order of the file.
    levels = {"arm": ["P", "L", "H"]} if name == "adv_balanced_arm_by_visit" else {}
    return sitewise.lmm(formula, frame_of(name), reml, levels)


def measure_exact(case: Case) -> list[Measured]:
    ref, name = load(case.name), case.name.removeprefix("adv_")
    if case.block == "slopes reml":
        return slopes(case, ref)
    if name == "two_visits":
        return two_visits(case, ref)
    reml = case.block == "reml"
    fit = exact_fit(case.name, ref["r_formula"], reml)
    assert fit.converged
    found = []
    if name in ONE_WAY:
        found += one_way(fit, ref, case.block)
    if name in INTERCEPTS:
        found += intercepts(fit, ref, case.block)
    if name in NESTED:
        found += nested(fit, ref, case.block, NESTED[name])
    if name == "balanced_arm_by_visit" and reml:
        exact = {key: float(ref["exact"][key]) for key in ("sigma2_patient", "sigma2_residual")}
        found += two_variances(fit, "patient", exact["sigma2_patient"], exact["sigma2_residual"])
    if name == "one_patient_per_site":
        found += confounded(fit, exact_fit(case.name, ref["identified_model"], reml))
        found += by_lme4(fit, case, split=False)
    if name in AGAINST_LME4:
        found += by_lme4(fit, case)
    return found


def variance(fit: LmmFit, group: str, term: str = "(Intercept)") -> float:
    return own_covariances(fit)[group, term, term]


def two_variances(fit: LmmFit, group: str, own: float, residual: float) -> list[Measured]:
    return [
        worst("variances", group, variance(fit, group), own, own or residual),
        worst("variances", "residual", fit.sigma**2, residual, residual),
    ]


def one_way(fit: LmmFit, ref: dict[str, Any], method: str) -> list[Measured]:
    # The doubles in the file, not the decimals that they stand for, are what is fitted.
    exact = ref.get("exact_after_rounding_to_double", ref["exact_for_decimal_values"])[method]
    e = {k: float(v) for k, v in exact.items() if isinstance(v, str)}
    assert fit.singular == exact["singular"]
    se, mean = e["se_intercept"], e["fixed_intercept"]
    # At 1e9 the doubles themselves are 1.2e-7 apart: one of them is allowed.
    scale = max(abs(mean), se, 1.01 * math.ulp(mean) / TOLERANCES["fixed effects"][0])
    blups = fit.ranef("group")["(Intercept)"].iloc[:5]
    sd = e["sd_group"] or e["sd_residual"]
    # The statistic against the model without the group: its log-likelihood is exact, too.
    null = e["loglik"] - float(exact["lrt_vs_no_group"]["chisq"]) / 2
    return [
        worst("log-likelihood", "loglik", fit.loglik, e["loglik"]),
        worst("fixed effects", "intercept", fit.fixef["(Intercept)"], mean, scale),
        worst("SEs", "intercept", fit.se["(Intercept)"], se, se),
        worst("ICCs", "group", fit.icc()["icc"]["group"], e["icc"]),
        worst("BLUPs", "first 5", blups, [float(b) for b in exact["blups_first5"]], sd),
        worst("chi-square", "no group", max(0.0, 2 * (fit.loglik - null)),
              float(exact["lrt_vs_no_group"]["chisq"])),
        *two_variances(fit, "group", e["sigma2_group"], e["sigma2_residual"]),
    ]  # fmt: skip


def intercepts(fit: LmmFit, ref: dict[str, Any], method: str) -> list[Measured]:
    e = {k: float(v) for k, v in ref["exact_random_intercept"][method].items()}
    found = [
        worst("log-likelihood", "loglik", fit.loglik, e["loglik"]),
        *two_variances(fit, "patient", e["sigma2_patient"], e["sigma2_residual"]),
    ]
    if method == "reml":
        found += fixed_effects(
            fit, fit.fixef.index, [e["intercept"], e["slope"]], [e["se_intercept"], e["se_slope"]]
        )
        found.append(worst("ICCs", "patient", fit.icc()["icc"]["patient"], e["icc"]))
    return found


def nested(fit: LmmFit, ref: dict[str, Any], method: str, patient: str) -> list[Measured]:
    e = {k: float(v) for k, v in ref["exact"][method].items()}
    found = [
        worst("log-likelihood", "loglik", fit.loglik, e["loglik"]),
        worst("variances", "site", variance(fit, "site"), e["sigma2_site"], e["sigma2_site"]),
        *two_variances(fit, patient, e["sigma2_patient"], e["sigma2_residual"]),
    ]
    if method == "reml":
        found += fixed_effects(fit, ["(Intercept)"], [e["intercept"]], [e["se_intercept"]])
        icc = fit.icc()["icc"].to_numpy()
        found.append(worst("ICCs", "both", icc, [e["icc_site"], e["icc_site_plus_patient"]]))
    return found


def slopes(case: Case, ref: dict[str, Any]) -> list[Measured]:
    fit = exact_fit(case.name, ref["r_formula_slopes"], True)
    if ref["exact_random_slope_reml"].get("boundary"):
        e = {k: float(v) for k, v in ref["exact_random_intercept"]["reml"].items()}
        assert fit.singular
        return [
            worst("log-likelihood", "loglik", fit.loglik, e["loglik"]),
            worst("variances", "slope", variance(fit, "patient", "time"), 0.0),
            *two_variances(fit, "patient", e["sigma2_patient"], e["sigma2_residual"]),
            *fixed_effects(fit, fit.fixef.index, [e["intercept"], e["slope"]],
                           [e["se_intercept"], e["se_slope"]]),
        ]  # fmt: skip
    e = {k: float(v) for k, v in ref["exact_random_slope_reml"].items()}
    cov = own_covariances(fit)["patient", "time", "(Intercept)"]
    scale = math.sqrt(e["var_intercept"] * e["var_slope"])
    slope = variance(fit, "patient", "time")
    return [
        worst("log-likelihood", "loglik", fit.loglik, e["loglik"]),
        worst("variances", "slope", slope, e["var_slope"], e["var_slope"]),
        worst("covariances", "slope, intercept", cov, e["cov"], scale),
        *two_variances(fit, "patient", e["var_intercept"], e["sigma2_residual"]),
        *fixed_effects(fit, fit.fixef.index, [e["intercept"], e["slope"]],
                       [e["se_intercept"], e["se_slope"]]),
    ]  # fmt: skip


def two_visits(case: Case, ref: dict[str, Any]) -> list[Measured]:
    """What is identified: the unstructured covariance; time as a number, as the file has it."""
    method = case.block.split()[1]
    exact = ref["exact"]
    frame = frame_of(case.name)
    frame = frame.assign(visit=[f"v{t}" for t in pd.factorize(frame["time"], sort=True)[0]])
    fit = sitewise.lmm("y ~ visit + us(visit | patient)", frame, method == "reml")
    found = [worst("log-likelihood", "us", fit.loglik, float(exact[f"{method}_loglik_un"]))]
    if method == "ml":
        return found
    first, across, second = (float(v) for v in exact["un_cov"])
    own, se = fit.residual_cov.to_numpy(), float(exact["se_change"])
    return [
        *found,
        worst("variances", "us", [own[0, 0], own[1, 1]], [first, second], [first, second]),
        worst("covariances", "us", own[0, 1], across, math.sqrt(first * second)),
        worst("fixed effects", "change", fit.fixef.iloc[1], float(exact["mean_change"]),
              abs(float(exact["mean_change"]))),
        worst("SEs", "change", fit.se.iloc[1], se, se),
    ]  # fmt: skip


def confounded(fit: LmmFit, alone: LmmFit) -> list[Measured]:
    """One patient a site: only the sum of the two variances is identified."""
    total = variance(alone, "patient")
    return [
        worst("log-likelihood", "(1 | patient)", fit.loglik, alone.loglik),
        worst("variances", "sum", variance(fit, "patient") + variance(fit, "site"), total, total),
        *fixed_effects(fit, alone.fixef.index, alone.fixef, alone.se),
    ]


def by_lme4(fit: LmmFit, case: Case, split: bool = True) -> list[Measured]:
    own = load(case.name)["lme4_check"]["fits"][f"r_formula_{case.block}"]
    assert fit.npar == own["npar"]
    fixed = own["fixed"]
    found = [
        worst("log-likelihood", "by lme4", fit.loglik, own["loglik"]),
        *fixed_effects(fit, fixed["names"], fixed["estimate"], fixed["se"]),
    ]
    if split:
        assert fit.singular == own["singular"]
        found += [*random_effects(fit, own), *predictions(fit, case.name, own)]
    return found
