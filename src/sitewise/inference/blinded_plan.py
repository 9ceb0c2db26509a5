"""The plan as it is carried out while the trial is blinded: one arm for all, models without arms.

Every rule but `ingest` gets this plan in place of the one written, so that no rule could compute
anything by arm: it does not know that there are arms.
"""

from collections.abc import Iterable

from sitewise.errors import ModelError, Problem
from sitewise.lmm.expansion import expand_terms
from sitewise.lmm.formula import Formula, formula_columns, parse_formula, term_columns
from sitewise.plan.model import Plan
from sitewise.plan.sections import Arm
from sitewise.terms import TRT01P
from sitewise.trial.blinding import ANY_CODE
from sitewise.trial.rows import POOLED


def blinded_plan(plan: Plan) -> Plan:
    """Return `plan` with all arms as one, and every model without its arm terms.

    Comparisons of models that differed by the arm alone are left out. The other keys stay. Raises
    ModelError where a model holds nothing but the arm.
    """
    pooled = Arm(name=POOLED, label="the arms together", codes=(ANY_CODE,))
    models = {
        name: own.model_copy(update={"formula": without_arm(own.formula)})
        for name, own in plan.models.items()
    }
    return plan.model_copy(
        update={
            "blinded": True,
            "arms": plan.arms.model_copy(update={"order": (pooled,), "reference": POOLED}),
            "models": models,
            "comparisons": tuple(
                one
                for one in plan.comparisons
                if models[one.smaller].formula != models[one.larger].formula
            ),
            "primary": plan.primary.model_copy(update={"arm": POOLED}),
            "stratification": tuple(name for name in plan.stratification if name != TRT01P),
            "hierarchy": (),  # nothing is tested
            "limits": None,  # what large trials would give is told by arm
        }
    )


def without_arm(text: str) -> str:
    """A formula with the arm taken out of every product: `AVISIT*TRT01P` becomes `AVISIT`.

    That is the model of the arms pooled: a cell mean of visit and arm becomes one of the visit.
    """
    formula = parse_formula(text)
    if TRT01P not in formula_columns(formula):
        return formula.text
    parts = [_terms(formula.fixed), *_random(formula)]
    if formula.residual is not None:
        kept = formula.residual
        group = ":".join(name for name in kept.group if name != TRT01P)
        parts.append(f"{kept.structure}({kept.slot} | {group})")
    if len(parts) == 1:
        raise ModelError(
            "A model can't be fitted blinded.",
            [
                Problem(
                    f"without the arm nothing random is left of {text!r}",
                    where="models",
                    fix="group by SITEID or USUBJID, or set `blinded: false`",
                )
            ],
        )
    return f"{formula.response} ~ {' + '.join(parts)}"


def _random(formula: Formula) -> Iterable[str]:
    """The random terms, each once."""
    found = [
        f"({_terms(spec.terms)} | {':'.join(group)})"
        for spec in formula.random
        if (group := [name for name in spec.group if name != TRT01P])
    ]
    return dict.fromkeys(found)


def _terms(terms: str) -> str:
    """Products of columns without the arm, each once, by degree, then in the order written."""
    if TRT01P not in term_columns(terms):
        return terms
    expanded = expand_terms(terms)
    kept = dict.fromkeys(tuple(name for name in term if name != TRT01P) for term in expanded)
    written = [":".join(term) for term in kept if term]
    if not written:
        return "1"
    return " + ".join(written if () in expanded else ["0", *written])
