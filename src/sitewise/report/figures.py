"""Draw the figures (rule figures).

Inputs that `draw_figures` takes by name: `description` (tables/description.json), `iccs`
(models/E/icc.json), `sites` (models/E/sites.json), `fits` (models/E/M/fit.json, all), `uses`
(models/E/<primary model>/use.parquet) - lists in the plan's order of endpoints - and `plan`, the
rule's part of the plan. Output: `figures`, the paths of `names(endpoints)` in that order.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

KINDS = ("profiles", "caterpillar", "forest", "residuals")


def names(endpoints: Sequence[str], *, blinded: bool = False) -> list[str]:
    """File names below figures/, for each endpoint in turn; blinded: the pooled profiles alone."""
    kinds = KINDS[:1] if blinded else KINDS
    return [f"{endpoint}-{kind}.svg" for endpoint in endpoints for kind in kinds]


def draw_figures(
    *,
    description: str,
    iccs: Sequence[str],
    sites: Sequence[str],
    fits: Sequence[str],
    uses: Sequence[str],
    plan: Mapping[str, Any],
    figures: Sequence[str],
) -> None:
    """Draw every figure of every endpoint to the paths `figures`."""
    from sitewise.inference.icc_result import Iccs
    from sitewise.inference.planned_fit import PlannedFit
    from sitewise.plan.parts import read_part
    from sitewise.report.draw_profiles import draw_pooled, draw_profiles
    from sitewise.report.draw_residuals import draw_residuals
    from sitewise.report.draw_sites import draw_caterpillar, draw_forest
    from sitewise.report.drawing import save
    from sitewise.sites.result import SiteResults
    from sitewise.store.frames import read_frame
    from sitewise.store.results import read_result
    from sitewise.trial.description import Description

    part = read_part(dict(plan))
    described = read_result(description, Description)
    headline = {result.endpoint: result for result in (read_result(p, Iccs) for p in iccs)}
    by_site = {result.endpoint: result for result in (read_result(p, SiteResults) for p in sites)}
    fitted = [read_result(path, PlannedFit) for path in fits]
    primary = {fit.endpoint: fit for fit in fitted if fit.model == part.primary.model}
    targets = {Path(path).name: Path(path) for path in figures}
    if part.blinded:
        for endpoint in part.endpoints:
            drawn_pooled = draw_pooled(part, described, endpoint)
            save(drawn_pooled, targets[f"{endpoint}-profiles.svg"])
        return
    for endpoint, use in zip(part.endpoints, uses, strict=True):
        rows = read_frame(use, columns=["AVISIT", "FITTED", "RESIDUAL"])
        drawn = {
            "profiles": draw_profiles(part, described, primary[endpoint]),
            "caterpillar": draw_caterpillar(part, by_site[endpoint], headline[endpoint]),
            "forest": draw_forest(part, by_site[endpoint]),
            "residuals": draw_residuals(part, endpoint, rows),
        }
        for kind in KINDS:
            save(drawn[kind], targets[f"{endpoint}-{kind}.svg"])
