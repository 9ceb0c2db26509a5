"""What each hospital shows: its predicted deviation, and its own observed effect."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sitewise.plan.model import Plan
from sitewise.sites.result import SiteEffect, SitePrediction, SiteResults
from sitewise.terms import AVAL, AVISIT, CHG, SITEID, TRT01P, USUBJID
from sitewise.trial.selection import select_rows

if TYPE_CHECKING:
    import pandas as pd

INTERCEPT = "(Intercept)"
WITHHELD = "Withheld while the trial is blinded: a hospital may have one arm."


def site_results(
    plan: Plan,
    frame: "pd.DataFrame",
    endpoint: str,
    primary: Mapping[str, Any],
    ranef: "pd.DataFrame",
) -> SiteResults:
    """Predictions and observed effects of every site of one endpoint, sorted by SITEID.

    frame: analysis rows (adbp) of at least this endpoint. primary: the primary model's fit as
    plain data (`fit.json`): its keys `model` and `fit` are used. ranef: its `ranef.parquet`
    (GROUP, LEVEL, TERM, BLUP, SE; SE conditional on the estimated variances).
    Intervals of predictions: BLUP +- normal quantile x SE; of effects: t, see `_contrast`.
    """
    if plan.blinded:
        return SiteResults(endpoint, str(primary["model"]), (), (), False, WITHHELD)
    rows = select_rows(plan, frame, endpoint, plan.primary.model).candidates
    arms = rows.groupby(SITEID, observed=True)[TRT01P].nunique()
    constant = bool(len(arms)) and int(arms.max()) == 1
    done = bool(primary.get("fit", {}).get("converged", True))
    predictions = _predictions(rows, ranef, plan.alpha) if done else ()
    effects = _effects(plan, rows, constant)
    return SiteResults(
        endpoint=endpoint,
        model=str(primary["model"]),
        predictions=predictions,
        effects=effects,
        arm_constant_in_sites=constant,
        note=_note(plan, ranef, constant, primary),
    )


def _predictions(
    rows: "pd.DataFrame", ranef: "pd.DataFrame", alpha: float
) -> tuple[SitePrediction, ...]:
    from scipy.special import ndtri  # scipy.stats takes half a second longer to import

    half = float(ndtri(1 - alpha / 2))
    patients = rows.groupby(SITEID, observed=True)[USUBJID].nunique()
    raw = _raw_departures(rows)
    own = ranef[(ranef["GROUP"] == SITEID) & (ranef["TERM"] == INTERCEPT)]
    return tuple(
        SitePrediction(
            site=str(site),
            patients=int(patients.get(site, 0)),
            blup=float(blup),
            se=float(se),
            lower=float(blup - half * se),
            upper=float(blup + half * se),
            raw=raw.get(str(site), math.nan),
        )
        for site, blup, se in sorted(
            zip(own["LEVEL"].astype(str), own["BLUP"], own["SE"], strict=True)
        )
    )


def _raw_departures(rows: "pd.DataFrame") -> dict[str, float]:
    """Mean departure of each site's outcomes from the observed mean of their arm and visit."""
    level = rows[AVAL].astype(float)
    cells = [rows[AVISIT], rows[TRT01P]]
    away = level - level.groupby(cells, observed=True).transform("mean")
    means = away.groupby(rows[SITEID], observed=True).mean()
    return {str(site): float(mean) for site, mean in means.items()}


def _effects(plan: Plan, rows: "pd.DataFrame", constant: bool) -> tuple[SiteEffect, ...]:
    """One effect a site, in the terms of the primary contrast."""
    primary = plan.primary
    column = CHG if primary.contrast == "change" else AVAL
    at_visit = rows[(rows[AVISIT] == primary.visit) & rows[column].notna()]
    values: dict[str, dict[str, Any]] = {}
    for (site, arm), own in at_visit.groupby([SITEID, TRT01P], observed=True)[column]:
        values.setdefault(str(site), {})[str(arm)] = own.to_numpy(dtype=float)
    first = rows.drop_duplicates(SITEID).sort_values(SITEID)
    arms = zip(first[SITEID].astype(str), first[TRT01P].astype(str), strict=True)
    if constant:
        return tuple(
            _mean(site, arm, values.get(site, {}).get(arm, []), plan) for site, arm in arms
        )
    return tuple(_contrast(site, values.get(site, {}), plan) for site, _ in arms)


def _mean(site: str, arm: str, values: Any, plan: Plan) -> SiteEffect:
    """The site's mean with its t interval on n - 1 degrees of freedom."""
    import numpy as np

    y = np.asarray(values, dtype=float)
    n, estimate, lower, upper = len(y), math.nan, math.nan, math.nan
    refused = ""
    if n:
        estimate = float(y.mean())
    if n > 1:
        lower, upper = _t_interval(estimate, float(y.std(ddof=1)) / math.sqrt(n), n - 1, plan.alpha)
    else:
        refused = f"{_patients(n)} {_what(plan)}: a mean with an interval needs two"
    return SiteEffect(site, arm, "mean", n, 0, estimate, lower, upper, refused)


def _contrast(site: str, values: Mapping[str, Any], plan: Plan) -> SiteEffect:
    """Arm minus reference within the site: difference of means, t interval on n1 + n2 - 2.

    # ASSUME: within a site both arms have one variance (pooled), as the mixed model has it.
    """
    import numpy as np

    arm, reference = plan.primary.arm, plan.arms.reference
    y1 = np.asarray(values.get(arm, []), dtype=float)
    y2 = np.asarray(values.get(reference, []), dtype=float)
    n1, n2 = len(y1), len(y2)
    estimate, lower, upper, refused = math.nan, math.nan, math.nan, ""
    missing = [name for name, n in ((arm, n1), (reference, n2)) if n == 0]
    if missing:
        refused = f"no patient of {' and '.join(missing)} {_what(plan)}"
    else:
        estimate = float(y1.mean() - y2.mean())
        if n1 + n2 > 2:
            squares = float(((y1 - y1.mean()) ** 2).sum() + ((y2 - y2.mean()) ** 2).sum())
            se = math.sqrt(squares / (n1 + n2 - 2) * (1 / n1 + 1 / n2))
            lower, upper = _t_interval(estimate, se, n1 + n2 - 2, plan.alpha)
        else:
            refused = f"one patient an arm {_what(plan)}: no interval"
    return SiteEffect(site, arm, "contrast", n1, n2, estimate, lower, upper, refused)


def _t_interval(estimate: float, se: float, df: int, alpha: float) -> tuple[float, float]:
    from scipy.special import stdtrit

    half = float(stdtrit(df, 1 - alpha / 2)) * se
    return estimate - half, estimate + half


def _patients(n: int) -> str:
    return "no patient" if n == 0 else "one patient" if n == 1 else f"{n} patients"


def _what(plan: Plan) -> str:
    """`with a change at Month 12`."""
    thing = "a change from baseline" if plan.primary.contrast == "change" else "a reading"
    return f"with {thing} at {plan.primary.visit}"


def _note(plan: Plan, ranef: "pd.DataFrame", constant: bool, primary: Mapping[str, Any]) -> str:
    """What the two tables are, in sentences."""
    level = f"{100 * (1 - plan.alpha):g}%"
    terms = ranef.loc[ranef["GROUP"] == SITEID, "TERM"].astype(str).unique().tolist()
    sentences = []
    if not primary.get("fit", {}).get("converged", True):
        sentences.append(
            f"The primary model ({primary['model']}) did not converge: its site predictions are"
            " not final and not shown."
        )
    elif not terms:
        sentences.append(
            f"The primary model ({primary['model']}) has no random effect of the site:"
            " there are no site predictions."
        )
    else:
        sentences.append(
            f"Predictions are best linear unbiased predictors of the site intercepts, shrunk"
            f" towards 0, with conditional standard errors and normal {level} intervals"
            " (the estimated variances are taken as known)."
        )
        if terms != [INTERCEPT]:
            sentences.append(
                "The model also has site slopes: the prediction is the site's deviation at week 0."
            )
    thing = "change from baseline" if plan.primary.contrast == "change" else "outcome"
    if constant:
        sentences.append(
            f"Every site has one arm, so no site has a treatment effect of its own: its observed"
            f" mean {thing} at {plan.primary.visit} is given, with a {level} t interval."
        )
    else:
        sentences.append(
            f"The observed difference within a site is {plan.primary.arm} minus"
            f" {plan.arms.reference}, mean {thing} at {plan.primary.visit}, with a {level}"
            " t interval (pooled variance of the site's two arms)."
        )
    return " ".join(sentences)
