"""Section 4: intraclass correlations, design effect, least squares, figures by site."""

from collections.abc import Mapping
from dataclasses import dataclass

from sitewise.inference.icc_result import Iccs
from sitewise.report import words_sites as words
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import NONE, interval, number, share, week
from sitewise.report.layout import Figure, Row, Table, group, row, table
from sitewise.report.pictures import picture
from sitewise.report.section_by_site import BySiteOf, by_site


@dataclass(frozen=True)
class SitesOf:
    """Section 4 of one endpoint. Tables and figures are None where the result has no such part."""

    name: str
    title: str
    icc_text: str
    icc: Table
    by_visit: Table | None
    slope_text: str
    by_week: Table | None
    design_effects: tuple[str, ...]
    change_effects: str
    ols: Table | None
    ols_text: tuple[str, ...]
    shares: Figure
    caterpillar: Figure | None
    forest: Figure | None
    forest_text: str
    note: str
    by_site: BySiteOf | None


def sites(e: Evidence, figures: Mapping[str, str]) -> tuple[SitesOf, ...]:
    """Build section 4."""
    return tuple(_one(e, name, figures) for name in e.plan.endpoints)


def _one(e: Evidence, name: str, figures: Mapping[str, str]) -> SitesOf:
    iccs, found = e.endpoints[name].iccs, e.endpoints[name].sites
    any_effect = any(not effect.refused for effect in found.effects)
    return SitesOf(
        name=name,
        title=e.endpoint(name).label,
        icc_text=words.icc_sentence(e, name),
        icc=icc_table(e, name, iccs),
        by_visit=icc_by_visit(e, name, iccs) if iccs.by_visit else None,
        slope_text=words.slope_icc_sentence(e, name),
        by_week=icc_by_week(name, iccs) if iccs.at_week else None,
        design_effects=tuple(words.design_effect_sentence(d) for d in iccs.design_effects),
        change_effects=words.change_effects_sentence(iccs.design_effects),
        ols=_ols(e, name, iccs) if iccs.ols else None,
        ols_text=tuple(words.ols_sentence(e, r, name) for r in words.primary_contrasts(e, name)),
        shares=picture(e, figures, "shares", name),
        caterpillar=picture(e, figures, "caterpillar", name) if found.predictions else None,
        forest=picture(e, figures, "forest", name) if any_effect else None,
        forest_text=words.effects_sentence(e, name),
        note=words.predictions_note(found),
        by_site=by_site(e, name),
    )


def icc_table(e: Evidence, name: str, iccs: Iccs) -> Table:
    """Intraclass correlations under three fixed parts."""
    d, unit = e.decimals(name) + 1, e.endpoint(name).unit
    rows: list[Row] = []
    for model in iccs.models:
        mark = " (headline)" if model.headline else ""
        kind = "strong" if model.headline else ""
        rows.append(group(f"{words.FIXED[model.fixed].capitalize()}{mark}", 5))
        for item in model.levels:
            rows.append(
                row(
                    words.level_name(item.level),
                    number(item.variance, d),
                    share(item.share),
                    words.limits(item, e),
                    share(item.correlation),
                    kind=kind,
                )
            )
        rest = number(model.residual_variance, d)
        rows.append(row(words.level_name("Residual"), rest, "", "", "", kind=kind))
    methods = sorted({item.method for model in iccs.models for item in model.levels})
    return table(
        f"tbl-icc-{name}",
        f"Intraclass correlations of {name} under three fixed parts, side by side",
        [
            ("Level", "text"),
            (f"Variance ({unit}\u00b2)", "number"),
            ("Share of variance", "number"),
            (f"{e.coverage} interval of the share", "mixed"),
            ("Correlation of two readings", "number"),
        ],
        rows,
        notes=[
            f"Interval: {'; '.join(m for m in methods if m)}."
            " Correlation: of two readings that share the level and those above it.",
            *(f"{words.FIXED[m.fixed].capitalize()}: {m.formula}" for m in iccs.models),
        ],
        file="icc.csv",
    )


def icc_by_visit(e: Evidence, name: str, iccs: Iccs) -> Table:
    """Site ICC by visit."""
    rows = [
        row(
            v.visit,
            str(v.sites),
            str(v.patients),
            number(v.n0, 1),
            share(v.icc),
            interval(v.lower, v.upper, 4),
        )
        for v in iccs.by_visit
    ]
    return table(
        f"tbl-icc-visit-{name}",
        f"Site ICC of {name} by visit, one reading a patient",
        [
            ("Visit", "text"),
            ("Sites", "number"),
            ("Patients", "number"),
            ("n\u2080", "number"),
            ("ICC", "number"),
            (f"{e.coverage} interval (F)", "mixed"),
        ],
        rows,
        notes=[
            "One-way analysis of variance with unequal clusters; the interval is Wald's (1947),"
            " exact whatever the sizes, its lower end not below 0; an estimate below 0 stands as it"
            " is (sites differ less than by chance). n\u2080: average cluster size.",
            _not_adjusted(e),
        ],
        file="icc_by_visit.csv",
    )


def _not_adjusted(e: Evidence) -> str:
    note = "Not adjusted for baseline or arm"
    if e.plan.design == "cluster":
        note += ", which is constant in a site: a difference between arms is in these ICCs"
    return f"{note}."


def icc_by_week(name: str, iccs: Iccs) -> Table:
    """Shares of variance by week under random slopes."""
    rows = []
    for model in dict.fromkeys(r.model for r in iccs.at_week):
        rows.append(group(f"Model {model}", 5))
        rows += [
            row(
                week(r.week),
                share(r.site_share),
                share(r.patient_share),
                share(r.patient_correlation),
                number(r.total_variance, 1),
            )
            for r in iccs.at_week
            if r.model == model
        ]
    return table(
        f"tbl-icc-week-{name}",
        f"Shares of variance of {name} by week under models with random slopes",
        [
            ("Week", "number"),
            ("Share of site", "number"),
            ("Share of patient", "number"),
            ("Correlation, same patient", "number"),
            ("Total variance", "number"),
        ],
        rows,
        notes=["Share of site: the correlation of two patients of one site at that week."],
        file="icc_by_week.csv",
    )


def _ols(e: Evidence, name: str, iccs: Iccs) -> Table:
    d = e.decimals(name)
    rows: list[Row] = []
    for contrast in dict.fromkeys(r.contrast for r in iccs.ols):
        rows.append(group(contrast, 7))
        for r in iccs.ols:
            if r.contrast == contrast:
                if not e.endpoints[name].fits[r.model].fit.converged:
                    rows.append(row(f"{r.model}: not converged", *[NONE] * 6))
                    continue
                rows.append(
                    row(
                        f"{r.model} (primary)" if r.model == e.plan.primary.model else r.model,
                        number(r.estimate, d),
                        number(r.se, d + 1),
                        number(r.mixed_estimate, d),
                        number(r.mixed_se, d + 1),
                        number(r.ratio, 2),
                        words.claimed(r.ratio),
                    )
                )
    return table(
        f"tbl-ols-{name}",
        f"Least squares beside mixed models, {name}, {e.endpoint(name).unit}",
        [
            ("Mixed model", "text"),
            ("Least squares", "number"),
            ("SE", "number"),
            ("Mixed", "number"),
            ("SE", "number"),
            ("SE / mixed SE", "number"),
            ("Relative to this model, least squares claims", "text"),
        ],
        rows,
        notes=[
            "Same contrast, fixed part and rows. SE / mixed SE: of least squares by that of the"
            " mixed model in the same line, which need not be right itself."
        ],
        file="least_squares.csv",
    )
