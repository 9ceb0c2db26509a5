"""The design effect of the treatment contrast as allocated (Vierron & Giraudeau 2009)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sitewise.inference.icc_result import DesignEffect
from sitewise.terms import AVISIT, SITEID, TRT01P, USUBJID

if TYPE_CHECKING:
    import pandas as pd

Counts = Mapping[str, Mapping[str, int]]


def allocation_imbalance(n1: Sequence[int], n2: Sequence[int]) -> float:
    """S = sum over sites of (n1j/n1 - n2j/n2)^2 / (1/n1 + 1/n2), Vierron & Giraudeau (2009).

    n1, n2: shape (k,), patients of the arm and of the reference in each of k sites.
    NaN where an arm has no patient. 0 where the arms are balanced within every site. Where the arm
    is constant in a site, S = (n2 m1 + n1 m2) / (n1 + n2) with m_a = sum m^2 / sum m over the sites
    of arm a: with arms of one size the m_A of all sites together.
    """
    a, b = np.asarray(n1, dtype=float), np.asarray(n2, dtype=float)
    if a.sum() == 0 or b.sum() == 0:
        return float("nan")
    return float(((a / a.sum() - b / b.sum()) ** 2).sum() / (1.0 / a.sum() + 1.0 / b.sum()))


def mean_cluster(sizes: Sequence[int]) -> float:
    """m_A = sum m^2 / sum m: the size of the site of a patient drawn at random. Shape (k,)."""
    m = np.asarray(sizes, dtype=float)
    return float((m**2).sum() / m.sum()) if m.sum() else float("nan")


def design_effects(
    frame: "pd.DataFrame",
    arms: Sequence[str],
    icc: float,
    *,
    visit: str = "",
    visit_icc: float = math.nan,
    baseline: str = "",
    change_icc: float = math.nan,
) -> tuple[DesignEffect, ...]:
    """One design effect for each arm against the reference, `arms[0]`.

    frame: rows with SITEID, TRT01P, USUBJID; each patient counts once, however many readings.
    icc: the headline site ICC; the effect is 1 + (S - 1) icc.
    visit, visit_icc: the primary visit and the site ICC there (a negative one counts as 0), for the
    effect at that visit, with S of the patients seen there; needs AVISIT. NaN without them.
    baseline, change_icc: the baseline visit and the site ICC of the change from there to the
    primary visit (`icc_week.change_icc`), for the effect on it; S of the patients seen at both.
    """
    by_arm = _count(frame, arms)
    effects = [_effect(by_arm, arm, arms[0], icc) for arm in arms[1:]]
    if not visit:
        return tuple(effects)
    at = frame[AVISIT].astype(str)
    late = frame[at == visit]
    seen = _count(late, arms)
    effects = [_at_visit(effect, seen, visit, visit_icc) for effect in effects]
    if not baseline or math.isnan(change_icc):
        return tuple(effects)
    both = _count(late[late[USUBJID].isin(frame.loc[at == baseline, USUBJID])], arms)
    return tuple(_of_change(effect, both, change_icc) for effect in effects)


def _count(frame: "pd.DataFrame", arms: Sequence[str]) -> Counts:
    """Patients by arm and site."""
    patients = frame[[SITEID, TRT01P, USUBJID]].drop_duplicates()
    by_arm: dict[str, dict[str, int]] = {}
    for arm in arms:
        sizes = patients.loc[patients[TRT01P] == arm, SITEID].astype(str).value_counts()
        by_arm[arm] = {str(site): int(sizes[site]) for site in sorted(sizes.index)}
    return by_arm


def _sizes(by_arm: Counts, arm: str, reference: str) -> tuple[list[int], list[int]]:
    """Patients of the arm and of the reference in each site that has either."""
    first, second = by_arm[arm], by_arm[reference]
    sites = sorted({*first, *second})
    return [first.get(site, 0) for site in sites], [second.get(site, 0) for site in sites]


def _at_visit(effect: DesignEffect, seen: Counts, visit: str, icc: float) -> DesignEffect:
    imbalance = allocation_imbalance(*_sizes(seen, effect.arm, effect.reference))
    icc = icc if math.isnan(icc) else max(icc, 0.0)
    return replace(effect, visit=visit, visit_icc=icc, visit_effect=1.0 + (imbalance - 1.0) * icc)


def _of_change(effect: DesignEffect, both: Counts, icc: float) -> DesignEffect:
    imbalance = allocation_imbalance(*_sizes(both, effect.arm, effect.reference))
    return replace(effect, change_icc=icc, change_effect=1.0 + (imbalance - 1.0) * icc)


def _effect(by_arm: Counts, arm: str, reference: str, icc: float) -> DesignEffect:
    n1, n2 = _sizes(by_arm, arm, reference)
    imbalance = allocation_imbalance(n1, n2)
    return DesignEffect(
        arm=arm,
        reference=reference,
        S=imbalance,
        mean_cluster=mean_cluster([x + y for x, y in zip(n1, n2, strict=True)]),
        icc=icc,
        effect=1.0 + (imbalance - 1.0) * icc,
        patients=sum(n1) + sum(n2),
        sites=len(n1),
    )
