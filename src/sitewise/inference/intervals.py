"""Intervals for everything that a fit estimates: `confint(fit, method=...)`."""

from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.inference.quantities import (
    CORRELATION,
    ICC,
    SD,
    VARIANCE,
    Quantity,
    quantities,
)
from sitewise.lmm.arguments import check_seed, is_whole
from sitewise.lmm.certificate import free_directions
from sitewise.lmm.lmmfit import LmmFit

if TYPE_CHECKING:
    import pandas as pd

METHODS = ("wald", "profile", "bootstrap")
DRAWS = 999
BOUNDARY = "on the boundary: no Wald interval"
Interval = tuple[float, float, str]


def confint(
    fit: LmmFit, method: str = "wald", level: float = 0.95, *, draws: int = DRAWS, seed: int = 1
) -> "pd.DataFrame":
    """Intervals of all standard deviations, variances, correlations, ICCs and fixed effects.

    A row each: kind, group, term, estimate (of the fit), lower, upper, note.
    method: "wald": from the observed information of the fit's own likelihood, symmetric about the
    log of an sd or variance, atanh of a correlation, logit of an ICC, a fixed effect itself, by the
    normal distribution; NaN on the boundary. "profile": of the ML likelihood whatever the fit (as
    lme4), 0 or +-1 where the profile does not rise enough before it. "bootstrap": percentiles of
    refits to `draws` outcomes drawn from the fit, by `seed`.
    Raises ModelError where method or level is none.
    """
    import pandas as pd

    problems = []
    if method not in METHODS:
        problems.append(Problem(f"found {method!r}", where="method", allowed=", ".join(METHODS)))
    if not isinstance(fit, LmmFit):
        problems.append(
            Problem(f"found a {type(fit).__name__}", where="fit", allowed="a fit of sitewise.lmm")
        )
    if not isinstance(level, Real) or not 0 < level < 1:
        problems.append(Problem(f"found {level!r}", where="level", allowed="0 < level < 1"))
    check_seed(seed, problems)
    if not is_whole(draws, 2):
        problems.append(Problem(f"found {draws!r}", where="draws", allowed="2 or more"))
    if problems:
        raise ModelError("The intervals can't be made as asked.", problems)
    every = quantities(fit)
    made = {"wald": _wald, "profile": _profile}
    found = (
        _bootstrap(fit, every, level, draws, seed)
        if method == "bootstrap"
        else made[method](fit, every, level)
    )
    rows = [
        (q.kind, q.group, q.term, q.estimate, *interval)
        for q, interval in zip(every, found, strict=True)
    ]
    columns = ["kind", "group", "term", "estimate", "lower", "upper", "note"]
    return pd.DataFrame(rows, columns=columns)


def _wald(fit: LmmFit, every: tuple[Quantity, ...], level: float) -> list[Interval]:
    from scipy import special

    z = float(special.ndtri(0.5 + level / 2))
    ses = standard_errors(fit, every)
    found: list[Interval] = []
    for quantity, se in zip(every, ses, strict=True):
        there, back = _scale(quantity.kind)
        middle = there(quantity.estimate)
        if not np.isfinite(middle) or not np.isfinite(se):
            found.append((np.nan, np.nan, BOUNDARY))
            continue
        found.append((back(middle - z * se), back(middle + z * se), ""))
    return found


def standard_errors(fit: LmmFit, every: tuple[Quantity, ...]) -> list[float]:
    """Of each quantity on its scale (`confint`), from the observed information; NaN at a bound."""
    model, phi = fit.solution.model, fit.solution.phi
    v = model.parameters.natural(phi)
    F = free_directions(model.parameters, phi)
    J = model.parameters.jacobian(phi) @ F
    H = F.T @ fit.solution.hessian @ F
    cov = 2 * J @ np.linalg.solve(H, J.T)
    fixed = np.sqrt(np.diag(fit.estimates.vcov))
    found = []
    for quantity in every:
        if quantity.of is None:
            found.append(float(fixed[quantity.block]))
            continue
        there = _scale(quantity.kind)[0]
        if not np.isfinite(there(quantity.estimate)) or _singular(fit, quantity):
            found.append(np.nan)
            continue
        of = quantity.of
        slope = _slope(lambda w, of=of, there=there: there(of(w)), v)  # type: ignore[misc]
        found.append(float(np.sqrt(max(slope @ cov @ slope, 0.0))))
    return found


def _singular(fit: LmmFit, quantity: Quantity) -> bool:
    """Whether the number is one of a block without variance in some direction: a correlation of
    +-1, or a variance 0, has no symmetric interval."""
    if quantity.kind == CORRELATION and abs(quantity.estimate) > 1 - 1e-8:
        return True
    return quantity.kind == ICC and quantity.estimate < 1e-10


def _slope(of: Callable[[np.ndarray], float], v: np.ndarray) -> np.ndarray:
    """Derivatives by central differences, fourth order."""
    found = np.empty(len(v))
    scale = np.abs(v).max()
    for k in range(len(v)):
        step = 1e-4 * max(abs(v[k]), 1e-3 * scale)
        e = np.zeros(len(v))
        e[k] = step
        with np.errstate(invalid="ignore", divide="ignore"):
            near, far = of(v + e) - of(v - e), of(v + 2 * e) - of(v - 2 * e)
        found[k] = (8 * near - far) / (12 * step)
    return found


def _scale(kind: str) -> tuple[Callable[[float], float], Callable[[float], float]]:
    """To the scale on which an interval is symmetric, and back."""
    with_floor = {SD, VARIANCE}
    if kind in with_floor:
        return lambda x: float(np.log(x)) if x > 0 else -np.inf, lambda x: float(np.exp(x))
    if kind == CORRELATION:
        return (
            lambda x: float(np.arctanh(x)) if abs(x) < 1 else np.inf * np.sign(x),
            lambda x: float(np.tanh(x)),
        )
    if kind == ICC:
        return (
            lambda x: float(np.log(x / (1 - x))) if 0 < x < 1 else np.inf,
            lambda x: float(1 / (1 + np.exp(-x))),
        )
    return lambda x: x, lambda x: x


def _profile(fit: LmmFit, every: tuple[Quantity, ...], level: float) -> list[Interval]:
    from sitewise.inference.profiles import profile_of

    profile = profile_of(fit)
    guesses = _wald(fit, every, level)
    found: list[Interval] = []
    for quantity, (lower, upper, _) in zip(every, guesses, strict=True):
        if quantity.kind == VARIANCE:  # the sd stands before it
            own, more, note = found[-1]
            found.append((own**2, more**2, note))
        elif not np.isfinite(quantity.estimate):
            found.append((np.nan, np.nan, "a variance is 0: it has no correlation"))
        else:
            found.append(profile.interval(quantity, level, (upper - lower) / 2))
    return found


def _bootstrap(
    fit: LmmFit, every: tuple[Quantity, ...], level: float, draws: int, seed: int
) -> list[Interval]:
    from sitewise.inference.bootstrap import generators, refit
    from sitewise.inference.draws import drawer

    model, phi = fit.solution.model, fit.solution.phi
    draw = drawer(model, model.parameters.natural(phi))
    values, failed = np.empty((draws, len(every))), 0
    back = np.linalg.inv(model.fixed.R) * model.fixed.unit
    for k, generator in enumerate(generators(seed, draws)):
        drawn = draw(generator)
        end = refit(drawn).best
        failed += not end.converged
        v = model.parameters.natural(end.end)
        moved = back @ drawn.point(end.end).b
        # Fixed effects are drawn about 0.
        values[k] = [q.estimate + moved[q.block] if q.of is None else q.of(v) for q in every]
    tail = (1 - level) / 2
    note = f"{failed} of {draws} refits did not converge" if failed else ""
    found: list[Interval] = []
    for column in values.T:
        known = column[np.isfinite(column)]
        said = note
        if len(known) < draws:
            said = "; ".join(filter(None, [note, f"{draws - len(known)} draws have none"]))
        ends = np.quantile(known, [tail, 1 - tail]) if len(known) else (np.nan, np.nan)
        found.append((float(ends[0]), float(ends[1]), said))
    return found
