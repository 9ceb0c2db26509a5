"""Columns and codes of the hospital files to ADaM names."""

from typing import TYPE_CHECKING

from sitewise.plan.sheet import Site
from sitewise.terms import (
    ADY,
    AVAL,
    AVISIT,
    AVISITN,
    SITEID,
    SRCFILE,
    SRCROW,
    STUDYID,
    TRT01P,
    USUBJID,
    Fate,
)
from sitewise.trial.numbers import parse_cells
from sitewise.trial.raw import RawTable
from sitewise.trial.rows import (
    ARM,
    ATPT,
    AVALC,
    DAYCELL,
    DECIMAL,
    FATE,
    INTERNAL,
    PARAMCD,
    PARAMCELL,
    RAGGED,
    REASON,
    SHEETUNIT,
    SITECELL,
    UNIT,
    VISIT,
    arrange,
    leaving_columns,
)
from sitewise.trial.units import sheet_units, unit_factor

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.model import Plan


class RawRows:
    """Rows of many files, column by column: one frame a batch is faster than one a site."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        self.cells: dict[str, list[str | None]] = {name: [] for name in columns}
        self.facts: dict[str, list[object]] = {
            name: [] for name in (SITEID, SRCFILE, SRCROW, DECIMAL, SHEETUNIT, REASON)
        }

    def add(self, site: Site, table: RawTable, reason: str) -> None:
        """Append the rows of one file; `reason`: why the whole site is set aside, or ""."""
        columns = list(zip(*table.cells, strict=True))
        for name, column in self.cells.items():
            if columns and table.header.count(name) == 1:
                column.extend(columns[table.header.index(name)])
            else:
                column.extend([None] * len(table.cells))
            column.extend([None] * len(table.ragged))
        rows = len(table.cells) + len(table.ragged)
        self.facts[SRCROW] += [*table.lines, *(line for line, _ in table.ragged)]
        self.facts[REASON] += [reason] * len(table.cells) + [reason or RAGGED] * len(table.ragged)
        for name, value in (
            (SITEID, site.siteid),
            (SRCFILE, site.file),
            (DECIMAL, site.decimal),
            (SHEETUNIT, site.unit),
        ):
            self.facts[name] += [value] * rows


def needed_columns(plan: "Plan") -> tuple[str, ...]:
    """Columns that every hospital file must have, in the order of the plan."""
    columns = plan.columns
    named = [
        columns.site, columns.patient, columns.arm, columns.visit, columns.day, columns.timepoint,
        columns.parameter, columns.value, columns.unit,
        *(endpoint.column for endpoint in plan.endpoints.values()),
        *(covariate.column for covariate in plan.covariates.values()),
    ]  # fmt: skip
    return tuple(dict.fromkeys(name for name in named if name is not None))


def wanted_columns(plan: "Plan") -> tuple[str, ...]:
    """Columns that are read where a file has them, and that cost no hospital its place."""
    needed, reasons = needed_columns(plan), plan.leaving.column
    return () if reasons is None or reasons in needed else (reasons,)


def canonical_rows(plan: "Plan", raw: RawRows) -> "pd.DataFrame":
    """Canonical readings of a batch; AVAL in the unit of the file, covariates as text."""
    import pandas as pd

    cells = pd.DataFrame({n: pd.Series(c, dtype="str") for n, c in raw.cells.items()})
    for name in cells.columns:
        cells[name] = _known(cells[name], plan.missing_values)
    rows = _shared_columns(plan, cells, pd.DataFrame(raw.facts))
    readings = (
        _by_column(plan, cells, rows)
        if plan.columns.layout == "visits"
        else _by_code(plan, cells, rows)
    )
    readings[AVAL] = parse_cells(readings[AVALC].astype("str"), readings[DECIMAL])
    readings[ADY] = parse_cells(readings[ADY].astype("str"), readings[DECIMAL])
    return arrange(plan, readings, INTERNAL)


def _known(cells: "pd.Series[str]", missing: tuple[str, ...]) -> "pd.Series[str]":
    """Cells without surrounding blanks; null where they mean missing."""
    cells = cells.str.strip()
    return cells.where(~cells.isin(["", *missing])).astype("str")


def _shared_columns(plan: "Plan", cells: "pd.DataFrame", facts: "pd.DataFrame") -> "pd.DataFrame":
    """What all readings of a row share."""
    import pandas as pd

    nothing = pd.Series(None, index=cells.index, dtype="str")

    def column(name: str | None) -> "pd.Series[str]":
        return nothing if name is None else cells[name]

    columns = plan.columns
    arms = {c: arm.name for arm in plan.arms.order for c in (arm.codes or (arm.name,))}
    visits = {c: visit.name for visit in plan.visits for c in (visit.codes or (visit.name,))}
    number = {visit.name: float(i) for i, visit in enumerate(plan.visits)}
    site = facts[SITEID].astype("str")
    patient = cells[columns.patient]
    visit = cells[columns.visit].map(visits).astype("str")
    reason = facts[REASON].astype("str")
    return pd.DataFrame(
        {
            STUDYID: plan.trial,
            SITEID: site,
            USUBJID: patient if columns.patient_ids == "trial" else site + "-" + patient,
            TRT01P: cells[columns.arm].map(arms).astype("str"),
            AVISIT: visit,
            AVISITN: visit.map(number).astype("float64"),
            ATPT: column(columns.timepoint),
            ADY: column(columns.day),
            VISIT: cells[columns.visit],
            ARM: cells[columns.arm],
            **{name: cells[c.column] for name, c in plan.covariates.items()},
            **{name: column(plan.leaving.column) for name in leaving_columns(plan)},
            SRCFILE: facts[SRCFILE].astype("str"),
            SRCROW: facts[SRCROW],
            FATE: pd.Series(Fate.SET_ASIDE.value, index=cells.index).where(reason != ""),
            REASON: reason.where(reason != ""),
            SITECELL: column(columns.site),
            DAYCELL: column(columns.day),
            DECIMAL: facts[DECIMAL].astype("str"),
            SHEETUNIT: facts[SHEETUNIT].astype("str"),
        }
    )


def _by_column(plan: "Plan", cells: "pd.DataFrame", rows: "pd.DataFrame") -> "pd.DataFrame":
    """Layout `visits`: a reading for each row and endpoint."""
    import pandas as pd

    return pd.concat(
        [
            rows.assign(
                **{
                    PARAMCD: name,
                    PARAMCELL: endpoint.column,
                    AVALC: cells[str(endpoint.column)],
                    UNIT: _declared(plan, rows, endpoint.unit).fillna(endpoint.unit),
                }
            )
            for name, endpoint in plan.endpoints.items()
        ],
        ignore_index=True,
    )


def _by_code(plan: "Plan", cells: "pd.DataFrame", rows: "pd.DataFrame") -> "pd.DataFrame":
    """Layout `readings`: a reading for each row."""
    columns = plan.columns
    names = {str(endpoint.code): name for name, endpoint in plan.endpoints.items()}
    code = cells[str(columns.parameter)]
    parameter = code.map(names).astype("str")
    unit = code.where(code.isna()) if columns.unit is None else cells[columns.unit]
    for name, endpoint in plan.endpoints.items():
        # an empty unit cell takes what the site sheet declares; without a unit column, the plan's
        declared = _declared(plan, rows, endpoint.unit)
        if columns.unit is None:
            declared = declared.fillna(endpoint.unit)
        unit = unit.where((parameter != name) | unit.notna(), declared)
    return rows.assign(
        **{PARAMCD: parameter, PARAMCELL: code, AVALC: cells[str(columns.value)], UNIT: unit}
    )


def _declared(plan: "Plan", rows: "pd.DataFrame", unit: str) -> "pd.Series[str]":
    """The unit of the site sheet for an endpoint of `unit`; null where it speaks of others."""
    fitting = [u for u in sheet_units(plan) if unit_factor(u, unit) is not None]
    return rows[SHEETUNIT].where(rows[SHEETUNIT].isin(fitting))
