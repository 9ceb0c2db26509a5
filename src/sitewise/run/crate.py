"""A sealed run as a Workflow Run RO-Crate (provenance profile): one folder that explains itself.

Sources: Leo et al. 2024, Recording provenance of workflow runs with RO-Crate; the profiles
https://w3id.org/ro/wfrun/provenance/0.5, workflow/0.5, process/0.5 and workflow-ro-crate 1.0.
What each job read and wrote comes from its receipts, who ran it when from the ledger.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sitewise
from sitewise.audit.code import CodeBase
from sitewise.audit.ledger import LEDGER, Entry, check_ledger
from sitewise.audit.objects import object_path, read_json
from sitewise.errors import IntegrityError, Problem, RunError
from sitewise.run.context import LOCK
from sitewise.run.differing import find_run

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
_LICENSE = "https://www.apache.org/licenses/LICENSE-2.0"
_SOURCES = ("workflow/rules", "workflow/scripts", "reports/templates")


@dataclass(frozen=True)
class _Run:
    """What the crate tells of: the records of one run and its results by path and sha256."""

    records: Path
    opened: Entry
    closed: Entry
    files: Mapping[str, Mapping[str, Any]]
    raw: Mapping[str, str]

    @property
    def status(self) -> str:
        done = self.closed.body.get("status") in ("completed", "nothing to do")
        return f"http://schema.org/{'Completed' if done else 'Failed'}ActionStatus"


def export_run(records: Path, project: Path, target: Path, run: str = "") -> int:
    """Write the crate of a sealed run into `target`; gives how many files it holds.

    project: folder with the Snakefile. run: an id or a record's number; empty: the last one.
    Raises RunError where there is no such run, `target` exists or copies are missing,
    IntegrityError where the ledger is not what was written.
    """
    from rocrate.rocrate import ROCrate

    if target.exists() and any(target.iterdir()):
        raise RunError(
            "The crate has no place.",
            [Problem("the folder is not empty", where=str(target), fix="name a new one")],
        )
    found = _find(records, run)
    crate = ROCrate(version="1.1")  # the profiles are written for it
    _describe(crate, found)
    target.mkdir(parents=True, exist_ok=True)
    _sources(crate, project, found)
    workflow = _workflow(crate, project, found)
    actions = _jobs(crate, workflow, found)
    _whole(crate, workflow, actions, found)
    crate.write(target)
    return sum(1 for path in target.rglob("*") if path.is_file())


def _find(records: Path, name: str) -> _Run:
    ledger, flaws = check_ledger(records)
    if flaws:
        raise IntegrityError(
            "The ledger is not what was written.", [Problem(str(f)) for f in flaws]
        )
    sealed = ledger.sealed()
    if not sealed:
        raise RunError("No run of this trial was sealed yet.", [Problem("nothing to export")])
    closed = find_run(ledger, name, records) if name else sealed[-1]
    opened = ledger.opening(str(closed.body["run"]))
    assert opened is not None
    files = read_json(records, str(closed.body["manifest"]))["files"]
    wanted = {**{n: e["sha256"] for n, e in files.items()}, "plan": str(opened.body["plan"])}
    absent = [n for n, sha256 in wanted.items() if not object_path(records, sha256).is_file()]
    if absent:
        raise RunError(
            "Copies of the run are missing.",
            [Problem("no copy is kept", where=name) for name in absent[:20]],
        )
    return _Run(records, opened, closed, files, ledger.fact(opened, "raw") or {})


def _describe(crate: "ROCrate", run: _Run) -> None:
    """The root: what this is, by which profiles; plan, manifest and ledger beside the results."""
    trial = str(run.opened.body["trial"])
    root = crate.root_dataset
    crate.name = f"Trial {trial}: a run of its analysis"
    crate.description = (
        f"Everything that run {run.closed.body['run']} of the trial {trial} read and wrote, with"
        " the plan, the manifest and the ledger of its runs."
    )
    crate.license = _entity(crate, _LICENSE, "CreativeWork", name="Apache License 2.0")
    root["datePublished"] = run.closed.time
    root["conformsTo"] = [
        _entity(crate, url, "CreativeWork", name=name, version=version)
        for url, (name, version) in PROFILES.items()
    ]
    for name, entry in run.files.items():
        _file(crate, object_path(run.records, entry["sha256"]), f"results/{name}", name)
    manifest = object_path(run.records, str(run.closed.body["manifest"]))
    _file(crate, manifest, "results/manifest.json", "Seal of the results")
    plan = object_path(run.records, str(run.opened.body["plan"]))
    _file(crate, plan, "plan.json", "The plan and its site sheet, defaults included")
    _file(crate, run.records / LEDGER, f"records/{LEDGER}", "Ledger of the trial's runs")
    for name, sha256 in run.raw.items():
        kept = object_path(run.records, sha256)
        if sha256 != "absent" and kept.is_file():
            _file(crate, kept, f"data/{name}", f"Hospital file {name}")


def _sources(crate: "ROCrate", project: Path, run: _Run) -> None:
    """The code as it stands; where it is not that of the run, the description says so."""
    code = CodeBase(Path(sitewise.__file__).parent, project / "workflow" / "scripts").digest()
    if code != run.opened.body["code"]:
        commit = (run.opened.body.get("project") or {}).get("commit")
        crate.description += (
            " The code in this crate is NOT that of the run, but that of the export; the run's is"
            f" git commit {commit or '(not recorded)'}."
        )
    for folder in _SOURCES:
        for path in sorted((project / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                inside = path.relative_to(project).as_posix()
                kind = ["File", "SoftwareSourceCode"] if path.suffix == ".py" else "File"
                _file(crate, path, inside, path.name, kind)
    _file(crate, project / LOCK, LOCK, "Exact versions of all packages")


def _workflow(crate: "ROCrate", project: Path, run: _Run) -> Any:
    versions = run.opened.body.get("version")
    kinds = ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"]
    workflow = crate.add_workflow(
        str(project / "Snakefile"),
        "Snakefile",
        properties={"@type": kinds},
        main=True,
        lang="snakemake",
        gen_cwl=False,
    )
    workflow["name"] = "sitewise: from hospital files to a sealed report"
    workflow["version"] = str(versions)
    workflow["license"] = {"@id": _LICENSE}
    return workflow


def _jobs(crate: "ROCrate", workflow: Any, run: _Run) -> list[Any]:
    """A tool and a step a rule, an action a job; gives the control actions."""
    jobs: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for name, entry in run.files.items():
        if name.startswith("receipts/"):
            path = object_path(run.records, entry["sha256"])
            receipt = json.loads(path.read_text(encoding="utf-8"))
            words = "/".join(receipt["wildcards"].values())
            jobs.setdefault((receipt["rule"], words), []).append(receipt)
    tools: dict[str, Any] = {}
    steps: dict[str, Any] = {}
    controls = []
    for (rule, words), receipts in jobs.items():
        if rule not in tools:
            tools[rule], steps[rule] = _tool(crate, rule, len(tools) + 1)
        name = f"{rule} {words}".strip()
        action = _entity(
            crate,
            f"#job-{rule}-{words.replace('/', '-')}".rstrip("-"),
            "CreateAction",
            name=f"Job {name}",
            instrument=tools[rule],
            object=_inputs(crate, receipts[0], run),
            result=[{"@id": f"results/{receipt['output']}"} for receipt in receipts],
            actionStatus={"@id": run.status},
        )
        controls.append(
            _entity(
                crate,
                f"#control-{rule}-{words.replace('/', '-')}".rstrip("-"),
                "ControlAction",
                name=f"Orchestration of {name}",
                instrument=steps[rule],
                object=action,
            )
        )
    workflow["hasPart"] = list(tools.values())
    workflow["step"] = list(steps.values())
    return controls


def _tool(crate: "ROCrate", rule: str, position: int) -> tuple[Any, Any]:
    """The script of a rule and its step."""
    script = crate.dereference(f"workflow/scripts/{rule}.py")
    if script is None:
        script = _entity(crate, f"#{rule}", "SoftwareApplication", name=rule)
    else:
        script["programmingLanguage"] = "Python"
    step = _entity(
        crate,
        f"Snakefile#{rule}",
        "HowToStep",
        name=rule,
        position=str(position),
        workExample=script,
    )
    return script, step


def _inputs(crate: "ROCrate", receipt: Mapping[str, Any], run: _Run) -> list[dict[str, str]]:
    """What a job read: results of other jobs, and the hospital files that its params name."""
    inside = [f"results/{name}" for name in receipt["inputs"] if ":" not in name]
    raw = [f"data/{n.removeprefix('raw.')}" for n in receipt["params"] if n.startswith("raw.")]
    return [{"@id": name} for name in [*inside, *raw, "plan.json"] if crate.dereference(name)]


def _whole(crate: "ROCrate", workflow: Any, controls: list[Any], run: _Run) -> None:
    """The run as one action, by whom and when; the engine that organised its jobs."""
    person = _entity(
        crate,
        f"#{run.opened.body['user']}",
        "Person",
        name=str(run.opened.body["user"]),
        description=f"user of {run.opened.body['host']}, as the system says",
    )
    read = [{"@id": "plan.json"}] + [
        {"@id": f"data/{name}"} for name in run.raw if crate.dereference(f"data/{name}")
    ]
    action = _entity(
        crate,
        f"#run-{run.closed.body['run']}",
        "CreateAction",
        name=f"Run {run.closed.body['run']}",
        description=str(run.opened.body.get("reason") or "A run of the analysis."),
        instrument=workflow,
        agent=person,
        startTime=run.opened.time,
        endTime=run.closed.time,
        object=read,
        result=[{"@id": f"results/{name}"} for name in run.files],
        actionStatus={"@id": run.status},
    )
    engine = _entity(crate, "#snakemake", "SoftwareApplication", name="Snakemake")
    engine["version"] = _version(run, "snakemake")
    _entity(
        crate,
        "#orchestration",
        "OrganizeAction",
        name="Orchestration of the jobs",
        instrument=engine,
        agent=person,
        startTime=run.opened.time,
        endTime=run.closed.time,
        object=controls,
        result=action,
    )
    crate.root_dataset["mentions"] = [action]


def _version(run: _Run, package: str) -> str:
    environment = run.opened.body.get("environment") or {}
    entry = environment.get("packages", {}).get(package, "")
    return str(entry).partition(" ")[0] or "see the ledger"


def _file(
    crate: "ROCrate", source: Path, place: str, name: str, kind: str | list[str] = "File"
) -> None:
    crate.add_file(str(source), place, properties={"@type": kind, "name": name})


def _entity(crate: "ROCrate", identifier: str, kind: str, **properties: Any) -> Any:
    from rocrate.model.contextentity import ContextEntity

    entity = crate.add(ContextEntity(crate, identifier, properties={"@type": kind}))
    for name, value in properties.items():
        entity[name] = value
    return entity
