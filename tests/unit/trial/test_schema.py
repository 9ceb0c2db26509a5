"""The gate to the analysis: what a reading lacks that passed the checks before it, by name."""

import pytest

from sitewise.errors import DataError
from sitewise.terms import Fate
from sitewise.trial.rows import FATE
from sitewise.trial.schema import HARD, SOFT, assert_analysable, outside_limits


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("USUBJID", None, "USUBJID"),
        ("TRT01P", "Nobody's", "TRT01P"),
        ("AVISIT", "month 99", "AVISIT"),
        ("PARAMCD", "PULSE", "PARAMCD"),
        ("SITEID", None, "SITEID"),
        ("SRCFILE", None, "SRCFILE"),
        ("SRCROW", 0, "SRCROW"),
        ("AVAL", float("nan"), "AVAL"),
        ("AVAL", 1e4, HARD),
    ],
)
def test_each_want_stops_at_the_gate(trial, column, value, told) -> None:
    readings = trial.check().readings
    readings = readings[readings[FATE] == Fate.ANALYSED.value].reset_index(drop=True)
    assert len(readings) > 10
    assert_analysable(trial.plan, readings)
    readings.loc[1, column] = value
    with pytest.raises(DataError) as caught:
        assert_analysable(trial.plan, readings)
    assert told in str(caught.value)
    assert "1 reading" in str(caught.value)


def test_limits_belong_to_what_they_bound(trial) -> None:
    import pandas as pd

    endpoint = trial.plan.endpoints["SYSBP"]
    (low, high), (soft, _) = endpoint.hard, endpoint.soft
    values = pd.Series([low, high, low - 1, high + 1, soft, soft - 0.5, float("nan")])
    found = outside_limits(endpoint, values)
    assert found[HARD].tolist() == [2, 3]
    assert set(found[SOFT]) >= {2, 3, 5}
    assert 4 not in found[SOFT]
    assert 6 not in found[SOFT]
