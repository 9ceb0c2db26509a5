"""The sections of a plan, one frozen type each.

Every key that changes a number is required: what a plan does not say is not guessed.
`config/README.md` explains each key; a test keeps it in step with these types.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sitewise.plan.section import Cells, Name, Section, Text, Texts, refused

# More are no trial but a mistake, as patient identifiers taken for arms.
MOST_ARMS = 20


class Estimand(Section):
    """The five attributes of ICH E9(R1), as text."""

    population: Text = Field(description="who the question is about")
    treatment: Text = Field(description="the conditions compared")
    variable: Text = Field(description="what is measured on each patient, and when")
    intercurrent_events: Text = Field(description="which events, and how each is handled")
    summary: Text = Field(description="the population-level summary that is compared")


class Sites(Section):
    """Where the hospital files are listed and how they are worked through."""

    sheet: Text = Field(description="the site sheet, a CSV beside the plan")
    batches: int = Field(
        ge=1, le=999, description="batches that the hospitals are spread over, by a hash of SITEID"
    )
    small: Literal["keep"] = Field(
        description="small-site pooling; only `keep` (no pooling) is implemented"
    )


class Columns(Section):
    """Which column of the hospital files holds what."""

    layout: Literal["visits", "readings"] = Field(
        description="`visits`: one row a visit with a column a parameter;"
        " `readings`: one row a reading with a parameter code"
    )
    patient: Text = Field(description="column of the patient identifier, read as text")
    arm: Text = Field(description="column of the planned treatment arm")
    visit: Text = Field(description="column of the visit name")
    site: Text | None = Field(
        default=None,
        description="column of the site identifier, held against the site sheet; none if absent",
    )
    day: Text | None = Field(
        default=None, description="column of the study day (day 1 is the first; there is no day 0)"
    )
    timepoint: Text | None = Field(
        default=None,
        description="column of the time point within a visit (supine, standing 1 min): tells"
        " replicates from duplicates, and pairs SBP with DBP; none if absent",
    )
    parameter: Text | None = Field(
        default=None, description="`readings` only: column of the parameter code"
    )
    value: Text | None = Field(default=None, description="`readings` only: column of the value")
    unit: Text | None = Field(
        default=None, description="`readings` only: column of the value's unit, if there is one"
    )
    patient_ids: Literal["trial", "site"] = Field(
        description="identifiers are unique in the whole `trial`, or only within a `site`"
        " (then USUBJID becomes SITEID-patient)"
    )

    @model_validator(mode="after")
    def _layout_has_its_columns(self) -> "Columns":
        if self.layout == "readings" and not (self.parameter and self.value):
            raise refused(
                "layout `readings` lacks the key `parameter` or `value`",
                "both: the columns of the parameter's code and of the value",
                "name both columns, or set `layout` to `visits`",
            )
        if self.layout == "visits" and (self.parameter or self.value or self.unit):
            raise refused(
                "layout `visits` takes no `parameter`, `value` or `unit`",
                "a `column` of each endpoint, which holds its values",
                "take these keys out, or set `layout` to `readings`",
            )
        return self


class Covariate(Section):
    """A patient-level column beside the outcome."""

    column: Text = Field(description="column in the hospital files")
    label: Text = Field(description="as the report prints it")
    type: Literal["number", "category"] = Field(description="`number` or `category`")
    unit: str = Field(default="", description="unit of a number, as the report prints it")
    codes: dict[str, str] = Field(
        default_factory=dict,
        description="category only: raw code to level; the first level is the reference",
    )
    missing_values: Cells = Field(
        default=(), description="further cells that mean missing here (Ghana: bmi 0)"
    )


class Arm(Section):
    """One treatment arm."""

    name: Text = Field(description="as the tables and formulas name it")
    label: Text = Field(description="as the report explains it")
    codes: Texts = Field(default=(), description="raw codes; none: the name itself")


class Arms(Section):
    """The arms, and the direction of every contrast."""

    order: Annotated[tuple[Arm, ...], Field(strict=False, min_length=2)] = Field(
        description="the arms, in the order of the tables"
    )
    reference: Text = Field(description="the arm that the others are compared with")
    direction: Literal["arm minus reference"] = Field(
        description="sign of every contrast; only `arm minus reference` is implemented"
    )
    favours: Literal["lower", "higher"] = Field(
        description="whether a `lower` or a `higher` outcome is better for the patient"
    )

    @model_validator(mode="after")
    def _reference_is_an_arm(self) -> "Arms":
        names = [arm.name for arm in self.order]
        if len(names) > MOST_ARMS:
            raise refused(
                f"{len(names)} arms are listed: {', '.join(names[:5])}, ...",
                f"2 to {MOST_ARMS} arms",
                "see whether they were taken from another column than that of the arm, and list"
                " the planned arms",
            )
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise refused(
                f"arms that stand twice: {', '.join(twice)}",
                "each arm once",
                "remove one of them, or put its raw codes into the `codes` of the other",
            )
        if self.reference not in names:
            raise refused(
                f"the reference {self.reference!r} is no arm",
                ", ".join(names),
                "set `reference` to the name of the arm that the others are compared with",
            )
        codes: list[str] = [c for arm in self.order for c in (arm.codes or (arm.name,))]
        twice = sorted({c for c in codes if codes.count(c) > 1})
        if twice:
            raise refused(
                f"raw codes that stand for two arms: {', '.join(twice)}",
                "each raw code for one arm",
                "take the code away from the arm that it is not of",
            )
        return self

    @property
    def levels(self) -> tuple[str, ...]:
        """Arm names, the reference first: the order of factor levels in every model."""
        names = [arm.name for arm in self.order]
        return (self.reference, *(n for n in names if n != self.reference))


class Visit(Section):
    """One planned visit."""

    name: Text = Field(description="as the tables and formulas name it (AVISIT)")
    codes: Texts = Field(default=(), description="raw visit names; none: the name itself")
    week: float = Field(description="planned time, weeks from baseline")
    baseline: bool = Field(default=False, description="true for exactly one visit")


class Pair(Section):
    """Two endpoints of one visit of which one must exceed the other."""

    above: Name = Field(description="the endpoint that must be greater (SYSBP)")
    below: Name = Field(description="the endpoint that must be smaller (DIABP)")


class Rules(Section):
    """What happens to bad rows and bad sites. Nothing is ever repaired silently."""

    duplicate_equal: Literal["keep first", "set aside"] = Field(
        description="same patient, visit and parameter twice with the same value:"
        " `keep first` sets the later ones aside, `set aside` sets all aside"
    )
    duplicate_different: Literal["set aside"] = Field(
        description="the same with different values: all are set aside"
    )
    patient_at_two_sites: Literal["set aside", "stop"] = Field(
        description="a patient identifier seen at two sites: the patient is set aside, or a stop"
    )
    arm_changes: Literal["set aside", "stop"] = Field(
        description="a patient with two arms: the patient is set aside, or the run stops"
    )
    unknown_arm: Literal["set aside", "stop"] = Field(
        description="an arm code that the plan doesn't name: the row is set aside, or a stop"
    )
    unknown_visit: Literal["set aside", "stop"] = Field(
        description="a visit name that the plan doesn't name: the row is set aside, or a stop"
    )
    bad_site: Literal["set aside", "stop"] = Field(
        description="a site file that can't be used (missing, empty, a column missing, too many"
        " bad readings): the site is set aside and named on the first page, or the run stops"
    )
    bad_site_share: float = Field(
        ge=0,
        le=1,
        description="a site is bad when more than this share of its measured readings"
        " within the plan is set aside",
    )


class AnalysisSet(Section):
    """One analysis set: the patients that meet every requirement."""

    label: Text = Field(description="as the report prints it")
    requires: Annotated[
        tuple[Literal["any outcome", "baseline", "post-baseline", "all visits"], ...],
        Field(strict=False),
    ] = Field(description="each of: `any outcome`, `baseline`, `post-baseline`, `all visits`")


class Baseline(Section):
    """How the baseline reading enters the models."""

    handling: Literal["outcome", "covariate", "constrained"] = Field(
        description="`outcome`: a row like the other visits; `covariate`: BASE on the right, rows"
        " after baseline only; `constrained` (cLDA): as `outcome`, with arms equal at baseline and"
        " us(AVISIT | USUBJID) in the primary model"
    )
    side_by_side: bool = Field(default=False, description="whether the report compares handlings")
    missing: Literal["keep", "drop"] = Field(
        description="a patient without baseline: `keep` (not with `covariate`) or `drop`"
    )

    @model_validator(mode="after")
    def _covariate_needs_a_value(self) -> "Baseline":
        if self.handling == "covariate" and self.missing == "keep":
            raise refused(
                "handling `covariate` can't keep a patient without baseline",
                "missing `drop` with `covariate`; `keep` with `outcome` or `constrained`",
                "set `missing` to `drop`, or choose another handling",
            )
        return self


class Icc(Section):
    """Which intraclass correlation is the headline."""

    headline: Literal["empty", "visit", "primary"] = Field(
        description="fixed part under the headline ICC: none (`empty`), visits (`visit`),"
        " that of the primary model (`primary`)"
    )


class Primary(Section):
    """The one number that the trial is about."""

    model: Name = Field(description="the primary model")
    visit: Text = Field(description="the visit of the primary contrast")
    arm: Text = Field(description="the arm compared with the reference")
    contrast: Literal["change", "level"] = Field(
        description="`change`: difference between arms in change from baseline;"
        " `level`: difference in level at the visit"
    )
    why: Text | None = Field(
        default=None,
        description="why this model, visit and contrast are the primary ones, in a sentence or two;"
        " the report tells it on page 2 and where it introduces the models, and says so where there"
        " is none",
    )


class Seeds(Section):
    """Seeds of everything random."""

    figures: int = Field(ge=0, description="which residuals a figure shows when there are too many")
    comparisons: int = Field(
        default=1, ge=0, description="draws of the comparisons: tangent cones, bootstrap"
    )
