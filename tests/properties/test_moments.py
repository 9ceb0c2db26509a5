"""However patients are put in batches and these are added, the moments are those of all rows."""

from functools import reduce

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sitewise.lmm.merge import merge
from tests.unit.lmm.scheduled import FORMULAS, trial, wide_of
from tests.unit.lmm.test_merge import assert_same

PATIENTS = 40


@pytest.mark.parametrize("text", FORMULAS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    batch=st.lists(st.integers(0, 3), min_size=PATIENTS, max_size=PATIENTS),
    order=st.permutations(range(4)),
    seed=st.integers(0, 5),
    offset=st.sampled_from([0.0, 130.0, 1e6]),
)
def test_any_batches_in_any_order(
    text: str, batch: list[int], order: list[int], seed: int, offset: float
) -> None:
    frame = trial(patients=PATIENTS, sites=3, seed=seed, offset=offset)
    number = frame["USUBJID"].str[1:].astype(int).to_numpy()
    own = np.array(batch)[number]
    frames = [frame[own == k].reset_index(drop=True) for k in order]
    # A batch is a hospital's share: enough patients to tell which variables change within them.
    frames = [f for f in frames if f["USUBJID"].nunique() >= 8 and f["ARM"].nunique() > 1]
    frames = [f for f in frames if f["SEX"].nunique() > 1 and f["SITEID"].nunique() > 1]
    if not frames:
        return
    kept = {patient for f in frames for patient in f["USUBJID"]}
    whole = wide_of(text, frame[frame["USUBJID"].isin(kept)].reset_index(drop=True))
    parts = [wide_of(text, f) for f in frames]
    assert_same(whole, merge(*parts))
    assert_same(whole, reduce(merge, parts))
