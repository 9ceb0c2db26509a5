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

    def section(self, id: str, title: str) -> str:
        """The next section: 1, 2, ..."""
        self._section += 1
        return self._open(id, title, str(self._section))

    def appendix(self, id: str, title: str) -> str:
        """The appendix: A."""
        return self._open(id, title, "A")

    def sub(self, id: str, title: str) -> str:
        """The next subsection: 1.1, 1.2, ..."""
        self._sub += 1
        number = f"{self._head}.{self._sub}"
        self._keep(id, f"Section {number}")
        self.entries.append(Entry(2, id, number, title))
        return number

    def table(self, id: str) -> str:
        """The next table."""
        return self._next("Table", id)

    def figure(self, id: str) -> str:
        """The next figure."""
        return self._next("Figure", id)

    def ref(self, id: str) -> str:
        """`Table 3`, `Figure 1`, `Section 4.2`; raises RunError for an id that nothing has."""
        if self.known and id not in self.known:
            raise RunError(
                "The report's templates refer to something that they do not print.",
                [Problem(f"no table, figure or section has the id {id!r}", where="templates")],
            )
        return self.known.get(id, "?")

    def _open(self, id: str, title: str, number: str) -> str:
        self._head, self._sub = number, 0
        self._keep(id, f"Section {number}")
        self.entries.append(Entry(1, id, number, title))
        return number

    def _next(self, kind: str, id: str) -> str:
        self._counts[kind] += 1
        self._keep(id, f"{kind} {self._counts[kind]}")
        return f"{kind} {self._counts[kind]}"

    def _keep(self, id: str, name: str) -> None:
        if id in self.found:
            raise RunError(
                "The report's templates print the same thing twice.",
                [Problem(f"{name} and {self.found[id]} share the id {id!r}", where="templates")],
            )
        self.found[id] = name
