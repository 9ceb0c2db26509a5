"""Which keys of the plan each rule uses.

A rule's job gets a *part*: those keys and no others. A change of the plan then reruns the rules
that use the changed keys, and nothing else; a function that reaches for a key that its rule was
not granted fails loudly.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeGuard, get_args, get_origin

from sitewise.plan.model import Plan
from sitewise.plan.section import Section

if TYPE_CHECKING:
    from pydantic import TypeAdapter

# A grant is a path: a section, or keys below it; `*` is every entry of a list or of a named table.
# Labels and `favours` stand only where they are printed. A rule that needs the names of endpoints
# or covariates and no more is granted a key of theirs that reruns what it reads anyway.
CODES = ("arms.order.*.name", "arms.order.*.codes", "visits", "columns")
READINGS = ("endpoints.*.column", "endpoints.*.code", "endpoints.*.unit")
LIMITS = ("endpoints.*.soft", "endpoints.*.hard")
ARMS = ("arms.order.*.name", "arms.reference")
# All but why: a reason in other words reruns the report alone.
PRIMARY = ("primary.model", "primary.visit", "primary.arm", "primary.contrast")
MODELLING = (*ARMS, "visits", "covariates.*.type", "covariates.*.codes", "baseline", "alpha", "df")

KEYS: dict[str, tuple[str, ...]] = {
    "ingest": (*CODES, *READINGS, "trial", "blinded", "missing_values", "covariates.*.column",
               "leaving.column"),
    "check_batch": (*CODES, *READINGS, *LIMITS, "arms.reference", "other_visits", "covariates",
                    "leaving", "pairs", "replicates", "time", "rules.duplicate_equal",
                    "missing_values"),
    "check_trial": (*ARMS, "arms.order.*.codes", *READINGS, *LIMITS, "columns", "visits",
                    "covariates.*.type", "leaving.column", "time", "replicates", "design", "rules"),
    "deviations": ("trial",),
    "derive": ("endpoints.*.unit", "covariates.*.type", "leaving.column", "visits", "time",
               "analysis_sets.*.requires"),
    "describe": ("blinded", "arms.order.*.name", "visits", "endpoints.*.label", "endpoints.*.unit",
                 "covariates.*.label", "covariates.*.type", "covariates.*.unit",
                 "covariates.*.codes", "leaving.column", "analysis_sets", "primary.visit", "alpha"),
    "moments": (*ARMS, "endpoints.*.unit", "visits", "covariates.*.type", "covariates.*.codes",
                "baseline", "time", "models.*.formula", "models.*.set"),
    "icc": (*MODELLING, "blinded", "design", "models", *PRIMARY, "icc"),
    "fit": (*MODELLING, "blinded", "design", "stratification", "models", *PRIMARY, "covariance"),
    "score": ("blinded", "arms.reference", "visits", "baseline", "models.*.formula",
              "models.*.set", "primary.model"),
    "replicate": (*MODELLING, "models", "replication"),
    "compare": ("models.*.formula", "comparisons", "bootstrap", "seeds.comparisons"),
    "crosscheck": (*MODELLING, "blinded", "design", "models", *PRIMARY, "covariance",
                   "endpoints.*.deltas"),
    "sites": (*MODELLING, "blinded", "design", "models", *PRIMARY, "treatment_by_site",
              "bootstrap", "seeds.comparisons"),
    "trial_figures": (*ARMS, "visits", "endpoints.*.unit", "models.*.set", *PRIMARY,
                      "replicates"),
    "figures": ("blinded", *ARMS, "arms.favours", "visits", "endpoints.*.label",
                "endpoints.*.unit", "endpoints.*.soft", "models.*.formula", *PRIMARY, "alpha",
                "seeds.figures"),
    "page": tuple(Plan.model_fields),
    "report": tuple(Plan.model_fields),
    "seal": ("trial",),
}  # fmt: skip


def part_data(plan: Plan, rule: str) -> dict[str, Any]:
    """The keys that `rule` uses, as plain data for the rule's params."""
    data = plan.model_dump(mode="json")
    part: dict[str, Any] = _granted(data, [grant.split(".") for grant in KEYS[rule]])
    return part


def _granted(value: Any, paths: Sequence[Sequence[str]]) -> Any:
    """What `paths` name of plain data, in the order of the data."""
    if any(not path for path in paths):
        return value
    if isinstance(value, list):
        return [_granted(item, [path[1:] for path in paths]) for item in value]
    below = {key: [path[1:] for path in paths if path[0] in (key, "*")] for key in value}
    return {key: _granted(value[key], found) for key, found in below.items() if found}


def read_part(data: dict[str, Any]) -> Plan:
    """Rebuild the typed sections from `part_data`; the keys not granted stay absent."""
    part: Plan = _section(Plan, data)
    return part


def valid_part(data: dict[str, Any], names: Iterable[str]) -> Plan:
    """The sections `names` of a plan as read from YAML, each of which must be valid by itself."""
    part: Plan = _made(
        Plan, {name: _adapter(Plan, name).validate_python(data[name]) for name in names}
    )
    return part


def _section(kind: type[Section], data: dict[str, Any]) -> Any:
    return _made(kind, {name: _value(kind, name, value) for name, value in data.items()})


def _value(kind: type[Section], name: str, value: Any) -> Any:
    """One key's value: sections, and lists and tables of sections, may be parts in turn."""
    annotation = kind.model_fields[name].annotation
    below = next((t for t in (annotation, *get_args(annotation)) if _is_section(t)), None)
    if below is None:
        return _adapter(kind, name).validate_json(_dumps(value))
    if isinstance(value, list):
        return tuple(_section(below, item) for item in value)
    if get_origin(annotation) is dict:
        return {key: _section(below, item) for key, item in value.items()}
    return _section(below, value)


def _is_section(kind: Any) -> TypeGuard[type[Section]]:
    return isinstance(kind, type) and issubclass(kind, Section)


def _made(kind: type[Section], values: dict[str, Any]) -> Any:
    """A section with these keys alone: a key that is absent has no default either."""
    made = kind.model_construct(_fields_set=set(values))
    vars(made).clear()
    vars(made).update(values)
    return made


@cache
def _adapter(kind: type[Section], name: str) -> "TypeAdapter[Any]":
    """What validates one key alone: its annotation with its metadata."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind.model_fields[name].rebuild_annotation())


def _dumps(value: Any) -> bytes:
    import json

    return json.dumps(value).encode()
