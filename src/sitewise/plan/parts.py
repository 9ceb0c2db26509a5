"""Which keys of the plan each rule uses.

A rule's job gets a *part*: those sections and no others. A change of the plan then reruns the
rules that use the changed keys, and nothing else; a function that reaches for a key that its
rule was not granted fails loudly.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sitewise.plan.model import Plan

if TYPE_CHECKING:
    from pydantic import TypeAdapter

READING = ("trial", "columns", "missing_values", "arms", "visits", "other_visits", "endpoints",
           "covariates")  # fmt: skip
CHECKING = (*READING, "pairs", "replicates", "rules", "time")
SCOPE = ("design", "randomised_unit", "arms", "visits", "endpoints")
MODELLING = ("arms", "visits", "covariates", "baseline", "alpha", "df")

KEYS: dict[str, tuple[str, ...]] = {
    "ingest": (*READING, "rules"),
    "check_batch": CHECKING,
    "check_trial": (*CHECKING, "design", "randomised_unit"),
    "derive": (*SCOPE, "trial", "columns", "covariates", "time", "replicates", "baseline",
               "analysis_sets"),
    "describe": (*SCOPE, "covariates", "analysis_sets", "models", "primary", "baseline",
                 "alpha"),
    "icc": (*MODELLING, "design", "models", "primary", "icc"),
    "fit": (*MODELLING, "design", "stratification", "models", "primary"),
    "replicate": (*MODELLING, "models", "replication"),
    "compare": ("models", "comparisons"),
    "crosscheck": (*MODELLING, "design", "models", "primary", "analysis_sets"),
    "sites": (*MODELLING, "design", "models", "primary"),
    "figures": ("design", "arms", "visits", "endpoints", "models", "primary", "icc",
                "alpha", "seeds"),
    "report": tuple(Plan.model_fields),
    "seal": ("trial",),
}  # fmt: skip


def part_data(
    plan: Plan, rule: str, *, endpoint: str | None = None, model: str | None = None
) -> dict[str, Any]:
    """The sections that `rule` uses, as plain data for the rule's params.

    endpoint, model: restrict the sections of that name to one entry, so that a new model does not
    rerun the others.
    """
    data = plan.model_dump(mode="json", include=set(KEYS[rule]))
    for section, only in (("endpoints", endpoint), ("models", model)):
        if only is not None and section in data:
            data[section] = {only: data[section][only]}
    return {key: data[key] for key in KEYS[rule] if key in data}


class PlanPart(Plan):
    """A plan with some of its sections; asking for another is a fault of the code."""

    def __getattr__(self, name: str) -> Any:
        """Only called for what is absent."""
        if name in Plan.model_fields:
            raise AttributeError(
                f"this rule was not granted the plan key `{name}`: add it to sitewise.plan.parts"
            )
        raise AttributeError(name)


def read_part(data: dict[str, Any]) -> Plan:
    """Rebuild the typed sections from `part_data`; the keys not granted stay absent."""
    return _part({name: _adapter(name).validate_json(_dumps(v)) for name, v in data.items()})


def valid_part(data: dict[str, Any], names: Iterable[str]) -> Plan:
    """The sections `names` of a plan as read from YAML, each of which must be valid by itself."""
    return _part({name: _adapter(name).validate_python(data[name]) for name in names})


def _part(sections: dict[str, Any]) -> Plan:
    part = PlanPart.model_construct(_fields_set=set(sections))
    object.__getattribute__(part, "__dict__").update(sections)
    return part


def _adapter(name: str) -> "TypeAdapter[Any]":
    """What validates one key of the plan alone: its annotation with its metadata."""
    from pydantic import TypeAdapter

    return TypeAdapter(Plan.model_fields[name].rebuild_annotation())


def _dumps(value: Any) -> bytes:
    import json

    return json.dumps(value).encode()
