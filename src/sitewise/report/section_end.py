"""The last section and the appendix: methods, references; plan, digests, versions, site files."""

import math
from dataclasses import dataclass

from sitewise.report.cells import capped, of_sites
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import NONE
from sitewise.report.layout import Table, row, table
from sitewise.report.words_assumptions import assumptions
from sitewise.report.words_methods import ESTIMAND, literature, methods, references

_LINE, _SHORT = 52, 62  # letters: where a line of the plan is broken; of half a page


@dataclass(frozen=True)
class Cited:
    """One method as the page prints it. sources: numbers of its references."""

    title: str
    text: str
    formula: str
    sources: tuple[int, ...]


@dataclass(frozen=True)
class Methods:
    """The section of methods. estimand_source: number of the reference that names its attributes.

    references: in the order of their numbers.
    """

    estimand: Table
    estimand_source: int
    assumptions: Table
    methods: tuple[Cited, ...]
    references: tuple[str, ...]


@dataclass(frozen=True)
class Appendix:
    """The appendix. plan: as YAML. use: the file with what the primary model made of each row."""

    plan: str
    use: str
    digests: Table
    packages: Table
    files: Table


_ATTRIBUTES = {
    "population": "Population",
    "treatment": "Treatment",
    "variable": "Variable",
    "intercurrent_events": "Intercurrent events",
    "summary": "Population-level summary",
}
_DIGESTS = {
    "plan": "The plan and its site sheet",
    "data": "All site files",
    "code": "Code of the package and of the workflow's scripts, without comments",
    "templates": "Templates of the report",
    "lock": "Locked environment",
}


def methods_section(e: Evidence) -> Methods:
    """Build the section of methods."""
    estimand = e.plan.estimand.model_dump()
    rows = [row(label, estimand[key]) for key, label in _ATTRIBUTES.items()]
    found = methods(e)
    numbers = references(found)
    return Methods(
        table("tbl-estimand", "Estimand", [("Attribute", "text"), ("In this trial", "text")], rows),
        numbers[ESTIMAND],
        assumptions(e),
        tuple(
            Cited(m.title, m.text, m.formula, tuple(sorted(numbers[key] for key in m.references)))
            for m in found
        ),
        literature(numbers),
    )


def appendix(e: Evidence) -> Appendix:
    """Build the appendix."""
    digests = [row(_DIGESTS.get(key, key), value) for key, value in e.digests.items()]
    python = next((v for name, v in e.packages.items() if name.lower() == "python"), "")
    names = sorted(name for name in e.packages if name.lower() != "python")
    packages = [row("Python", python)] if python else []
    packages += [row(name, e.packages[name]) for name in names]
    files = [row(f.site, f.file, f.written or NONE, f.sha256) for f in of_sites(e.account.files)]
    return Appendix(
        plan=plan_text(e),
        use=f"models/{next(iter(e.plan.endpoints))}/{e.plan.primary.model}/use.parquet",
        digests=table(
            "tbl-digests",
            "Digests (sha256)",
            [("Of", "text"), ("Digest", "code")],
            digests,
        ),
        packages=table(
            "tbl-packages", "Versions", [("Package", "text"), ("Version", "text")], packages
        ),
        files=table(
            "tbl-sites",
            "Site files",
            [("Site", "text"), ("File", "text"), ("Read as", "text"), ("sha256", "code")],
            files,
            notes=[capped(len(files), len(e.account.files), "tables/files.csv")],
            file="files.csv",
            size="small",
        ),
    )


def plan_text(e: Evidence) -> str:
    """The plan as YAML with the values that were used, defaults included, the short in a line."""
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    def sequence(dumper: yaml.SafeDumper, items: list[object]) -> yaml.Node:
        inline = not any(isinstance(item, (list, dict)) for item in items)
        return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=inline)

    def mapping(dumper: yaml.SafeDumper, items: dict[str, object]) -> yaml.Node:
        text = yaml.safe_dump(items, default_flow_style=True, allow_unicode=True, width=math.inf)
        flat = not any(isinstance(item, dict) for item in items.values())
        inline = flat and len(items) > 0 and len(text.strip()) <= _SHORT
        return dumper.represent_mapping("tag:yaml.org,2002:map", items.items(), inline)

    Dumper.add_representer(list, sequence)
    Dumper.add_representer(dict, mapping)
    data = e.plan.model_dump(mode="json", exclude_none=True)
    text: str = yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=_LINE)
    return text
