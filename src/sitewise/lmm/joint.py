"""An unstructured residual covariance needs patients who were seen at both visits of every pair."""

from collections.abc import Sequence

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.bottoms import SlotBottom
from sitewise.lmm.model import Model
from sitewise.lmm.newton import Path

SINGULAR = 1e-6  # smallest eigenvalue of the residual correlations from which it is degenerate
FLAT = 1e-6  # residual variance, relative to the largest, from which a visit does not vary
SHOWN = 5  # pairs named
FIX = (
    "leave out or join visits that few patients have, or take a covariance of fewer parameters:"
    " csh, ar1h, cs"
)


def joint_patients(model: Model) -> np.ndarray | None:
    """Patients seen at both of two slots, (T, T); None without an unstructured residual."""
    bottom = model.likelihood.bottom
    if model.residual != "us" or not isinstance(bottom, SlotBottom):
        return None
    cells = bottom.contraction.cells
    seen = cells.patterns.astype(np.float64)
    return np.rint(seen.T @ (cells.patients[:, None] * seen)).astype(np.int64)


def refuse_unseen_pairs(model: Model, where: str) -> None:
    """Raise ModelError where no patient was seen at both slots of a pair."""
    joint = joint_patients(model)
    if joint is None:
        return
    pairs = [pair for pair in _by_size(joint) if joint[pair] == 0]
    if pairs:
        raise ModelError(
            "A covariance of the model is not identified.",
            [Problem(f"no patient was seen at both {_names(pairs, model.slots)}", where=where,
                     allowed="under us, patients seen at both of every two visits", fix=FIX)],
        )  # fmt: skip


def flat_slots(model: Model, path: Path) -> list[str]:
    """Slots whose residual variance a search has driven to 0."""
    if model.residual is None or path.converged:
        return []
    variances = np.diag(model.parameters.residual_matrix(path.end))
    return [model.slots[t] for t in np.flatnonzero(variances < FLAT * variances.max())]


def is_singular(model: Model, path: Path) -> bool:
    """Whether a search ran to a singular unstructured residual covariance instead of an end."""
    if flat_slots(model, path):
        return True
    if model.residual != "us" or path.converged:
        return False
    return bool(_correlations(model, path)[0][0] < SINGULAR)


def singular_words(model: Model, path: Path) -> list[str]:
    """A sentence that names the visits, where `is_singular`."""
    flat = flat_slots(model, path)
    if flat:
        return [
            f"The residual variance at {', '.join(flat)} ran to 0, where the likelihood grows"
            " without bound and no estimate exists: the fixed effects reproduce the readings there"
            " exactly. To do: see whether these readings were copied or rounded to one value; else"
            " leave the visit out."
        ]
    joint = joint_patients(model)
    if joint is None or not is_singular(model, path):
        return []
    slots = model.slots
    weights = np.abs(_correlations(model, path)[1][:, 0])
    own = [slots[k] for k in np.flatnonzero(weights > 0.05 * weights.max())]
    fewest = "; ".join(
        f"{slots[a]} and {slots[b]}: {joint[a, b]}" for a, b in _by_size(joint)[:SHOWN]
    )
    return [
        f"The residual covariance ran to one in which {', '.join(own)} determine each other"
        " exactly; there the likelihood grows without bound and no estimate exists. Too few"
        f" patients were seen at several visits (at both of two visits, fewest first: {fewest}), or"
        f" readings were copied from visit to visit. To do: {FIX}."
    ]


def _correlations(model: Model, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and vectors of the residual correlations at the end of a search."""
    residual = model.parameters.residual_matrix(path.end)
    sds = np.sqrt(np.diag(residual))
    values, vectors = np.linalg.eigh(residual / np.outer(sds, sds))
    return values, vectors


def _by_size(joint: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of slots, those with the fewest patients first."""
    T = len(joint)
    pairs = [(a, b) for a in range(T) for b in range(a + 1, T)]
    return sorted(pairs, key=lambda pair: int(joint[pair]))


def _names(pairs: Sequence[tuple[int, int]], slots: Sequence[str]) -> str:
    named = "; ".join(f"{slots[a]} and {slots[b]}" for a, b in pairs[:SHOWN])
    more = f"; and {len(pairs) - SHOWN} pairs more" if len(pairs) > SHOWN else ""
    return named + more
