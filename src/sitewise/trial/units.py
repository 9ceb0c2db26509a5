"""Units of blood pressure: what a site may declare, what is converted, what looks undeclared."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sitewise.plan.model import Plan

MMHG = "mmHg"
KPA = "kPa"
# 1 mmHg = 101325 / 760 Pa (the torr) = 133.322368 Pa; conventional mmHg differs in the 7th digit.
MMHG_PER_KPA = 7.500616827


def sheet_units(plan: "Plan") -> tuple[str, ...]:
    """Units that the site sheet may declare for a trial of these endpoints."""
    own = dict.fromkeys(endpoint.unit for endpoint in plan.endpoints.values())
    return (*own, KPA) if MMHG in own and KPA not in own else tuple(own)


def unit_factor(unit: str, endpoint_unit: str) -> float | None:
    """What values in `unit` are multiplied by; None where the unit is unknown."""
    if unit == endpoint_unit:
        return 1.0
    if unit == KPA and endpoint_unit == MMHG:
        return MMHG_PER_KPA
    return None
