"""Hospitals or files that stand in several lines of the site sheet."""

import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sitewise.errors import Problem

if TYPE_CHECKING:
    from sitewise.plan.sheet import Site


def repeated_lines(sites: "Mapping[int, Site]", source: str) -> list[Problem]:
    """SITEIDs and files that stand in several lines, as they are or in another writing."""
    problems = []
    for what, values, fix in (
        ("SITEID", {n: site.siteid for n, site in sites.items()},
         "give each hospital its own SITEID; one that sends two files needs them joined"),
        ("file", {n: site.file for n, site in sites.items()},
         "name each hospital's own file, or remove the line that is too many"),
    ):  # fmt: skip
        lines: dict[str, list[int]] = {}
        for number, value in values.items():
            lines.setdefault(_plain(value) if what == "SITEID" else value, []).append(number)
        for numbers in lines.values():
            if len(numbers) < 2:
                continue
            names = list(dict.fromkeys(values[number] for number in numbers))
            told = f"{what} {names[0]!r} is listed {len(numbers)} times"
            if len(names) > 1:
                alike = " and ".join(repr(name) for name in names)
                told = f"the SITEIDs {alike} differ only by case, blanks or accents"
            problems.append(
                Problem(
                    told,
                    where=f"{source}, lines {', '.join(map(str, numbers))}",
                    allowed="one line a hospital, one hospital a file",
                    fix=fix,
                )
            )
    return problems


def _plain(name: str) -> str:
    """Equal for names that a reader takes for the same."""
    marked = unicodedata.normalize("NFKD", name.casefold())
    return "".join(
        c for c in marked if c.isprintable() and not c.isspace() and not unicodedata.combining(c)
    )
