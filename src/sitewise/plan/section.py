"""What every section of a plan is made of."""

from typing import TYPE_CHECKING, Annotated, NoReturn

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=40)]
Text = Annotated[str, Field(min_length=1)]
# YAML has lists; the plan is frozen, so they become tuples.
Texts = Annotated[tuple[Text, ...], Field(strict=False)]
Cells = Annotated[tuple[str, ...], Field(strict=False)]
Limits = Annotated[tuple[float, float], Field(strict=False)]
Numbers = Annotated[tuple[float, ...], Field(strict=False)]


def refused(what: str, allowed: str, fix: str) -> ValueError:
    """Build what `plan.load` takes apart again: pydantic carries one message, without a place."""
    return ValueError("\t".join(("", what, allowed, fix)))


class Section(BaseModel):
    """Base of every section: strict types, no unknown keys, frozen."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    if not TYPE_CHECKING:  # else every misspelt key would pass as Any

        def __getattr__(self, name: str) -> NoReturn:
            """Only called for what is absent: in a rule's part, a key that it was not granted."""
            kind = type(self).__name__
            if name in type(self).model_fields:
                raise AttributeError(
                    f"this rule was not granted the plan key `{name}` of {kind}: add it to"
                    " sitewise.plan.parts"
                )
            raise AttributeError(f"{kind} has no {name!r}")
