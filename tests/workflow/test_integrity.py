"""Altered results, killed runs, two runs at once, the same bytes everywhere."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from sitewise.run.context import context_of
from sitewise.run.jobs import outputs_of
from tests.processes import going_on, wait_until
from tests.workflow.conftest import ENDLESS, Trial, jobs

FIT = Path("models", "SYSBP", "nested", "fit.json")
SITES = Path("models", "SYSBP", "sites.json")


def alter_a_digit(path: Path) -> None:
    """Change one digit of the file and keep its time stamp."""
    before = path.stat()
    text = path.read_text()
    i = next(i for i, character in enumerate(text) if character in "12345678")
    path.write_text(text[:i] + str(int(text[i]) + 1) + text[i + 1 :])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_run_makes_what_is_expected_and_seals_it(trial: Trial) -> None:
    expected = outputs_of(context_of({"plan": trial.plan}, trial.project))
    receipts = [f"receipts/{file}.json" for file in expected if file != "manifest.json"]
    assert set(trial.contents()) == {*expected, *receipts}
    manifest = json.loads((trial.results / "manifest.json").read_text())
    assert set(manifest["files"]) == set(trial.contents()) - {"manifest.json"}
    digests = manifest["digests"]
    assert set(digests) == {"plan", "data", "code", "lock"}
    lock = (trial.project / "requirements.lock").read_bytes()
    assert digests["lock"] == hashlib.sha256(lock).hexdigest()
    page = (trial.results / "report.html").read_text(encoding="utf-8")
    assert [name for name, digest in digests.items() if digest not in page] == []
    assert trial.sitewise("verify", "results/three").stdout.startswith("OK")


def test_nothing_of_this_place_is_in_the_results(trial: Trial) -> None:
    import socket

    places = [str(trial.folder), str(trial.project), socket.gethostname()]
    for name, content in trial.contents().items():
        for place in places:
            if len(place) > 3:  # a host called `vm` is in every font
                assert place.encode() not in content, name


def test_an_altered_digit(trial: Trial) -> None:
    """In a result, in a receipt, in what seals them: found in each, and mended in all at once."""
    before = trial.contents()
    files = [SITES, Path("receipts", f"{SITES}.json"), Path("manifest.json")]
    for file in files:
        alter_a_digit(trial.results / file)
        altered = trial.contents()

        found = trial.sitewise("verify", "results/three")
        assert found.returncode == 6
        assert f"changed: {file.as_posix()}" in found.stdout

        stopped = trial.run()
        assert stopped.returncode == 6
        assert file.as_posix() in stopped.stderr
        assert "--rebuild" in stopped.stderr
        assert trial.contents() == altered, "nothing is touched"
        (trial.results / file).write_bytes(before[file.as_posix()])

    for file in files:
        alter_a_digit(trial.results / file)
    altered = trial.contents()
    done = trial.run("--rebuild")
    assert jobs(done)
    assert trial.contents() == before
    for file in files:
        aside = list((trial.folder / "records" / "three" / "set-aside").rglob(file.name))
        assert [path.read_bytes() for path in aside] == [altered[file.as_posix()]], file


def test_an_extra_file(trial: Trial) -> None:
    (trial.results / "tables" / "mine.csv").write_text("x")
    assert "extra: tables/mine.csv" in trial.sitewise("verify", "results/three").stdout
    assert "tables/mine.csv: an extra file" in trial.run().stderr


def start(trial: Trial) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        trial.command("run", str(trial.plan)),
        cwd=trial.folder,
        env=trial.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Tests that a shell started with `&` ignore Ctrl-C, and so would the run that they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )


def forget(trial: Trial) -> None:
    """Delete a fit, so that it has to be made again."""
    for path in (trial.results / FIT).parent.iterdir():
        if path.is_file():
            path.unlink()


def fitting(process: psutil.Process) -> list[psutil.Process]:
    """Processes below `process` that fit a model."""
    found = []
    for child in process.children(recursive=True):
        try:
            name = " ".join(child.cmdline())
        except psutil.NoSuchProcess:
            continue
        if name.endswith(".fit.py") and "bash" not in name:
            found.append(child)
    return found


@pytest.mark.parametrize("victim", ["door", "everything"])
def test_kill_in_the_middle_of_a_fit(trial: Trial, victim: str) -> None:
    before = trial.contents()
    forget(trial)
    door = start(trial)
    process = psutil.Process(door.pid)
    wait_until(lambda: fitting(process))
    family = process.children(recursive=True)
    for one in [process, *(family if victim == "everything" else [])]:
        one.kill()
    door.communicate(timeout=ENDLESS)

    done = trial.run()
    assert jobs(done)
    assert not going_on(family), "orphans are ended"
    assert trial.contents() == before
    verified = trial.sitewise("verify", "results/three")
    assert verified.returncode == 0
    assert "history: the run was killed, as record" in verified.stdout
    assert "completed and sealed the results since" in verified.stdout
    assert jobs(trial.run()) == []
    assert "An earlier run was killed before its end" in done.stdout


def test_a_second_run_while_one_is_in_progress_and_ctrl_c(trial: Trial) -> None:
    before = trial.contents()
    forget(trial)
    door = start(trial)
    process = psutil.Process(door.pid)
    wait_until(lambda: fitting(process))

    second = trial.run()
    assert second.returncode == 5
    assert "in progress" in second.stderr
    assert str(door.pid) in second.stderr

    family = process.children(recursive=True)
    door.send_signal(signal.SIGINT)
    said, _ = door.communicate(timeout=60)
    assert door.returncode == 130
    assert "Stopped." in said
    assert not going_on(family)
    assert not (trial.folder / "records" / "three" / "open-run.json").exists()
    assert jobs(trial.run())
    assert trial.contents() == before


def test_two_builds_in_different_folders_and_bare_snakemake(trial: Trial, tmp_path: Path) -> None:
    elsewhere = tmp_path / "another place"
    elsewhere.mkdir()
    data = trial.folder / "data" / "three"
    command = [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(trial.project / "Snakefile")),
        *("--cores", "2", "--config", f"plan={trial.plan}", f"data={data}"),
    ]
    done = subprocess.run(
        command,
        cwd=elsewhere,
        env=trial.environment,
        capture_output=True,
        text=True,
        timeout=ENDLESS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert Trial(trial.project, elsewhere).contents() == trial.contents()
    # What the bare engine made is as good as what the door made.
    assert jobs(trial.run("--directory", str(elsewhere), "--data", str(data))) == []


def test_bad_data_is_told_in_the_words_of_the_job(trial: Trial) -> None:
    text = trial.plan.read_text()
    trial.plan.write_text(text.replace("bad_site: set aside", "bad_site: stop"))
    (trial.folder / "data" / "three" / "hospital_2.csv").write_text("")
    done = trial.run()
    assert done.returncode == 3
    assert "hospital_2.csv" in done.stderr
    kept = trial.folder / "logs" / "three" / "check_trial.findings.csv"
    assert "logs/three/check_trial.findings.csv" in done.stderr
    listed = kept.read_text()
    assert "the file is empty" in listed
    assert "hospital_1.csv" in listed, "what the others sent is judged as well"
    assert "Traceback" not in done.stderr
    assert "CalledProcessError" not in done.stderr
    assert not (trial.results / "manifest.json").exists(), "half a run is not sealed"


def test_results_that_can_not_be_written(trial: Trial) -> None:
    trial.results.parent.rename(trial.folder / "kept")
    (trial.folder / "results").write_text("a file")
    done = trial.run()
    assert done.returncode == 5
    assert str(trial.folder / "results") in done.stderr
    assert "--directory" in done.stderr
