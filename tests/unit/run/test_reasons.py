"""Reasons in plain words."""

import pytest

from sitewise.audit.state import Cause, Change, State, Verdict
from sitewise.run.reasons import change_in_words, job_reasons, summary


@pytest.mark.parametrize(
    ("name", "before", "now", "words"),
    [
        ("code.lmm", "ab12ffff", "cd34ffff", "code of lmm changed (ab12 -> cd34)"),
        ("code.script", "ab12", "cd34", "its script changed (ab12 -> cd34)"),
        ("code.store", "", "cd34", "code of store is new"),
        ("plan.visits", "1", "2", "plan key `visits` changed"),
        ("raw.site_07.csv", "1", "2", "site_07.csv changed"),
        ("raw.site_07.csv", "1", "absent", "site_07.csv is gone"),
        ("raw.site_07.csv", "absent", "2", "site_07.csv is new"),
        ("templates.report.html.j2", "1", "2", "template report.html.j2 changed"),
        ("lock", "1", "2", "the locked environment changed"),
        ("packages.pandas", "3.0.1", "3.1.0", "package pandas changed (3.0.1 -> 3.1.0)"),
        ("digests.data", "aaaa1", "bbbb2", "the digest of the data changed (aaaa -> bbbb)"),
    ],
)
def test_params(name: str, before: str, now: str, words: str) -> None:
    assert change_in_words(Change(Cause.PARAM, name, before, now)) == words


def test_inputs() -> None:
    assert change_in_words(Change(Cause.INPUT, "data/adbp.parquet", "1", "2")) == (
        "data/adbp.parquet changed"
    )
    assert "no longer part of the run" in change_in_words(Change(Cause.INPUT, "x", "1", ""))


def fit(model: str, verdict: Verdict, **more: object) -> State:
    return State(f"{model}.json", verdict, "fit", {"model": model}, **more)  # type: ignore[arg-type]


def test_one_reason_a_job_and_its_own_before_what_it_follows() -> None:
    code = Change(Cause.PARAM, "code.lmm", "ab12", "cd34")
    whole = Change(Cause.PARAM, "digests.code", "1111", "2222")
    reasons = job_reasons(
        [
            fit("a", Verdict.STALE, changes=(code, whole)),
            fit("a", Verdict.STALE, changes=(code, whole)),
            fit("b", Verdict.NEW),
            fit("c", Verdict.CURRENT),
            fit("d", Verdict.FOLLOWS, detail="a.json"),
            fit("d", Verdict.DELETED),
            fit("e", Verdict.FOLLOWS, detail="a.json"),
            fit("f", Verdict.UNFINISHED),
            State("seal", Verdict.STALE, "seal", changes=(whole,)),
        ]
    )
    assert reasons == {
        "fit a": "code of lmm changed (ab12 -> cd34)",
        "fit b": "not computed yet",
        "fit d": "d.json was deleted",
        "fit e": "follows from a.json",
        "fit f": "an earlier run was stopped before it was done",
        "seal": "the digest of the code changed (1111 -> 2222)",
    }


def test_the_summary_groups_jobs_and_cuts_long_groups() -> None:
    reasons = {f"fit {i}": "not computed yet" for i in range(7)}
    reasons |= {"report": "follows from fit.json", "icc": "icc.json was deleted"}
    assert summary(reasons) == [
        "fit 0, fit 1, fit 2, fit 3 and 3 more: not computed yet",
        "icc: icc.json was deleted",
        "report: what they read is made again",
    ]
