"""The section of a plan on one outcome."""

from typing import Literal

from pydantic import Field, model_validator

from sitewise.plan.section import Limits, Numbers, Section, Text, refused

MOST_DELTAS = 12


class Endpoint(Section):
    """One outcome, keyed by its PARAMCD."""

    label: Text = Field(description="as the report prints it")
    column: Text | None = Field(default=None, description="layout `visits`: its column")
    code: Text | None = Field(default=None, description="layout `readings`: its parameter code")
    unit: Text = Field(description="unit of analysis")
    soft: Limits = Field(description="outside these limits: a warning, the reading is kept")
    hard: Limits = Field(description="outside these limits: an error, the reading is set aside")
    role: Literal["primary", "secondary", "exploratory"] = Field(
        description="`primary`, `secondary` or `exploratory`"
    )
    deltas: Numbers = Field(
        default=(),
        description="in `unit`: by how much readings that are missing at the visit of the primary"
        " contrast may differ from what the model predicts, + where higher; none: 1/4, 1/2 and 1"
        " SD of the readings there, both signs",
    )

    @model_validator(mode="after")
    def _deltas_differ(self) -> "Endpoint":
        if 0 in self.deltas or len(set(self.deltas)) != len(self.deltas):
            raise refused(
                f"the deltas {', '.join(f'{d:g}' for d in self.deltas)} hold 0, or one twice",
                f"up to {MOST_DELTAS} numbers in {self.unit}, each once, none 0: the report has the"
                " contrast without a delta anyway",
                "remove what is 0 or stands twice",
            )
        if len(self.deltas) > MOST_DELTAS:
            raise refused(
                f"{len(self.deltas)} deltas are listed",
                f"up to {MOST_DELTAS}",
                "list a few that clinicians can judge: tipping points are found without them",
            )
        return self

    @model_validator(mode="after")
    def _limits_are_ordered(self) -> "Endpoint":
        if not self.hard[0] <= self.soft[0] < self.soft[1] <= self.hard[1]:
            raise refused(
                "the limits hard {:g} to {:g} and soft {:g} to {:g} are out of order".format(
                    *self.hard, *self.soft
                ),
                "hard low <= soft low < soft high <= hard high",
                "set the soft limits inside the hard ones",
            )
        return self
