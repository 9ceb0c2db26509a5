"""Where a hospital's file is fetched from: the column `source` of the site sheet."""

from urllib.parse import urlsplit

from sitewise.errors import Problem

# The storage plugin of the workflow engine that understands a scheme.
PLUGINS = {"sftp": "sftp", "https": "http", "http": "http", "s3": "s3"}
_EXAMPLE = "sftp://server/path/file.csv, https://server/path/file.csv or s3://bucket/file.csv"


def source_problems(source: str, where: str) -> list[Problem]:
    """What is wrong with the address of a file; [] for none at all."""
    if not source:
        return []
    try:
        parts = urlsplit(source)
        _ = parts.port
    except ValueError as error:
        return [_problem(f"source {source!r} is no address: {error}", where)]
    if parts.scheme not in PLUGINS or not parts.hostname or parts.path in ("", "/"):
        return [_problem(f"source {source!r} is no address of a file that can be fetched", where)]
    if "@" in parts.netloc:
        return [
            Problem(
                "source has a user's name or a password",
                where=where,
                allowed="the address alone: the site sheet is kept in the trial's records",
                fix="give them by environment variables, as docs/storage.md says",
            )
        ]
    return []


def _problem(what: str, where: str) -> Problem:
    return Problem(what, where=where, allowed=f"{_EXAMPLE}; or nothing", fix="mend the address")
