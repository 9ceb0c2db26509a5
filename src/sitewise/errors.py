"""What can go wrong, and how it is said.

The tree:

    SitewiseError                 anything that the user can do something about
    ├── PlanError                 the plan (config/<trial>.yaml) or its site sheet
    ├── DataError                 the hospital files, or the data that they hold
    ├── ModelError                a model that cannot be built or fitted
    ├── ComparisonError           a comparison of models that would be invalid
    ├── RunError                  the run itself: folders, locks, failed jobs
    └── IntegrityError            files that are not what the record says

Each carries a list of problems, because people who mend a plan want all of them at once.
A problem says what is wrong, where and what was found, what is allowed, what to do next.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, in four parts; all but `what` may be empty.

    what: the fault in one sentence, with the value that was found.
    where: file, line, column; or the path in the plan, as `models.nested.formula`.
    allowed: what would have been accepted.
    fix: what to do next.
    """

    what: str
    where: str = ""
    allowed: str = ""
    fix: str = ""

    def __str__(self) -> str:
        """Four short lines, the first with the place."""
        head = f"{self.where}: {self.what}" if self.where else self.what
        lines = [head]
        if self.allowed:
            lines.append(f"    allowed: {self.allowed}")
        if self.fix:
            lines.append(f"    to do:   {self.fix}")
        return "\n".join(lines)


def plural(n: int, one: str, many: str = "") -> str:
    """`1 site`, `2 sites`; many: where that is not `one` with an s."""
    return f"{n} {one if n == 1 else many or one + 's'}"


def in_number(problems: Sequence[Problem]) -> str:
    """`1 problem`, `2 problems`: for a title."""
    return plural(len(problems), "problem")


class SitewiseError(Exception):
    """The base: a title and its problems. `exit_code` is what the command line ends with."""

    exit_code = 1

    def __init__(self, title: str, problems: Iterable[Problem] = ()) -> None:
        self.title = title
        self.problems = tuple(problems)
        super().__init__(str(self))

    def __str__(self) -> str:
        """Title, then the numbered problems."""
        if not self.problems:
            return self.title
        body = [
            f"  {i}. {str(p).replace(chr(10), chr(10) + '     ')}"
            for i, p in enumerate(self.problems, start=1)
        ]
        return "\n".join([self.title, *body])

    def __reduce__(self) -> tuple[type["SitewiseError"], tuple[str, tuple[Problem, ...]]]:
        """Pickle by title and problems (an exception's default would pickle the text)."""
        return type(self), (self.title, self.problems)


class PlanError(SitewiseError):
    """The plan or its site sheet is wrong."""

    exit_code = 2


class DataError(SitewiseError):
    """The hospital files, or the data that they hold, are wrong."""

    exit_code = 3


class ModelError(SitewiseError):
    """A model can't be built or fitted."""

    exit_code = 4


class ComparisonError(SitewiseError):
    """A comparison of two models would be invalid."""

    exit_code = 4


class RunError(SitewiseError):
    """The run can't start or did not finish."""

    exit_code = 5


class IntegrityError(SitewiseError):
    """Files are not what their record says."""

    exit_code = 6
