"""Plausible results of a trial that never was, of any size, written as the rules write them.

Only for the report: the numbers are made up from a seed and don't belong to a model. Nothing here
is an expected value of a statistic.
"""

import csv
import json
import random
import runpy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sitewise.classical.result import (
    AnovaRow,
    ContrastRow,
    CrossCheck,
    DroppedPatients,
    FTest,
    ReplicatedNumber,
    Replication,
    Replications,
)
from sitewise.inference.by_site_result import BySite, EffectAtSite, FixedForm, RandomForm
from sitewise.inference.comparison import (
    Comparisons,
    CriterionGroup,
    CriterionRow,
    ModelComparison,
)
from sitewise.inference.icc_result import (
    DesignEffect,
    IccAtWeek,
    IccLevel,
    IccModel,
    Iccs,
    OlsBeside,
    VarianceShare,
    VisitIcc,
)
from sitewise.inference.planned_fit import (
    ArmContrast,
    ArmMean,
    PlannedFit,
    PlannedScore,
    UseCount,
    VisitSpread,
)
from sitewise.lmm.result import Estimate, Fit, Optimum, RandomTerm, Singularity
from sitewise.sites.result import SiteEffect, SitePrediction, SiteResults
from sitewise.store.frames import write_frame
from sitewise.store.results import write_result
from sitewise.trial.account import Account, FateCount, FileRow, FindingCount, PatientCount
from sitewise.trial.description import (
    BaselineRow,
    Description,
    FlowRow,
    OutcomeRow,
    PatternRow,
    SetRow,
    SiteArmRow,
)
from sitewise.trial.deviations import Deviations

NAN = float("nan")
# This file is run as a script too, from anywhere: its neighbour is found by its place.
LADDER = runpy.run_path(str(Path(__file__).with_name("synthetic_ladder.py")))
ARMS = ("Active", "Placebo", "Low dose", "Middle dose")
ENDPOINTS = (("SYSBP", "Systolic blood pressure", [80, 240], [50, 300], 140.0),
             ("DIABP", "Diastolic blood pressure", [40, 140], [20, 200], 90.0))  # fmt: skip


@dataclass
class Trial:
    """How large the trial is, and what is odd about it.

    p: of the primary contrast by endpoint. statuses: replication status by model.
    """

    sites: int = 3
    arms: int = 2
    visits: int = 3
    design: str = "individual"
    order: str = "hierarchical"
    second: str = "secondary"  # role of the second endpoint
    p: dict[str, float] = field(default_factory=lambda: {"SYSBP": 0.1, "DIABP": 0.01})
    ratio: float = 1.6
    seed: int = 1

    @property
    def arm_names(self) -> list[str]:
        return list(ARMS[: self.arms])

    @property
    def visit_list(self) -> list[tuple[str, float]]:
        return [("Baseline", 0.0)] + [(f"Month {2 * i}", 8.5 * i) for i in range(1, self.visits)]

    @property
    def site_names(self) -> list[str]:
        return [f"{i:03d}" for i in range(1, self.sites + 1)]

    def plan(self) -> dict[str, Any]:
        """The whole plan as plain data."""
        last = self.visit_list[-1][0]
        model = "AVAL ~ AVISIT*TRT01P + (1 | SITEID){} + (1 | USUBJID)"
        by_visit = model.format(" + (1 | SITEID:AVISIT)")
        slope = "AVAL ~ WEEK*TRT01P + (1 | SITEID) + (1 + WEEK | USUBJID)"
        return {
            "trial": "made_up",
            "blinded": False,
            "title": "A trial that never was, for the pages alone",
            "question": "Does the active treatment lower blood pressure?",
            "data_cut": "2020-02-29",
            "estimand": {key: f"the {key} of the trial" for key in (
                "population", "treatment", "variable", "intercurrent_events", "summary")},
            "design": self.design,
            "randomised_unit": "SITEID" if self.design == "cluster" else "USUBJID",
            "sites": {"sheet": "sites.csv", "batches": 2, "small": "keep"},
            "columns": {"layout": "visits", "site": "site", "patient": "patient", "arm": "arm",
                        "visit": "visit", "patient_ids": "trial"},
            "missing_values": ["", "NA"],
            "arms": {"order": [{"name": a, "label": a.lower()} for a in self.arm_names],
                     "reference": "Placebo", "direction": "arm minus reference",
                     "favours": "lower"},
            "visits": [{"name": n, "week": w, "baseline": w == 0} for n, w in self.visit_list],
            "other_visits": [],
            "time": "nominal",
            "replicates": "refuse",
            "endpoints": {name: {"label": label, "column": name.lower(), "unit": "mmHg",
                                 "soft": soft, "hard": hard,
                                 "role": self.second if i else "primary"}
                          for i, (name, label, soft, hard, _) in enumerate(ENDPOINTS)},
            "endpoint_order": self.order,
            "hierarchy": [],
            "pairs": [],
            "covariates": {"AGE": {"column": "age", "label": "Age", "type": "number",
                                   "unit": "years"}},
            "stratification": [],
            "baseline": {"handling": "outcome", "missing": "keep"},
            "analysis_sets": {"FAS": {"label": "All patients", "requires": ["any outcome"]}},
            "rules": {"duplicate_equal": "keep first", "duplicate_different": "set aside",
                      "patient_at_two_sites": "set aside", "arm_changes": "set aside",
                      "unknown_arm": "set aside", "unknown_visit": "set aside",
                      "bad_site": "set aside", "bad_site_share": 0.5},
            "models": {
                name: {"label": label, "formula": formula, "set": "FAS", "reml": True,
                       "may_drop": ()}
                for name, label, formula in (
                    ("nested", "Patients nested in sites", model.format("")),
                    ("site_by_visit", "Nested, with site by visit", by_visit),
                    ("slope", "Random patient slope", slope))},
            "treatment_by_site": {"random": "correlated", "fixed": True,
                                  "missing_arm": "leave out", "most_sites": 50},
            "comparisons": [{"question": "Do visits differ between sites?", "smaller": "nested",
                             "larger": "site_by_visit"}],
            "primary": {"model": "site_by_visit", "visit": last, "arm": "Active",
                        "contrast": "change",
                        "why": "It lets what patients of a site share in their change be chance."},
            "icc": {"headline": "primary"},
            "covariance": ("us", "csh", "ar1h", "cs", "ar1"),
            "df": "satterthwaite",
            "alpha": 0.05,
            "sides": 2,
            "replication": {
                "engine": "auto", "max_rows": 1_000_000, "statsmodels_rows": 5000,
                "tolerance": 0.001, "tolerance_numbers": 0.01,
            },
            "leaving": {"column": None, "codes": {}, "stayed": []},
            "bootstrap": {"draws": 199},
            "seeds": {"figures": 1},
        }  # fmt: skip


def estimate(rng: random.Random, name: str, value: float, p: float | None = None) -> Estimate:
    """An estimate with an SE, and an interval of about two of them."""
    se = rng.uniform(0.9, 1.9)
    df = rng.uniform(20, 200)
    return Estimate(name, value, se, df, value / se, rng.random() if p is None else p,
                    value - 2 * se, value + 2 * se)  # fmt: skip


def description(trial: Trial, rng: random.Random) -> Description:
    """Description of all endpoints."""
    arms, visits = trial.arm_names, [name for name, _ in trial.visit_list]
    flow, sets, baseline, outcomes, patterns, site_arms = [], [], [], [], [], []
    for site in ["", *trial.site_names]:
        for arm in arms:
            n = 12 if site else 12 * trial.sites
            flow.append(
                FlowRow(arm, site, n, n, n - 1, n - 3, tuple(n - i for i in range(len(visits))))
            )
    for arm in [*arms, ""]:
        sets += [SetRow("FAS", "All patients", arm, 36, 0, "", e[0]) for e in ENDPOINTS]
        baseline.append(BaselineRow("AGE", "Age", "years", "", arm, 34, 2, 58.21, 9.4, 58.0, 50.0,
                                    66.0, 34))  # fmt: skip
    for lev in ("Female", "Male"):
        for arm in [*arms, ""]:
            baseline.append(BaselineRow("SEX", "Sex", "", lev, arm, 36, 0, NAN, NAN, NAN, NAN,
                                        NAN, 18))  # fmt: skip
    for name, _, _, _, level in ENDPOINTS:
        for i, (visit, week) in enumerate(trial.visit_list):
            for arm in arms:
                mean = level + 15 - (15 if i else 0) + rng.gauss(0, 1)
                change = (0, NAN, NAN) if i == 0 else (30, -15.0, 14.0)
                outcomes.append(
                    OutcomeRow(
                        name,
                        visit,
                        week,
                        arm,
                        36 - i,
                        mean,
                        12.0 + 3 * i,
                        mean - 2,
                        mean + 2,
                        mean - 40,
                        mean + 44,
                        *change,
                    )
                )
        for k in range(min(2 ** len(visits) - 1, 40)):
            pattern = "".join("x" if not (k >> j) & 1 else "." for j in range(len(visits)))
            patterns += [PatternRow(name, arm, pattern, 40 - k, level + k, 12.0) for arm in arms]
        for site in trial.site_names:
            site_arms += [SiteArmRow(name, site, arm, visits[-1], 12, level, 2.0, 11, -14.0, 2.1)
                          for arm in arms]  # fmt: skip
    return Description(tuple(visits), tuple(arms), tuple(flow), tuple(sets), tuple(baseline),
                       tuple(outcomes), tuple(patterns), tuple(site_arms))  # fmt: skip


def account(trial: Trial) -> Account:
    """Account with one site set aside."""
    sites = trial.site_names
    files = tuple(
        FileRow(s, f"site_{s}.csv", f"{i:064x}", 80, 160, "set aside" if i == 1 else "used",
                "column `sbp` is missing" if i == 1 else "")
        for i, s in enumerate(sites)
    )  # fmt: skip
    counts = []
    for name, *_ in ENDPOINTS:
        for i, s in enumerate(sites):
            if i == 1:
                counts.append(FateCount(name, s, "set aside", "bad site", 80))
                continue
            counts += [FateCount(name, s, "analysed", "", 76),
                       FateCount(name, s, "not measured", "", 3),
                       FateCount(name, s, "set aside", "outside the hard limits", 1)]  # fmt: skip
    findings = (
        FindingCount("column_missing", "error", 1, (sites[1 % len(sites)],), "a column is missing"),
        FindingCount("soft_limit", "warning", 7, tuple(sites), "outside the soft limits"),
    )
    patients = [PatientCount(arm, "", 40) for arm in trial.arm_names]
    patients.append(PatientCount("", "bad site", 12))
    return Account(80 * len(sites), 160 * len(sites), files, tuple(counts), findings,
                   tuple(patients))  # fmt: skip


def fit(trial: Trial, rng: random.Random, endpoint: str, level: float, model: str) -> PlannedFit:
    """One fit with all contrasts."""
    plan = trial.plan()
    others = [a for a in trial.arm_names if a != "Placebo"]
    linear = model == "slope"
    names = ["(Intercept)"]
    names += ["WEEK"] if linear else [f"AVISIT{v}" for v, _ in trial.visit_list[1:]]
    names += [f"TRT01P{a}" for a in others]
    names += [f"{v}:TRT01P{a}" for a in others for v in names[1 : 2 if linear else trial.visits]]
    fixef = tuple(estimate(rng, n, level if n == "(Intercept)" else rng.gauss(0, 3))
                  for n in names)  # fmt: skip
    terms = [RandomTerm("SITEID", ("(Intercept)",), (7.2,), (2.68,), ((1.0,),), trial.sites)]
    if model == "site_by_visit":
        terms.append(RandomTerm("SITEID:AVISIT", ("(Intercept)",), (5.2,), (2.28,), ((1.0,),),
                                trial.sites * trial.visits))  # fmt: skip
    if linear:
        terms.append(RandomTerm("USUBJID", ("(Intercept)", "WEEK"), (60.1, 0.0213), (7.8, 0.146),
                                ((1.0, 1.0), (1.0, 1.0)), 36))  # fmt: skip
    else:
        terms.append(RandomTerm("USUBJID", ("(Intercept)",), (86.6,), (9.3,), ((1.0,),), 36))
    levels = {"TRT01P": ("Placebo", *others)}
    if not linear:
        levels["AVISIT"] = tuple(v for v, _ in trial.visit_list)
    singular = Singularity(
        linear,
        1e-7 if linear else 0.2,
        1e-4,
        "1 + WEEK | USUBJID" if linear else "",
        "correlation" if linear else "",
    )
    made = Fit(
        formula=plan["models"][model]["formula"], reml=True, nobs=300, fixef=fixef, vcov=(),
        hypotheses=(), random=tuple(terms), sigma=13.27, theta=(0.2, 0.3), loglik=-8351.102,
        deviance=16702.2, npar=10, aic=16722.2, bic=16780.1, aliased=(), levels=levels,
        df_method="satterthwaite", alpha=0.05,
        optimum=Optimum("sitewise", "0.1.0", "trust-region Newton", 6, 7, 1e-9, "converged"),
        converged=True,
        singularity=singular, warnings=(), rows="ab" * 32,
    )  # fmt: skip
    main = trial.p[endpoint] if model == "site_by_visit" else 0.036
    contrasts = []
    for arm in others:
        for kind in ("level", "change"):
            for visit, week in trial.visit_list[1 if kind == "change" else 0 :]:
                last = (arm, kind, visit) == ("Active", "change", trial.visit_list[-1][0])
                result = estimate(rng, "", rng.gauss(-3, 1), main if last else None)
                contrasts.append(ArmContrast(arm, "Placebo", visit, week, kind, result))
    primary = next(c for c in contrasts if (c.arm, c.kind, c.visit) ==
                   ("Active", "change", trial.visit_list[-1][0]))  # fmt: skip
    means = tuple(ArmMean(a, v, w, estimate(rng, "", level)) for a in trial.arm_names
                  for v, w in trial.visit_list)  # fmt: skip
    return PlannedFit(
        endpoint, model, plan["models"][model]["label"], made, tuple(contrasts), means, primary,
        36, trial.sites, ("few sites: degrees of freedom are low",) if trial.sites < 10 else (),
    )  # fmt: skip


def score(endpoint: str, model: str) -> PlannedScore:
    """Every row is accounted for; one model has readings that scatter unevenly."""
    uses = (UseCount("used as outcome", "", 300, 36), UseCount("dropped", "no baseline", 4, 2))
    spread = (
        VisitSpread("Baseline", 100, 9.0, 0.8), VisitSpread("Month 2", 100, 12.0, 1.04),
        VisitSpread("Month 4", 100, 15.0, 1.3),
    )  # fmt: skip
    return PlannedScore(endpoint, model, uses, spread, model == "slope", 12.5)


def iccs(trial: Trial, endpoint: str) -> Iccs:
    """All intraclass correlations."""

    def levels(site: float) -> tuple[IccLevel, ...]:
        return (
            IccLevel("SITEID", 8.36, site, site, 0.0 if site == 0 else 0.0112, 0.0713, site == 0,
                     "profile REML likelihood"),
            IccLevel("USUBJID", 84.7, 0.3089, 0.3394 + site, 0.26, 0.36, False,
                     "profile REML likelihood"),
        )  # fmt: skip

    models = tuple(IccModel(f, "AVAL ~ 1 + (1 | SITEID) + (1 | USUBJID)", levels(s), 181.1,
                            f == "primary")
                   for f, s in (("empty", 0.0), ("visit", 0.03), ("primary", 0.0305)))  # fmt: skip
    return Iccs(
        endpoint, models,
        tuple(VisitIcc(v, 0.05, 0.01, 0.12, trial.sites, 36, 11.9) for v, _ in trial.visit_list),
        tuple(IccAtWeek("slope", w, 0.03, 0.3, 270.0 + w) for _, w in trial.visit_list),
        tuple(DesignEffect(a, "Placebo", 23.98, 24.0, 0.0305, 1.7, 36, trial.sites)
              for a in trial.arm_names if a != "Placebo"),
        (OlsBeside("site_by_visit", "Active minus Placebo, change", -3.0, 1.5, -3.1, 1.84,
                   trial.ratio),),
        0.05,
        tuple(VarianceShare(m, 52.0, g, v, v / 300)
              for m, own in (("nested", (9, 91, 200)), ("slope", (6, 114, 180)))
              for g, v in zip(("SITEID", "USUBJID", "Residual"), own, strict=True)),
    )  # fmt: skip


def comparisons(endpoint: str) -> Comparisons:
    """A test, a refusal and a group of criteria."""
    tests = (
        ModelComparison("Do visits differ between sites?", "nested", "site_by_visit", "", "REML",
                        -8354.788, -8351.102, 7.371, 1, 0.0066, 0.0033,
                        "0.5 chi2(0) + 0.5 chi2(1)", ("Few levels of SITEID.",)),
        ModelComparison("Do slopes differ?", "nested", "slope",
                        "the fixed parts differ and the likelihood is restricted", "REML", NAN, NAN,
                        NAN, 0, NAN, None, "", ()),
    )  # fmt: skip
    rows = tuple(CriterionRow(m, m, "AVAL ~ AVISIT*TRT01P", 300, 9 + i, -8354.8 + i, 16720.1,
                              16770.2, False, True)
                 for i, m in enumerate(("nested", "site_by_visit")))  # fmt: skip
    return Comparisons(endpoint, tests, (CriterionGroup("REML, the same fixed part", rows),))


def replications(endpoint: str) -> Replications:
    """One status of each kind."""
    numbers = (
        ReplicatedNumber("loglik", "", -8351.102, -8351.102, 2.1e-9),
        ReplicatedNumber("fixef", "TRT01PActive", -3.0751, -3.0751, -4e-8),
        ReplicatedNumber("se", "TRT01PActive", 1.84, 1.84, 1e-7),
        ReplicatedNumber("variance", "SITEID", 7.23, 7.23, 3e-6),
    )
    apart = (
        ReplicatedNumber("loglik", "", -8354.788, -8362.2, -7.412, -7.412, beyond=True),
        ReplicatedNumber("se", "TRT01PActive", 1.5, 1.53, 0.03, 0.02, beyond=True),
    )
    engine = ("statsmodels MixedLM (bfgs)", "0.15.0")
    return Replications(endpoint, (
        Replication(endpoint, "nested", *engine, "disagrees", "", 0.001, "statsmodels", apart,
                    ("the engine warned of a boundary",), 0.01, "sitewise.lmm"),
        Replication(endpoint, "site_by_visit", *engine, "agrees", "", 0.001, "", numbers, ()),
        Replication(endpoint, "slope", *engine, "not expressible", "correlated slopes", 0.001, "",
                    (), ()),
    ))  # fmt: skip


def crosscheck(trial: Trial, endpoint: str) -> CrossCheck:
    """A cross-check with all three effects."""
    effects = ("TRT01P", "AVISIT", "AVISIT:TRT01P")
    tests = tuple(FTest(x, 3.2, 1, 550.0, 0.07, "expected to agree, and does") for x in effects)
    return CrossCheck(
        endpoint, "", 36, 30,
        tuple(DroppedPatients("arm", a, 18, 3) for a in trial.arm_names),
        tuple(DroppedPatients("site", s, 12, 2) for s in trial.site_names),
        tuple(AnovaRow(x, 120.0, 1, 550, 3.2, 0.07, NAN if x == "TRT01P" else 0.93,
                       NAN if x == "TRT01P" else 0.072) for x in effects),
        tests, tests,
        (ContrastRow("RM-ANOVA model, complete cases", 30, -3.3, 1.5, 1100.0, 0.03),
         ContrastRow("the same, all patients", 36, -3.1, 1.46, 1200.0, 0.036),
         ContrastRow("primary model", 36, -3.1, 1.84, 56.0, 0.1)),
        ("Complete cases need missingness unrelated to outcomes given arm.",), (),
    )  # fmt: skip


def site_results(trial: Trial, rng: random.Random, endpoint: str) -> SiteResults:
    """Predictions and effects; means where whole sites are randomised."""
    cluster = trial.design == "cluster"
    predictions = []
    effects = []
    for i, site in enumerate(trial.site_names):
        blup = rng.gauss(0, 2)
        predictions.append(SitePrediction(site, 12, blup, 1.4, blup - 2.8, blup + 2.8,
                                          2 * blup))  # fmt: skip
        arms = [trial.arm_names[i % trial.arms]] if cluster else [
            a for a in trial.arm_names if a != "Placebo"]  # fmt: skip
        for arm in arms:
            value = rng.gauss(-15 if cluster else -3, 4)
            refused = "one arm has fewer than two patients" if i == 2 and not cluster else ""
            numbers = (NAN,) * 3 if refused else (value, value - 5, value + 5)
            effects.append(SiteEffect(site, arm, "mean" if cluster else "contrast", 12,
                                      0 if cluster else 11, *numbers, refused))  # fmt: skip
    return SiteResults(endpoint, "site_by_visit", tuple(predictions), tuple(effects), cluster, "")


def by_site(trial: Trial, endpoint: str) -> BySite:
    """Both forms where patients are randomised; refused where whole sites are."""
    if trial.design == "cluster":
        return BySite(endpoint, "site_by_visit", True, "every site has one arm", "", (), None, None,
                      ())  # fmt: skip
    answer = Estimate("x", -3.1, 1.2, 14.2, -2.6, 0.02, -5.7, -0.5)
    random_ = RandomForm(
        "AVAL ~ x + (1 + ARM1 | SITEID)", "AVAL ~ x + (1 | SITEID)", "", "", "regular", answer,
        1.72, 0.0, 4.31, 1.24, 2, 0.34, 0.003, "0.5 chi2(1) + 0.5 chi2(2)", "", 0.41, 0.03, 199,
        trial.sites, (),
    )  # fmt: skip
    fixed = FixedForm(
        "AVAL ~ x + SITEID + SITEID:ARM1 + (1 | USUBJID)", "", "regular", trial.sites - 1, 1.31,
        trial.sites - 2, 40.2, 0.27, (), (trial.site_names[0],), (),
    )  # fmt: skip
    rows = tuple(EffectAtSite(s, 6, 6, None if i == 0 else answer, -3.0, 1.1)
                 for i, s in enumerate(trial.site_names))  # fmt: skip
    return BySite(endpoint, "site_by_visit", True, "", "Arm 1 minus Placebo", ("ARM1: 1 in it.",),
                  random_, fixed, rows)  # fmt: skip


def residuals(trial: Trial, rng: random.Random, level: float) -> Any:
    """The rows of use.parquet that a figure reads."""
    import pandas as pd

    rows: list[tuple[Any, ...]] = []
    for visit, _ in trial.visit_list:
        for _ in range(12 * trial.sites):
            own, site = rng.gauss(0, 13), rng.gauss(0, 8)
            rows.append((visit, level + site, own, own / 13, rng.gauss(0, 1), site + own,
                         (site + own) / 15.3, rng.gauss(0, 1)))  # fmt: skip
    rows.append((trial.visit_list[0][0], *[NAN] * 7))
    columns = ["FITTED", "RESIDUAL", "PEARSON", "NORMALIZED", "MARGINAL", "MPEARSON", "SCALED"]
    return pd.DataFrame(rows, columns=["AVISIT", *columns])


def readings(trial: Trial, rng: random.Random, name: str, level: float) -> list[dict[str, Any]]:
    """The analysis rows of one endpoint that a figure reads."""
    rows = []
    for i, site in enumerate(trial.site_names):
        for k in range(6):
            seen = trial.visit_list[: 1 + (i + k) % len(trial.visit_list)]
            rows += [{"SITEID": site, "USUBJID": f"{site}-{k}", "PARAMCD": name, "AVISIT": visit,
                      "TRT01P": trial.arm_names[(i + k) % trial.arms], "AVISITN": j,
                      "AVAL": level + rng.gauss(0, 10)}
                     for j, (visit, _) in enumerate(seen)]  # fmt: skip
    return rows


def write_trial(trial: Trial, folder: Path, templates: Path) -> dict[str, Any]:
    """Write every result below `folder`; returns the arguments of page, report and figures."""
    import pandas as pd

    from sitewise.report import figures, tables

    rng = random.Random(trial.seed)
    folder.mkdir(parents=True, exist_ok=True)
    names = [e[0] for e in ENDPOINTS]
    plan = trial.plan()
    lists = (
        "iccs", "comparisons", "replications", "crosschecks", "ladders", "reconciliations", "sites",
        "by_sites", "fits", "scores", "uses",
    )  # fmt: skip
    files: dict[str, Any] = {key: [] for key in lists}

    def put(key: str, name: str, value: Any) -> None:
        path = folder / name
        write_result(path, value)
        if key in files:
            files[key].append(str(path))
        else:
            files[key] = str(path)

    put("description", "description.json", description(trial, rng))
    put("account", "account.json", account(trial))
    put("deviations", "deviations.json", Deviations(locked=False, changed=(), entries=()))
    rows = []
    for name, _, _, _, level in ENDPOINTS:
        rows += readings(trial, rng, name, level)
        put("iccs", f"{name}-icc.json", iccs(trial, name))
        put("comparisons", f"{name}-comparisons.json", comparisons(name))
        put("replications", f"{name}-replication.json", replications(name))
        put("crosschecks", f"{name}-crosscheck.json", crosscheck(trial, name))
        put("ladders", f"{name}-ladder.json", LADDER["ladder"](trial, name))
        put("reconciliations", f"{name}-reconciliation.json", LADDER["reconciliation"](trial, name))
        put("sites", f"{name}-sites.json", site_results(trial, rng, name))
        put("by_sites", f"{name}-by-site.json", by_site(trial, name))
        for model in plan["models"]:
            put("fits", f"{name}-{model}.json", fit(trial, rng, name, level, model))
            put("scores", f"{name}-{model}-score.json", score(name, model))
        files["uses"].append(str(folder / f"{name}-use.parquet"))
        write_frame(files["uses"][-1], residuals(trial, rng, level))
    files["rows"] = str(folder / "adbp.parquet")
    write_frame(files["rows"], pd.DataFrame(rows))
    files["findings"] = str(folder / "findings.csv")
    with Path(files["findings"]).open("w", newline="") as handle:
        columns = ("RULE", "SEVERITY", "SITEID", "USUBJID", "AVISIT", "PARAMCD", "SRCFILE",
                   "SRCROW", "COLUMN", "VALUE", "MESSAGE", "ALLOWED", "ACTION",
                   "ADVICE")  # fmt: skip
        writer = csv.writer(handle)
        writer.writerow(columns)
        for i in range(40):
            writer.writerow(("hard_limit", "error", "001", f"P{i}", "Baseline", "SYSBP",
                             "site_001.csv", i + 2, "sbp", "1500", "too high", "50 to 300",
                             "set aside", "ask the hospital"))  # fmt: skip
    return {
        "results": files,
        "plan": plan,
        "sheet": [{"siteid": s, "file": f"site_{s}.csv"} for s in trial.site_names],
        "digests": {key: key[0] * 64 for key in ("plan", "data", "code", "lock")},
        "packages": {"pandas": "3.0.0", "statsmodels": "0.15.0"},
        "templates": sorted(map(str, templates.iterdir())),
        "figure_names": figures.names(names),
        "table_names": tables.names(names),
    }


DRAWN_ONLY = ("uses", "rows")  # results that the figures read and the pages don't


def draw(inputs: dict[str, Any], paths: list[str]) -> None:
    """Draw every figure, each rule with its own part of the plan."""
    from sitewise.plan.parts import part_data, read_part
    from sitewise.report import figures

    files, plan = inputs["results"], read_part(inputs["plan"])
    targets = {Path(path).name: path for path in paths}
    figures.draw_trial(
        description=files["description"],
        account=files["account"],
        plan=part_data(plan, "trial_figures"),
        figures=[targets[name] for name in figures.trial_names()],
    )
    for i, name in enumerate(plan.endpoints):
        figures.draw_endpoint(
            endpoint=name,
            **{key: files[key] for key in ("description", "rows")},
            **{key: files[key][i] for key in ("iccs", "sites", "comparisons")},
            fits=[path for path in files["fits"] if Path(path).name.startswith(f"{name}-")],
            use=files["uses"][i],
            plan=part_data(plan, "figures"),
            figures=[targets[figure] for figure in figures.endpoint_names(name)],
        )


def build(inputs: dict[str, Any], out: Path) -> None:
    """Draw and write everything into `out`."""
    from sitewise.report.build import write_page, write_report

    (out / "tables").mkdir(parents=True)
    (out / "figures").mkdir()
    files = inputs["results"]
    figures = [str(out / "figures" / name) for name in inputs["figure_names"]]
    draw(inputs, figures)
    given = {key: value for key, value in files.items() if key not in DRAWN_ONLY}
    given |= {key: inputs[key] for key in ("templates", "plan", "sheet", "digests", "packages")}
    tables = [str(out / "tables" / name) for name in inputs["table_names"]]
    write_page(**given, figures=figures, html=str(out / "report.html"), tables=tables)
    write_report(**given, figures=figures, pdf=str(out / "report.pdf"))


if __name__ == "__main__":  # python synthetic.py INPUTS.json OUT: a build in its own process
    import sys

    build(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
