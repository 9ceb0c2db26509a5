"""What a qualification found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One check. name: by which the matrix of requirements calls it; kind: `installation`, `known
    answer` or `self-test`. expected, found: as text. source: where the expectation comes from.
    """

    name: str
    kind: str
    what: str
    expected: str
    found: str
    passed: bool
    source: str = ""


@dataclass(frozen=True)
class Requirement:
    """What is required, the checks that show it here, and the tests that show it in the project."""

    name: str
    text: str
    checks: tuple[str, ...]
    tests: tuple[str, ...]


@dataclass(frozen=True)
class Qualification:
    """All checks; when (UTC), where and by whom; digests of code and lock."""

    time: str
    user: str
    host: str
    version: str
    code: str
    lock: str
    checks: tuple[Check, ...]
    requirements: tuple[Requirement, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def verdict(self, requirement: Requirement) -> str:
        """`pass` or `fail` of a requirement by its checks, `by tests only` where it has none."""
        own = [check for check in self.checks if check.name in requirement.checks]
        if not own:
            return "by tests only"
        return "pass" if all(check.passed for check in own) else "fail"
