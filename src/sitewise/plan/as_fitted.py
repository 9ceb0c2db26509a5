"""A plan in which a model has the formula that was fitted, where the plan's rules took another."""

from collections.abc import Mapping
from typing import Any

from sitewise.plan.model import Plan


def as_fitted(plan: Plan, fit: Mapping[str, Any]) -> Plan:
    """The plan itself, or with the formula of `fit` (`fit.json`) in that model.

    Only where the fit departs from the plan (`inference.taken`).
    """
    if not fit.get("departures"):
        return plan
    name = str(fit["model"])
    own = plan.models[name].model_copy(update={"formula": fit["fit"]["formula"], "may_drop": ()})
    return plan.model_copy(update={"models": {**plan.models, name: own}})
