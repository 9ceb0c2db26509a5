"""What each job depends on."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sitewise.audit.hashing import params_digests
from sitewise.errors import RunError
from sitewise.plan.load import validate_plan
from sitewise.run.context import ABSENT, UNREADABLE, Context, context_of, load_context
from sitewise.run.jobs import jobs_of, outputs_of
from sitewise.run.params import job_params, params_of


def digests(context: Context) -> dict[str, dict[str, str]]:
    """Digests of every job's params by the job's name."""
    return {
        f"{job.rule} {'/'.join(job.wildcards.values())}": params_digests(
            job_params(context, job.rule, job.wildcards)
        )
        for job in jobs_of(context)
    }


def changed(before: Context, after: Context) -> dict[str, set[str]]:
    """Names of the params that differ, by job."""
    old, new = digests(before), digests(after)
    found = {}
    for job in old.keys() & new.keys():
        names = old[job].keys() | new[job].keys()
        odd = {name for name in names if old[job].get(name) != new[job].get(name)}
        if odd:
            found[job] = odd
    return found


def test_the_same_start_gives_the_same_params(context: Context) -> None:
    again = load_context(context.plan, context.sheet, context.data, context.project)
    assert changed(context, again) == {}


def test_the_place_of_the_data_is_no_param(context: Context, tmp_path: Path) -> None:
    moved = context.data.rename(tmp_path / "elsewhere")
    again = load_context(context.plan, context.sheet, moved, context.project)
    assert changed(context, again) == {}


def test_a_changed_file_concerns_its_batch_and_what_prints_its_digest(context: Context) -> None:
    (context.data / "hospital_1.csv").write_text("One")
    again = load_context(context.plan, context.sheet, context.data, context.project)
    batch = next(
        name
        for name, sites in context.batches.items()
        if "hospital_1.csv" in [site.file for site in sites]
    )
    found = changed(context, again)
    assert found.pop(f"ingest {batch}") == {"raw.hospital_1.csv"}
    assert found == {f"{rule} ": {"digests.data"} for rule in ("page", "report", "seal")}


def test_a_file_that_is_not_there_is_named(context: Context) -> None:
    assert context.raw["hospital_3.csv"] == ABSENT
    raw = [
        entry
        for batch in context.batches
        for entry in job_params(context, "ingest", {"batch": batch})["raw"]
    ]
    assert "hospital_3.csv:absent" in raw


def test_the_title_concerns_the_report_alone(context: Context) -> None:
    after = replace(context, plan=context.plan.model_copy(update={"title": "Another"}))
    assert changed(context, after) == {
        "page ": {"plan.title", "digests.plan"},
        "report ": {"plan.title", "digests.plan"},
        "seal ": {"digests.plan"},
    }


def test_how_a_model_is_fitted_and_called_makes_no_moments_anew(context: Context) -> None:
    models = dict(context.plan.models)
    models["slope"] = models["slope"].model_copy(update={"reml": False, "label": "Slopes"})
    after = replace(context, plan=context.plan.model_copy(update={"models": models}))
    assert not rules_of(changed(context, after)) & {"moments", "score"}
    models["slope"] = models["slope"].model_copy(update={"formula": "AVAL ~ WEEK + (1 | SITEID)"})
    after = replace(context, plan=context.plan.model_copy(update={"models": models}))
    assert rules_of(changed(context, after)) >= {"moments", "fit", "score"}


def test_moments_know_the_hospitals_of_their_batch(context: Context) -> None:
    jobs = [job for job in jobs_of(context) if job.rule == "moments"]
    named = [job_params(context, "moments", job.wildcards)["sites"] for job in jobs]
    assert sorted(name for own in named for name in own) == sorted(
        site.siteid for site in context.sheet.sites
    )


def rules_of(found: dict[str, set[str]]) -> set[str]:
    """Rules of the changed jobs, but for those that print the plan's digest."""
    return {job.split()[0] for job, names in found.items() if names != {"digests.plan"}}


@pytest.mark.parametrize(
    ("section", "change", "rules"),
    [
        ("arms", {"favours": "higher"}, {"figures", "page", "report"}),
        ("endpoints", {"SYSBP": {"label": "Pressure"}}, {"describe", "figures", "page", "report"}),
        ("endpoints", {"DIABP": {"role": "exploratory"}}, {"page", "report"}),
        ("endpoints", {"SYSBP": {"deltas": [5.0]}}, {"crosscheck", "page", "report"}),
        ("covariates", {"SEX": {"label": "Gender"}}, {"check_batch", "describe", "page", "report"}),
        ("analysis_sets", {"FAS": {"label": "All"}}, {"describe", "page", "report"}),
        ("rules", {"bad_site": "stop"}, {"check_trial", "page", "report"}),
        (
            "primary",
            {"model": "slope"},
            {
                "icc",
                "fit",
                "score",
                "crosscheck",
                "sites",
                "trial_figures",
                "figures",
                "page",
                "report",
            },
        ),
    ],
)
def test_words_and_verdicts_rerun_only_who_uses_them(
    context: Context, section: str, change: dict[str, Any], rules: set[str]
) -> None:
    assert rules_of(changed(context, edited(context, section, change))) == rules


def test_a_label_of_an_arm_concerns_the_report_alone(context: Context) -> None:
    order = [{"name": "Active", "label": "tablets"}, {"name": "Placebo", "label": "placebo"}]
    after = edited(context, "arms", {"order": order})
    assert rules_of(changed(context, after)) == {"page", "report"}


def test_the_order_of_codes_is_a_change(context: Context) -> None:
    """The first code is the reference level: the same keys in another order fit another model."""
    sex = context.plan.covariates["SEX"]
    turned = sex.model_copy(update={"codes": dict(reversed(sex.codes.items()))})
    covariates = {**context.plan.covariates, "SEX": turned}
    after = replace(context, plan=context.plan.model_copy(update={"covariates": covariates}))
    assert "fit" in rules_of(changed(context, after))


def test_factors_left_out_concern_the_checks(context: Context) -> None:
    """A formula that leaves out the same factors as before is no concern of theirs."""
    before = replace(
        context, plan=context.plan.model_copy(update={"stratification": ("SITEID", "SEX")})
    )
    assert changed(context, before)["check_trial "] == {
        f"left_out.{name}" for name in ("patient", "nested", "linear", "slope")
    }
    formula = before.plan.models["nested"].formula
    same = edited(before, "models", {"nested": {"formula": formula.replace("BASE +", "AGE +")}})
    assert "check_trial " not in changed(before, same)
    held = edited(before, "models", {"nested": {"formula": formula.replace("BASE +", "SEX +")}})
    assert changed(before, held)["check_trial "] == {"left_out.nested"}


def edited(context: Context, section: str, change: dict[str, Any]) -> Context:
    """The context with a plan of which some keys of a section were changed."""
    data = context.plan.model_dump()
    for key, value in change.items():
        if isinstance(value, dict):
            data[section][key].update(value)
        else:
            data[section][key] = value
    return replace(context, plan=validate_plan(data, "x.yaml"))


def test_outputs_are_unique_and_the_manifest_is_last(context: Context) -> None:
    outputs = outputs_of(context)
    assert len(outputs) == len(set(outputs))
    assert outputs[-1] == "manifest.json"


def test_the_rule_files_ask_by_rule_and_name(context: Context) -> None:
    wildcards = SimpleNamespace(items={"endpoint": "SYSBP"}.items)
    plan = params_of(context)("fit", "plan")(wildcards)
    assert list(plan["models"]) == list(context.plan.models)


def test_the_configuration_must_name_a_plan(root: Path) -> None:
    with pytest.raises(RunError, match="has no `plan`"):
        context_of({}, root)


def test_marks_that_nobody_settled_concern_the_pages_alone(context: Context) -> None:
    marked = replace(context, marks=(4, 9))
    assert changed(context, marked) == {"page ": {"marks"}, "report ": {"marks"}}


def test_a_link_out_of_the_data_folder_is_not_followed(context: Context, tmp_path: Path) -> None:
    secret = tmp_path / "elsewhere.csv"
    secret.write_text("nobody's delivery")
    file = context.data / "hospital_1.csv"
    file.unlink()
    file.symlink_to(secret)
    again = load_context(context.plan, context.sheet, context.data, context.project)
    assert again.raw["hospital_1.csv"] == UNREADABLE
    inside = context.data / "hospital_1 as sent.csv"
    inside.write_text("a delivery")
    file.unlink()
    file.symlink_to(inside)
    again = load_context(context.plan, context.sheet, context.data, context.project)
    assert len(again.raw["hospital_1.csv"]) == 64
