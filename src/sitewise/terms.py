"""The words that every room shares: ADaM column names, fates of readings, severities."""

from enum import StrEnum

# Columns of the canonical readings (one row a reading) and of the analysis rows, ADaM BDS names.
STUDYID = "STUDYID"
SITEID = "SITEID"
USUBJID = "USUBJID"
TRT01P = "TRT01P"
PARAMCD = "PARAMCD"
AVISIT = "AVISIT"
AVISITN = "AVISITN"
WEEK = "WEEK"
ADY = "ADY"
AVAL = "AVAL"
BASE = "BASE"
CHG = "CHG"
ABLFL = "ABLFL"
ANL01FL = "ANL01FL"
DTYPE = "DTYPE"
DCSREAS = "DCSREAS"
SRCFILE = "SRCFILE"
SRCROW = "SRCROW"

# What a first plan has where only people can write; a report of such a plan says so.
UNWRITTEN = "not written yet"


def unwritten(text: str) -> bool:
    """Whether a text of the plan is still what a first plan has in its place."""
    return text.casefold() == UNWRITTEN


# What a model formula may name, beside the plan's covariates.
FORMULA_COLUMNS = (AVAL, BASE, CHG, AVISIT, WEEK, TRT01P, SITEID, USUBJID)


class Fate(StrEnum):
    """What became of a reading; each reading has exactly one."""

    SET_ASIDE = "set aside"
    NOT_MEASURED = "not measured"
    OUTSIDE_PLAN = "outside the plan"
    AVERAGED = "averaged into a named record"
    ANALYSED = "analysed"


class Use(StrEnum):
    """What one model made of an analysis row of its endpoint."""

    OUTCOME = "used as outcome"
    BASELINE = "used only as baseline"
    DROPPED = "dropped"


class Severity(StrEnum):
    """How much a finding matters: an error loses readings, a warning asks for a look."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"
