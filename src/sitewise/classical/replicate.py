"""Every planned model once more, by an independent engine, held against the first."""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sitewise.classical.result import ReplicatedNumber, Replication, Replications
from sitewise.classical.second_fit import NotExpressibleError, SecondFit, Term, terms_of
from sitewise.errors import ModelError
from sitewise.plan.model import Plan
from sitewise.trial.selection import as_modelled, factor_levels, select_rows

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.lmm.design import Design

Facts = Mapping[str, Any]
FIRST = "sitewise.lmm"
# ASSUME: a variance below a hundredth of the residual variance (per mean square of its column) is
# compared on that scale: near 0 its own size says nothing. A convention of the table.
SMALL = 0.01


def replicate_fits(
    plan: Plan, frame: "pd.DataFrame", endpoint: str, fits: Mapping[str, Facts]
) -> Replications:
    """Fit every model of one endpoint by a second engine and table both engines' numbers.

    frame: analysis rows (adbp). fits: model name -> the first engine's fit as plain data
    (`fit.json`, read by `store.results.read_plain`), in the order of the plan.

    What is shared: the rows used, and for statsmodels the columns of X too. mixedlm and R build
    their own design from the formula. The likelihood, its optimum, the estimates and their
    standard errors are the second engine's own. Raises RunError where the plan asks for R and it
    is absent.
    """
    rows = tuple(_replicate(plan, frame, endpoint, facts) for facts in fits.values())
    return Replications(endpoint=endpoint, rows=rows)


def _replicate(plan: Plan, frame: "pd.DataFrame", endpoint: str, facts: Facts) -> Replication:
    from sitewise.lmm.design import build_design

    first, model = facts["fit"], str(facts["model"])
    empty = _empty(plan, endpoint, model)
    reason = _skipped(plan, int(first["nobs"]))
    if reason:
        return replace(empty, status="skipped", reason=reason)
    subset = as_modelled(plan, select_rows(plan, frame, endpoint, model).candidates)
    design = build_design(str(first["formula"]), subset, factor_levels(plan))
    if len(design.y) != int(first["nobs"]):
        reason = f"the first engine used {first['nobs']} rows, here are {len(design.y)}"
        return replace(empty, status="failed", reason=reason)
    return _beside(plan, empty, design, first)


def _skipped(plan: Plan, nobs: int) -> str:
    """Why the plan leaves this model out, or ""."""
    if plan.replication.engine == "none":
        return "the plan names no second engine"
    if nobs > plan.replication.max_rows:
        limit = plan.replication.max_rows
        return f"{nobs} rows are above the plan's replication.max_rows of {limit}"
    return ""


def _beside(plan: Plan, empty: Replication, design: "Design", first: Facts) -> Replication:
    """Fit by the first engine that can and hold it against the first, with all it warned of."""
    terms = terms_of(design)
    reasons, status = [], "not expressible"
    caught: list[str] = []
    for engine in _engines(plan):
        _load(engine)
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            try:
                second = _fit(engine, plan, design, terms, first)
            except NotExpressibleError as error:
                reasons.append(str(error))
                continue
            except ModelError as error:
                status = "failed"
                reasons.append(str(error))
                continue
            finally:
                caught += [" ".join(f"{w.category.__name__}: {w.message}".split()) for w in heard]
        found = _verdict(empty, second, tuple(_numbers(plan, first, design, terms, second)))
        break
    else:
        found = replace(empty, status=status, reason="; ".join(reasons))
    # Each distinct warning once, in the order of its first appearance.
    return replace(found, warnings=tuple(dict.fromkeys([*caught, *found.warnings])))


def _load(engine: str) -> None:
    """Import what warns of itself when it is imported, so that no fit is said to have warned."""
    if engine == "statsmodels":
        import statsmodels.regression.mixed_linear_model  # noqa: F401
    if engine == "mixedlm":
        import mixedlm  # noqa: F401


def _engines(plan: Plan) -> Sequence[str]:
    """The engines to try, in order."""
    engine = plan.replication.engine
    return ("statsmodels", "mixedlm") if engine == "auto" else (engine,)


def _fit(
    engine: str, plan: Plan, design: "Design", terms: Sequence[Term], first: Facts
) -> SecondFit:
    """Fit by the engine of that name; its room is imported only here."""
    reml = bool(first["reml"])
    if engine == "lme4":
        from sitewise.classical.by_r import fit_r

        return fit_r(design, reml=reml)
    if engine == "mixedlm":
        from sitewise.classical.by_mixedlm import fit_mixedlm

        return fit_mixedlm(design, reml=reml)
    if design.formula.residual is not None:
        raise NotExpressibleError(
            f"statsmodels has no residual covariance ({design.formula.residual})"
        )
    from sitewise.classical.by_statsmodels import fit_statsmodels, not_expressible

    reason = not_expressible(terms)
    limit = plan.replication.statsmodels_rows
    if not reason and len(design.y) > limit:
        reason = f"{len(design.y)} rows are above replication.statsmodels_rows of {limit}"
    if reason:
        raise NotExpressibleError(reason)
    enough = float(first["loglik"]) - plan.replication.tolerance
    return fit_statsmodels(design.y, design.X, terms, reml=reml, enough=enough)


def _verdict(
    empty: Replication, second: SecondFit, numbers: tuple[ReplicatedNumber, ...]
) -> Replication:
    """Agreement is of every number; the lower log-likelihood stopped short of the optimum."""
    loglik, apart = numbers[0], [n for n in numbers[1:] if n.beyond]
    name = second.engine.split(" ", 1)[0]
    reason = f"log-likelihoods differ by {abs(loglik.difference):.2g}"
    status = stopped_short = higher = ""
    if loglik.beyond or apart:
        status, higher = "disagrees", "neither"
    if loglik.beyond:
        higher = name if loglik.difference > 0 else FIRST
        stopped_short = FIRST if higher == name else name
        reason += (
            f", more than the plan's tolerance {empty.tolerance:g}; {stopped_short} has the lower"
            " one, so it stopped short of the optimum"
        )
    if apart:
        shown = ", ".join(f"{n.kind} {n.name}" for n in apart)
        reason += f"; apart by more than {empty.tolerance_numbers:g} of their size: {shown}"
    if not second.converged:
        reason += f"; {name} says that it did not converge"
    return replace(
        empty,
        engine=second.engine,
        engine_version=second.version,
        status=status or "agrees",
        reason=reason,
        stopped_short=stopped_short,
        numbers=numbers,
        warnings=second.warnings,
        higher=higher,
    )


def _numbers(
    plan: Plan, first: Facts, design: "Design", terms: Sequence[Term], second: SecondFit
) -> Iterator[ReplicatedNumber]:
    """Log-likelihood, fixed effects, SEs and variances of both engines."""
    enough = plan.replication.tolerance_numbers
    loglik = (float(first["loglik"]), second.loglik)
    yield _pair("loglik", "log-likelihood", loglik, 1.0, plan.replication.tolerance)
    # Before any small-sample correction, which the other engines don't make.
    ses = [math.sqrt(row[i]) for i, row in enumerate(first["vcov"])]
    mine = {
        e["name"]: (float(e["estimate"]), se) for e, se in zip(first["fixef"], ses, strict=True)
    }
    nothing = (math.nan, math.nan)
    for k, (kind, values) in enumerate((("fixef", second.fixef), ("se", second.se))):
        for name, value in zip(design.names, values, strict=True):
            stated = mine.get(name, nothing)
            yield _pair(kind, name, (stated[k], value), stated[1], enough)
    sigma2 = second.sigma2
    squares = {(t.group, c): float((t.Z[:, j] ** 2).mean()) for t in terms
               for j, c in enumerate(t.columns)}  # fmt: skip
    for term in first["random"]:
        for column, variance in zip(term["terms"], term["variances"], strict=True):
            key = (term["group"], column)
            own, other = float(variance), second.variances.get(key, math.nan)
            floor = 0.0 if math.isnan(sigma2) else SMALL * sigma2 / squares[key]
            yield _pair("variance", " ".join(key), (own, other), max(own, other, floor), enough)
    if not math.isnan(sigma2):
        own = float(first["sigma"]) ** 2
        yield _pair("variance", "Residual", (own, sigma2), own, enough)


def _pair(
    kind: str, name: str, values: tuple[float, float], scale: float, tolerance: float
) -> ReplicatedNumber:
    first, second = values
    difference = second - first
    relative = difference / scale if scale > 0 else difference
    beyond = not abs(relative) <= tolerance  # NaN is no agreement
    return ReplicatedNumber(kind, name, first, second, difference, relative, beyond)


def _empty(plan: Plan, endpoint: str, model: str) -> Replication:
    """A replication without an answer yet."""
    return Replication(
        endpoint=endpoint,
        model=model,
        engine=plan.replication.engine,
        engine_version="",
        status="",
        reason="",
        tolerance=plan.replication.tolerance,
        stopped_short="",
        numbers=(),
        warnings=(),
        tolerance_numbers=plan.replication.tolerance_numbers,
    )
