"""The design effect as allocated, against a dense simulation-free computation."""

import numpy as np
import pandas as pd
import pytest

from sitewise.inference.design_effect import allocation_imbalance, design_effects, mean_cluster


def dense_effect(sites, arms, icc):
    """Variance of the difference of arm means under V, over that under independence."""
    V = np.where(np.equal.outer(sites, sites), icc, 0.0)
    np.fill_diagonal(V, 1.0)
    weights = np.where(arms, 1 / arms.sum(), -1 / (~arms).sum())
    return weights @ V @ weights / (weights @ weights)


def frame_of(sites, arms):
    names = np.where(arms, "new", "old")
    patients = [f"p{i}" for i in range(len(sites))]
    once = pd.DataFrame({"SITEID": sites.astype(str), "TRT01P": names, "USUBJID": patients})
    return pd.concat([once, once.iloc[::2]])  # every other patient has two readings


@pytest.mark.parametrize("icc", [0.0, 0.03, 0.4])
@pytest.mark.parametrize("cluster", [True, False])
def test_effect_is_the_ratio_of_variances(cluster, icc):
    rng = np.random.default_rng(11)
    sites = np.sort(rng.integers(0, 9, 80))
    arms = (sites % 2 == 0) if cluster else rng.random(80) < 0.4
    (found,) = design_effects(frame_of(sites, arms), ("old", "new"), icc)
    assert found.effect == pytest.approx(dense_effect(sites, arms, icc), rel=1e-12)
    assert found.patients == 80
    assert found.sites == len(set(sites))


def test_balanced_within_sites_gives_below_one():
    sites = np.repeat(np.arange(5), 8)
    arms = np.tile([True, False], 20)
    (found,) = design_effects(frame_of(sites, arms), ("old", "new"), 0.2)
    assert pytest.approx(0.0, abs=1e-15) == found.S
    assert found.effect == pytest.approx(0.8)


def test_equal_arms_of_whole_sites_give_the_mean_cluster():
    # Sites of 4 and 6 in one arm, of 3 and 7 in the other: sum m^2 / sum m = (16+36+9+49)/20.
    assert mean_cluster([4, 6, 3, 7]) == pytest.approx(5.5)
    found = allocation_imbalance([4, 6, 0, 0], [0, 0, 3, 7])
    assert found == pytest.approx((52 / 100 + 58 / 100) / (1 / 10 + 1 / 10))


def test_an_arm_without_patients_has_no_effect():
    frame = frame_of(np.array([1, 1, 2, 2]), np.array([True, True, True, True]))
    (found,) = design_effects(frame, ("old", "new"), 0.1)
    assert np.isnan(found.effect)
    assert found.patients == 4


def test_the_effect_at_a_visit_by_hand():
    # At w: new 4 in site 1, old 2 in site 2 and 2 in site 3: S = (1 + 1/4 + 1/4) / (1/4 + 1/4) = 3.
    sites = np.array([1] * 4 + [2] * 2 + [3] * 2)
    once = pd.DataFrame({
        "SITEID": sites.astype(str), "TRT01P": np.where(sites == 1, "new", "old"),
        "USUBJID": [f"p{i}" for i in range(8)], "AVISIT": "w",
    })  # fmt: skip
    # At v four more patients of site 4: they don't count at w.
    more = once.head(4).assign(SITEID="4", USUBJID=["q1", "q2", "q3", "q4"], AVISIT="v")
    frame = pd.concat([once, once.assign(AVISIT="v"), more])
    (found,) = design_effects(frame, ("old", "new"), 0.1, visit="w", visit_icc=0.05)
    assert (found.visit, found.visit_icc) == ("w", 0.05)
    assert found.visit_effect == pytest.approx(1 + 2 * 0.05)
    # All: new 4 and 4, old 2 and 2: S = 4 * .25 / (1/8 + 1/4) = 8/3.
    assert pytest.approx(8 / 3) == found.S
    assert found.effect == pytest.approx(1 + 5 / 3 * 0.1)
    (none,) = design_effects(frame, ("old", "new"), 0.1, visit="w", visit_icc=-0.02)
    assert (none.visit_icc, none.visit_effect) == (0.0, 1.0)
    (unknown,) = design_effects(frame, ("old", "new"), 0.1, visit="w", visit_icc=float("nan"))
    assert np.isnan(unknown.visit_effect)


def test_the_effect_on_a_change_counts_patients_seen_at_both():
    # At w and at v: new 4 in site 1, old 2 in each of sites 2 and 3, as above: S = 3.
    sites = np.array([1] * 4 + [2] * 2 + [3] * 2)
    once = pd.DataFrame({
        "SITEID": sites.astype(str), "TRT01P": np.where(sites == 1, "new", "old"),
        "USUBJID": [f"p{i}" for i in range(8)], "AVISIT": "w",
    })  # fmt: skip
    late = once.head(4).assign(SITEID="4", USUBJID=["q1", "q2", "q3", "q4"])
    frame = pd.concat([once, once.assign(AVISIT="v"), late])
    (found,) = design_effects(frame, ("old", "new"), 0.1, visit="w", visit_icc=0.05, baseline="v",
                              change_icc=0.02)  # fmt: skip
    assert found.change_effect == pytest.approx(1 + 2 * 0.02)
    (none,) = design_effects(frame, ("old", "new"), 0.1, visit="w", visit_icc=0.05)
    assert np.isnan(none.change_effect)
