"""The plan's section on patients who left the trial early."""

from pydantic import Field, model_validator

from sitewise.plan.section import Section, Text, Texts, refused


class Leaving(Section):
    """Why patients left the trial early, as the hospital files tell it (ADaM's DCSREAS)."""

    column: Text | None = Field(
        default=None,
        description="column of the reason for which a patient left early, in any of the patient's"
        " rows; an empty cell gives none. It is told, and enters no model; none if absent",
    )
    codes: dict[Text, Text] = Field(
        default_factory=dict,
        description="raw code to reason, as the report prints it; none: the cells as they stand",
    )
    stayed: Texts = Field(
        default=(),
        description="raw cells which say that the patient did not leave early (Completed)",
    )

    @model_validator(mode="after")
    def _column_is_named(self) -> "Leaving":
        if self.column is None and (self.codes or self.stayed):
            raise refused(
                "there are `codes` or `stayed`, and no `column` that they are of",
                "`column`: the column of the hospital files that holds the reason",
                "name the column, or take the section out",
            )
        if both := [code for code in self.stayed if code in self.codes]:
            raise refused(
                f"cells that are a reason and none: {', '.join(both)}",
                "each cell in `codes` or in `stayed`",
                "take the cell out of one of them",
            )
        return self
