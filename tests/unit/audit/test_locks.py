"""Lock and reasons: which states a run may be on."""

from pathlib import Path

import pytest

from sitewise.audit.hashing import canonical_json
from sitewise.audit.ledger import LOCKED, OPENED, append, read_ledger
from sitewise.audit.locks import Standing, deviations, leaves, standing
from sitewise.audit.objects import keep_text

RAW = {"one.csv": "a" * 64, "two.csv": "b" * 64}


class Trial:
    """A ledger with one lock."""

    def __init__(self, records: Path) -> None:
        self.records = records
        self.plan = self.kept(alpha=0.05)
        append(records, LOCKED, self.state(self.plan, RAW, reason="data base lock"))

    def kept(self, **keys: object) -> str:
        return keep_text(self.records, canonical_json({"plan": keys, "sites": {}}))

    def state(self, plan: str, raw: dict[str, str], **more: object) -> dict[str, object]:
        return {"user": "ann", "plan": plan, "raw": raw, **more}

    def stand(self, plan: str, raw: dict[str, str]) -> Standing:
        return standing(read_ledger(self.records), self.records, plan, raw)

    def run(self, plan: str, raw: dict[str, str], reason: str) -> None:
        stand = self.stand(plan, raw)
        departs = list(stand.changed) if stand.changed and not stand.reasoned else None
        append(self.records, OPENED, self.state(plan, raw, reason=reason, deviation=departs))


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(tmp_path)


def test_without_a_lock_everything_is_free(tmp_path: Path) -> None:
    stand = standing(read_ledger(tmp_path), tmp_path, "p", RAW)
    assert stand.lock is None
    assert stand.free


def test_what_was_locked_is_free(trial: Trial) -> None:
    assert trial.stand(trial.plan, RAW).free


def test_changes_are_named_by_key_and_file(trial: Trial) -> None:
    raw = {"one.csv": "c" * 64, "new.csv": "d" * 64, "two.csv": "absent"}
    stand = trial.stand(trial.kept(alpha=0.1), raw)
    assert not stand.free
    assert stand.changed == (
        "plan plan.alpha: 0.05 -> 0.1",
        "data new.csv: it is new",
        "data one.csv: it changed (aaaaaaaa -> cccccccc)",
        "data two.csv: it is gone",
    )


def test_an_order_that_counts_is_a_change(trial: Trial) -> None:
    texts = ['{"plan":{"F":"Female","M":"Male"}}', '{"plan":{"M":"Male","F":"Female"}}']
    first, second = (keep_text(trial.records, text) for text in texts)
    append(trial.records, LOCKED, trial.state(first, RAW))
    assert trial.stand(second, RAW).changed == ("plan: the order of its keys changed",)


def test_a_reason_frees_exactly_this_state(trial: Trial) -> None:
    other = {**RAW, "one.csv": "c" * 64}
    trial.run(trial.plan, other, "site 1 sent a correction")
    assert trial.stand(trial.plan, other).free
    assert trial.stand(trial.plan, other).changed, "it still departs from the lock"
    assert not trial.stand(trial.plan, {**RAW, "one.csv": "e" * 64}).free
    assert trial.stand(trial.plan, RAW).free


def test_deviations_say_who_why_and_what_once(trial: Trial) -> None:
    other = {**RAW, "one.csv": "c" * 64}
    trial.run(trial.plan, other, "site 1 sent a correction")
    trial.run(trial.plan, other, "said again")
    [deviation] = deviations(read_ledger(trial.records))
    assert deviation["who"] == "ann"
    assert deviation["reason"] == "site 1 sent a correction"
    assert deviation["changed"] == ["data one.csv: it changed (aaaaaaaa -> cccccccc)"]
    assert deviation["when"].endswith(" UTC")


def test_a_new_lock_ends_what_was_allowed_and_is_listed(trial: Trial) -> None:
    other = {**RAW, "one.csv": "c" * 64}
    trial.run(trial.plan, other, "a correction")
    body = trial.state(trial.plan, RAW, reason="second lock", changed=[])
    append(trial.records, LOCKED, body)
    assert not trial.stand(trial.plan, other).free
    assert [d["reason"] for d in deviations(read_ledger(trial.records))] == [
        "a correction",
        "second lock",
    ]


def test_paths_of_differing_leaves() -> None:
    before = {"a": 1, "b": {"c": [1, 2]}, "d": 4}
    now = {"a": 1, "b": {"c": [1, 3]}, "e": 5}
    assert list(leaves(before, now)) == [("b.c[2]", 2, 3), ("d", 4, None), ("e", None, 5)]
