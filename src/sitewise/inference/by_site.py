"""Whether the treatment effect differs between sites (rule sites), as the plan asks."""

import math
from typing import TYPE_CHECKING

from sitewise.inference.by_site_result import BySite, EffectAtSite
from sitewise.plan.model import Plan
from sitewise.terms import SITEID, TRT01P
from sitewise.trial.selection import select_rows

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.inference.by_site_fixed import SiteEffects
    from sitewise.inference.by_site_random import Effects

WITHHELD = "withheld while the trial is blinded"
CONSTANT = (
    "every site has one arm, so no site shows an effect of its own, and a site's effect can't be"
    " told from the site itself"
)


def treatment_by_site(plan: Plan, frame: "pd.DataFrame", endpoint: str) -> BySite:
    """Both forms of one endpoint, or why there are none.

    frame: analysis rows (adbp). The models are the plan's primary one with effects of sites added
    (`by_site_terms`), fitted from moments of its rows.
    """
    asked, model = plan.treatment_by_site, plan.primary.model
    nothing = BySite(endpoint, model, asked.asked, "", "", (), None, None, ())
    if not asked.asked:
        return nothing
    if plan.blinded:
        return BySite(endpoint, model, True, WITHHELD, "", (), None, None, ())
    rows = _rows(plan, frame, endpoint)
    arms = rows.groupby(SITEID, observed=True)[TRT01P].nunique()
    if int(arms.max()) == 1:
        return BySite(endpoint, model, True, CONSTANT, "", (), None, None, ())
    return _both(plan, endpoint, rows)


def _both(plan: Plan, endpoint: str, rows: "pd.DataFrame") -> BySite:
    from sitewise.inference.by_site_fixed import fixed_form, patients_by_site
    from sitewise.inference.by_site_random import random_form
    from sitewise.inference.by_site_terms import terms_of

    asked = plan.treatment_by_site
    seen = [str(arm) for arm in rows[TRT01P].unique()]
    terms = terms_of(plan, seen, [str(name) for name in rows.columns])
    random = random_form(terms, rows) if asked.random != "none" else None
    fixed = fixed_form(terms, rows) if asked.fixed else None
    kind = "change from baseline" if plan.primary.contrast == "change" else "level"
    return BySite(
        endpoint=endpoint,
        model=plan.primary.model,
        asked=True,
        refused="",
        contrast=f"{plan.primary.arm} minus {plan.arms.reference} at {plan.primary.visit}, {kind}",
        terms=terms.words(),
        random=None if random is None else random.form,
        fixed=None if fixed is None else fixed.form,
        rows=_at_sites(patients_by_site(terms, rows), random, fixed),
    )


def _rows(plan: Plan, frame: "pd.DataFrame", endpoint: str) -> "pd.DataFrame":
    """Candidates of the primary model with every column that it names."""
    from sitewise.inference.by_site_terms import columns_of
    from sitewise.lmm.formula import parse_formula

    name = plan.primary.model
    rows = select_rows(plan, frame, endpoint, name).candidates
    used = columns_of(parse_formula(plan.models[name].formula))
    return rows.dropna(subset=used).reset_index(drop=True)


def _at_sites(
    counts: dict[str, tuple[int, int]], random: "Effects | None", fixed: "SiteEffects | None"
) -> tuple[EffectAtSite, ...]:
    """A row a site, then the pool if there is one."""
    more = {} if fixed is None else {s: n for s, n in fixed.counts.items() if s not in counts}
    own = {} if fixed is None else fixed.estimates
    predicted = {} if random is None else random.predicted
    nothing = (math.nan, math.nan)
    return tuple(
        EffectAtSite(site, *n, own.get(site), *predicted.get(site, nothing))
        for site, n in {**counts, **more}.items()
    )
