"""What is made of Slurm's words, without a Slurm."""

import json
from pathlib import Path

import pytest

from sitewise.audit.fence import OPEN_RUN, VARIABLE, require_open
from sitewise.errors import RunError
from sitewise.run import slurm
from sitewise.run.failures import engine_failure
from sitewise.run.profile import LOCAL, SLURM, read_profile
from sitewise.run.slurm import Queued, Watch
from sitewise.run.submissions import job_in_words, refusal

REFUSED = (
    "    message: SLURM sbatch failed. The error message was 'sbatch: error: Batch job submission"
    " failed: Requested node configuration is not available'."
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What Slurm was asked; it answers nothing."""
    found: list[tuple[str, ...]] = []

    def said(*command: str) -> str:
        found.append(command)
        return ""

    monkeypatch.setattr(slurm, "_said", said)
    return found


def test_jobs_are_called_what_the_workflow_calls_them() -> None:
    script = "python -m snakemake --target-jobs 'ingest:batch=02' 'check_batch:batch=02' --cores 1"
    assert job_in_words("rule_reading", script) == "ingest 02, check_batch 02"
    assert job_in_words("rule_fit_wildcards_SYSBP", "") == "fit SYSBP"
    assert job_in_words("rule_derive", "x --target-jobs 'derive:' --cores") == "derive"


def test_a_job_that_can_never_start_is_cancelled_and_lost(asked: list[tuple[str, ...]]) -> None:
    told: list[str] = []
    watch = Watch("abc", 1.0, told.append)
    watch.see(Queued("7", "PENDING", "PartitionTimeLimit", "rule_fit_wildcards_SYSBP"))
    assert ("scancel", "7") in asked
    watch.see(Queued("7", "CANCELLED", "", "rule_fit_wildcards_SYSBP"))
    assert "fit SYSBP" in told[0]
    assert "PartitionTimeLimit" in told[0]
    assert [len(attempts) for attempts in watch.lost] == [1]


def test_a_job_that_waits_in_the_queue_as_jobs_do_is_left_alone(
    asked: list[tuple[str, ...]],
) -> None:
    told: list[str] = []
    watch = Watch("abc", 1.0, told.append)
    for reason in ("Resources", "Priority", "None", "QOSMaxJobsPerUserLimit"):
        watch.see(Queued("7", "PENDING", reason, "rule_fit"))
    assert (told, asked) == ([], [])


def test_a_job_without_a_node_is_named_once(asked: list[tuple[str, ...]]) -> None:
    told: list[str] = []
    watch = Watch("abc", 1.0, told.append)
    for _ in range(3):
        reason = "ReqNodeNotAvail, UnavailableNodes:n1"
        watch.see(Queued("7", "PENDING", reason, "rule_derive"))
    assert len(told) == 1
    assert "derive" in told[0]
    assert "UnavailableNodes:n1" in told[0]
    assert all(command[0] != "scancel" for command in asked)


@pytest.mark.usefixtures("asked")
def test_a_later_attempt_that_succeeds_mends_the_first() -> None:
    watch = Watch("abc", 1.0, lambda _: None)
    watch.see(Queued("7", "OUT_OF_MEMORY", "", "rule_derive"))
    watch.see(Queued("7", "OUT_OF_MEMORY", "", "rule_derive"))  # seen already
    watch.see(Queued("8", "TIMEOUT", "", "rule_describe"))
    watch.see(Queued("9", "COMPLETED", "", "rule_derive"))
    assert [[t.number for t in attempts] for attempts in watch.lost] == [["8"]]


@pytest.mark.usefixtures("asked")
def test_the_end_of_a_run_names_each_attempt_and_what_to_do(tmp_path: Path) -> None:
    watch = Watch("abc", 1.0, lambda _: None)
    for number in ("7", "8", "9"):
        watch.see(Queued(number, "OUT_OF_MEMORY", "", "rule_derive"))
    (tmp_path / "snakemake.log").write_text("At least one job did not complete\n")
    said = str(engine_failure(1, tmp_path, tmp_path, watch.lost))
    assert said.count("derive needed more memory") == 3
    assert "raise mem_mb" in said
    assert "what was finished is kept" in said


def test_what_slurm_refuses_is_said(tmp_path: Path) -> None:
    assert refusal("Job 3 failed") is None
    (tmp_path / "snakemake.log").write_text(REFUSED + "\n" + REFUSED + "\n")
    said = str(engine_failure(1, tmp_path, tmp_path))
    assert said.count("Requested node configuration is not available") == 1
    assert "docs/cluster.md" in said


def test_only_jobs_of_the_run_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    told = (
        "1|RUNNING|sitewise_aaa_x|rule_fit|None\n"
        "2|PENDING|sitewise_bbb_x|rule_fit|(Resources)\n"
        "3|RUNNING|somebody|a | b|None\n"
    )
    monkeypatch.setattr(slurm, "_said", lambda *_: told)
    assert [job.number for job in slurm.queued("aaa")] == ["1"]
    assert slurm.queued("bbb")[0].reason == "Resources"


def test_jobs_of_a_run_that_is_over_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    require_open(tmp_path)  # by hand
    monkeypatch.setenv(VARIABLE, "mine")
    with pytest.raises(RunError, match="no run is open"):
        require_open(tmp_path)
    (tmp_path / OPEN_RUN).write_text(json.dumps({"run_id": "mine"}))
    require_open(tmp_path)
    (tmp_path / OPEN_RUN).write_text(json.dumps({"run_id": "another"}))
    with pytest.raises(RunError, match="run another is open now"):
        require_open(tmp_path)


def test_profiles(root: Path, tmp_path: Path) -> None:
    assert read_profile("default", root).executor == LOCAL
    assert read_profile("slurm", root).executor == SLURM
    with pytest.raises(RunError, match="no profile `slrum`") as stopped:
        read_profile("slrum", root)
    assert "default, slurm" in str(stopped.value)
    (tmp_path / "config.yaml").write_text("executor: lsf\n")
    with pytest.raises(RunError, match="snakemake-executor-plugin-lsf"):
        read_profile(str(tmp_path), root)
    (tmp_path / "config.yaml").write_text("executor: [\n")
    with pytest.raises(RunError, match="can't be read"):
        read_profile(str(tmp_path), root)


def test_retries_stand_in_the_profile_and_never_in_a_rule(root: Path) -> None:
    """A rule's own would also happen inside an allocation, with the same memory."""
    rules = [root / "Snakefile", *sorted((root / "workflow" / "rules").glob("*.smk"))]
    for path in rules:
        text = path.read_text()
        assert "retries:" not in text, path
        assert "resources:" not in text, path
    assert "\nretries: 2\n" in (root / "profiles" / "slurm" / "config.yaml").read_text()


def test_an_engine_that_waits_for_jobs_that_have_ended_is_woken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As after the controller was away: the plugin forgets jobs that it could not ask about."""
    clock, woken = [0.0], []
    told = ["7|RUNNING|sitewise_abc_x|rule_fit|None"]
    monkeypatch.setattr(slurm.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(slurm, "_said", lambda *_: told[0])
    watch = Watch("abc", 1.0, lambda _: None)
    watch.on_stall = lambda: woken.append(clock[0])
    for state, when in (("RUNNING", 1000), ("COMPLETED", 1100), ("COMPLETED", 1199)):
        told[0], clock[0] = f"7|{state}|sitewise_abc_x|rule_fit|None", float(when)
        watch.look_round()
    assert woken == []
    clock[0] = 1201.0
    watch.look_round()
    assert woken == [1201.0]
