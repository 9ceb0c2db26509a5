"""The record of a trial: every run in the ledger, lock and reasons, verify, signatures."""

import json
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from sitewise.audit.ledger import CLOSED, OPENED, Ledger, check_ledger, read_ledger, write_head
from sitewise.audit.objects import object_path
from tests.workflow.conftest import Trial, jobs


def records(trial: Trial) -> Path:
    return trial.folder / "records" / "three"


def ledger(trial: Trial) -> Ledger:
    found, flaws = check_ledger(records(trial))
    assert flaws == []
    return found


def edit_plan(trial: Trial, old: str, new: str) -> None:
    text = trial.plan.read_text()
    assert old in text
    trial.plan.write_text(text.replace(old, new, 1))


def retitle(trial: Trial) -> None:
    """A change that makes the report anew and nothing else: quick."""
    edit_plan(trial, "title: A small generated trial", "title: A tiny generated trial")


def test_each_run_appends_two_records(trial: Trial) -> None:
    first = ledger(trial).entries
    assert [entry.kind for entry in first] == [OPENED, CLOSED]
    done = trial.run()
    assert jobs(done) == []
    entries = ledger(trial).entries
    assert [entry.kind for entry in entries] == [OPENED, CLOSED] * 2
    assert entries[-1].sha256 in done.stdout, "the head is told at the end"
    opened, closed = entries[0].body, entries[1].body
    manifest = json.loads((trial.results / "manifest.json").read_text())
    assert {name: opened[name] for name in manifest["digests"]} == manifest["digests"]
    assert set(opened["raw"]) == {f"hospital_{i}.csv" for i in (1, 2, 3)}
    assert {"python", "packages", "libraries", "processor", "system"} == set(opened["environment"])
    assert "snakemake" in opened["environment"]["packages"]
    assert opened["user"]
    assert opened["host"]
    assert closed["status"] == "completed"
    assert closed["jobs"]["seal"] == "not computed yet"
    assert entries[3].body["status"] == "nothing to do"
    assert entries[3].body["manifest"] == closed["manifest"]
    assert entries[2].body["environment"] == {"as_in_record": 1}


def test_earlier_values_stay_readable(trial: Trial) -> None:
    before = trial.contents()
    retitle(trial)
    assert jobs(trial.run())
    assert trial.contents() != before
    sealed = ledger(trial).sealed()
    kept = json.loads(object_path(records(trial), sealed[0].body["manifest"]).read_bytes())
    for name, entry in kept["files"].items():
        assert object_path(records(trial), entry["sha256"]).read_bytes() == before[name]
    assert sealed[1].body["jobs"]["report"] == "plan key `title` changed"


def test_a_failed_run_is_recorded(trial: Trial) -> None:
    edit_plan(trial, "bad_site: set aside", "bad_site: stop")
    (trial.folder / "data" / "three" / "hospital_2.csv").write_text("")
    assert trial.run().returncode == 3
    last = ledger(trial).entries[-1]
    assert last.kind == CLOSED
    assert last.body["status"] == "failed"
    assert last.body["manifest"] is None
    assert "hospital_2.csv" in " ".join(last.body["problems"])


def test_nothing_runs_when_the_ledger_can_not_be_written(trial: Trial) -> None:
    retitle(trial)
    before = trial.contents()
    path = records(trial) / "ledger.jsonl"
    path.unlink()
    (records(trial) / "HEAD").unlink()
    path.mkdir()
    done = trial.run()
    assert done.returncode == 5, done.stdout + done.stderr
    assert "can't be recorded" in done.stderr
    assert trial.contents() == before


def test_copies_that_can_not_be_kept(trial: Trial) -> None:
    shutil.rmtree(records(trial) / "objects")
    (records(trial) / "objects").write_text("in the way")
    done = trial.run()
    assert done.returncode == 5
    assert "run again" in done.stderr
    (records(trial) / "objects").unlink()
    assert trial.run().returncode == 0
    assert trial.sitewise("verify", "results/three").returncode == 0


def test_a_damaged_ledger_stops_the_run_until_a_new_one_is_begun(trial: Trial) -> None:
    path = records(trial) / "ledger.jsonl"
    damaged = path.read_text().replace('"status":"completed"', '"status":"completes"')
    path.write_text(damaged)
    stopped = trial.run()
    assert stopped.returncode == 6
    assert "--rebuild" in stopped.stderr
    assert path.read_text() == damaged
    done = trial.run("--rebuild", "--reason", "a disk fault")
    assert done.returncode == 0, done.stderr
    entry = ledger(trial).entries[0]
    assert entry.body["reason"] == "a disk fault"
    [kept] = records(trial).glob("set-aside/*/ledger.jsonl")
    assert kept.read_text() == damaged
    verified = trial.sitewise("verify", "results/three")
    assert verified.returncode == 0, verified.stdout
    assert "begins the ledger anew" in verified.stdout


def test_lock_reason_deviation(trial: Trial) -> None:
    locked = trial.sitewise("lock", str(trial.plan), "--reason", "data base lock")
    assert locked.returncode == 0, locked.stderr
    assert trial.sitewise("lock", str(trial.plan), "--reason", "again").returncode == 5
    assert jobs(trial.run())
    page = (trial.results / "report.html").read_text()
    assert "are those that were locked" in page

    retitle(trial)
    file = trial.folder / "data" / "three" / "hospital_1.csv"
    whole = file.read_text()
    file.write_text(f"{whole}\n")
    before = trial.contents()
    stopped = trial.run()
    assert stopped.returncode == 5
    assert "data hospital_1.csv: it changed" in stopped.stderr
    assert "plan plan.title: A small generated trial in three hospitals -> A tiny" in stopped.stderr
    assert "--reason" in stopped.stderr
    assert trial.contents() == before
    assert ledger(trial).entries[-1].body["status"] == "refused"

    file.write_text(whole)
    done = trial.run("--reason", "hospital 1 corrected a reading")
    assert jobs(done)
    page = (trial.results / "report.html").read_text()
    assert "hospital 1 corrected a reading" in page
    assert "are not those that were locked" in page
    found = json.loads((trial.results / "findings" / "deviations.json").read_text())
    assert len(found["entries"]) == 1
    assert jobs(trial.run()) == [], "the reason was given"
    assert trial.sitewise("verify", "results/three").returncode == 0


def test_verify_without_the_ledger(trial: Trial, tmp_path: Path) -> None:
    copied = tmp_path / "elsewhere" / "results" / "three"
    shutil.copytree(trial.results, copied)
    found = trial.sitewise("verify", str(copied))
    assert found.returncode == 7
    assert "Chain not checked" in found.stderr


def test_results_of_an_earlier_run_put_back(trial: Trial) -> None:
    kept = trial.folder / "kept"
    shutil.copytree(trial.results, kept)
    retitle(trial)
    assert jobs(trial.run())
    shutil.rmtree(trial.results)
    shutil.copytree(kept, trial.results)
    found = trial.sitewise("verify", "results/three")
    assert found.returncode == 6
    assert "sealed others since" in found.stdout


def test_the_end_of_the_ledger_removed_with_head_and_results(trial: Trial) -> None:
    """Undetectable from the files alone; a head kept elsewhere, or a signature, finds it."""
    kept = trial.folder / "kept"
    shutil.copytree(trial.results, kept)
    retitle(trial)
    assert jobs(trial.run())
    head = ledger(trial).entries[-1].sha256
    path = records(trial) / "ledger.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    write_head(records(trial), read_ledger(records(trial)).entries[-1])
    shutil.rmtree(trial.results)
    shutil.copytree(kept, trial.results)
    assert "no record names it" in trial.sitewise("verify", "results/three").stdout
    shutil.rmtree(records(trial) / "runs")
    # Copies that no record names any more are no proof.
    assert trial.sitewise("verify", "results/three").returncode == 0
    found = trial.sitewise("verify", "results/three", "--head", head)
    assert found.returncode == 6
    assert "records were removed or changed" in found.stdout


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "x", "-f", str(path)]
    subprocess.run(command, check=True)
    return path


def test_signatures(trial: Trial, key: Path, tmp_path: Path) -> None:
    arguments = ("--as", "ann@trial.example", "--meaning", "approver", "--key", str(key))
    signed = trial.sitewise("sign", "results/three", *arguments)
    assert signed.returncode == 0, signed.stderr
    allowed = tmp_path / "allowed"
    allowed.write_text(f"ann@trial.example {key.with_suffix('.pub').read_text()}")
    strangers = tmp_path / "strangers"
    strangers.write_text(f"bob@trial.example {key.with_suffix('.pub').read_text()}")

    def verify(*more: str) -> "subprocess.CompletedProcess[str]":
        return trial.sitewise("verify", "results/three", *more)

    found = verify("--allowed-signers", str(allowed))
    assert found.returncode == 0, found.stdout
    assert "signed: approver ann@trial.example" in found.stdout
    assert "no allowed signers" in verify().stdout
    refused = verify("--allowed-signers", str(strangers))
    assert refused.returncode == 6
    assert "does not hold" in refused.stdout

    [statement] = (records(trial) / "signatures").glob("*.json")
    text = statement.read_text()
    statement.write_text(text.replace("approver", "reviewer"))
    found = verify("--allowed-signers", str(allowed))
    assert found.returncode == 6
    assert "does not hold" in found.stdout
    statement.write_text(text)

    # Records removed from the end, HEAD with them: the signature remembers.
    path = records(trial) / "ledger.jsonl"
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    write_head(records(trial), read_ledger(records(trial)).entries[-1])
    assert "a head (record 2) that the ledger does not have" in verify().stdout


def test_altered_results_are_not_signed(trial: Trial, key: Path) -> None:
    (trial.results / "tables" / "headline.txt").write_text("better")
    arguments = ("--as", "ann", "--meaning", "author", "--key", str(key))
    done = trial.sitewise("sign", "results/three", *arguments)
    assert done.returncode == 6
    assert "nothing was signed" in done.stderr
    assert not (records(trial) / "signatures").exists()


def test_another_digest_in_the_pages(trial: Trial) -> None:
    """A page that was exchanged together with its seal still prints another digest."""
    from sitewise.audit.sealed import read_sealed, write_sealed
    from sitewise.run.verifying import _printed

    manifest = trial.results / "manifest.json"
    record = read_sealed(manifest)
    assert _printed(trial.results, set()) == []
    record["digests"]["data"] = "0" * 64
    write_sealed(manifest, record)
    assert [d.file for d in _printed(trial.results, set())] == ["report.html", "report.pdf"]


@pytest.mark.long
def test_a_difference_attributed_by_reruns(trial: Trial) -> None:
    """Data and title change together: data alone makes all of the difference, the title nothing."""
    file = trial.folder / "data" / "three" / "hospital_1.csv"
    row = file.read_text().splitlines()[1]
    cells = row.split(",")
    cells[4] = str(float(cells[4]) + 9)
    file.write_text(file.read_text().replace(row, ",".join(cells), 1))
    retitle(trial)
    assert jobs(trial.run())
    done = trial.sitewise("diff", "results/three", "--attribute")
    assert done.returncode == 0, done.stderr
    assert "can't be exchanged" not in done.stdout
    head, _, table = done.stdout.partition("Readings:")
    assert "what differs: data and plan" in head
    assert "1 differ" in table
    rows = [line.split("\u2502")[1:-1] for line in table.splitlines() if "\u2502" in line]
    moved = [[cell.strip() for cell in row[-4:]] for row in rows if row[0].strip()]
    assert moved
    for difference, data, plan, together in moved:
        assert data == difference != "+0"
        assert plan == together == "+0"


def add_to_a_reading(trial: Trial, mmhg: float) -> None:
    """Change the data by one systolic pressure of the first hospital."""
    file = trial.folder / "data" / "three" / "hospital_1.csv"
    row = file.read_text().splitlines()[1]
    cells = row.split(",")
    cells[4] = str(float(cells[4]) + mmhg)
    file.write_text(file.read_text().replace(row, ",".join(cells), 1))


def attributed(trial: Trial) -> tuple[str, list[list[str]]]:
    """What `diff --attribute` says, and the cells of its table from the difference on."""
    done = trial.sitewise("diff", "results/three", "--attribute")
    assert done.returncode == 0, done.stderr
    table = done.stdout.partition("Readings:")[2]
    rows = [line.split("\u2502")[4:-1] for line in table.splitlines() if "\u2502" in line]
    moved = [[cell.strip() for cell in row] for row in rows if row[0].strip()]
    assert moved
    return done.stdout, moved


def git(trial: Trial, *arguments: str) -> None:
    own = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    subprocess.run(["git", "-C", str(trial.project), *own, *arguments], check=True)


@pytest.mark.long
def test_a_difference_attributed_to_code_of_two_commits(trial: Trial) -> None:
    """A fault in the code doubles every contrast, and a reading changes: each has its share.

    The older code is taken from its commit, the newer one from the tree at hand.
    """
    (trial.project / ".gitignore").write_text("__pycache__/\n")
    git(trial, "init", "--quiet")
    git(trial, "add", ".")
    git(trial, "commit", "--quiet", "-m", "before")
    assert jobs(trial.run()) == [], "the same results, sealed under this commit"
    add_to_a_reading(trial, 9)
    code = trial.project / "src" / "sitewise" / "inference" / "planned_contrasts.py"
    text = code.read_text()
    assert text.count("return a[0] - b[0], a[1] - b[1]") == 1
    code.write_text(text.replace("return a[0] - b[0],", "return 2 * (a[0] - b[0]),"))
    git(trial, "commit", "--quiet", "--all", "-m", "after")
    assert jobs(trial.run())
    told, moved = attributed(trial)
    assert "what differs: data and code" in told
    assert "can't be exchanged" not in told
    for difference, data, fault, together in (map(float, row) for row in moved):
        # new = 2 (old + data): the fault alone adds old, and both together data once more.
        assert difference == pytest.approx(2 * data + fault, abs=0.002)
        assert together == pytest.approx(data, abs=0.002)


@pytest.mark.long
def test_an_environment_that_is_gone_is_said(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another BLAS kernel from now on: the older environment can't be had here, the newer can."""
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")
    add_to_a_reading(trial, 9)
    assert jobs(trial.run())
    told, moved = attributed(trial)
    assert "what differs: data and environment" in told
    assert "data can't be exchanged: the environment of record 1 is not the one at hand" in told
    assert "make one from its lock" in told
    for _, data, environment, together in moved:
        assert (data, together) == ("not told", "not told")
        assert abs(float(environment)) < 1e-6, "another kernel changes last digits at most"


def test_what_can_not_be_exchanged_is_said(trial: Trial) -> None:
    """The code changes, and no commit is known for the one before."""
    script = trial.project / "workflow" / "scripts" / "report.py"
    script.write_text(script.read_text().replace("def main", "ROUNDS = 2\n\n\ndef main", 1))
    assert jobs(trial.run())
    done = trial.sitewise("diff", "results/three", "--attribute")
    assert done.returncode == 0, done.stderr
    assert "what differs: code" in done.stdout
    assert "No estimate moved" in done.stdout


MUTATIONS = 2000


def test_every_mutation_of_sealed_artefacts_and_ledger_is_found(trial: Trial, key: Path) -> None:
    from sitewise.run.verifying import verify_trial

    arguments = ("--as", "ann", "--meaning", "author", "--key", str(key))
    assert trial.sitewise("sign", "results/three", *arguments).returncode == 0
    assert jobs(trial.run()) == []
    place = records(trial)
    files = [path for path in sorted(trial.results.rglob("*")) if path.is_file()]
    heavy = [place / "ledger.jsonl", place / "HEAD", trial.results / "manifest.json"]
    files += [p for p in sorted(place.rglob("*")) if p.is_file() and p.name != "writer.lock"]
    assert verify_trial(trial.results, place).differences == ()
    rng = random.Random(6)
    unseen = []
    done = 0
    while done < MUTATIONS:
        path = rng.choice(heavy) if rng.random() < 0.3 else rng.choice(files)
        before = path.read_bytes()
        name, after = mutated(before, rng)
        if after == before:
            continue
        done += 1
        mode = path.stat().st_mode
        path.chmod(0o644)
        path.write_bytes(after)
        if not verify_trial(trial.results, place).differences:
            unseen.append((path.name, name))
        path.write_bytes(before)
        path.chmod(mode)
    assert unseen == []
    assert verify_trial(trial.results, place).differences == ()


def mutated(content: bytes, rng: random.Random) -> tuple[str, bytes]:
    """Flip, cut, swap or duplicate bytes or lines."""
    kind = rng.choice(["flip", "cut", "swap", "double", "cut line", "swap lines", "double line",
                       "truncate", "append", "empty"])  # fmt: skip
    if kind == "append":
        return kind, content + rng.choice([b"\n", b" ", b"{}\n", b"\0", content[-200:]])
    if not content:
        return kind, b"x"
    if kind == "empty":
        return kind, b""
    i = rng.randrange(len(content))
    j = min(len(content), i + rng.randint(1, 30))
    if kind == "flip":
        return kind, content[:i] + bytes([content[i] ^ (1 << rng.randrange(8))]) + content[i + 1 :]
    if kind == "cut":
        return kind, content[:i] + content[j:]
    if kind == "double":
        return kind, content[:j] + content[i:]
    if kind == "truncate":
        return kind, content[:i]
    if kind == "swap":
        k = rng.randrange(len(content))
        swapped = bytearray(content)
        swapped[i], swapped[k] = swapped[k], swapped[i]
        return kind, bytes(swapped)
    lines = content.splitlines(keepends=True)
    a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
    if kind == "cut line":
        del lines[a]
    elif kind == "double line":
        lines.insert(b, lines[a])
    else:
        lines[a], lines[b] = lines[b], lines[a]
    return kind, b"".join(lines)
