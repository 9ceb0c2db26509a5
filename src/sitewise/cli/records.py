"""The commands on a trial's records: verify, lock, sign, diff, history, export."""

import os
from pathlib import Path
from typing import Annotated

import typer

from sitewise.cli.failing import fail

DataFolder = Annotated[
    Path | None,
    typer.Option(
        "--data", help="Folder with the hospital files. [default: data/<trial>]", metavar="FOLDER"
    ),
]
Results = Annotated[
    Path, typer.Argument(help="Folder of a finished run, results/<trial>.", metavar="RESULTS")
]
Records = Annotated[
    Path | None,
    typer.Option(
        help="The trial's records. [default: records/<trial> beside results/]", metavar="FOLDER"
    ),
]


def verify(
    results: Results,
    *,
    records: Records = None,
    allowed_signers: Annotated[
        Path | None,
        typer.Option(
            help="File of allowed signers, as ssh-keygen reads it (`name key-type key`).",
            metavar="FILE",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    head: Annotated[
        str,
        typer.Option(
            help="A head of the ledger kept elsewhere: finds records removed from the end.",
            metavar="SHA256",
        ),
    ] = "",
    deep: Annotated[
        bool, typer.Option("--deep", help="Also hold every installed file against its package.")
    ] = False,
) -> None:
    """Hold results, records and signatures against each other: a line for each discrepancy.

    Ends with 0 when all is as sealed and recorded, with 6 when something is not, with 7 when every
    file is as sealed but there is no ledger to hold the seal against.
    """
    from sitewise.errors import SitewiseError
    from sitewise.run.verifying import UNCHAINED, verify_trial

    place = records or records_of(results)
    try:
        found = verify_trial(results, place, allowed=allowed_signers, head=head, deep=deep)
    except SitewiseError as error:
        fail(error)
    for difference in found.differences:
        typer.echo(str(difference))
    for note in found.notes:
        typer.echo(f"note: {note}")
    if found.differences:
        count = len(found.differences)
        typer.echo(f"{count} discrepanc{'y' if count == 1 else 'ies'} in {results}.", err=True)
        raise typer.Exit(found.exit_code)
    typer.echo(f"OK: all {found.files} files of {results} are as sealed.")
    if found.exit_code == UNCHAINED:
        near = os.path.relpath(place)
        typer.echo(f"Chain not checked: there is no ledger in {near}.", err=True)
        raise typer.Exit(UNCHAINED)
    if found.head is not None and found.bound is not None:
        typer.echo(
            f"OK: {found.head.seq} records; record {found.bound.seq} binds the seal;"
            f" head {found.head.sha256}"
        )


def lock(
    plan: Annotated[
        Path, typer.Argument(help="The trial's plan, config/<trial>.yaml.", metavar="PLAN")
    ],
    *,
    reason: Annotated[
        str, typer.Option(help="Why now, e.g. 'database lock of 2026-11-20'.", metavar="TEXT")
    ],
    data: DataFolder = None,
    directory: Annotated[
        Path,
        typer.Option(
            help="Where results/, records/ and logs/ are.", metavar="FOLDER", show_default="here"
        ),
    ] = Path(),
) -> None:
    """Freeze plan and data of a trial.

    From then on a run on another plan or other data stops and says what changed, unless a reason
    is given (run --reason), which the report lists as a deviation.
    """
    from sitewise.errors import SitewiseError
    from sitewise.run.locking import lock_trial

    try:
        done = lock_trial(plan, data, directory, reason.strip())
    except SitewiseError as error:
        fail(error)
    typer.echo(
        f"Locked: the plan (sha256 {done.entry.body['plan'][:12]}...) and {done.files} hospital"
        f" files (sha256 {done.entry.body['data'][:12]}...) at {done.entry.time}."
    )
    for change in done.entry.body["changed"]:
        typer.echo(f"differs from the lock before: {change}")
    typer.echo(f"Ledger: record {done.entry.seq}, head {done.entry.sha256}")


def unlock(
    plan: Annotated[
        Path, typer.Argument(help="The trial's plan, config/<trial>.yaml.", metavar="PLAN")
    ],
    *,
    reason: Annotated[
        str,
        typer.Option(
            help="Why now, e.g. 'data base locked, minutes of 2026-11-20'.", metavar="TEXT"
        ),
    ],
    data: DataFolder = None,
    directory: Annotated[
        Path,
        typer.Option(
            help="Where results/, records/ and logs/ are.", metavar="FOLDER", show_default="here"
        ),
    ] = Path(),
) -> None:
    """Lift the blind of a trial whose plan says `blinded: true`: once, and for good.

    Nothing is computed yet: the next run is by arm, and its report says who lifted the blind, when
    and why.
    """
    from sitewise.errors import SitewiseError
    from sitewise.run.blind import lift_blind

    if not reason.strip():
        raise typer.BadParameter("the reason is empty")
    try:
        done = lift_blind(plan, data, directory, reason.strip())
    except SitewiseError as error:
        fail(error)
    for line in done.lines:
        typer.echo(line)


def sign(
    results: Results,
    *,
    signer: Annotated[
        str,
        typer.Option(
            "--as", help="Who signs, as the allowed-signers file names them.", metavar="NAME"
        ),
    ],
    meaning: Annotated[str, typer.Option(help="author, reviewer or approver.", metavar="ROLE")],
    key: Annotated[Path, typer.Option(help="The signer's SSH key.", metavar="FILE", exists=True)],
    certificate: Annotated[
        Path | None,
        typer.Option(
            help="PKCS #12 file: also keep a copy of the PDF, signed with it (needs pyHanko).",
            metavar="FILE",
            exists=True,
        ),
    ] = None,
    passphrase_file: Annotated[
        Path | None,
        typer.Option(help="File with that certificate's passphrase.", metavar="FILE", exists=True),
    ] = None,
    records: Records = None,
) -> None:
    """Sign the ledger's head, and with it everything that led to these results."""
    from sitewise.audit.signatures import Meaning
    from sitewise.errors import SitewiseError
    from sitewise.run.signing import sign_trial

    if meaning not in set(Meaning):
        raise typer.BadParameter(f"{meaning!r} is not one of: {', '.join(Meaning)}")
    place = records or records_of(results)
    try:
        entry, statement = sign_trial(
            results, place, signer=signer, meaning=Meaning(meaning), key=key,
            certificate=certificate,
            passphrase=passphrase_file.read_bytes().strip() if passphrase_file else None,
        )  # fmt: skip
    except SitewiseError as error:
        fail(error)
    typer.echo(
        f"Signed as {meaning} by {signer} at {statement.time}: record {statement.seq},"
        f" head {statement.head}"
    )
    for name in entry.body["files"]:
        if name.endswith(".pdf"):
            typer.echo(f"Signed copy of the report: {place / name}")
    typer.echo(f"Ledger: record {entry.seq}, head {entry.sha256}")


def diff(
    results: Results,
    before: Annotated[
        str, typer.Argument(help="A run's id, or a record's number. [default: the one before]")
    ] = "",
    after: Annotated[
        str, typer.Argument(help="A run's id, or a record's number. [default: the last]")
    ] = "",
    *,
    records: Records = None,
    as_json: Annotated[bool, typer.Option("--json", help="All of it as JSON.")] = False,
    attribute: Annotated[
        bool,
        typer.Option(
            "--attribute",
            help="Run the older run again with data, plan, code or environment exchanged, one at a"
            " time, to see what each alone makes of every estimate. Takes a whole run for each.",
        ),
    ] = False,
) -> None:
    """Tell what differs between two sealed runs, estimate by estimate, and what it is due to.

    Killed and failed runs are never compared with.
    """
    from rich.console import Console

    from sitewise.changes.page import as_json as text_of
    from sitewise.cli.differences import show_changes
    from sitewise.errors import SitewiseError
    from sitewise.run.differing import diff_runs

    try:
        place = (records or records_of(results)).resolve()
        changes = diff_runs(place, before, after)
        if as_json:
            typer.echo(text_of(changes), nl=False)
        else:
            show_changes(changes, Console())
        if attribute:
            from sitewise.cli.differences import show_attribution
            from sitewise.run.attributing import attribute as attribute_runs
            from sitewise.run.context import find_project

            runs = changes.before.run, changes.after.run
            show_attribution(attribute_runs(place, find_project(results), changes, runs), Console())
    except SitewiseError as error:
        fail(error)


def history(
    results: Results,
    file: Annotated[
        str,
        typer.Argument(
            help="A file of it, e.g. models/SYSBP/nested/fit.json: what it was in each sealed run.",
            metavar="[FILE]",
        ),
    ] = "",
    *,
    records: Records = None,
) -> None:
    """List the trial's records: who did what when and why; or the earlier copies of one file."""
    from sitewise.errors import SitewiseError
    from sitewise.run import history as told

    place = (records or records_of(results)).resolve()
    try:
        lines = told.history_of_file(place, file) if file else told.history(place)
    except SitewiseError as error:
        fail(error)
    for line in lines:
        typer.echo(line)


def export(
    results: Results,
    crate: Annotated[
        Path, typer.Argument(help="A new folder for the crate.", metavar="FOLDER", file_okay=False)
    ],
    *,
    run: Annotated[
        str, typer.Option(help="A run's id, or a record's number. [default: the last]")
    ] = "",
    records: Records = None,
) -> None:
    """Write a sealed run as a Workflow Run RO-Crate: results, data, plan, code, ledger, provenance.

    The crate holds the hospital files, unless the plan says that no copies of them are kept.
    """
    from sitewise.errors import SitewiseError
    from sitewise.run.context import find_project
    from sitewise.run.crate import export_run

    try:
        place = (records or records_of(results)).resolve()
        files = export_run(place, find_project(results), crate, run)
    except SitewiseError as error:
        fail(error)
    typer.echo(f"{crate}: {files} files, explained by ro-crate-metadata.json")


def records_of(results: Path) -> Path:
    """Where the records of a results folder are: results/<trial> and records/<trial>."""
    folder = results.resolve()
    return folder.parents[1] / "records" / folder.name if len(folder.parents) > 1 else folder
