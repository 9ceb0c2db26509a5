"""Numbers of sections, tables and figures, given in the order in which the templates print them.

The templates are rendered twice: the first pass learns the numbers, the second can refer forwards.
"""

from dataclasses import dataclass, field

from sitewise.errors import Problem, RunError


@dataclass(frozen=True)
class Entry:
    """One line of the contents."""

    level: int
    id: str
    number: str
    title: str


@dataclass
class Numbers:
    """Counts through one pass; `known` holds what the pass before found."""

    known: dict[str, str] = field(default_factory=dict)
    contents: tuple[Entry, ...] = ()
    found: dict[str, str] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    _section: int = 0
    _sub: int = 0
    _head: str = ""
    _counts: dict[str, int] = field(default_factory=lambda: {"Table": 0, "Figure": 0})

    @property
    def halves(self) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
        """The contents in two, for columns side by side; no section's name ends the first.

        Columns that the style sheet balances are laid out a dozen times.
        """
        cut = (len(self.contents) + 1) // 2
        while 0 < cut < len(self.contents) and self.contents[cut - 1].level == 1:
            cut -= 1
        return self.contents[:cut], self.contents[cut:]

    def section(self, anchor: str, title: str) -> str:
        """The next section: 1, 2, ..."""
        self._section += 1
        return self._open(anchor, title, str(self._section))

    def appendix(self, anchor: str, title: str) -> str:
        """The appendix: A."""
        return self._open(anchor, title, "A")

    def sub(self, anchor: str, title: str) -> str:
        """The next subsection: 1.1, 1.2, ..."""
        self._sub += 1
        number = f"{self._head}.{self._sub}"
        self._keep(anchor, f"Section {number}")
        self.entries.append(Entry(2, anchor, number, title))
        return number

    def table(self, anchor: str) -> str:
        """The next table."""
        return self._next("Table", anchor)

    def figure(self, anchor: str) -> str:
        """The next figure."""
        return self._next("Figure", anchor)

    def ref(self, anchor: str) -> str:
        """`Table 3`, `Figure 1`, `Section 4.2`; raises RunError for an id that nothing has."""
        if self.known and anchor not in self.known:
            raise RunError(
                "The report's templates refer to something that they do not print.",
                [Problem(f"no table, figure or section has the id {anchor!r}", where="templates")],
            )
        return self.known.get(anchor, "?")

    def _open(self, anchor: str, title: str, number: str) -> str:
        self._head, self._sub = number, 0
        self._keep(anchor, f"Section {number}")
        self.entries.append(Entry(1, anchor, number, title))
        return number

    def _next(self, kind: str, anchor: str) -> str:
        self._counts[kind] += 1
        self._keep(anchor, f"{kind} {self._counts[kind]}")
        return f"{kind} {self._counts[kind]}"

    def _keep(self, anchor: str, name: str) -> None:
        if anchor in self.found:
            raise RunError(
                "The report's templates print the same thing twice.",
                [
                    Problem(
                        f"{name} and {self.found[anchor]} share the id {anchor!r}",
                        where="templates",
                    )
                ],
            )
        self.found[anchor] = name
