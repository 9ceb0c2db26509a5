"""Disk full, files too large, read-only results, Ctrl-C, a file that changes: on real runs."""

import csv
import ctypes
import html
import re
import resource
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psutil
import pytest
import yaml

from tests.hard_inputs import runs
from tests.processes import going_on, wait_until
from tests.workflow.conftest import ENDLESS, Trial, jobs
from tests.workflow.test_integrity import fitting, forget, start

pytestmark = pytest.mark.long

CAPABILITIES = (1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH: root writes in spite of modes
DROP = 24  # PR_CAPBSET_DROP


def says(run: runs.Run, text: str) -> bool:
    """Whether the answer stands in `text`, whatever its indentation and its places are."""
    pattern = re.escape(" ".join(run.answer.split()))
    pattern = pattern.replace("PLACE", ".+?").replace("NAME", ".+?")
    return re.search(pattern, " ".join(text.split())) is not None


def run_with(trial: Trial, before: Callable[[], None]) -> "subprocess.CompletedProcess[str]":
    """A run whose process does something to itself first."""
    return subprocess.run(
        trial.command("run", str(trial.plan)),
        cwd=trial.folder,
        env=trial.environment,
        capture_output=True,
        text=True,
        timeout=ENDLESS,
        check=False,
        preexec_fn=before,
    )


def plain(done: "subprocess.CompletedProcess[str]") -> None:
    """Ended in words."""
    assert done.returncode == 5, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


IN_A_SMALL_PLACE = """
set -e
mount -t tmpfs -o size=$SIZE tmpfs "$PLACE"
cp -a "$WORK/data" "$PLACE/data"
cd "$PLACE"
set +e
$RUN > "$WORK/first.out" 2>&1
echo $? > "$WORK/first.code"
mount -o remount,size=200m "$PLACE"
$RUN > "$WORK/second.out" 2>&1
echo $? > "$WORK/second.code"
cp -a results "$WORK/results-after"
"""


def may_mount() -> bool:
    tried = subprocess.run(
        ["unshare", "-m", "sh", "-c", "mount -t tmpfs tmpfs /mnt"], capture_output=True, check=False
    )
    return tried.returncode == 0


@pytest.mark.skipif(
    shutil.which("unshare") is None or not may_mount(), reason="this user may mount nothing"
)
@pytest.mark.parametrize(
    ("size", "run"), [("40k", runs.NO_ROOM_FOR_A_RECORD), ("700k", runs.DISK_FULL)]
)
def test_a_full_disk(trial: Trial, tmp_path: Path, size: str, run: runs.Run) -> None:
    before = trial.contents()
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(
        ["unshare", "-m", "bash", "-c", IN_A_SMALL_PLACE],
        env={
            **trial.environment,
            "SIZE": size,
            "PLACE": str(place),
            "WORK": str(trial.folder),
            "RUN": " ".join(trial.command("run", str(trial.plan))),
        },
        capture_output=True,
        text=True,
        timeout=ENDLESS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, second = ((trial.folder / f"{n}.out").read_text() for n in ("first", "second"))
    codes = [(trial.folder / f"{n}.code").read_text().strip() for n in ("first", "second")]
    assert says(run, first), first
    assert "Traceback" not in first
    assert codes == ["5", "0"], first + second
    after = trial.folder / "results-after" / "three"
    found = {p.relative_to(after).as_posix(): p for p in after.rglob("*") if p.is_file()}
    assert {name: path.read_bytes() for name, path in found.items()} == before


def test_a_limit_of_file_sizes(trial: Trial) -> None:
    before = trial.contents()
    for name in ("report.pdf", "report.html"):
        (trial.results / name).unlink()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = run_with(trial, limit)
    plain(done)
    assert says(runs.TOO_LARGE, done.stderr), done.stderr
    assert jobs(trial.run())
    assert trial.contents() == before


def test_read_only_results(trial: Trial) -> None:
    forget(trial)

    def obey_modes() -> None:
        """Root obeys the modes of files as others do."""
        libc = ctypes.CDLL(None)
        for capability in CAPABILITIES:
            libc.prctl(DROP, capability, 0, 0, 0)

    before = trial.contents()
    folders = [path for path in [trial.results, *trial.results.rglob("*")] if path.is_dir()]
    for folder in folders:
        folder.chmod(0o555)
    try:
        done = run_with(trial, obey_modes)
    finally:
        for folder in folders:
            folder.chmod(0o755)
    plain(done)
    assert says(runs.READ_ONLY, done.stderr), done.stderr
    assert str(trial.results) in done.stderr
    assert trial.contents() == before, "nothing is touched"
    assert jobs(trial.run())


def test_ctrl_c_twice_in_the_middle_of_a_fit(trial: Trial) -> None:
    before = trial.contents()
    forget(trial)
    door = start(trial)
    process = psutil.Process(door.pid)
    wait_until(lambda: fitting(process))
    family = process.children(recursive=True)
    door.send_signal(signal.SIGINT)
    time.sleep(0.2)
    door.send_signal(signal.SIGINT)
    said, _ = door.communicate(timeout=60)
    assert door.returncode == 130
    last = [line for line in said.splitlines() if line.strip() and not line.startswith("[")]
    assert last[-1] == runs.CTRL_C.answer
    assert said.count("Stopped") == 1
    assert "Traceback" not in said
    assert not going_on(family), "nothing goes on in secret"
    assert jobs(trial.run())
    assert trial.contents() == before


def test_ctrl_c_during_a_check(trial: Trial) -> None:
    door = subprocess.Popen(
        trial.command("check", str(trial.plan)),
        cwd=trial.folder,
        env=trial.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    loaded = psutil.Process(door.pid)
    wait_until(lambda: any("pyarrow" in library.path for library in loaded.memory_maps()))
    while door.poll() is None:  # a library that is just being loaded may swallow one
        door.send_signal(signal.SIGINT)
        time.sleep(0.3)
    said, _ = door.communicate(timeout=60)
    assert door.returncode == 130, said
    assert said.strip() == runs.CTRL_C_CHECK.answer
    assert "Traceback" not in said


def test_a_hospital_file_that_changes_while_a_run_is_in_progress(trial: Trial) -> None:
    file = trial.folder / "data" / "three" / "hospital_1.csv"
    whole = file.read_bytes()
    row = whole.splitlines(keepends=True)[-1]
    over = threading.Event()

    def grow() -> None:
        while not over.wait(0.3):
            with file.open("ab") as handle:
                handle.write(row)

    file.write_bytes(whole + row)
    writer = threading.Thread(target=grow)
    writer.start()
    try:
        done = trial.run()
    finally:
        over.set()
        writer.join()
    assert done.returncode == 3, done.stdout + done.stderr
    assert says(runs.CHANGED, done.stderr), done.stderr
    assert not (trial.results / "manifest.json").exists(), "half a run is not sealed"
    file.write_bytes(whole)
    assert jobs(trial.run())
    assert trial.sitewise("verify", "results/three").returncode == 0


def test_a_hospital_file_that_changes_just_after_a_run_has_begun(trial: Trial) -> None:
    file = trial.folder / "data" / "three" / "hospital_1.csv"
    row = file.read_bytes().splitlines(keepends=True)[-1]
    file.write_bytes(file.read_bytes() + row)
    log = trial.logs / "snakemake.log"  # begun anew when the files were looked at
    log.unlink()

    def grow() -> None:
        wait_until(log.exists)
        with file.open("ab") as handle:
            handle.write(row)

    writer = threading.Thread(target=grow)
    writer.start()
    done = trial.run()
    writer.join()
    plain(done)
    assert says(runs.CHANGED_AT_START, done.stderr), done.stderr
    assert jobs(trial.run()) == [], "what was made is of the file as it is now"
    assert trial.sitewise("verify", "results/three").returncode == 0


def test_a_file_that_no_sheet_lists_is_a_finding_of_the_run(trial: Trial) -> None:
    (trial.folder / "data" / "three" / "hospital_4.csv").write_text("subject\nH4-001\n")
    done = trial.run()
    ran = jobs(done)
    assert not [job for job in ran if job.startswith(("Reading", "Checking batch"))]
    assert "the list of files that the site sheet does not name" in done.stdout
    findings = (trial.results / "findings" / "findings.csv").read_text(encoding="utf-8")
    assert "hospital_4.csv" in findings
    assert "no line of the site sheet names it" in findings


def test_names_with_spaces_accents_and_markup(trial: Trial) -> None:
    """From the hospital's cells to the pages: nothing is lost, nothing is obeyed."""
    visit, arm, site = (
        "Semaine 12 \u2014 <b>fin</b>",
        'Actif & "1"',
        "H\u00f4pital g\u00e9n\u00e9ral",
    )
    patient = "Zo\u00eb <script>alert(1)</script>"
    text = trial.plan.read_text(encoding="utf-8")
    plan = yaml.safe_load(text)
    plan["visits"][3]["name"] = plan["primary"]["visit"] = visit
    plan["arms"]["order"][0] |= {"name": arm, "codes": ["Active"]}
    plan["primary"]["arm"] = arm
    trial.plan.write_text(yaml.safe_dump(plan, sort_keys=False, allow_unicode=True), "utf-8")
    sheet = trial.plan.with_name("three_sites.csv")
    lines = sheet.read_text(encoding="utf-8")
    named = lines.replace("H1,hospital_1.csv", f"{site},h\u00f4pital 1.csv")
    sheet.write_text(named, encoding="utf-8")
    data = trial.folder / "data" / "three"
    rows = (data / "hospital_1.csv").read_text(encoding="utf-8").replace("H1-001", patient)
    (data / "hospital_1.csv").unlink()
    last = rows.splitlines()[-1].replace("week 12", "<img src=x>")
    (data / "h\u00f4pital 1.csv").write_text(f"{rows}{last}\n", encoding="utf-8")
    assert jobs(trial.run())
    page = (trial.results / "report.html").read_text(encoding="utf-8")
    for name in (visit, arm, site, "<img src=x>"):
        assert name in html.unescape(page), name
    for markup in ("<script>alert", "<img src=x>", "<b>fin"):
        assert markup not in page
    read = pd.read_parquet(trial.results / "data" / "adbp.parquet")
    assert patient in set(read["USUBJID"])


def test_ten_thousand_findings_are_summarised(trial: Trial) -> None:
    """The terminal has a few of each kind, the CSV and the results have every one."""
    file = trial.folder / "data" / "three" / "hospital_1.csv"
    with file.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    rows += [rows[0] | {"subject": f"H1X{i:05d}", "sbp": "lost"} for i in range(10_000)]
    with file.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    listing = trial.folder / "all.csv"
    text = trial.plan.read_text()
    trial.plan.write_text(text.replace("bad_site_share: 0.5", "bad_site_share: 1.0"))
    done = trial.sitewise("check", str(trial.plan), "--csv", str(listing))
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) < 150
    with listing.open(newline="", encoding="utf-8") as handle:
        kept = [line for line in csv.DictReader(handle) if line["RULE"] == "not a number"]
    assert len(kept) == 10_000
    number = re.search(r"(\d+) more findings of the kinds shown: --all", done.stdout)
    assert number is not None, done.stdout
    assert says(runs.MANY, done.stdout.replace(number.group(1), "9997"))

    pages = len((trial.results / "report.html").read_bytes())
    done = trial.run()
    assert jobs(done)
    assert "every one is in" in done.stdout
    findings = (trial.results / "findings" / "findings.csv").read_text(encoding="utf-8")
    assert findings.count("'lost' is not a number") == 10_000
    page = (trial.results / "report.html").read_bytes()
    assert len(page) < 1.2 * pages
    assert b"findings/findings.csv" in page, "the page says where the others are"
