"""The head of a trial's ledger, signed by a person in a role."""

from pathlib import Path

from sitewise.audit.fence import OPEN_RUN
from sitewise.audit.ledger import Entry, read_ledger
from sitewise.audit.pades import signed_copy
from sitewise.audit.signatures import Meaning, Statement, sign
from sitewise.run.marker import only_run
from sitewise.run.verifying import require_sound, verify_trial


def sign_trial(
    results: Path,
    records: Path,
    *,
    signer: str,
    meaning: Meaning,
    key: Path,
    certificate: Path | None = None,
    passphrase: bytes | None = None,
) -> tuple[Entry, Statement]:
    """Sign sound results; gives the ledger's record and what was signed.

    certificate: PKCS #12 file for a signed copy of the PDF among the signatures; None for none.
    Raises IntegrityError where results and records do not fit, RunError where a run is in progress
    or the key can't sign.
    """
    results, records = results.resolve(), records.resolve()
    verified = verify_trial(results, records)
    require_sound(verified, results)
    assert verified.bound is not None
    with only_run(records / OPEN_RUN, lambda _: None):
        manifest = str(verified.bound.body["manifest"])
        ledger = read_ledger(records)

        def copy(target: Path, statement: Statement) -> None:
            assert certificate is not None
            reason = f"{statement.meaning}; ledger record {statement.seq}, head {statement.head}"
            report = results / "report.pdf"
            signed_copy(report, target, certificate, passphrase, name=signer, reason=reason)

        return sign(
            records, ledger, manifest, signer=signer, meaning=meaning, key=key,
            copy=copy if certificate else None,
        )  # fmt: skip
