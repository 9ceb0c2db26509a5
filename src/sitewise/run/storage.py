"""Files of one server, brought by a storage plugin of the workflow engine: a process of its own.

    python -m sitewise.run.storage < order.json

order: `plugin`, `folder` (for drafts) and `files`: `name`, `source`, `sha256`, `draft` each. Of
each file it says two lines of JSON: its `name` when it begins to ask the server, then `name` and
`error` ("" where the file is whole).

It is a process of its own because the plugins know no time limit: who started it ends it where
nothing comes any more.
"""

import json
import logging
import os
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from sitewise.audit.hashing import file_sha256
from sitewise.audit.parent import end_with_parent

# Plugins ask a server once a second by default; a hospital's file takes several questions.
_REQUESTS = 50.0
MODULE = "snakemake_storage_plugin_"


class NotWholeError(Exception):
    """A file that is not there, or not whole."""


def make_provider(plugin: str, folder: Path) -> Any:
    """The plugin with its settings from the environment, as the workflow engine names them:
    SNAKEMAKE_STORAGE_SFTP_USERNAME and so on.
    """
    module = _module(plugin)
    settings = module.StorageProviderSettings()
    settings.max_requests_per_second = _REQUESTS
    for field in fields(settings):
        given = os.environ.get(f"SNAKEMAKE_STORAGE_{plugin}_{field.name}".upper())
        if given is not None:
            parse = field.metadata.get("parse_func", _parser(field.type))
            setattr(settings, field.name, parse(given))
    return module.StorageProvider(
        local_prefix=folder, logger=logging.getLogger(plugin), settings=settings
    )


def bring(provider: Any, source: str, draft: Path, sha256: str) -> None:
    """Bring one file; raises NotWholeError, or what the plugin raises.

    Plugins don't look whether all of a file has come, nor whether a web server sent an error's page
    in its place: size and time before and after tell, or the digest of the site sheet.
    """
    draft.parent.mkdir(parents=True, exist_ok=True)
    place = provider.object(source)
    place.set_local_path(draft)
    if not place.exists():
        raise NotWholeError(
            "the server has no such file, does not give it to us, or is in trouble itself"
        )
    before = place.size(), place.mtime()
    place.retrieve_object()
    if sha256 and file_sha256(draft) == sha256:
        return
    after, size = (place.size(), place.mtime()), draft.stat().st_size
    if before != after:
        raise NotWholeError("it changed on the server while it was read")
    if before[0] == 0:
        raise NotWholeError(
            "it is empty, or the server does not say how long it is, so nobody can know whether all"
            " of it came; its sha256 in the site sheet would tell"
        )
    if size != before[0]:
        raise NotWholeError(f"{size} of {before[0]} bytes came")


def _module(plugin: str) -> Any:
    """What every plugin's package has: StorageProvider and StorageProviderSettings."""
    if plugin == "sftp":
        import snakemake_storage_plugin_sftp as module
    elif plugin == "s3":
        import snakemake_storage_plugin_s3 as module
    else:
        import snakemake_storage_plugin_http as module
    return module


def _parser(kind: Any) -> Any:
    text = str(kind)
    if "bool" in text:
        return lambda given: given.lower() in ("1", "true", "yes")
    return float if "float" in text else int if "int" in text else str


def _words(error: BaseException) -> str:
    """The cause of an error; plugins wrap it in that of their retries."""
    last = getattr(error, "last_attempt", None)
    cause = last.exception() if last is not None else error
    text = " ".join(str(cause or error).split())
    return text if isinstance(cause, NotWholeError) else f"{type(cause).__name__}: {text}"


def _main() -> None:
    end_with_parent()  # a night that is killed leaves nobody behind who waits for a server
    order = json.load(sys.stdin)
    provider = None
    for one in order["files"]:
        error, draft = "", Path(one["draft"])
        try:
            provider = provider or make_provider(order["plugin"], Path(order["folder"]))
            print(json.dumps({"name": one["name"]}), flush=True)
            bring(provider, one["source"], draft, one["sha256"])
        except Exception as caught:  # noqa: BLE001 - plugins raise what their libraries raise
            error, provider = _words(caught), None  # a broken connection is not used again
            draft.unlink(missing_ok=True)
        print(json.dumps({"name": one["name"], "error": error}), flush=True)


if __name__ == "__main__":
    _main()
