"""The jobs of a run and the files that each makes.

The workflow's rules say the same; a test holds the two together. From here come the targets of
`rule all`, and what the door expects to find in results/<trial>.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sitewise.run.context import Context

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Job:
    """One job: its rule, its wildcards, its outputs as paths inside results/<trial>."""

    rule: str
    outputs: tuple[str, ...]
    wildcards: Mapping[str, str] = field(default_factory=dict)


def jobs_of(context: Context) -> list[Job]:
    """All jobs of a run, an input's maker always before its reader."""
    plan = context.plan
    found = [
        *_reading(list(context.batches)),
        *_moments(list(context.batches), list(plan.endpoints), list(plan.models)),
        *(job for endpoint in plan.endpoints for job in _fits(endpoint, list(plan.models))),
        *(job for endpoint in plan.endpoints for job in _conclusions(endpoint)),
        *_pages(list(plan.endpoints), blinded=context.blinded),
    ]
    return [*found, Job("seal", (MANIFEST,))]


def outputs_of(context: Context) -> list[str]:
    """All files that a run makes, as paths inside results/<trial>; the manifest is the last."""
    return [output for job in jobs_of(context) for output in job.outputs]


def _reading(batches: list[str]) -> Iterator[Job]:
    for batch in batches:
        stem = f"data/batches/{batch}"
        wildcards = {"batch": batch}
        made = (f"{stem}.rows.parquet", f"{stem}.files.json", f"{stem}.ingest.csv")
        yield Job("ingest", made, wildcards)
        yield Job("check_batch", (f"{stem}.checked.parquet", f"{stem}.check.csv"), wildcards)
    made = ("data/readings.parquet", "findings/findings.csv", "findings/account.json")
    yield Job("check_trial", made)
    yield Job("deviations", ("findings/deviations.json",))
    yield Job("derive", ("data/adbp.parquet",))
    yield Job("describe", ("tables/description.json",))


def _moments(batches: list[str], endpoints: list[str], models: list[str]) -> Iterator[Job]:
    for batch in batches:
        stems = [f"models/{e}/{m}/moments/{batch}" for e in endpoints for m in models]
        made = [f"{stem}.{kind}" for kind in ("npz", "json") for stem in stems]
        made += [f"models/{endpoint}/wide/{batch}.parquet" for endpoint in endpoints]
        yield Job("moments", tuple(made), {"batch": batch})


def _fits(endpoint: str, models: list[str]) -> Iterator[Job]:
    stems = [f"models/{endpoint}/{model}" for model in models]
    fits = tuple(f"{stem}/fit.json" for stem in stems)
    yield Job("fit", fits, {"endpoint": endpoint})
    kinds = ("score.json", "use.parquet", "ranef.parquet")
    made = tuple(f"{stem}/{kind}" for kind in kinds for stem in stems)
    yield Job("score", made, {"endpoint": endpoint})


def _conclusions(endpoint: str) -> Iterator[Job]:
    for rule, files in (
        ("icc", ("icc",)),
        ("replicate", ("replication",)),
        ("compare", ("comparisons",)),
        ("crosscheck", ("crosscheck", "ladder", "reconciliation")),
        ("sites", ("sites", "by_site")),
    ):
        made = tuple(f"models/{endpoint}/{file}.json" for file in files)
        yield Job(rule, made, {"endpoint": endpoint})


def _pages(endpoints: list[str], *, blinded: bool) -> Iterator[Job]:
    from sitewise.report.figures import endpoint_names, trial_names
    from sitewise.report.tables import names as table_names

    yield Job("trial_figures", tuple(f"figures/{name}" for name in trial_names()))
    for endpoint in endpoints:
        drawn = endpoint_names(endpoint, blinded=blinded)
        made = tuple(f"figures/{name}" for name in drawn)
        yield Job("figures", made, {"endpoint": endpoint})
    tables = (f"tables/{name}" for name in table_names(endpoints))
    yield Job("page", ("report.html", *tables))
    yield Job("report", ("report.pdf",))
