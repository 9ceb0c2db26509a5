"""Section 8 and the appendix: methods, references, the plan, digests, versions, site files."""

from dataclasses import dataclass

from sitewise.report.cells import MOST_SITE_ROWS, capped
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import NONE
from sitewise.report.layout import Table, row, table
from sitewise.report.words_methods import Method, methods, references


@dataclass(frozen=True)
class Methods:
    """Section 8."""

    estimand: Table
    methods: tuple[Method, ...]
    references: tuple[str, ...]


@dataclass(frozen=True)
class Appendix:
    """The appendix. plan: as YAML."""

    plan: str
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
    """Build section 8."""
    estimand = e.plan.estimand.model_dump()
    rows = [row(label, estimand[key]) for key, label in _ATTRIBUTES.items()]
    found = methods(e)
    return Methods(
        table("tbl-estimand", "Estimand", [("Attribute", "text"), ("In this trial", "text")], rows),
        found,
        references(found),
    )


def appendix(e: Evidence) -> Appendix:
    """Build the appendix."""
    digests = [row(_DIGESTS.get(key, key), value) for key, value in e.digests.items()]
    python = next((v for name, v in e.packages.items() if name.lower() == "python"), "")
    names = sorted(name for name in e.packages if name.lower() != "python")
    packages = [row("Python", python)] if python else []
    packages += [row(name, e.packages[name]) for name in names]
    files = [
        row(f.site, f.file, f.written or NONE, f.sha256) for f in e.account.files[:MOST_SITE_ROWS]
    ]
    return Appendix(
        plan=plan_text(e),
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
    """The plan as YAML with the values that were used, defaults included, lists of words inline."""
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    def sequence(dumper: yaml.SafeDumper, items: list[object]) -> yaml.Node:
        inline = not any(isinstance(item, (list, dict)) for item in items)
        return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=inline)

    Dumper.add_representer(list, sequence)
    data = e.plan.model_dump(mode="json", exclude_none=True)
    text: str = yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=52)
    return text
