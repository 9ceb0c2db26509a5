"""Two runs compared: estimates, and what their differences are due to."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sitewise.changes.readings import READINGS, reading_changes
from sitewise.changes.result import Changes, EstimateChange, Side

DEVIATIONS = "findings/deviations.json"
_Key = tuple[str, str, str]


def compare(
    before: Side,
    after: Side,
    digests: tuple[Mapping[str, str], Mapping[str, str]],
    plan: tuple[str, ...],
    data: tuple[str, ...],
) -> Changes:
    """Compare two runs.

    digests: sha256 of every result by its path, of each run. plan, data: in words, what of them
    differs (as the lock tells it, too).
    """
    kept = [side.files.get(READINGS) for side in (before, after)]
    readings, lifted = None, before.blinded != after.blinded
    if kept[0] is not None and kept[1] is not None:
        same = digests[0].get(READINGS) == digests[1].get(READINGS)
        readings = () if same else reading_changes(kept[0], kept[1], arms=not lifted)
    told = [found.get(DEVIATIONS) for found in digests]
    lock = ["the blind was lifted"] if lifted else []
    if told[0] != told[1]:
        lock.append("the lock, or the reasons given since")
    return Changes(
        before=before,
        after=after,
        same=dict(digests[0]) == dict(digests[1]),
        estimates=tuple(_estimates(before, after)),
        data=data,
        readings=readings,
        plan=plan,
        code=tuple(_code(before, after)),
        environment=tuple(_environment(before.environment, after.environment)),
        lock=tuple(lock),
    )


def _estimates(before: Side, after: Side) -> Iterator[EstimateChange]:
    old, new = (contrasts(s.files, (s.plan or {}).get("plan") or {}) for s in (before, after))
    for key in dict.fromkeys([*new, *old]):
        was, now = old.get(key, {}), new.get(key, {})
        yield EstimateChange(
            *key,
            primary=bool((now or was)["primary"]),
            old=was.get("estimate"),
            old_se=was.get("se"),
            new=now.get("estimate"),
            new_se=now.get("se"),
        )


def contrasts(files: Mapping[str, Path], plan: Mapping[str, Any]) -> dict[_Key, dict[str, Any]]:
    """Contrasts of every fit, those of primary endpoints, in the primary model, first.

    files: results by their path in results/<trial>. plan: as plain data, {} where unknown. The
    files are read as plain data: an earlier version of the program wrote other fields.
    """
    found: dict[_Key, dict[str, Any]] = {}
    model = plan.get("primary", {}).get("model")
    roles = {name: each.get("role") for name, each in plan.get("endpoints", {}).items()}
    for name, path in sorted(files.items()):
        if not name.startswith("models/") or not name.endswith("/fit.json"):
            continue
        fit = json.loads(path.read_text(encoding="utf-8"))
        named = [_name(fit["primary"])] if fit.get("primary") else []
        for contrast in fit["contrasts"]:
            words = _name(contrast)
            result = contrast["result"]
            found[fit["endpoint"], fit["model"], words] = {
                "estimate": _number(result["estimate"]),
                "se": _number(result["se"]),
                "primary": words in named
                and fit["model"] == model
                and roles.get(fit["endpoint"]) == "primary",
            }
    return dict(sorted(found.items(), key=lambda item: not item[1]["primary"]))


def _name(contrast: Mapping[str, Any]) -> str:
    return f"{contrast['arm']} - {contrast['reference']}, {contrast['kind']}, {contrast['visit']}"


def _number(value: Any) -> float | None:
    """A number; None for what JSON lacks (written as text)."""
    return None if value is None or isinstance(value, str) else float(value)


def _code(before: Side, after: Side) -> Iterator[str]:
    """Parts of the code that differ, with the rules whose results they may change."""
    old, new = _parts(before), _parts(after)
    rules: dict[str, list[str]] = {}
    for rule in sorted(old.keys() & new.keys()):
        for part in sorted(old[rule].keys() | new[rule].keys()):
            if old[rule].get(part) != new[rule].get(part):
                rules.setdefault("its script" if part == "script" else part, []).append(rule)
    for part, concerned in rules.items():
        yield f"{part} (rules {', '.join(concerned)})"


def _parts(side: Side) -> dict[str, dict[str, str]]:
    """Code digests by rule and part, from the receipts."""
    found: dict[str, dict[str, str]] = {}
    for name, path in side.files.items():
        if name.startswith("receipts/"):
            receipt = json.loads(path.read_text(encoding="utf-8"))
            params = receipt.get("params", {})
            found[receipt["rule"]] = {
                key.removeprefix("code."): digest
                for key, digest in params.items()
                if key.startswith(("code.", "templates."))
            }
    return found


def _environment(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for group in dict.fromkeys([*before, *after]):
        old, new = before.get(group), after.get(group)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            for name in sorted(old.keys() | new.keys()):
                if old.get(name) != new.get(name):
                    yield f"{group} {name}: {_short(old.get(name))} -> {_short(new.get(name))}"
        elif old != new:
            yield f"{group}: {_short(old)} -> {_short(new)}"


def _short(value: Any) -> str:
    """Version of a package, without the digest where that alone does not tell it."""
    if value is None:
        return "absent"
    words = str(value).split(" ")
    return f"{words[0]} ({words[1][:8]})" if len(words) == 2 and len(words[1]) == 64 else str(value)
