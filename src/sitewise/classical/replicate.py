"""Every planned model once more, by an independent engine, held against the first."""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sitewise.classical.result import ReplicatedNumber, Replication, Replications
from sitewise.classical.second_engine import (
    ENGINE,
    SecondFit,
    Term,
    fit_mixedlm,
    not_expressible,
)
from sitewise.errors import ModelError
from sitewise.plan.model import Plan
from sitewise.trial.selection import factor_levels, select_rows

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.lmm.design import Design

Facts = Mapping[str, Any]


def replicate_fits(
    plan: Plan, frame: "pd.DataFrame", endpoint: str, fits: Mapping[str, Facts]
) -> Replications:
    """Fit every model of one endpoint by statsmodels and table both engines' numbers.

    frame: analysis rows (adbp). fits: model name -> the first engine's fit as plain data
    (`fit.json`, read by `store.results.read_plain`), in the order of the plan.

    What is shared and what is not: the rows and the columns of X come from one place
    (`lmm.design`), so a wrong design would show in neither; the likelihood, its optimum, the
    estimates and their standard errors are statsmodels' own.
    """
    rows = tuple(_replicate(plan, frame, endpoint, facts) for facts in fits.values())
    return Replications(endpoint=endpoint, rows=rows)


def _replicate(plan: Plan, frame: "pd.DataFrame", endpoint: str, facts: Facts) -> Replication:
    from sitewise.lmm.design import build_design

    first, model = facts["fit"], str(facts["model"])
    empty = _empty(endpoint, model, plan.replication.tolerance)
    reason = _skipped(plan, int(first["nobs"]))
    if reason:
        return replace(empty, status="skipped", reason=reason)
    subset = select_rows(plan, frame, endpoint, model).candidates
    design = build_design(str(first["formula"]), subset, factor_levels(plan))
    if len(design.y) != int(first["nobs"]):
        reason = f"the first engine used {first['nobs']} rows, here are {len(design.y)}"
        return replace(empty, status="failed", reason=reason)
    terms = [Term(b.spec.group_name, b.names, b.codes, b.values) for b in design.blocks]
    reason = not_expressible(terms)
    if reason:
        return replace(empty, status="not expressible", reason=reason)
    return _beside(empty, design, terms, first)


def _skipped(plan: Plan, nobs: int) -> str:
    """Why the plan leaves this model out, or ""."""
    if plan.replication.engine == "none":
        return "the plan names no second engine"
    if nobs > plan.replication.max_rows:
        limit = plan.replication.max_rows
        return f"{nobs} rows, above the plan's replication.max_rows of {limit}"
    return ""


def _beside(
    empty: Replication, design: "Design", terms: Sequence[Term], first: Facts
) -> Replication:
    """Fit by the second engine and hold it against the first, with all that it warned of."""
    import statsmodels.regression.mixed_linear_model  # noqa: F401 - its import warns of itself

    enough = float(first["loglik"]) - empty.tolerance
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            second = fit_mixedlm(design.y, design.X, terms, reml=bool(first["reml"]), enough=enough)
        except ModelError as error:
            found = replace(empty, status="failed", reason=str(error))
        else:
            found = _verdict(empty, first, second, _numbers(first, design.names, second))
    # Each distinct warning once, in the order of its first appearance.
    texts = dict.fromkeys(" ".join(f"{w.category.__name__}: {w.message}".split()) for w in caught)
    return replace(found, warnings=tuple(texts))


def _verdict(
    empty: Replication, first: Facts, second: SecondFit, numbers: tuple[ReplicatedNumber, ...]
) -> Replication:
    """Agreement is of the log-likelihood; the lower one stopped short of the optimum."""
    gap = float(first["loglik"]) - second.loglik
    status, stopped_short = "agrees", ""
    reason = f"log-likelihoods differ by {abs(gap):.2g}"
    if not abs(gap) <= empty.tolerance:
        status = "disagrees"
        stopped_short = ENGINE if gap > 0 else str(first["optimum"]["engine"])
        reason += (
            f", more than the plan's tolerance {empty.tolerance:g}; {stopped_short} has the lower"
            " one, so it stopped short of the optimum"
        )
    if not second.converged:
        reason += f"; {ENGINE} says that it did not converge"
    return replace(
        empty,
        engine=f"{ENGINE} ({second.method})",
        status=status,
        reason=reason,
        stopped_short=stopped_short,
        numbers=numbers,
    )


def _numbers(first: Facts, names: Sequence[str], second: SecondFit) -> tuple[ReplicatedNumber, ...]:
    """Log-likelihood, fixed effects, SEs and variances of both engines."""
    found = [_pair("loglik", "log-likelihood", float(first["loglik"]), second.loglik)]
    mine = {e["name"]: e for e in first["fixef"]}
    for kind, key, values in (
        ("fixef", "estimate", second.fixef),
        ("se", "se", second.se),
    ):
        for name, value in zip(names, values, strict=True):
            stated = float(mine[name][key]) if name in mine else math.nan
            found.append(_pair(kind, name, stated, value))
    for term in first["random"]:
        for column, variance in zip(term["terms"], term["variances"], strict=True):
            other = second.variances.get((term["group"], column), math.nan)
            name = f"{term['group']} {column}"
            found.append(_pair("variance", name, float(variance), other))
    found.append(_pair("variance", "Residual", float(first["sigma"]) ** 2, second.sigma2))
    return tuple(found)


def _pair(kind: str, name: str, first: float, second: float) -> ReplicatedNumber:
    return ReplicatedNumber(kind, name, first, second, second - first)


def _empty(endpoint: str, model: str, tolerance: float) -> Replication:
    """A replication without an answer yet."""
    from importlib.metadata import version

    return Replication(
        endpoint=endpoint,
        model=model,
        engine=ENGINE,
        engine_version=version("statsmodels"),
        status="",
        reason="",
        tolerance=tolerance,
        stopped_short="",
        numbers=(),
        warnings=(),
    )
