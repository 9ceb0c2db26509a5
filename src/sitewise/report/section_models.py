"""Section 5: the models of the plan, the primary first, and their comparisons."""

from collections.abc import Mapping
from dataclasses import dataclass

from sitewise.inference.planned_fit import PlannedFit, ScoredFit
from sitewise.lmm.formula import parse_formula
from sitewise.report import words_models as words
from sitewise.report.cells import (
    estimate_cells,
    estimate_columns,
    fit_state,
    is_answer,
    p_notes,
    withheld_note,
)
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import (
    NONE,
    decimals_for_se,
    listed,
    number,
    typeset,
)
from sitewise.report.layout import Figure, Table, group, row, table
from sitewise.report.pictures import picture
from sitewise.report.section_comparisons import criteria_table, tests_table, uses_table
from sitewise.report.section_visits import by_visit
from sitewise.report.words import contrast_name
from sitewise.report.words_departures import covariance_note
from sitewise.report.words_sites import level_name
from sitewise.report.words_spread import scaled_sentence, uneven_reference

_MODELS_A_TABLE = 6
CONSTRAINED = (
    "The arms are equal at baseline, so an arm has as many effects as there are visits after it:"
    " its coefficient is the effect at the last of them, a product with a visit the effect there"
    " less that."
)


@dataclass(frozen=True)
class ModelsOf:
    """Section 5 of one endpoint."""

    name: str
    title: str
    primary: Table
    components: Table
    side_by_side: Table
    by_visit: Table
    all_models: tuple[Table, ...]
    tests: Table | None
    test_text: tuple[str, ...]
    criteria: Table
    uses: Table
    slopes: str
    cautions: tuple[str, ...]
    residuals: Figure
    marginal: Figure
    scaled_text: str
    compared: Figure
    ladder: Figure | None


def models(e: Evidence, figures: Mapping[str, str]) -> tuple[ModelsOf, ...]:
    """Build section 5."""
    return tuple(_one(e, name, figures) for name in e.plan.endpoints)


def formulas(e: Evidence) -> Table:
    """The models of the plan, as it writes them."""
    rows = [
        row(
            name,
            f"{model.label} (primary)" if name == e.plan.primary.model else model.label,
            model.formula,
            "REML" if model.reml else "ML",
            model.set,
        )
        for name, model in e.plan.models.items()
    ]
    columns = [(title, "text") for title in ("Model", "What", "Formula", "By", "Set")]
    changed = [
        f"{name}, {fit.model}: fitted as {fit.fit.formula}, by the plan's rules."
        f" {' '.join(fit.departures)}"
        for name in e.endpoints
        for fit in e.ordered_fits(name)
        if fit.departures
    ]
    own = [parse_formula(model.formula).residual for model in e.plan.models.values()]
    notes = [covariance_note(one.structure for one in own if one is not None), *changed]
    return table("tbl-formulas", "Models of the plan", columns, rows, notes=notes, size="small")


def _one(e: Evidence, name: str, figures: Mapping[str, str]) -> ModelsOf:
    own = e.endpoints[name]
    fits = e.ordered_fits(name)
    tests = own.comparisons.tests
    return ModelsOf(
        name=name,
        title=e.endpoint(name).label,
        primary=_fixed(e, fits[0]),
        components=components(e, fits[0]),
        side_by_side=_side_by_side(e, name, fits),
        by_visit=by_visit(e, fits[0]),
        all_models=tuple(_all(e, name, part, i) for i, part in enumerate(_parts(fits))),
        tests=tests_table(e, name) if tests else None,
        test_text=tuple(t for t in (words.comparison_sentence(e, test) for test in tests) if t),
        criteria=criteria_table(name, own.comparisons.criteria),
        uses=uses_table(name, fits),
        slopes=words.growing_variance(e, name),
        cautions=(*fit_cautions(fits), *filter(None, [uneven_reference(e, name)])),
        residuals=picture(e, figures, "residuals", name),
        marginal=picture(e, figures, "marginal", name),
        scaled_text=scaled_sentence(e, name),
        compared=picture(e, figures, "models", name),
        ladder=picture(e, figures, "ladder", name) if tests else None,
    )


def _parts(fits: tuple[ScoredFit, ...]) -> list[tuple[ScoredFit, ...]]:
    """As few tables as hold all models, of about one size."""
    tables = -(-len(fits) // _MODELS_A_TABLE)
    size = -(-len(fits) // tables)
    return [fits[i : i + size] for i in range(0, len(fits), size)]


def fit_cautions(fits: tuple[ScoredFit, ...]) -> tuple[str, ...]:
    """Cautions of the fits; the same words of several models once."""
    told: dict[str, list[str]] = {}
    for fit in fits:
        for text in fit.cautions:
            told.setdefault(text, []).append(fit.model)
    return tuple(typeset(f"{listed(names)}: {text}") for text, names in told.items())


def _fixed(e: Evidence, fit: PlannedFit) -> Table:
    rows, tested = [], False
    for effect in fit.fit.fixef:
        label = words.coefficient(effect.name, fit.fit.levels)
        d = decimals_for_se(effect.se, e.decimals(fit.endpoint) + 1)
        own = is_answer(e, fit.endpoint, effect.estimate, effect.p)
        tested |= own
        cells = estimate_cells(e, fit, effect, decimals=(d, d), tested=own)
        label = f"{label} (primary contrast)" if own else label
        rows.append(row(label, *cells, kind="strong" if own else ""))
    references = ", ".join(f"{factor} {levels[0]}" for factor, levels in fit.fit.levels.items())
    return table(
        f"tbl-fixed-{fit.endpoint}",
        f"Fixed effects of the primary model {fit.model}, {fit.endpoint}",
        [("Coefficient", "text"), *estimate_columns(e, e.endpoint(fit.endpoint).unit)],
        rows,
        notes=[
            f"Reference levels: {references}." if references else "",
            f"Columns dropped as combinations of others: {', '.join(fit.fit.aliased)}."
            if fit.fit.aliased
            else "",
            CONSTRAINED if e.plan.baseline.handling == "constrained" else "",
            *p_notes(e, fit.endpoint, tested=tested),
            withheld_note(fit, "tables/fixed_effects.csv"),
        ],
        file="fixed_effects.csv",
    )


def components(e: Evidence, fit: PlannedFit) -> Table:
    """Variance components of the primary model."""
    d = e.decimals(fit.endpoint) + 1
    rows = []
    if not fit.fit.converged:
        return table(
            f"tbl-components-{fit.endpoint}",
            f"Variance components of the primary model {fit.model}, {fit.endpoint}",
            [("Component", "text"), ("Variance", "number")],
            [row("not converged", NONE)],
            notes=[withheld_note(fit, "tables/variance_components.csv")],
            file="variance_components.csv",
        )
    correlated = any(len(term.terms) > 1 for term in fit.fit.random)
    for term in fit.fit.random:
        for i, name in enumerate(term.terms):
            correlations = [number(term.correlations[i][j], 2) for j in range(i)]
            decimals = d if words.term_name(name, fit.fit.levels) == "intercept" else d + 3
            rows.append(
                row(
                    f"{level_name(term.group)}, {words.term_name(name, fit.fit.levels)}",
                    str(term.levels),
                    number(term.variances[i], decimals),
                    number(term.sds[i], decimals),
                    *([", ".join(correlations) or NONE] if correlated else []),
                )
            )
    residual = [str(fit.fit.nobs), number(fit.fit.sigma**2, d), number(fit.fit.sigma, d)]
    rows.append(row(level_name("Residual"), *residual, *([NONE] if correlated else [])))
    kind = "REML" if fit.fit.reml else "ML"
    return table(
        f"tbl-components-{fit.endpoint}",
        f"Variance components of the primary model {fit.model}, {fit.endpoint}",
        [
            ("Component", "text"),
            ("Levels", "number"),
            ("Variance", "number"),
            ("SD", "number"),
            *([("Correlation", "number")] if correlated else []),
        ],
        rows,
        notes=[
            f"{kind} log-likelihood {number(fit.fit.loglik, 3)}; {fit.fit.nobs} readings of"
            f" {fit.patients} patients at {fit.sites} sites;"
            f" {'converged' if fit.fit.converged else 'NOT converged'},"
            f" {'singular' if fit.fit.singularity.singular else 'not singular'}."
        ],
        file="variance_components.csv",
    )


def _side_by_side(e: Evidence, name: str, fits: tuple[ScoredFit, ...]) -> Table:
    rows = []
    columns = estimate_columns(e, e.endpoint(name).unit)
    what = contrast_name(e, e.primary_fit(name).answer)
    for fit in fits:
        main = fit.model == e.plan.primary.model
        label = f"{fit.model} (primary)" if main else fit.model
        if fit.primary is None:
            rows.append(row(label, *[NONE] * len(columns), "no such contrast"))
            continue
        cells = estimate_cells(e, fit, fit.primary.result, tested=main)
        rows.append(row(label, *cells, fit_state(fit.fit), kind="strong" if main else ""))
    return table(
        f"tbl-side-{name}",
        f"The primary contrast under each model, {name}: {what}",
        [
            ("Model", "text"),
            *columns,
            ("Fit", "text"),
        ],
        rows,
        notes=[
            *p_notes(e, name, tested=True),
            "Only the primary model answers the question; the others show how far the answer"
            " hangs on the model.",
            *(withheld_note(fit, "tables/contrasts.csv") for fit in fits),
        ],
        file="contrasts.csv",
    )


def _all(e: Evidence, name: str, fits: tuple[ScoredFit, ...], part: int) -> Table:
    columns = [("", "text"), *((fit.model, "mixed") for fit in fits)]
    rows = [group("Fixed effects: estimate (SE)", len(columns))]
    levels = {k: v for fit in fits for k, v in fit.fit.levels.items()}
    shown = [fit for fit in fits if fit.fit.converged]
    effects = [{x.name: x for x in fit.fit.fixef} if fit in shown else {} for fit in fits]
    for effect in dict.fromkeys(key for own in effects for key in own):
        cells = []
        for own in effects:
            x = own.get(effect)
            d = decimals_for_se(x.se, e.decimals(name) + 1) if x else 0
            cells.append(f"{number(x.estimate, d)} ({number(x.se, d)})" if x else "")
        rows.append(row(words.coefficient(effect, levels), *cells))
    rows.append(group("Variances; correlations of random effects", len(columns)))
    parts = [dict(_variances(fit, e.decimals(name) + 1)) if fit in shown else {} for fit in fits]
    for key in dict.fromkeys(key for own in parts for key in own if not key.startswith("~")):
        rows.append(row(key, *(own.get(key, "") for own in parts)))
    rows.append(row("reading (residual)", *(own.get("~residual", NONE) for own in parts)))
    rows.append(group("Fit", len(columns)))
    rows.append(row("readings", *(str(fit.fit.nobs) for fit in fits)))
    rows.append(row("log-likelihood", *(number(fit.fit.loglik, 3) for fit in fits)))
    rows.append(row("by", *("REML" if fit.fit.reml else "ML" for fit in fits)))
    rows.append(row("state", *(fit_state(fit.fit) for fit in fits)))
    more = f", part {part + 1}" if part else ""
    return table(
        f"tbl-models-{name}-{part}",
        f"All models of {name}{more}",
        columns,
        rows,
        notes=[
            "Log-likelihoods of models with other fixed parts can't be compared under REML;"
            " p-values stand in the tables of contrasts.",
            *(withheld_note(fit, "tables/fixed_effects.csv") for fit in fits),
        ],
        file="fixed_effects.csv",
        size="small",
    )


def _variances(fit: PlannedFit, d: int) -> list[tuple[str, str]]:
    """Label and number of each component; the residual's label is `~residual`."""
    lines = []
    for term in fit.fit.random:
        who = level_name(term.group)
        names = [words.term_name(name, fit.fit.levels) for name in term.terms]
        for i, name in enumerate(names):
            decimals = d if name == "intercept" else d + 3
            lines.append((f"{who}, {name}", number(term.variances[i], decimals)))
            for j in range(i):
                pair = f"{who}, correlation {names[j]}\u2013{name}"
                lines.append((pair, number(term.correlations[i][j], 2)))
    return [*lines, ("~residual", number(fit.fit.sigma**2, d))]
