"""The head of a trial's ledger, signed by a person in a role."""

from pathlib import Path

from sitewise.audit.ledger import Entry, read_ledger
from sitewise.audit.signatures import Meaning, Statement, sign
from sitewise.run.marker import only_run
from sitewise.run.verifying import require_sound, verify_trial


def sign_trial(
    results: Path, records: Path, *, signer: str, meaning: Meaning, key: Path
) -> tuple[Entry, Statement]:
    """Sign sound results; gives the ledger's record and what was signed.

    Raises IntegrityError where results and records do not fit, RunError where a run is in progress
    or the key can't sign.
    """
    results, records = results.resolve(), records.resolve()
    verified = verify_trial(results, records)
    require_sound(verified, results)
    assert verified.bound is not None
    with only_run(records / "open-run.json", lambda _: None):
        manifest = str(verified.bound.body["manifest"])
        ledger = read_ledger(records)
        return sign(records, ledger, manifest, signer=signer, meaning=meaning, key=key)
