"""Fits that are singular or did not converge, and covariances passed over: for the first page."""

from collections.abc import Iterator

from sitewise.lmm.formula import parse_formula
from sitewise.report.cells import MOST_NAMES, names_cell
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import listed, typeset
from sitewise.report.words_departures import mmrm_departure, model_departures
from sitewise.report.words_models import singular_sentence

SINGULAR, STOPPED = "singular", "not converged"
NAMED = 4  # fits of a state that the first page names at most where their points are on the next


def fit_states(evidence: Evidence) -> tuple[str, ...]:
    """All of them, the gravest first."""
    return (
        *singular_primary(evidence),
        *stopped_states(evidence),
        *singular_states(evidence),
    )


def states_in_short(evidence: Evidence) -> str:
    """Which fits did not converge or are singular, by name: models of the plan before others."""
    parts = []
    for state, said in ((STOPPED, "not converged"), (SINGULAR, "singular")):
        models: list[str] = []
        beside: list[str] = []
        for name in evidence.endpoints:
            for fit in evidence.ordered_fits(name):
                odd = not fit.fit.converged if state == STOPPED else fit.fit.singularity.singular
                models += [fit.model] if odd else []
            beside += [
                label
                for label, formula, own in _beside(evidence, name)
                if own == state and not _planned(evidence, name, formula)
            ]
            if any(x.state == state for x in evidence.endpoints[name].ladder.left_out):
                beside.append("the primary model without a site")
        found = list(dict.fromkeys([*models, *beside]))
        if len(found) > NAMED:
            found[NAMED:] = [f"{len(found) - NAMED} more"]
        if found:
            parts.append(f"{said}: {'; '.join(found)}")
    return typeset(". ".join(parts))


def stopped_states(evidence: Evidence) -> tuple[str, ...]:
    """What did not converge, and what was passed over for that."""
    found = (*_stopped(evidence), *_departed(evidence), *_passed_over(evidence),
             *_relatives(evidence, STOPPED))  # fmt: skip
    return tuple(typeset(text) for text in found)


def singular_primary(evidence: Evidence) -> tuple[str, ...]:
    """Singular fits of the primary model, and those of other models that are so in the same way."""
    return tuple(typeset(text) for text, primary in _singular(evidence) if primary)


def singular_states(evidence: Evidence) -> tuple[str, ...]:
    """The other singular fits: models of the plan, then analyses beside them."""
    own = [text for text, primary in _singular(evidence) if not primary]
    return tuple(typeset(text) for text in (*own, *_relatives(evidence, SINGULAR)))


def _stopped(evidence: Evidence) -> Iterator[str]:
    """Models of the plan, apart from the primary one, that did not converge."""
    for name in evidence.endpoints:
        for fit in evidence.ordered_fits(name):
            if not fit.fit.converged and fit.model != evidence.plan.primary.model:
                why = fit.fit.optimum.message
                yield f"{name}: the model {fit.model} did not converge ({why})."


def _departed(evidence: Evidence) -> Iterator[str]:
    """Models of the plan, apart from the primary one, that the plan's rules changed."""
    for name in evidence.endpoints:
        for fit in evidence.ordered_fits(name):
            if fit.model != evidence.plan.primary.model:
                for text in model_departures(evidence, fit):
                    yield f"{name}, deviation from the plan, model {fit.model}: {text}."


def _singular(evidence: Evidence) -> Iterator[tuple[str, bool]]:
    """Singular fits of the plan, those of one kind and term together, and if the primary is one."""
    told: dict[tuple[str, str], dict[str, list[str]]] = {}
    for name in evidence.endpoints:
        for fit in evidence.ordered_fits(name):
            s = fit.fit.singularity
            if s.singular:
                told.setdefault((s.kind, s.where), {}).setdefault(name, []).append(fit.model)
    for (kind, where), by_endpoint in told.items():
        groups: dict[tuple[str, ...], list[str]] = {}
        for name, models in by_endpoint.items():
            groups.setdefault(tuple(models), []).append(name)
        for same, names in groups.items():
            said = f"{listed(names)}: {singular_sentence(kind, where, list(same))}"
            yield said, evidence.plan.primary.model in same


def _passed_over(evidence: Evidence) -> Iterator[str]:
    """Deviations from the plan's order of residual covariances, those of several endpoints once.

    None where a model of the plan gave way to the same covariance: that is told of the model.
    """
    told: dict[str, list[str]] = {}
    for name in evidence.endpoints:
        if text := mmrm_departure(evidence, name):
            told.setdefault(text, []).append(name)
    for text, names in told.items():
        yield f"{listed(names)}, deviation from the plan: {text}."


def _relatives(evidence: Evidence, state: str) -> Iterator[str]:
    """Analyses beside the plan's models in a state, the same words of several endpoints once."""
    told: dict[str, list[str]] = {}
    for name in evidence.endpoints:
        for text in _relatives_of(evidence, name, state):
            told.setdefault(text, []).append(name)
    for text, names in sorted(told.items()):
        yield f"{listed(names)}, {text}"


def _relatives_of(evidence: Evidence, name: str, wanted: str) -> Iterator[str]:
    """Of one endpoint; those that are a model of the plan are told elsewhere."""
    own = [
        label
        for label, formula, state in _beside(evidence, name)
        if state == wanted and not _planned(evidence, name, formula)
    ]
    left = evidence.endpoints[name].ladder.left_out
    sites = [x.site for x in left if x.state == wanted]
    if sites:
        few = len(sites) <= MOST_NAMES
        names = listed(sites, "or") if few else names_cell(sites)
        own.append(f"the primary model without site {names}")
    if own:
        what = {
            STOPPED: "that did not converge, so that nothing of them is shown",
            SINGULAR: "that are singular (a variance at 0 or a correlation of 1)",
        }[wanted]
        yield f"analyses beside the primary one {what}: {'; '.join(dict.fromkeys(own))}."


def _beside(evidence: Evidence, name: str) -> Iterator[tuple[str, str, str]]:
    """Label, formula and state of every mixed model that is not one of the plan's by name."""
    own = evidence.endpoints[name]
    for rung in own.ladder.rungs:
        if not rung.planned:
            yield _lowered(rung.label), rung.formula, rung.state
    if own.ladder.baseline is not None:
        for line in own.ladder.baseline.rows:
            yield f"baseline as {_lowered(line.label)}", line.formula, line.state
    for step in own.reconciliation.steps:
        if not step.unchanged:
            yield f"reconciliation, {_lowered(step.label)}", step.formula, step.state
    random, fixed = own.by_site.random, own.by_site.fixed
    if random is not None:
        yield "treatment by site, sites as random", random.formula, random.state
    if fixed is not None:
        yield "treatment by site, sites as fixed", fixed.formula, fixed.state


def _planned(evidence: Evidence, name: str, formula: str) -> bool:
    """Whether a formula is one of the plan's models in the same state, told by its own name."""
    if not formula:
        return False
    key = _key(formula)
    fits = evidence.endpoints[name].fits.values()
    odd = [f for f in fits if f.fit.singularity.singular or not f.fit.converged]
    return any(_key(fit.fit.formula) == key for fit in odd)


def _key(formula: str) -> tuple[object, ...]:
    """What makes two formulas one model: response, fixed part, random terms, residual."""
    parsed = parse_formula(formula)
    random = frozenset("".join(str(spec).split()) for spec in parsed.random)
    return parsed.response, "".join(parsed.fixed.split()), random, str(parsed.residual)


def _lowered(label: str) -> str:
    return label if label[:2].isupper() else f"{label[0].lower()}{label[1:]}"
