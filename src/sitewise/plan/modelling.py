"""The plan's sections on models and their comparisons."""

from pydantic import Field

from sitewise.plan.section import Name, Section, Text, Texts


class Model(Section):
    """One mixed model, fitted to every endpoint."""

    label: Text = Field(description="as the report prints it")
    formula: Text = Field(description="lme4 syntax, in the columns of the analysis rows")
    set: Name = Field(description="the analysis set that it is fitted to")
    reml: bool = Field(description="true: restricted maximum likelihood; false: ML")
    may_drop: Texts = Field(
        default=(),
        description="random terms of the formula, as (1 | SITEID), that are dropped where their"
        " variances are all estimated at 0, in this order; each drop is told on the first page."
        " None by default: a variance estimated at 0 is an estimate, and its term stays",
    )


class Comparison(Section):
    """One likelihood-ratio test; they are made in the order of the plan."""

    question: Text = Field(description="what it asks, as the report prints it")
    smaller: Name = Field(description="the smaller model")
    larger: Name = Field(description="the larger model")
