"""`sitewise init`: what it guesses of trials whose plans are known, and what it refuses."""

import os
from pathlib import Path

import pytest

from sitewise.draft.drafting import draft_plan
from sitewise.draft.guesses import Guesses, guess
from sitewise.draft.marks import unsettled
from sitewise.draft.reading import read_folder
from sitewise.draft.roles import guess_roles
from sitewise.draft.writing import quoted
from sitewise.errors import DataError, RunError
from sitewise.plan.model import Plan
from sitewise.plan.sheet import SiteSheet
from sitewise.run.readiness import read_plan
from sitewise.simulate.demo import write_demo
from sitewise.simulate.generator import Design
from sitewise.trial.pipeline import check_data

DATE = "2026-06-01"


def drafted(folder: Path, config: Path, trial: str = "mine") -> tuple[Plan, SiteSheet, Guesses]:
    draft = draft_plan(folder, config, trial, DATE)
    plan, sheet = read_plan(draft.plan)
    return plan, sheet, draft.guesses


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.csv").write_bytes(text.encode("cp1252"))
    return folder


@pytest.mark.parametrize("design", ["individual", "cluster"])
def test_the_demo_is_understood(root: Path, tmp_path: Path, design: Design) -> None:
    """The draft reads what the demo's own plan reads, but for the unit, which it asks about."""
    write_demo(tmp_path / "data", design)
    plan, sheet, found = drafted(tmp_path / "data", tmp_path / "config")
    name = {"individual": "demo", "cluster": "demo_cluster"}[design]
    known, known_sheet = read_plan(root / "config" / f"{name}.yaml")
    assert plan.design == known.design
    assert plan.columns == known.columns
    assert plan.visits == known.visits
    assert plan.arms.reference == known.arms.reference
    assert {a.name for a in plan.arms.order} == {a.name for a in known.arms.order}
    assert {k: e.column for k, e in plan.endpoints.items()} == {"SYSBP": "sbp", "DIABP": "dbp"}
    assert set(plan.covariates) == set(known.covariates)
    assert (plan.leaving.column, set(plan.leaving.codes)) == (
        "reason_left",
        set(known.leaving.codes),
    )
    written = [(s.siteid, s.file, s.delimiter, s.decimal) for s in sheet.sites]
    assert written == [(s.siteid, s.file, s.delimiter, s.decimal) for s in known_sheet.sites]
    assert all(site.unit == "" for site in sheet.sites)  # a unit is never declared by a guess
    told = " | ".join(found.remarks)
    assert "hospital_004.csv: the median systolic pressure is" in told
    assert "visit 'Wek 8' stands in 1 row and is not in the plan; 'Week 8' misspelt?" in told


def test_the_draft_can_be_checked_as_it_is(tmp_path: Path) -> None:
    write_demo(tmp_path / "data")
    plan, sheet, _ = drafted(tmp_path / "data", tmp_path / "config")
    checked = check_data(plan, sheet, tmp_path / "data")
    aside = {file.site for file in checked.account.files if file.status != "used"}
    assert aside == {"004", "013"}  # kPa that nobody declared, and the troubled hospital


def test_real_trials_are_understood(root: Path, shared: Path, tmp_path: Path) -> None:
    plan, sheet, _ = drafted(shared / "data" / "ghana" / "sites", tmp_path, "ghana")
    known, known_sheet = read_plan(root / "config" / "ghana.yaml")
    assert (plan.design, plan.columns, plan.arms.reference) == ("cluster", known.columns, "HIC")
    assert [visit.week for visit in plan.visits] == [0, 26, 52]
    assert [s.siteid for s in sheet.sites] == [s.siteid for s in known_sheet.sites]
    plan, sheet, found = drafted(shared / "data" / "cdiscpilot", tmp_path, "cdiscpilot")
    known, known_sheet = read_plan(root / "config" / "cdiscpilot.yaml")
    assert (plan.design, plan.columns, plan.replicates) == (
        "individual", known.columns, "mean",
    )  # fmt: skip
    assert [visit.week for visit in plan.visits] == [visit.week for visit in known.visits]
    assert set(plan.other_visits) == set(known.other_visits)
    assert sheet == known_sheet
    assert "analysis_bp.csv is left out" in found.remarks[0]


def test_every_guess_is_marked(tmp_path: Path) -> None:
    write_demo(tmp_path / "data")
    draft = draft_plan(tmp_path / "data", tmp_path, "mine", DATE)
    lines = draft.plan.read_text().splitlines()
    marked = {line.split(":")[0].strip(" -{") for line in lines if "# GUESS" in line}
    assert {"design", "layout", "patient", "arm", "visit", "reference", "favours", "handling",
            "other_visits", "replicates", "unit", "soft", "hard", "role", "requires", "formula",
            "alpha", "data_cut", "stratification", "missing_values"} <= marked  # fmt: skip
    written = [line.split(":")[0].strip() for line in lines if "# WRITE" in line]
    assert written == ["title", "question", "population", "treatment", "variable",
                       "intercurrent_events", "summary", "why"]  # fmt: skip
    assert len(unsettled(draft.plan)) == sum("# GUESS:" in x or "# WRITE:" in x for x in lines)
    assert unsettled(tmp_path / "absent.yaml") == []


def test_other_shapes(tmp_path: Path) -> None:
    """Semicolons, decimal commas, Latin-1, odd names, another outcome, weeks from study days."""
    rows = [
        (p, arm, visit, day, f"{50 + i + 3 * p + day / 9:.1f}".replace(".", ","), "ja" if p else "")
        for i, arm in enumerate(("Kontrolle", "Prüfung"))
        for p in range(10 * i, 10 * i + 10)
        for visit, day in (("V1", 1), ("V2", 29), ("V3", 57))
    ]
    head = "Patient ID;Treatment;Visit;Study day;Gewicht;raucht\n"
    body = "".join(";".join(map(str, row)) + "\n" for row in rows)
    folder = write(tmp_path / "data", köln_bp=head + body, aachen_bp=head + body)
    plan, sheet, found = drafted(folder, tmp_path)
    assert [(s.siteid, s.encoding, s.delimiter, s.decimal) for s in sheet.sites] == [
        ("aachen", "cp1252", ";", ","), ("köln", "cp1252", ";", ","),
    ]  # fmt: skip
    assert plan.columns.patient == "Patient ID"
    assert plan.columns.patient_ids == "site"
    assert plan.arms.reference == "Kontrolle"
    assert [(v.name, v.week) for v in plan.visits] == [("V1", 0), ("V2", 4), ("V3", 8)]
    assert {v.why for v in found.visits} == {"from its study days"}
    assert plan.endpoints["GEWICHT"].column == "Gewicht"


def test_utf_16_without_its_mark_is_recognised(tmp_path: Path) -> None:
    rows = "".join(f"x{p},{'A' if p % 2 else 'B'},{when},{100 + p + k}\n"
                   for p in range(20) for k, when in enumerate(("Baseline", "Week 4")))  # fmt: skip
    folder = tmp_path / "data"
    folder.mkdir()
    for site, kind in (("01", "utf-16-le"), ("02", "utf-16-be"), ("03", "utf-16")):
        (folder / f"{site}.csv").write_bytes(f"patient,arm,visit,sbp\n{rows}".encode(kind))
    _, sheet, _ = drafted(folder, tmp_path)
    assert [site.encoding for site in sheet.sites] == ["utf-16-le", "utf-16-be", "utf-16"]


def test_columns_without_known_names(tmp_path: Path) -> None:
    rows = "".join(
        f"x{p},{'A' if p % 2 else 'B'},{when},{100 + p + k}\n"
        for p in range(30)
        for k, when in enumerate(("start", "later"))
    )
    folder = write(tmp_path / "data", one="who,what,when,how\n" + rows)
    roles = guess_roles(read_folder(folder))
    assert roles.columns == {"patient": "who", "arm": "what", "visit": "when"}
    assert roles.outcomes == {"HOW": "how"}
    found = guess(read_folder(folder), roles)
    assert {v.why for v in found.visits} == {"NO IDEA: only the order of rows"}


ABROAD = {
    "german": (
        "Zentrum;Patient;Gruppe;Visite;Tag;RR syst.;RR diast.;Alter",
        ("Verum", "Plazebo"),
        ("Einschluss", "Woche 6", "Monat 3"),
    ),
    "french": (
        "établissement;sujet;bras;visite;jour;PAS;PAD;âge",
        ("traitement", "témoin"),
        ("Inclusion", "Semaine 6", "Mois 3"),
    ),
    "spanish": (
        "centro;paciente;brazo;visita;day;sistólica;diastólica;edad",
        ("activo", "control"),
        ("Basal", "Semana 6", "Mes 3"),
    ),
}


@pytest.mark.parametrize("language", ABROAD)
def test_headers_of_other_languages(tmp_path: Path, language: str) -> None:
    header, arms, visits = ABROAD[language]
    files = {
        site: "\n".join(
            [header]
            + [
                f"{site};{site}{p};{arms[p % 2]};{visit};{43 * v + 1};{120 + p};{80 + p};{40 + p}"
                for p in range(8)
                for v, visit in enumerate(visits)
            ]
            + [""]
        )
        for site in ("Lyon", "Bonn", "Vigo")
    }
    plan, sheet, found = drafted(write(tmp_path / "data", **files), tmp_path / "config")
    assert [(v.name, v.week) for v in plan.visits] == list(zip(visits, (0, 6, 13), strict=True))
    assert {arm.name for arm in plan.arms.order} == set(arms)
    assert plan.arms.reference == arms[1]
    columns = header.split(";")
    assert (plan.columns.site, plan.columns.patient, plan.columns.day) == (
        columns[0], columns[1], columns[4],
    )  # fmt: skip
    assert {code: e.column for code, e in plan.endpoints.items()} == {
        "SYSBP": columns[5],
        "DIABP": columns[6],
    }
    assert plan.design == "individual"
    assert {site.siteid for site in sheet.sites} == set(files)
    assert found.remarks == ()


def test_study_days_that_begin_with_zero_are_told(tmp_path: Path) -> None:
    files = {
        site: "\n".join(
            ["site,patient,arm,visit,day,sbp"]
            + [f"{site},{site}{p},{'XY'[p % 2]},week {v},{7 * v},{140 + p + v}.5"
               for p in range(12) for v in range(3)]
            + [""]
        )
        for site in ("K", "L")
    }  # fmt: skip
    plan, _, found = drafted(write(tmp_path / "data", **files), tmp_path / "config")
    assert plan.columns.day == "day"
    assert [text for text in found.remarks if "'day' is 0 in 24 rows" in text] == list(
        found.remarks
    )


def test_the_hospital_is_not_taken_for_the_arm(tmp_path: Path) -> None:
    """Names that say nothing: each file has its own value of a column, so it is no arm."""
    files = {
        site: "\n".join(
            ["a,b,c,d,e"]
            + [f"{site},{site}{p},{'XY'[p % 2]},v{v},{p + v}" for p in range(12) for v in range(3)]
            + [""]
        )
        for site in ("K", "L", "M")
    }
    plan, _, _ = drafted(write(tmp_path / "data", **files), tmp_path / "config")
    assert (plan.columns.site, plan.columns.patient, plan.columns.arm) == ("a", "b", "c")
    assert plan.design == "individual"


def test_nothing_is_replaced(tmp_path: Path) -> None:
    write_demo(tmp_path / "data")
    (tmp_path / "mine.yaml").write_text("mine")
    with pytest.raises(RunError, match="is there already"):
        draft_plan(tmp_path / "data", tmp_path, "mine", DATE)
    assert (tmp_path / "mine.yaml").read_text() == "mine"
    assert not (tmp_path / "mine_sites.csv").exists()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "no .csv or .parquet file"),
        ({"a": "subject,arm,visit,sbp\n"}, "no rows"),
        ({"a": "x,y\n1,2\n3,4\n"}, "no column looks like the patient"),
        ({"a": "subject,arm,visit,sbp\n1,A,w 0,120\n1,A,w 4,121\n"}, "only 1 arm found"),
        ({"a": "subject,arm,visit,sbp\n1,A,w 0,120\n2,B,w 0,121\n"}, "only 1 visit found"),
        ({"a": "subject,arm,visit\n1,A,w 0\n2,B,w 0\n1,A,w 4\n"}, "none can be an outcome"),
    ],
)
def test_what_can_not_be_understood(tmp_path: Path, files: dict[str, str], said: str) -> None:
    folder = write(tmp_path / "data", **files)
    with pytest.raises(DataError, match=said):
        draft_plan(folder, tmp_path / "config", "mine", DATE)
    assert not (tmp_path / "config").exists()


def test_files_that_can_not_be_read_are_told_and_the_others_used(tmp_path: Path) -> None:
    """A pipe would be waited for for ever; rows that end with a comma more are no rows."""
    data = write_demo(tmp_path / "data") and tmp_path / "data"
    (data / "hospital_001.csv").unlink()
    os.mkfifo(data / "hospital_001.csv")
    (data / "hospital_002.csv").unlink()
    (data / "hospital_002.csv").symlink_to("nowhere.csv")
    header, *rows = (data / "hospital_003.csv").read_text().splitlines()
    (data / "hospital_003.csv").write_text("\n".join([header, *(f"{row}," for row in rows)]))
    _, sheet, found = drafted(data, tmp_path / "config")
    assert len(sheet.sites) == 17
    assert [text for text in found.remarks if "left out" in text] == [
        "hospital_001.csv is left out of the site sheet: the file can't be opened: it is a pipe or"
        " a device, not a file",
        "hospital_002.csv is left out of the site sheet: 'hospital_002.csv' is a link to a file"
        " that is not there",
        "hospital_003.csv is left out of the site sheet: its rows have 11 cells, its header has 10",
    ]


def test_a_column_a_visit_is_told(tmp_path: Path) -> None:
    files = {
        site: "\n".join(
            ["id,arm,sbp_w0,sbp_w4"] + [f"{site}{p},{'XY'[p % 2]},15{p},14{p}" for p in range(9)]
        )
        for site in "ab"
    }
    with pytest.raises(DataError, match="one a visit: sbp_w0, sbp_w4") as caught:
        drafted(write(tmp_path / "data", **files), tmp_path / "config")
    assert "a row a patient and visit" in str(caught.value)


def test_a_name_that_no_trial_can_have(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="small letters"):
        draft_plan(tmp_path, tmp_path, "Trial 1", DATE)
    with pytest.raises(DataError, match="no such folder"):
        draft_plan(tmp_path / "absent", tmp_path, "mine", DATE)


@pytest.mark.parametrize("text", ["007", "1001E3", "yes", "a: b", "#1", "Prüfung", "", " x", "-"])
def test_text_is_read_back_as_it_was(text: str) -> None:
    import yaml

    assert yaml.safe_load(f"key: {quoted(text)}") == {"key": text}


def test_reasons_for_leaving_are_understood(tmp_path: Path) -> None:
    """What says that a patient stayed is none; so many cells that they are no codes are text."""
    row = "{p},{arm},{visit},{sbp},{why}"

    def text(reasons: dict[int, str]) -> str:
        rows = [
            row.format(p=f"P{p}", arm="AB"[p % 2], visit=visit, sbp=150 - 3 * week + p,
                       why=reasons.get(p, "Completed"))
            for p in range(30) for visit, week in (("Baseline", 0), ("Week 4", 4))
        ]  # fmt: skip
        return "\n".join(["subject,arm,visit,sbp,DCSREAS", *rows]) + "\n"

    few = write(tmp_path / "few", a=text({3: "Adverse Event", 5: "Lost", 7: "NA"}))
    plan, _, found = drafted(few, tmp_path / "config", "few")
    assert plan.leaving.column == "DCSREAS"
    assert dict(plan.leaving.codes) == {"Adverse Event": "Adverse Event", "Lost": "Lost"}
    assert plan.leaving.stayed == ("Completed",)
    assert not any("DCSREAS" in covariate.column for covariate in found.covariates)
    many = write(tmp_path / "many", a=text({p: f"left, note {p}" for p in range(28)}))
    plan, _, _ = drafted(many, tmp_path / "config", "many")
    assert (plan.leaving.column, dict(plan.leaving.codes)) == ("DCSREAS", {})
