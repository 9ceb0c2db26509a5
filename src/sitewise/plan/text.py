"""The text of a file that people write: a plan or a site sheet, in UTF-8."""

from pathlib import Path


class UnreadableError(Exception):
    """The file has no text that can be used. fix: what to do about it."""

    def __init__(self, what: str, fix: str) -> None:
        self.fix = fix
        super().__init__(what)


def read_text(path: Path, what: str) -> str:
    """Return the text of a UTF-8 file, with or without a byte-order mark, line ends as they are.

    what: what the file should be, as `the plan's YAML file`. Raises UnreadableError.
    """
    name_it = f"name {what}"
    try:
        data = path.read_bytes() if path.is_file() or not path.exists() else b""
        if path.is_dir():
            raise UnreadableError("it is a folder, not a file", name_it)
        text = data.decode("utf-8-sig")
    except FileNotFoundError:
        raise UnreadableError("no such file", name_it) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UnreadableError(
            f"it is not written in UTF-8: byte {error.object[error.start]:#04x} at line {line} does"
            " not belong to it",
            f"save it as UTF-8 in your editor, or {name_it}",
        ) from error
    except OSError as error:
        raise UnreadableError(
            f"it can't be opened: {error.strerror or error}", "see that it may be read"
        ) from error
    if "\0" in text:
        raise UnreadableError("it has NUL characters, so it is no text", name_it)
    return text
