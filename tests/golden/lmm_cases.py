"""What the references say of mixed models, and how far `sitewise.lmm` is from it.

One list of cases over every `lmm`, `lrt`, `mmrm` and `adversarial` file of ../shared/references,
and all tolerances. `test_lmm_golden.py` asserts on it, `validation.py` writes it down.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import sitewise
from sitewise.lmm.lmmfit import LmmFit

REFERENCES = Path(__file__).resolve().parents[3] / "shared" / "references"

# Tolerances, in one place. A difference is divided by its scale first; the scale in words.
TOLERANCES = {
    "log-likelihood": (1e-6, "absolute"),
    "AIC, BIC": (2e-6, "absolute; lme4's counting, in mmrm files mmrm's"),
    "fixed effects": (1e-6, "of max(|estimate|, SE)"),
    "SEs": (1e-6, "relative"),
    "covariance of the fixed effects": (2e-6, "of SE x SE"),
    "variances": (1e-5, "relative; of the residual's where the reference is 0"),
    "covariances": (1e-5, "of sqrt(v_i v_j); of the residual variance where one is 0"),
    "ICCs": (1e-5, "absolute"),
    "BLUPs": (1e-6, "of their SD; of the residual's where that is 0"),
    "fitted values": (1e-6, "of the residual SD"),
    "chi-square": (4e-6, "absolute"),
}

# Covariance structures of mmrm files that `sitewise.lmm` has; the others are refused by name.
STRUCTURES = ("us", "cs", "csh", "ar1", "ar1h")
# Files whose models are refused by name until crossed groupings are fitted.
CROSSED = ("InstEval_crossed", "Penicillin_crossed", "Penicillin_lrt", "ScotsSec_crossed")
# A variance below this share of the residual's is 0 in the references.
ZERO = 1e-8

IDENTIFIERS = (
    "site", "patient", "Subject", "SITEID", "USUBJID", "Rail", "Worker", "school", "Litter", "Pig",
    "primary", "second", "s", "d", "No", "Batch", "batch", "cask", "plate", "sample", "group",
)  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """One quantity of one fit: the largest difference found, over its scale."""

    quantity: str
    difference: float
    what: str

    @property
    def within(self) -> bool:
        return self.difference <= TOLERANCES[self.quantity][0]

    def __str__(self) -> str:
        tolerance, scale = TOLERANCES[self.quantity]
        return f"{self.quantity} ({self.what}): {self.difference:.3g} > {tolerance:g} {scale}"


@dataclass(frozen=True)
class Case:
    """A file and what is asked of it: `reml`, `ml`, `us reml`, ..."""

    kind: str
    name: str
    block: str

    def __str__(self) -> str:
        return f"{self.name}-{self.block.replace(' ', '-')}"


# -- files ----------------------------------------------------------------------------------------


@lru_cache
def load(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((REFERENCES / f"{name}.json").read_text())
    return data


def reference_files(*kinds: str) -> list[str]:
    """Names of the files of these kinds, all kinds without any; sorted; none without ../shared."""
    if not REFERENCES.is_dir():
        return []
    names = sorted(path.stem for path in REFERENCES.glob("*.json"))
    return [name for name in names if not kinds or load(name)["kind"] in kinds]


@lru_cache
def read(data: str) -> pd.DataFrame:
    root = REFERENCES.parent
    types = dict.fromkeys(IDENTIFIERS, str)
    paths = sorted(root.glob(data))
    return pd.concat([pd.read_csv(path, dtype=types) for path in paths], ignore_index=True)


def rows_of(name: str, data: str) -> pd.DataFrame:
    """The rows of one reference, as its `data_note` says."""
    frame = read(data)
    if name in ("cdisc_sbp_ancova", "cdisc_sbp_trt_by_site", "cdisc_sbp_mmrm_us"):  # set A
        return frame[(frame["week"] > 0) & frame["sbp_base"].notna()]
    if name == "cdisc_sbp_week8_ancova":
        return frame[(frame["VISIT"] == "WEEK 8") & frame["sbp_base"].notna()]
    if name == "cdisc_supine_chg":
        frame = frame[(frame["week"] > 0)]
        return frame.assign(chg=frame["sbp_supine"] - frame["sbp_supine_base"])
    if name == "fev_ri_rs":
        return frame.assign(t=frame["AVISIT"].str[3:].astype(int) - 1)
    if name == "Orthodont_mmrm":
        return frame.assign(visit=frame["age"].astype(int).astype(str))
    return frame


def frame_of(name: str) -> pd.DataFrame:
    return rows_of(name, load(name)["data"]).reset_index(drop=True)


@lru_cache
def fit_of(name: str, formula: str, reml: bool) -> LmmFit:
    # Files without levels leave the order to R: alphabetical.
    levels = load(name).get("factor_levels") or {}
    return sitewise.lmm(formula, frame_of(name), reml, levels)


# -- cases ----------------------------------------------------------------------------------------


def cases() -> list[Case]:
    """All that is fitted: every file of the four kinds but what is refused."""
    found = []
    for name in reference_files("lmm", "lrt"):
        if name not in CROSSED:
            found += [Case(load(name)["kind"], name, method) for method in ("reml", "ml")]
    for name in reference_files("mmrm"):
        for structure in STRUCTURES:
            if structure in load(name):
                found += [Case("mmrm", name, f"{structure} {m}") for m in ("reml", "ml")]
    return found


def measure(case: Case) -> list[Measured]:
    """All differences of one case."""
    return {"lmm": measure_lmm, "lrt": measure_lrt, "mmrm": measure_mmrm}[case.kind](case)


def worst(quantity: str, what: str, own: Any, expected: Any, scale: Any = 1.0) -> Measured:
    own, expected = np.asarray(own, dtype=float), np.asarray(expected, dtype=float)
    assert own.shape == expected.shape, f"{what}: {own.shape} is not {expected.shape}"
    differences = np.abs(own - expected) / scale
    assert np.isfinite(differences).all(), f"{what}: {own}"
    return Measured(quantity, float(differences.max(initial=0.0)), what)


def measure_lmm(case: Case) -> list[Measured]:
    ref = load(case.name)
    fit, expected = fit_of(case.name, ref["r_formula"], case.block == "reml"), ref[case.block]
    assert fit.nobs == ref["n"]
    assert fit.npar == expected["npar"]
    assert fit.singular == expected["singular"]
    found = [
        worst("log-likelihood", "loglik", fit.loglik, expected["loglik"]),
        worst("log-likelihood", "deviance / 2", fit.deviance / 2, expected["minus2loglik"] / 2),
        worst("AIC, BIC", "aic, bic", [fit.aic, fit.bic], [expected["AIC"], expected["BIC"]]),
        *fixed_effects(fit, expected["fixed"]["names"], expected["fixed"]["estimate"],
                       expected["fixed"]["se"]),
        worst("variances", "residual", fit.sigma**2, expected["sigma2"], expected["sigma2"]),
        *random_effects(fit, expected),
        *predictions(fit, case.name, expected),
    ]  # fmt: skip
    if "fixed_vcov" in expected:
        scale = np.outer(expected["fixed"]["se"], expected["fixed"]["se"])
        found.append(
            worst("covariance of the fixed effects", "vcov", fit.vcov, expected["fixed_vcov"],
                  scale)
        )  # fmt: skip
    shares = {joined(group): value for group, value in fit.icc()["share"].items()}
    for group, value in expected["icc"]["level"].items():
        if joined(group) not in shares:  # (0 + x | group): no intercept, no share
            assert value == 0
            continue
        found.append(worst("ICCs", group, shares[joined(group)], value))
    return found


def fixed_effects(fit: LmmFit, names: Any, estimate: Any, se: Any) -> list[Measured]:
    assert list(fit.fixef.index) == list(names)
    estimate, se = np.array(estimate, dtype=float), np.array(se, dtype=float)
    scale = np.maximum(np.abs(estimate), se)
    return [
        worst("fixed effects", "fixef", fit.fixef, estimate, scale),
        worst("SEs", "se", fit.se, se, se),
    ]


def joined(group: str) -> str:
    """`cask:batch`, `batch:cask` and `Subject.1` are the same as ours."""
    return ":".join(sorted(group.split(".", maxsplit=1)[0].split(":")))


def own_covariances(fit: LmmFit) -> dict[tuple[str, str, str], float]:
    """Of the random effects, from `varcorr`: the correlations are with the terms before."""
    found: dict[tuple[str, str, str], float] = {}
    before: list[tuple[str, float]] = []
    for row in fit.varcorr.itertuples():
        if row.group == "Residual":
            continue
        key = joined(row.group)
        before = before[: len(row.correlations)] if row.correlations else []
        for (other, sd), r in zip(before, row.correlations, strict=True):
            found[key, row.term, other] = r * sd * row.sd if sd * row.sd > 0 else 0.0
        found[key, row.term, row.term] = row.variance
        before.append((row.term, row.sd))
    return found


def random_effects(fit: LmmFit, expected: dict[str, Any]) -> list[Measured]:
    own, found, seen = own_covariances(fit), [], set()
    residual = expected["sigma2"]
    for group, block in expected["random"].items():
        key, terms = joined(group), block["terms"]
        cov = np.atleast_2d(np.array(block["cov"], dtype=float))
        for i, term in enumerate(terms):
            none = cov[i, i] <= ZERO * residual
            scale = residual if none else cov[i, i]
            found.append(
                worst("variances", f"{term} by {group}", own[key, term, term], cov[i, i], scale)
            )
            seen.add((key, term, term))
            for j in range(i):
                scale = float(np.sqrt(cov[i, i] * cov[j, j]))
                scale = scale if scale > ZERO * residual else residual
                what = f"{term}, {terms[j]} by {group}"
                found.append(worst("covariances", what, own[key, term, terms[j]], cov[i, j], scale))
                seen.add((key, term, terms[j]))
    assert seen == set(own), "terms that the reference has not"
    return found


def predictions(fit: LmmFit, name: str, expected: dict[str, Any]) -> list[Measured]:
    found, frame = [], frame_of(name)
    if "fitted_first5" in expected:
        own = fit.fitted(frame).dropna()[:5]
        found.append(worst("fitted values", "first 5", own, expected["fitted_first5"], fit.sigma))
    for group, block in expected.get("blups", {}).items():
        wanted = next(g for g in set(fit.varcorr["group"]) if joined(g) == joined(group))
        table = fit.ranef(wanted, data=frame)
        table.index = [joined(str(label)) for label in table.index]
        sds: dict[str, float] = {}
        for other, random in expected["random"].items():
            if joined(other) == joined(group):
                sds |= dict(zip(random["terms"], random["sd"], strict=True))
        for term, numbers in block["values"].items():
            own = table.loc[[joined(level) for level in block["levels"]], term]
            sd = sds[term] if sds[term] ** 2 > ZERO * fit.sigma**2 else fit.sigma
            found.append(worst("BLUPs", f"{term} by {group}", own, numbers, sd))
    return found


def measure_lrt(case: Case) -> list[Measured]:
    """Log-likelihoods of the models and the statistics between them.

    A least-squares null is no mixed model: `sitewise.lmm` refuses it, its value is the file's.
    """
    ref = load(case.name)
    block, found, logliks = ref[case.block], [], {}
    for model, formula in ref["models"].items():
        expected = block["loglik"].get(model)
        if expected is None:
            continue
        if model == "lm":
            logliks[model] = expected
            continue
        fit = fit_of(case.name, formula, case.block == "reml")
        logliks[model] = fit.loglik
        assert fit.nobs == (block["n"][model] if isinstance(block["n"], dict) else block["n"])
        assert fit.npar == block["npar"][model]
        found.append(worst("log-likelihood", model, fit.loglik, expected))
    for test in block["tests"]:
        statistic = max(0.0, 2 * (logliks[test["alternative"]] - logliks[test["null"]]))
        what = f"{test['null']} in {test['alternative']}"
        found.append(worst("chi-square", what, statistic, test["chisq"]))
    return found


def measure_mmrm(case: Case) -> list[Measured]:
    structure, method = case.block.split()
    ref = load(case.name)
    expected = ref[structure][method]
    fit = fit_of(case.name, expected["formula"], method == "reml")
    assert fit.nobs == expected["n_obs"]
    assert fit.basis.subjects == expected["n_subjects"]
    assert fit.npar_cov == expected["n_theta"]
    assert list(fit.residual_cov.index) == expected["cov_visits"]
    cov = np.array(expected["cov_matrix"])
    own, sds = fit.residual_cov.to_numpy(), np.sqrt(np.diag(cov))
    se = expected["satterthwaite"]["se"]
    return [
        worst("log-likelihood", "loglik", fit.loglik, expected["loglik"]),
        worst("AIC, BIC", "aic_mmrm, bic_mmrm", [fit.aic_mmrm, fit.bic_mmrm],
              [expected["AIC"], expected["BIC"]]),
        *fixed_effects(fit, expected["fixed"]["names"], expected["fixed"]["estimate"], se),
        worst("variances", "residual_cov", np.diag(own), sds**2, sds**2),
        worst("covariances", "residual_cov", own, cov, np.outer(sds, sds)),
    ]  # fmt: skip
