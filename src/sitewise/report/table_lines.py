"""The lines of each machine-readable table, from the results: one generator a table."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sitewise.terms import TRT01P

if TYPE_CHECKING:
    from sitewise.inference.planned_fit import PlannedFit
    from sitewise.lmm.result import Estimate
    from sitewise.report.evidence import Evidence

Lines = Iterator[dict[str, Any]]
NUMBERS = ("estimate", "se", "df", "t", "p", "lower", "upper")


def _flat(rows: Sequence[Any]) -> Lines:
    for row in rows:
        yield asdict(row)


def _fits(e: "Evidence") -> Iterator[tuple[dict[str, Any], Any]]:
    from sitewise.report.cells import fit_state

    for name in e.endpoints:
        for fit in e.ordered_fits(name):
            yield {"endpoint": name, "model": fit.model, "state": fit_state(fit.fit)}, fit


def _estimate(result: Any) -> dict[str, Any]:
    return {key: getattr(result, key) for key in NUMBERS}


def fixed_effects(e: "Evidence") -> Lines:
    """Every coefficient of every model; terms of treatment with their place."""
    for key, fit in _fits(e):
        for effect in fit.fit.fixef:
            place = ""
            if any(part.startswith(TRT01P) for part in effect.name.split(":")):
                place = _place(e, fit, effect)
            yield {**key, "coefficient": effect.name, **_estimate(effect), "place": place}


def _place(e: "Evidence", fit: "PlannedFit", result: "Estimate") -> str:
    """The place of a number of treatment in the order of testing.

    Only contrasts of the primary model that are steps of it are tested (all or the primary one),
    and a coefficient where it is one of them.
    """
    from sitewise.report.standing import standing, step_of

    if not fit.fit.converged:
        return "no result: the fit did not converge"
    note = standing(e, fit.endpoint).note
    main = fit.primary.result if fit.model == e.plan.primary.model and fit.primary else None
    if main and _same(main, result):
        return note or "first in the order of testing"
    for contrast in fit.contrasts:
        step = step_of(e, fit, contrast)
        if step is not None and _same(contrast.result, result):
            return standing(e, fit.endpoint, step).note
    return f"descriptive: not the primary contrast of the primary model{'; ' if note else ''}{note}"


def _same(one: "Estimate", other: "Estimate") -> bool:
    return (one.estimate, one.se, one.p) == (other.estimate, other.se, other.p)


def contrasts(e: "Evidence") -> Lines:
    """Arm minus reference, every model, visit and kind, with its place in the order of testing."""
    wanted = e.plan.primary
    for key, fit in _fits(e):
        for c in fit.contrasts:
            main = (c.arm, c.visit, c.kind) == (wanted.arm, wanted.visit, wanted.contrast)
            yield {
                **key,
                "arm": c.arm,
                "reference": c.reference,
                "visit": c.visit,
                "week": c.week,
                "kind": c.kind,
                "primary": "Y" if main else "N",
                **_estimate(c.result),
                "place": _place(e, fit, c.result),
            }


def hierarchy(e: "Evidence") -> Lines:
    """The order of testing step by step, empty where the plan has none."""
    from sitewise.report.standing import contrast_of, sequence, standing

    if e.plan.endpoint_order != "hierarchical" or e.plan.blinded:
        return
    for i, (step, own) in enumerate(sequence(e).items()):
        found = contrast_of(e, step)
        yield {
            "step": i + 1,
            "endpoint": step.endpoint,
            "arm": step.arm,
            "reference": e.plan.arms.reference,
            "visit": step.visit,
            "kind": e.plan.primary.contrast,
            **(_estimate(found.result) if found else {}),
            "p_adjusted": own.p,
            "result": "significant" if own.succeeded else "fails" if own.tested else "not tested",
            "place": standing(e, step.endpoint, step).note or "first in the order of testing",
        }


def means(e: "Evidence") -> Lines:
    """Model means by arm and visit."""
    for key, fit in _fits(e):
        for m in fit.means:
            yield {**key, "arm": m.arm, "visit": m.visit, "week": m.week, **_estimate(m.result)}


def variances(e: "Evidence") -> Lines:
    """Variances and correlations of the random effects, and the residual."""
    for key, fit in _fits(e):
        for term in fit.fit.random:
            for i, first in enumerate(term.terms):
                for j, second in enumerate(term.terms[: i + 1]):
                    yield {
                        **key,
                        "group": term.group,
                        "levels": term.levels,
                        "term": first,
                        "with": "" if i == j else second,
                        "variance": term.variances[i] if i == j else None,
                        "sd": term.sds[i] if i == j else None,
                        "correlation": None if i == j else term.correlations[i][j],
                    }
        yield {
            **key,
            "group": "Residual",
            "levels": fit.fit.nobs,
            "term": "",
            "with": "",
            "variance": fit.fit.sigma**2,
            "sd": fit.fit.sigma,
            "correlation": None,
        }


def uses(e: "Evidence") -> Lines:
    """What each model made of the analysis rows."""
    for key, fit in _fits(e):
        for use in fit.uses:
            yield {**key, **asdict(use)}


def criteria(e: "Evidence") -> Lines:
    """AIC and BIC, in groups that may be compared."""
    for name, own in e.endpoints.items():
        for i, group in enumerate(own.comparisons.criteria, start=1):
            for row in group.rows:
                yield {"endpoint": name, "group": i, "basis": group.basis, **asdict(row)}


def comparisons(e: "Evidence") -> Lines:
    """Likelihood-ratio tests."""
    for name, own in e.endpoints.items():
        for test in own.comparisons.tests:
            line = asdict(test)
            line["cautions"] = " ".join(test.cautions)
            yield {"endpoint": name, **line}


def icc(e: "Evidence") -> Lines:
    """Intraclass correlations by fixed part and level."""
    for name, own in e.endpoints.items():
        for model in own.iccs.models:
            for item in model.levels:
                yield {
                    "endpoint": name,
                    "fixed": model.fixed,
                    "formula": model.formula,
                    "headline": "Y" if model.headline else "N",
                    "residual_variance": model.residual_variance,
                    **asdict(item),
                }


def icc_part(part: str) -> Callable[["Evidence"], Lines]:
    """One part of the results on intraclass correlation, as it stands."""

    def lines(e: "Evidence") -> Lines:
        for name, own in e.endpoints.items():
            for row in getattr(own.iccs, part):
                yield {"endpoint": name, **asdict(row)}

    return lines


def replication(e: "Evidence") -> Lines:
    """Every number of both engines."""
    for own in e.endpoints.values():
        for r in own.replications.rows:
            key = {
                "endpoint": r.endpoint,
                "model": r.model,
                "engine": r.engine,
                "engine_version": r.engine_version,
                "status": r.status,
                "reason": r.reason,
                "stopped_short": r.stopped_short,
                "higher": r.higher,
            }
            if not r.numbers:
                yield key
            for n in r.numbers:
                yield {**key, **asdict(n)}


def crosscheck(e: "Evidence") -> Lines:
    """The ANOVA, the mixed models beside it, and the contrasts."""
    from sitewise.report.standing import standing

    for name, own in e.endpoints.items():
        check = own.crosscheck
        last = len(check.contrasts) - 1
        note = standing(e, name).note
        if check.refused:
            yield {"endpoint": name, "analysis": "refused", "effect": check.refused}
        for row in check.anova:
            numbers = asdict(row)
            effect = numbers.pop("effect")
            yield {"endpoint": name, "analysis": "mixed ANOVA", "effect": effect, **numbers}
        for analysis, tests in (
            ("mixed model, complete cases", check.mixed_complete),
            ("mixed model, all patients", check.mixed_all),
        ):
            for test in tests:
                yield {
                    "endpoint": name, "analysis": analysis, "effect": test.effect, "f": test.f,
                    "df1": test.df1, "df2": test.df2, "p": test.p,
                }  # fmt: skip
        for i, c in enumerate(check.contrasts):
            # The last is the primary model's own (`CrossCheck`); the others only check it.
            place = note or "first in the order of testing"
            if i != last:
                place = f"descriptive: a check{'; ' if note else ''}{note}"
            yield {
                "endpoint": name, "analysis": c.analysis, "effect": "primary contrast",
                "patients": c.patients, "estimate": c.estimate, "se": c.se, "df2": c.df, "p": c.p,
                "place": place,
            }  # fmt: skip


def dropped(e: "Evidence") -> Lines:
    """Patients that complete-case analysis drops."""
    for name, own in e.endpoints.items():
        for row in (*own.crosscheck.by_arm, *own.crosscheck.by_site):
            yield {"endpoint": name, **asdict(row)}


def sites(e: "Evidence") -> Lines:
    """Predictions and observed effects by site."""
    for name, own in e.endpoints.items():
        key = {"endpoint": name, "model": own.sites.model}
        for s in own.sites.predictions:
            yield {
                **key, "site": s.site, "quantity": "predicted intercept", "n": s.patients,
                "estimate": s.blup, "se": s.se, "lower": s.lower, "upper": s.upper,
            }  # fmt: skip
        for x in own.sites.effects:
            yield {
                **key, "site": x.site, "quantity": x.kind, "arm": x.arm, "n": x.n,
                "n_reference": x.n_reference, "estimate": x.estimate, "lower": x.lower,
                "upper": x.upper, "refused": x.refused,
            }  # fmt: skip


def description(part: str) -> Callable[["Evidence"], Lines]:
    """One part of the description, as it stands."""
    return lambda e: _flat(getattr(e.description, part))


def account(part: str) -> Callable[["Evidence"], Lines]:
    """One part of the account, as it stands."""
    return lambda e: _flat(getattr(e.account, part))
