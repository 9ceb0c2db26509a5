"""Machine-readable tables: every number in full, nothing left out."""

import csv
import dataclasses
from pathlib import Path

import pytest

from sitewise.errors import RunError
from sitewise.report import table_lines, tables
from sitewise.report.evidence import read_evidence


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def written(evidence_of, tmp_path_factory):
    evidence = evidence_of()
    folder = tmp_path_factory.mktemp("tables")
    tables.write_tables(evidence, [str(folder / n) for n in tables.names(["SYSBP", "DIABP"])])
    return evidence, folder


def test_contrasts_are_exact(written) -> None:
    evidence, folder = written
    rows = [r for r in read(folder / "contrasts.csv") if r["primary"] == "Y"]
    assert len(rows) == 2 * len(evidence.plan.models)
    for row in rows:
        result = evidence.endpoints[row["endpoint"]].fits[row["model"]].primary.result
        assert float(row["estimate"]) == result.estimate  # every bit
        assert float(row["p"]) == result.p
    diastolic = [r for r in rows if r["endpoint"] == "DIABP"]
    assert all("not tested: SYSBP came first" in r["place"] for r in diastolic)


def test_the_file_says_what_did_not_converge(evidence_of) -> None:
    """Its numbers stay in the file for those who look for the cause, but no line claims a place."""
    e = evidence_of()
    fit = e.primary_fit("SYSBP")
    stopped = dataclasses.replace(fit.fit, converged=False)
    e.endpoints["SYSBP"].fits[fit.model] = dataclasses.replace(fit, fit=stopped)
    for made in (table_lines.contrasts(e), table_lines.fixed_effects(e)):
        for line in made:
            odd = (line["endpoint"], line["model"]) == ("SYSBP", fit.model)
            assert (line["state"] == "not converged") == odd
            if line["place"]:
                assert (line["place"] == "no result: the fit did not converge") == odd


def test_account_adds_up(written) -> None:
    evidence, folder = written
    assert sum(int(r["readings"]) for r in read(folder / "account.csv")) == (
        evidence.account.readings
    )


def test_variances_and_correlations(written) -> None:
    _, folder = written
    rows = [r for r in read(folder / "variance_components.csv")
            if (r["endpoint"], r["model"]) == ("SYSBP", "slope")]  # fmt: skip
    slope = next(r for r in rows if r["term"] == "WEEK" and not r["with"])
    pair = next(r for r in rows if r["with"] == "(Intercept)")
    assert (slope["variance"], slope["correlation"]) == ("0.0213", "")
    assert (pair["variance"], pair["correlation"]) == ("", "1.0")


def test_refusals_and_skips_are_rows_too(written) -> None:
    _, folder = written
    assert any(r["refused"] for r in read(folder / "comparisons.csv"))
    status = {r["status"] for r in read(folder / "replication.csv")}
    assert status == {"agrees", "disagrees", "not expressible"}
    assert any(r["refused"] for r in read(folder / "sites.csv"))


def test_headline_is_two_lines(written) -> None:
    _, folder = written
    lines = (folder / "headline.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("SYSBP, Active minus Placebo, change from Baseline to Month 4")


def test_missing_results_are_all_named(written, synthetic, root, tmp_path) -> None:
    from sitewise.plan.parts import read_part

    inputs = synthetic.write_trial(synthetic.Trial(), tmp_path, root / "reports" / "templates")
    files = {k: v for k, v in inputs["results"].items() if k not in synthetic.DRAWN_ONLY}
    files["fits"] = files["fits"][1:]
    files["iccs"] = files["iccs"][:1]
    keys = ("sheet", "digests", "packages")
    with pytest.raises(RunError) as caught:
        read_evidence(read_part(inputs["plan"]), **files, **{k: inputs[k] for k in keys})
    assert len(caught.value.problems) == 2
    assert "fit of SYSBP, model nested" in str(caught.value)
    assert "icc of DIABP" in str(caught.value)
