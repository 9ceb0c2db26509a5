"""Random effects, fitted values and residuals of a fit, as frames."""

from typing import TYPE_CHECKING

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.arguments import check_frame
from sitewise.lmm.encode import plain, text_codes
from sitewise.lmm.estimates import posteriors_of
from sitewise.lmm.hashed import clear, is_hidden, names_of
from sitewise.lmm.structures import INSIDE

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.lmm.basis import FittedTerm
    from sitewise.lmm.lmmfit import LmmFit
    from sitewise.lmm.score import Scored


def ranef(fit: "LmmFit", group: str, data: "pd.DataFrame | None" = None) -> "pd.DataFrame":
    """BLUPs of a grouping and their SEs given the data (as lme4's condVar): a row a level.

    Columns: each term, then `se(term)`. Groupings above the patient need no rows; patients of a
    scheduled trial do (`data`), since their readings are not in the moments.
    """
    import pandas as pd

    found = [t for t in fit.basis.terms if t.group == group]
    if not found:
        groups = sorted({t.group for t in fit.basis.terms})
        raise ModelError(
            "There are no such random effects.",
            [Problem(f"no random term has the grouping {group!r}", where=fit.formula,
                     allowed=", ".join(groups) or "none: the model has no random term")],
        )  # fmt: skip
    if any(t.level == INSIDE for t in found):
        scored = _score(fit, data, f"random effects of {group}")
        own = {p.label: p for p in scored.ranef}
        tables = [
            (own[t.label].labels, t.columns, own[t.label].blup, own[t.label].se) for t in found
        ]
    else:
        tables = [_level_table(fit, t) for t in found]
    named = {} if data is None else _names(found[0], data)
    frames = []
    for labels, columns, blup, se in tables:
        own_frame = pd.DataFrame(blup, index=list(clear(labels, named)), columns=list(columns))
        for j, name in enumerate(columns):
            own_frame[f"se({name})"] = se[:, j]
        frames.append(own_frame)
    joined = pd.concat(frames, axis=1)
    joined.index.name = group
    return joined


def _names(term: "FittedTerm", data: "pd.DataFrame") -> dict[str, str]:
    """Names in `data` of units that the moments know by hash."""
    if not is_hidden(term.labels) or term.across_labels:
        return {}
    check_frame(data, "ranef")
    if not set(term.place) <= set(data.columns):
        return {}
    texts = []
    for name in term.place:
        codes, labels = text_codes(plain(data[name]))
        texts.append(np.array([*labels, ""], dtype=object)[codes])
    joined = sorted({":".join(own) for own in zip(*texts, strict=True)})
    return names_of([joined])


def _level_table(
    fit: "LmmFit", term: "FittedTerm"
) -> tuple[tuple[str, ...], tuple[str, ...], np.ndarray, np.ndarray]:
    for basis, _, posterior in posteriors_of(fit.solution):
        if basis.label != term.label:
            continue
        units, q = len(term.labels), len(term.columns)
        mean = posterior.mean.reshape(units, basis.copies, q)
        variance = np.einsum("uqq->uq", posterior.variance).reshape(mean.shape)
        se = np.sqrt(np.maximum(variance, 0.0))
        if not term.across_labels:
            return term.labels, term.columns, mean[:, 0], se[:, 0]
        labels = np.array([f"{u}:{a}" for u in term.labels for a in term.across_labels])
        seen = occurring(fit, term)
        return (
            tuple(labels[seen].tolist()), term.columns,
            mean.reshape(-1, q)[seen], se.reshape(-1, q)[seen],
        )  # fmt: skip
    raise AssertionError(term.label)


def occurring(fit: "LmmFit", term: "FittedTerm") -> np.ndarray:
    """Which pairs of unit and across label have a reading, (units * labels,)."""
    model = fit.solution.model
    v = model.parameters.natural(fit.solution.phi)[model.likelihood.split.bottom]
    at = 0
    for basis in model.terms:
        if basis.level == term.level and basis.label == term.label:
            break
        at += len(basis.R) * basis.copies if basis.level == term.level else 0
    size = basis.copies * len(basis.R)
    row = model.likelihood.bottom.start(v).arrow.rows[term.level]
    own = np.einsum("uqq->uq", row[:, at : at + size, at : at + size])
    found: np.ndarray = np.any(own.reshape(-1, len(basis.R)) > 0, axis=1)
    return found


def residuals(
    fit: "LmmFit", data: "pd.DataFrame | None", kind: str = "response", level: str = "conditional"
) -> "pd.Series":
    """Residuals of the rows of `data`, NaN if not used; see `residual_kinds`."""
    import pandas as pd

    from sitewise.lmm.residual_kinds import residual_values

    data = _given(fit, data, "residuals")
    used, found = residual_values(fit, data, kind, level)
    values = np.full(len(data), np.nan)
    values[used] = found
    return pd.Series(values, index=data.index, name="residuals")


def by_row(fit: "LmmFit", data: "pd.DataFrame | None", what: str) -> "pd.Series":
    """`fitted` or `residuals` of `sitewise.lmm.score.Scored`, by row of `data`, NaN if not used."""
    import pandas as pd

    data = _given(fit, data, what)
    scored = _score(fit, data, what)
    values = np.full(len(data), np.nan)
    values[scored.used] = getattr(scored, what)
    return pd.Series(values, index=data.index, name=what)


def _score(fit: "LmmFit", data: "pd.DataFrame | None", what: str) -> "Scored":
    from sitewise.lmm.score_frame import score_frame

    return score_frame(fit, _given(fit, data, what))


def _given(fit: "LmmFit", data: "pd.DataFrame | None", what: str) -> "pd.DataFrame":
    if data is None:
        raise ModelError(
            "This needs rows.",
            [Problem(f"the moments hold no patient's readings, and {what} need them",
                     where=fit.formula, fix="give the rows that were fitted: data=frame")],
        )  # fmt: skip
    check_frame(data, what)
    y = fit.basis.formula.response
    if what != "fitted" or y in data.columns:
        return data
    inside = [term.label for term in fit.basis.terms if term.level == INSIDE]
    if inside:
        raise ModelError(
            "This needs the outcome.",
            [Problem(f"the data lack {y}, and the effects of ({'), ('.join(inside)}) are told by"
                     " each patient's readings", where=fit.formula,
                     fix="give rows with the outcome; or see fit.emmeans for what the fixed"
                     " effects say")],
        )  # fmt: skip
    return data.assign(**{y: 0.0})  # nothing of it is in what is fitted: units are known already
