"""Formulas: what is understood, what is refused and how that is said."""

import pytest

from sitewise.errors import ModelError
from sitewise.lmm.formula import RandomSpec, ResidualSpec, formula_columns, parse_formula


def test_parts() -> None:
    formula = parse_formula("AVAL ~ AVISIT*TRT01P + (1 | SITEID:AVISIT) + (1 + WEEK | USUBJID)")
    assert formula.response == "AVAL"
    assert formula.fixed == "AVISIT * TRT01P"
    assert formula.random == (
        RandomSpec("1", ("SITEID", "AVISIT")),
        RandomSpec("1 + WEEK", ("USUBJID",)),
    )
    assert formula_columns(formula) == ("AVAL", "AVISIT", "TRT01P", "SITEID", "WEEK", "USUBJID")


def test_nesting_is_expanded() -> None:
    formula = parse_formula("y ~ 1 + (1 | a/b/c)")
    assert [spec.group for spec in formula.random] == [("a",), ("a", "b"), ("a", "b", "c")]


def test_double_bar_splits() -> None:
    formula = parse_formula("y ~ x + (1 + x + z || g)")
    assert [spec.terms for spec in formula.random] == ["1", "0 + x", "0 + z"]
    assert not any(spec.correlated for spec in formula.random)
    assert [s.terms for s in parse_formula("y ~ x + (0 + x || g)").random] == ["0 + x"]


def test_residual_covariances() -> None:
    formula = parse_formula("sbp ~ visit*arm + (1 | site) + ar1h(visit | site:patient)")
    assert formula.residual == ResidualSpec("ar1h", "visit", ("site", "patient"))
    assert str(formula.residual) == "ar1h(visit | site:patient)"
    assert formula.fixed == "visit * arm"
    assert [str(spec) for spec in formula.random] == ["1 | site"]
    assert formula_columns(formula) == ("sbp", "visit", "arm", "site", "patient")
    alone = parse_formula("y ~ us + cs(visit | patient)")  # a column may be called us
    assert (alone.fixed, alone.random) == ("us", ())
    assert parse_formula("y ~ us + (1 | g)").residual is None


def test_only_random_terms_leave_an_intercept() -> None:
    assert parse_formula("y ~ (1 | g)").fixed == "1"
    assert parse_formula("y ~ -1 + x^2 + (1 | g)").fixed == "- 1 + x**2"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("y + (1 | g)", "0 `~`"),
        ("y ~ x ~ (1 | g)", "2 `~`"),
        ("y ~ x", "not a mixed model"),
        ("log(y) ~ x + (1 | g)", "the response must be one column"),
        ("y ~ open(x) + (1 | g)", "function call open(...)"),
        ("y ~ x + toeph(AVISIT | USUBJID)", "toeph(...) is not implemented"),
        ("y ~ x + un(AVISIT | USUBJID)", "use us"),
        ("y ~ x + us(AVISIT | ARM / USUBJID)", "a covariance for each ARM"),
        ("y ~ x + us(1 + WEEK | USUBJID)", "for a random intercept and slope write"),
        ("y ~ x + us(AVISIT)", "'us(AVISIT)' is not understood"),
        ("y ~ x + us(AVISIT | )", "is not understood"),
        ("y ~ x + us(AVISIT | USUBJID:)", "is not understood"),
        ("y ~ x + us(AVISIT || USUBJID)", "is not understood"),
        ("y ~ x - us(AVISIT | USUBJID)", "must stand alone"),
        ("y ~ x*us(AVISIT | USUBJID)", "must stand alone"),
        ("y ~ x + us(AVISIT | USUBJID)*x", "must stand alone"),
        ("y ~ x + us(a | b) + cs(a | b)", "2 residual covariances: us(a | b), cs(a | b)"),
        ("y ~ x + weights(z) + (1 | g)", "weights(...)"),
        ("y ~ x + y + (1 | g)", "right-hand side, too"),
        ("y ~ x + offset(z) + (1 | g)", "offset(...)"),
        ("y ~ x + (1 | a | b)", "repeated bars"),
        ("y ~ x + (1 |)", "names no group"),
        ("y ~ x + (| g)", "nothing left of the bar"),
        ("y ~ x + (1 | a + b)", "'a + b'"),
        ("y ~ x - (1 | g)", "must stand alone"),
        ("y ~ x:(1 | g)", "must stand alone"),
        ("y ~ x + (1 | g", "not closed"),
        ("y ~ x) + (1 | g)", "closing parenthesis"),
        ("y ~ x z + (1 | g)", "'z' is not allowed here"),
        ("y ~ 3*x + (1 | g)", "'3' is not allowed here"),
        ("y ~ x + * z + (1 | g)", "'*' is not allowed here"),
        ("y ~ x; z + (1 | g)", "';' has no meaning"),
        ("y ~ x__import__ + (1 | g) + `q`", "has no meaning"),
        ("y ~ (1 | g) + (1 | g)", "stands twice"),
        ("y ~ x + (1 + x:z || g)", "only sums"),
        ("", "0 `~`"),
    ],
)
def test_refused(text: str, says: str) -> None:
    with pytest.raises(ModelError) as error:
        parse_formula(text)
    assert says in str(error.value)
    assert "allowed:" in str(error.value)
