"""Draw the figures (rules trial_figures and figures).

`draw_trial` takes `description` (tables/description.json), `account` (findings/account.json) and
`plan`, the rule's part of the plan, and draws the figures of the whole trial. `draw_endpoint` takes
by name, of one endpoint: `description`, `iccs` (icc.json), `sites` (sites.json), `comparisons`
(comparisons.json), `fits` (fit.json of every model), `use` (use.parquet of the primary model),
`rows` (data/adbp.parquet), `plan`. Output: `figures`, paths of files named as in `names`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TRIAL_KINDS = ("flow", "enrolment")
KINDS = (
    "profiles", "individuals", "missing", "shares", "caterpillar", "forest", "models", "residuals",
    "marginal", "ladder",
)  # fmt: skip


def names(endpoints: Sequence[str], *, blinded: bool = False) -> list[str]:
    """File names below figures/: of the trial, then of each endpoint in turn.

    blinded: of an endpoint the pooled profiles alone.
    """
    own = (name for e in endpoints for name in endpoint_names(e, blinded=blinded))
    return [*trial_names(), *own]


def trial_names() -> list[str]:
    """File names of the figures of the whole trial."""
    return [f"trial-{kind}.svg" for kind in TRIAL_KINDS]


def endpoint_names(endpoint: str, *, blinded: bool = False) -> list[str]:
    """File names of the figures of one endpoint."""
    return [f"{endpoint}-{kind}.svg" for kind in endpoint_kinds(blinded)]


def endpoint_kinds(blinded: bool) -> tuple[str, ...]:
    """Kinds of figures of an endpoint."""
    return KINDS[:1] if blinded else KINDS


def draw_trial(
    *, description: str, account: str, plan: Mapping[str, Any], figures: Sequence[str]
) -> None:
    """Draw the figures of the whole trial to the paths `figures`."""
    from sitewise.plan.parts import read_part
    from sitewise.report.draw_enrolment import draw_enrolment
    from sitewise.report.draw_flow import draw_flow
    from sitewise.report.drawing import save
    from sitewise.store.results import read_result
    from sitewise.trial.account import Account
    from sitewise.trial.description import Description

    part = read_part(dict(plan))
    described = read_result(description, Description)
    drawn = {
        "trial-flow.svg": draw_flow(part, read_result(account, Account), described),
        "trial-enrolment.svg": draw_enrolment(part, described),
    }
    for path in map(Path, figures):
        save(drawn[path.name], path)


def draw_endpoint(
    *,
    endpoint: str,
    description: str,
    iccs: str,
    sites: str,
    comparisons: str,
    fits: Sequence[str],
    use: str,
    rows: str,
    plan: Mapping[str, Any],
    figures: Sequence[str],
) -> None:
    """Draw every figure of one endpoint to the paths `figures`."""
    from sitewise.inference.comparison import Comparisons
    from sitewise.inference.icc_result import Iccs
    from sitewise.inference.planned_fit import PlannedFit
    from sitewise.inference.scoring import PREDICTED
    from sitewise.plan.parts import read_part
    from sitewise.report.draw_individuals import draw_individuals
    from sitewise.report.draw_marginal import draw_marginal
    from sitewise.report.draw_missing import draw_missing
    from sitewise.report.draw_models import draw_ladder, draw_models
    from sitewise.report.draw_profiles import draw_pooled, draw_profiles
    from sitewise.report.draw_residuals import draw_residuals
    from sitewise.report.draw_shares import draw_shares
    from sitewise.report.draw_sites import draw_caterpillar, draw_forest
    from sitewise.report.drawing import save
    from sitewise.report.pictured import MOST_COURSES
    from sitewise.sites.result import SiteResults
    from sitewise.store.frames import read_endpoint, read_frame
    from sitewise.store.results import read_result
    from sitewise.terms import AVAL, AVISIT, AVISITN, PARAMCD, SITEID, TRT01P, USUBJID
    from sitewise.trial.courses import sampled_courses
    from sitewise.trial.description import Description

    part = read_part(dict(plan))
    described = read_result(description, Description)
    if part.blinded:
        (path,) = map(Path, figures)
        save(draw_pooled(part, described, endpoint), path)
        return
    icc, by_site = read_result(iccs, Iccs), read_result(sites, SiteResults)
    fitted = [read_result(path, PlannedFit) for path in fits]
    primary = next(fit for fit in fitted if fit.model == part.primary.model)
    used = read_frame(use, columns=[AVISIT, *PREDICTED])
    columns = [SITEID, USUBJID, TRT01P, PARAMCD, AVISIT, AVISITN, AVAL]
    readings = read_endpoint(rows, endpoint, columns)
    courses = sampled_courses(part, readings, endpoint, MOST_COURSES)
    drawn = {
        "profiles": draw_profiles(part, described, primary),
        "individuals": draw_individuals(part, described, endpoint, courses),
        "missing": draw_missing(part, described, endpoint),
        "shares": draw_shares(part, icc),
        "caterpillar": draw_caterpillar(part, by_site, icc),
        "forest": draw_forest(part, by_site),
        "models": draw_models(part, endpoint, fitted),
        "residuals": draw_residuals(part, endpoint, used, by_site),
        "marginal": draw_marginal(part, endpoint, used),
        "ladder": draw_ladder(part, read_result(comparisons, Comparisons), fitted),
    }
    for path in map(Path, figures):
        save(drawn[path.stem.removeprefix(f"{endpoint}-")], path)
