"""All relatives of the primary model of one endpoint: what rule crosscheck writes."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sitewise.classical.baseline import handle_baseline
from sitewise.classical.crosscheck import BLINDED, cross_check
from sitewise.classical.guard import guard_of
from sitewise.classical.ladder import climb
from sitewise.classical.ladder_result import CovarianceChoice, Ladder
from sitewise.classical.leave_out import leave_sites_out
from sitewise.classical.not_at_random import not_at_random
from sitewise.classical.question import Ask, pose
from sitewise.classical.reconciliation import reconcile
from sitewise.classical.reconciliation_result import Reconciliation
from sitewise.classical.result import CrossCheck
from sitewise.classical.straight import straight_lines
from sitewise.plan.as_fitted import as_fitted
from sitewise.plan.model import Plan

if TYPE_CHECKING:
    import pandas as pd


def relatives(
    plan: Plan, frame: "pd.DataFrame", endpoint: str, primary: Mapping[str, Any], ask: Ask
) -> tuple[CrossCheck, Ladder, Reconciliation]:
    """Cross-check, ladder and reconciliation.

    frame: analysis rows (adbp). primary: the primary model's fit as plain data (`fit.json`). ask:
    what gives the primary contrast of a fixed part, `inference.planned_contrasts.ask_primary`.
    """
    plan = as_fitted(plan, primary)
    check = cross_check(plan, frame, endpoint, primary)
    if plan.blinded:
        return check, *_withheld(endpoint)
    question = pose(plan, frame, endpoint, ask)
    ladder = climb(question, endpoint, primary, check.anova)
    planned = next(rung.answer for rung in ladder.rungs if rung.planned)
    ladder = replace(
        ladder,
        left_out=leave_sites_out(question, planned),
        straight=straight_lines(question, ladder.rungs, ladder.covariance, ask),
    )
    ladder = replace(ladder, not_at_random=not_at_random(question, endpoint, ladder, primary, ask))
    if plan.baseline.side_by_side or plan.baseline.handling == "constrained":
        ladder = replace(ladder, baseline=handle_baseline(question, endpoint))
    ladder = replace(ladder, guard=guard_of(question, ladder, primary))
    return check, ladder, reconcile(question, endpoint, primary, check.anova)


def _withheld(endpoint: str) -> tuple[Ladder, Reconciliation]:
    """Of a blinded trial: both tell of a difference between arms and of nothing else."""
    nan, none = math.nan, CovarianceChoice((), "", (), ())
    ladder = Ladder(endpoint, "", "", "", 0, (), (), nan, nan, nan, nan, none, None)
    return ladder, Reconciliation(endpoint, "", 0, 0, 0, False, nan, (), (), BLINDED, ())
