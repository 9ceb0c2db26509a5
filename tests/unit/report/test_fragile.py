"""The first page on answers that hang on one site or on the baseline's handling."""

from dataclasses import replace

from sitewise.classical.answer import Answer
from sitewise.classical.ladder_result import LeftOut
from sitewise.report.words_cautions import cautions
from sitewise.report.words_fragile import by_handling, fragile


def of_sites(e, *left):
    own = e.endpoints["SYSBP"]
    e.endpoints["SYSBP"] = replace(own, ladder=replace(own.ladder, left_out=left))
    return e


def site(name: str, estimate: float, p: float, state: str = "regular") -> LeftOut:
    answer = Answer(estimate, 1.8, 40.0, p, estimate - 3.6, estimate + 3.6)
    return LeftOut(name, 12, answer, estimate + 3.1, 1.0, state, "")


def test_one_site_decides(evidence_of):
    e = of_sites(evidence_of(), site("001", -3.9, 0.04), site("002", -3.2, 0.09))
    (said,) = fragile(e)
    assert "hangs on one site. With all of them it is not significant (p = 0.100)" in said
    assert "below 5% without 001 (\u22123.9, p = 0.040);" in said
    assert said in cautions(e)


def test_many_sites_are_counted_and_the_largest_named(evidence_of):
    left = [site(f"{i:03d}", -3.2 - i / 10, 0.04) for i in range(5)]
    (said,) = fragile(of_sites(evidence_of(), *left))
    assert "single sites (5 of them)" in said
    assert "004 (\u22123.6, p = 0.040), 003 (" in said
    assert "and 2 more;" in said


def test_a_move_beyond_the_standard_error_is_told_and_a_smaller_one_is_not(evidence_of):
    (said,) = fragile(of_sites(evidence_of(), site("001", -1.2, 0.6), site("002", -3.1, 0.1)))
    assert "moves by more than its standard error (1.84), 1.9 without 001;" in said
    assert fragile(of_sites(evidence_of(), site("001", -1.3, 0.6))) == ()
    assert fragile(of_sites(evidence_of(), site("001", -9.0, 0.01, "not converged"))) == ()


def handled(e, *answers):
    own = e.endpoints["SYSBP"]
    found = own.ladder.baseline
    rows = tuple(
        replace(found.rows[i], key=f"k{i}", answer=a, state="regular")
        for i, a in enumerate(answers)
    )
    ladder = replace(own.ladder, baseline=replace(found, rows=rows), left_out=())
    e.endpoints["SYSBP"] = replace(own, ladder=ladder)
    return e


def test_the_baseline_s_handling(evidence_of):
    near = Answer(-2.3, 1.6, 60.0, 0.15, -5.5, 0.9)
    far = Answer(-2.1, 1.6, 60.0, 0.19, -5.3, 1.1)
    over = Answer(-3.3, 1.6, 60.0, 0.04, -6.5, -0.1)
    e = evidence_of(design="cluster")
    assert by_handling(handled(e, near, near)) == ()
    (said,) = by_handling(handled(e, near, far))
    assert "moves by more than half its standard error: \u22122.1 (p = 0.190) with it as" in said
    assert "equal at baseline (cLDA);" in said
    (said,) = by_handling(handled(e, far, over))
    assert "p comes to lie below 5%: \u22123.3 (p = 0.040)" in said
    assert said in cautions(e)
    assert by_handling(evidence_of()) == ()
