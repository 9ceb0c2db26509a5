"""Signatures on the ledger's head, made and checked by `ssh-keygen -Y`.

A signature says who (the signer's name in the allowed-signers file), in which role (author,
reviewer, approver) and when, of which head and which manifest. Statement and signature lie in
`records/<trial>/signatures/`; a record of the ledger binds both. Since the statement names the
head, a signature kept by somebody else shows later when records were removed from the end.
"""

import json
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from sitewise.audit.hashing import canonical_json, file_sha256
from sitewise.audit.ledger import SIGNED, Entry, Ledger, append, now
from sitewise.audit.manifest import CHANGED, MISSING, Difference
from sitewise.errors import Problem, RunError

FOLDER = "signatures"
NAMESPACE = "sitewise"  # a signature made for something else does not count


class Meaning(StrEnum):
    """What a signature means (21 CFR 11.50)."""

    AUTHOR = "author"
    REVIEWER = "reviewer"
    APPROVER = "approver"


@dataclass(frozen=True)
class Statement:
    """What is signed: head and its number, the manifest bound by it, who, what for, when."""

    trial: str
    seq: int
    head: str
    manifest: str
    signer: str
    meaning: str
    time: str


def sign(
    records: Path,
    ledger: Ledger,
    manifest: str,
    *,
    signer: str,
    meaning: Meaning,
    key: Path,
    copy: Callable[[Path, Statement], None] | None = None,
) -> tuple[Entry, Statement]:
    """Sign the head of the ledger and record it; raises RunError where the key can't sign.

    copy: writes a signed copy of the report to a path, where one is wanted.
    """
    head = ledger.head
    assert head is not None
    statement = Statement(
        records.name, head.seq, head.sha256, manifest, signer, meaning.value, now()
    )
    path = records / FOLDER / f"{head.seq:05d}-{meaning.value}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while path.exists():
        number += 1
        path = path.with_name(f"{head.seq:05d}-{meaning.value}-{number}.json")
    pdf = path.with_suffix(".pdf")
    if copy is not None:
        copy(pdf, statement)
    path.write_text(canonical_json(asdict(statement)) + "\n", encoding="utf-8")
    signature = path.with_name(f"{path.name}.sig")
    done = _ssh_keygen("-Y", "sign", "-f", str(key), "-n", NAMESPACE, str(path), terminal=True)
    if done.returncode or not signature.is_file():
        path.unlink()
        pdf.unlink(missing_ok=True)
        raise RunError(
            "The head could not be signed.",
            [
                Problem(
                    done.stderr.strip() or f"ssh-keygen ended with code {done.returncode}",
                    where=str(key),
                    allowed="a private SSH key, or a public one whose private key an agent holds",
                    fix="name the key with --key; make one with ssh-keygen -t ed25519",
                )
            ],
        )
    made = (path, signature, *([pdf] if copy else []))
    files = {f"{FOLDER}/{p.name}": file_sha256(p) for p in made}
    body = {"signer": signer, "meaning": meaning.value, "signs": head.seq, "files": files}
    return append(records, SIGNED, body), statement


def check_signatures(
    records: Path, ledger: Ledger, allowed: Path | None
) -> tuple[list[Difference], list[str]]:
    """Hold every signature against its statement, the chain and the allowed signers.

    allowed: file in the format of ssh-keygen (ALLOWED SIGNERS); None: that a signature is by whom
    it names is not checked, which the notes say. Gives discrepancies and notes.
    """
    found: list[Difference] = []
    notes: list[str] = []
    by_seq = {entry.seq: entry for entry in ledger.entries}
    for path in sorted((records / FOLDER).glob("*.json")):
        name = f"{FOLDER}/{path.name}"
        try:
            statement = _statement(path.read_bytes())
        except (ValueError, TypeError) as error:
            found.append(Difference(name, CHANGED, f"it is no statement: {error}"))
            continue
        signature = path.with_name(f"{path.name}.sig")
        if not signature.is_file():
            found.append(Difference(f"{name}.sig", MISSING))
            continue
        wrong = _wrong(path, signature, statement, allowed)
        if wrong:
            found.append(Difference(name, CHANGED, wrong))
        entry = by_seq.get(statement.seq)
        if entry is None or entry.sha256 != statement.head:
            detail = f"it signs a head (record {statement.seq}) that the ledger does not have"
            found.append(Difference(name, CHANGED, detail))
        who = f"{statement.meaning} {statement.signer}, {statement.time}, record {statement.seq}"
        doubt = "" if allowed else "; by whom is not checked: no allowed signers"
        notes.append(f"signed: {who}{doubt}")
    return found, notes


def _statement(content: bytes) -> Statement:
    """Read a statement; raises ValueError or TypeError where it is none."""
    statement = Statement(**json.loads(content))
    for name, value in asdict(statement).items():
        if not isinstance(value, int if name == "seq" else str):
            raise TypeError(f"{name} is {value!r}")
    return statement


def _wrong(path: Path, signature: Path, statement: Statement, allowed: Path | None) -> str:
    """Why a signature does not hold; empty where it does."""
    if allowed is None:
        done = _ssh_keygen(
            "-Y", "check-novalidate", "-n", NAMESPACE, "-s", str(signature), stdin=path
        )
    else:
        who = ("-f", str(allowed), "-I", statement.signer)
        arguments = ("-Y", "verify", *who, "-n", NAMESPACE, "-s", str(signature))
        done = _ssh_keygen(*arguments, stdin=path)
    if done.returncode == 0:
        return ""
    said = " ".join(f"{done.stdout} {done.stderr}".split())
    return f"the signature of {statement.signer} does not hold: {said}"


def _ssh_keygen(
    *arguments: str, stdin: Path | None = None, terminal: bool = False
) -> "subprocess.CompletedProcess[str]":
    """Run ssh-keygen. terminal: let it ask for a passphrase."""
    try:
        if stdin is None:
            given = None if terminal else subprocess.DEVNULL
            return subprocess.run(
                ["ssh-keygen", *arguments], stdin=given, capture_output=True, text=True, check=False
            )
        with stdin.open("rb") as handle:
            return subprocess.run(
                ["ssh-keygen", *arguments],
                stdin=handle,
                capture_output=True,
                text=True,
                check=False,
            )
    except FileNotFoundError:
        raise RunError(
            "Signatures need ssh-keygen.",
            [Problem("it is not installed", fix="install OpenSSH's client (openssh-client)")],
        ) from None
