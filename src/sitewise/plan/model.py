"""The plan of a trial: all sections together, and what they must agree on."""

import datetime
from typing import Annotated, Literal

from pydantic import Field, model_validator

from sitewise.plan.by_site import TreatmentBySite
from sitewise.plan.drawing import Bootstrap
from sitewise.plan.endpoint import Endpoint
from sitewise.plan.keeping import Nightly, Records
from sitewise.plan.leaving import Leaving
from sitewise.plan.modelling import Comparison, Model
from sitewise.plan.order import Hypothesis
from sitewise.plan.second_engine import Replication
from sitewise.plan.section import Cells, Name, Section, Text, Texts
from sitewise.plan.sections import (
    AnalysisSet,
    Arms,
    Baseline,
    Columns,
    Covariate,
    Estimand,
    Icc,
    Pair,
    Primary,
    Rules,
    Seeds,
    Sites,
    Visit,
)


class Plan(Section):
    """One trial's plan. A part of it (see `sitewise.plan.parts`) has some sections only."""

    trial: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)] = Field(
        description="identifier, the name of its folder in results/"
    )
    blinded: bool = Field(
        default=False,
        description="true: nothing is computed by arm until `sitewise unlock`, which records who"
        " lifted the blind, when and why",
    )
    title: Text = Field(description="title of the report")
    question: Text = Field(description="what was asked, in one sentence")
    data_cut: datetime.date = Field(description="date of the data cut, YYYY-MM-DD")
    estimand: Estimand = Field(description="the estimand's five attributes")
    design: Literal["individual", "cluster"] = Field(
        description="what was randomised: patients (`individual`) or whole sites (`cluster`);"
        " held against the data"
    )
    randomised_unit: Literal["USUBJID", "SITEID"] = Field(
        description="USUBJID for `individual`, SITEID for `cluster`"
    )
    sites: Sites = Field(description="the hospitals")
    columns: Columns = Field(description="columns of the hospital files")
    missing_values: Cells = Field(description="cells that mean missing, in every column")
    arms: Arms = Field(description="treatment arms")
    visits: Annotated[tuple[Visit, ...], Field(strict=False, min_length=1)] = Field(
        description="planned visits, in order"
    )
    other_visits: Texts = Field(
        description="raw visit names that are expected but not analysed (screening, unscheduled)"
    )
    time: Literal["nominal", "actual"] = Field(
        description="WEEK is the visit's planned week (`nominal`) or computed from the study day"
        " (`actual`)"
    )
    replicates: Literal["refuse", "mean"] = Field(
        description="several readings of one patient, visit and parameter: a duplicate (`refuse`),"
        " or averaged into one record with DTYPE AVERAGE (`mean`)"
    )
    endpoints: dict[Name, Endpoint] = Field(
        min_length=1, description="outcomes by PARAMCD, in the order of testing"
    )
    endpoint_order: Literal["hierarchical", "co-primary", "exploratory"] = Field(
        description="`hierarchical`: each is tested only if all before it were significant;"
        " `co-primary`: all must be; `exploratory`: no claim"
    )
    hierarchy: Annotated[tuple[Hypothesis, ...], Field(strict=False)] = Field(
        default=(),
        description="with `hierarchical`: the order of testing in full, over endpoints, visits and"
        " arms; none: the primary contrast of each endpoint that is not exploratory, in the order"
        " of the endpoints",
    )
    pairs: Annotated[tuple[Pair, ...], Field(strict=False)] = Field(
        description="endpoints of which one must exceed the other at a visit (SBP > DBP)"
    )
    covariates: dict[Name, Covariate] = Field(description="patient-level columns")
    leaving: Leaving = Field(
        default=Leaving(), description="why patients left the trial early; none if absent"
    )
    stratification: Annotated[tuple[Name, ...], Field(strict=False)] = Field(
        description="covariates, or SITEID, that randomisation was stratified by; each model"
        " without one is a finding, and carries a caution"
    )
    baseline: Baseline = Field(description="how the baseline enters the models")
    analysis_sets: dict[Name, AnalysisSet] = Field(
        min_length=1, description="analysis sets by name"
    )
    rules: Rules = Field(description="bad rows and bad sites")
    models: dict[Name, Model] = Field(min_length=1, description="mixed models by name")
    comparisons: Annotated[tuple[Comparison, ...], Field(strict=False)] = Field(
        description="likelihood-ratio tests, in order"
    )
    bootstrap: Bootstrap = Field(
        default=Bootstrap(), description="the parametric bootstrap of comparisons"
    )
    primary: Primary = Field(description="the primary model and contrast")
    icc: Icc = Field(description="intraclass correlations")
    treatment_by_site: TreatmentBySite = Field(
        default=TreatmentBySite(), description="whether the treatment effect differs between sites"
    )
    covariance: Annotated[
        tuple[Literal["us", "csh", "ar1h", "cs", "ar1"], ...], Field(strict=False, min_length=1)
    ] = Field(
        default=("us", "csh", "ar1h", "cs", "ar1"),
        description="residual covariances over the visits, in order. A model of the plan whose own"
        " does not converge or is not positive definite takes the next after it; the MMRM in the"
        " ladder the first that is usable. Passing one over is a deviation, told on the first page",
    )
    df: Literal["kenward-roger", "satterthwaite", "between-within", "asymptotic"] = Field(
        description="degrees of freedom of the fixed effects. kenward-roger: with its standard"
        " errors, models by REML; those by ML then have Satterthwaite's. between-within: needs"
        " groupings that nest"
    )
    alpha: float = Field(gt=0, lt=0.5, description="error rate of tests; intervals are 1 - alpha")
    sides: Literal[2] = Field(description="sides of the tests; only 2 is implemented")
    replication: Replication = Field(description="the second engine")
    seeds: Seeds = Field(description="seeds")
    records: Records = Field(default=Records(), description="what is kept beside the ledger")
    nightly: Nightly = Field(default=Nightly(), description="runs that nobody watches")
    limits: Text | None = Field(
        default=None,
        description="simulated trials only: file beside the plan with what each model estimates on"
        " a very large trial of the same generator; the appendix says how far this one is from it",
    )

    @model_validator(mode="after")
    def _sections_agree(self) -> "Plan":
        from sitewise.plan.agreement import disagreements

        found = disagreements(self)
        if found:
            # pydantic carries one message; `load_plan` takes them apart again.
            raise ValueError("\n".join("\t".join(each) for each in found))
        return self

    @property
    def order_of_testing(self) -> tuple[Hypothesis, ...]:
        """The hierarchy, each step with its arm: as planned, or by endpoint."""
        own = self.primary
        if self.hierarchy:
            return tuple(step.of(own.arm) for step in self.hierarchy)
        return tuple(
            Hypothesis(endpoint=name, visit=own.visit, arm=own.arm)
            for name, endpoint in self.endpoints.items()
            if endpoint.role != "exploratory"
        )

    @property
    def baseline_visit(self) -> Visit:
        """The visit marked as baseline."""
        return next(visit for visit in self.visits if visit.baseline)
