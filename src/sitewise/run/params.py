"""The params of every job: what its result depends on beside its input files.

The Snakefile takes them from here, and so does the door, which can therefore say what is stale
when the workflow engine's own memory is gone.
"""

import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import cache
from typing import Any

from sitewise.audit.hashing import SHORT, file_sha256
from sitewise.plan.factors import factors_left_out
from sitewise.plan.model import Plan
from sitewise.plan.parts import part_data
from sitewise.run.context import LOCK, Context
from sitewise.run.environment_check import departures, installed_versions
from sitewise.run.standing import standing_of

PAGES = ("page", "report")  # the same content as HTML and as PDF


def job_params(context: Context, rule: str, wildcards: Mapping[str, str]) -> dict[str, Any]:
    """Params of one job by name.

    plan: the sections of the plan that the rule uses. code: digests as `room:digest`.
    lock: the digest of the lock. ingest has `sites` and `raw` (`file:sha256`) of its batch, moments
    `sites` (their names), deviations `standing` (from the ledger), check_trial `left_out`
    (stratification factors by model), `unlisted` (files that no line of the site sheet names) and
    `kept` (hospitals' earlier files in place of bad ones), page, report and seal have `digests`
    (plan, data, code, lock), the first two also `sheet`, `templates`, `packages`, `limits` (of a
    simulated trial) and `marks` (lines of the plan that nobody has settled).
    """
    params: dict[str, Any] = {
        "plan": part_data(_plan_for(context, rule), rule),
        "code": context.code.named(rule),
        "lock": context.lock,
    }
    if rule == "ingest":
        sites = context.batches[wildcards["batch"]]
        params["sites"] = [site.reading for site in sites]
        params["raw"] = [f"{site.file}:{context.raw[site.file]}" for site in sites]
    if rule == "moments":
        params["sites"] = [site.siteid for site in context.batches[wildcards["batch"]]]
    if rule == "check_trial":
        params["left_out"] = factors_left_out(context.plan)
        params["unlisted"] = list(context.unlisted)
        params["kept"] = list(context.kept)
    if rule == "deviations":
        params["standing"] = standing_of(context)
    if rule in (*PAGES, "seal"):
        params["digests"] = context.digests
    if rule in PAGES:
        params["sheet"] = [site.line for site in context.sheet.sites]
        params["templates"] = [
            f"{name}:{file_sha256(path)[:SHORT]}" for name, path in context.templates.items()
        ]
        params["packages"] = _packages(context)
        params["limits"] = None if context.limits is None else asdict(context.limits)
        params["marks"] = list(context.marks)
    return params


def _plan_for(context: Context, rule: str) -> Plan:
    """The plan that a rule may know: of a blinded trial, only ingest knows the arms."""
    if rule == "ingest" and context.written is not None:
        return context.written.model_copy(update={"blinded": context.blinded})
    return context.plan


def _packages(context: Context) -> dict[str, str]:
    """Versions that the report prints: Python's and the main packages', departures marked."""
    other = departures(context.project / LOCK)
    found = {
        name: f"{have} (not as locked)" if f"{name}=={have}" in other else have
        for name, have in installed_versions().items()
    }
    return {"python": platform.python_version(), **found}


def params_of(context: Context) -> Callable[[str, str], Callable[[Any], Any]]:
    """For the rule files: `param("fit", "plan")` is a function of the job's wildcards.

    Params of a job are made once: the workflow engine asks for them one name at a time.
    """

    @cache
    def params(rule: str, wildcards: tuple[tuple[str, str], ...]) -> dict[str, Any]:
        return job_params(context, rule, dict(wildcards))

    def param(rule: str, name: str) -> Callable[[Any], Any]:
        def value(wildcards: Any) -> Any:
            return params(rule, tuple(sorted(wildcards.items())))[name]

        return value

    return param
