"""The digest of the code that a script runs, by room of the package.

The meaning of code is its syntax tree without comments, docstrings and positions. A script's code
is its own tree, the trees of all modules of the package that it imports, directly or through
others and also where the import stands inside a function, and the data files of the rooms that
it reaches. Imports under `if TYPE_CHECKING:` are never run and do not count.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from sitewise.audit.hashing import SHORT, file_sha256, text_sha256
from sitewise.audit.read_before import ReadBefore, beside

_NOT_DATA = {".py", ".pyc", ".pyi", ".typed"}


class CodeBase:
    """The package folder (the one named `sitewise`) and the folder of the scripts.

    Trees are read once; make a new one to see edits. What was read in earlier processes is taken
    from beside this module (`read_before`), by the digest of the file.
    """

    def __init__(self, package: Path, scripts: Path) -> None:
        self.package = package
        self.scripts = scripts
        self._read: dict[Path, tuple[str, frozenset[str]]] = {}
        self._named: dict[str, list[str]] = {}
        self._before = ReadBefore(beside(__file__))

    def named(self, rule: str) -> list[str]:
        """Digests of the code of `<rule>.py` as `room:digest`, sorted; `script` is its own."""
        if rule not in self._named:
            digests = self.by_room(self.scripts / f"{rule}.py")
            self._named[rule] = [f"{room}:{digests[room]}" for room in sorted(digests)]
            self._before.keep()
        return self._named[rule]

    def by_room(self, script: Path) -> dict[str, str]:
        """Short digest by room reached from `script`, and of the script itself."""
        grouped: dict[str, list[str]] = {}
        for name in sorted(self.reached(script)):
            room = name.split(".")[1] if "." in name else name
            grouped.setdefault(room, []).append(f"{name} {self._module(self._modules[name])[0]}")
        for room, lines in grouped.items():
            lines.extend(self._data_files(room))
        found = {room: _combined(lines) for room, lines in grouped.items()}
        return {"script": self._module(script)[0][:SHORT], **found}

    def reached(self, script: Path) -> set[str]:
        """Names of all modules of the package that running `script` may import."""
        reached: set[str] = set()
        open_names = self._resolved(self._module(script)[1])
        while open_names:
            name = open_names.pop()
            if name not in reached:
                reached.add(name)
                open_names |= self._resolved(self._module(self._modules[name])[1]) - reached
        return reached

    def digest(self) -> str:
        """One digest, in full, of all scripts and of everything that they reach."""
        rules = sorted(path.stem for path in self.scripts.glob("*.py"))
        return text_sha256("\n".join(f"{rule} {' '.join(self.named(rule))}" for rule in rules))

    @cached_property
    def _modules(self) -> dict[str, Path]:
        found = {}
        for path in sorted(self.package.rglob("*.py")):
            parts = [self.package.name, *path.relative_to(self.package).with_suffix("").parts]
            if parts[-1] == "__init__":
                parts.pop()
            found[".".join(parts)] = path
        return found

    def _resolved(self, names: frozenset[str]) -> set[str]:
        """Modules behind imported names, with the packages that hold them."""
        found: set[str] = set()
        for name in names:
            parts = name.split(".")
            prefixes = {".".join(parts[:i]) for i in range(1, len(parts) + 1)}
            found |= prefixes & self._modules.keys()
        return found

    def _module(self, path: Path) -> tuple[str, frozenset[str]]:
        """Digest of one file's meaning, and the dotted names that it imports."""
        if path not in self._read:
            text, package = path.read_text(encoding="utf-8"), self._package_of(path)
            key = text_sha256(f"{_reader()} {package} {text}")
            found = self._before.get(key)
            if found is None:
                meaning = _Meaning(package)
                meaning.tell(ast.parse(text, str(path)))
                found = text_sha256("\n".join(meaning.words)), frozenset(meaning.imported)
                self._before.add(key, found)
            self._read[path] = found
        return self._read[path]

    def _package_of(self, path: Path) -> str:
        """Dotted package that relative imports of `path` start from."""
        if not path.is_relative_to(self.package):
            return ""
        return ".".join([self.package.name, *path.relative_to(self.package).parent.parts])

    def _data_files(self, room: str) -> Iterator[str]:
        folder = self.package / room
        if room != self.package.name and folder.is_dir():
            for path in sorted(folder.rglob("*")):
                kept = "__pycache__" in path.parts  # by Python, or by `read_before`
                if path.is_file() and path.suffix not in _NOT_DATA and not kept:
                    yield f"{path.relative_to(folder).as_posix()} {file_sha256(path)}"


@cache
def _reader() -> str:
    """Digest of this module: another reader may find another meaning."""
    return file_sha256(Path(__file__))


def _combined(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:SHORT]


class _Meaning:
    """A syntax tree in words, one pass: what has no effect left out, imports noted.

    Left out: text that stands alone (docstrings), type-checking blocks, empty fields (which also
    makes most trees the same for every version of Python). imported: dotted names;
    `from a import b` may mean the module `a.b`. package: where relative imports start from.
    """

    def __init__(self, package: str) -> None:
        self.words: list[str] = []
        self.imported: list[str] = []
        self._package = package

    def tell(self, node: ast.AST) -> None:
        """Add the words of a node and of all below it."""
        kind = type(node)
        if kind is ast.Constant:
            self.words.append(f"{type(node.value).__name__} {node.value!r}")  # type: ignore[attr-defined]
            return
        if kind in (ast.Import, ast.ImportFrom):
            self.imported += _imported(node, self._package)
        self.words.append(kind.__name__)
        for name in kind._fields:
            value = getattr(node, name, None)
            if value is None or value == []:
                continue
            self.words.append(name)
            if isinstance(value, ast.AST):
                self.tell(value)
            elif isinstance(value, list):
                self._tell_all(value)
            else:
                self.words.append(repr(value))
        self.words.append(")")

    def _tell_all(self, items: list[Any]) -> None:
        for item in items:
            if isinstance(item, ast.If) and _name(item.test) == "TYPE_CHECKING":
                self._tell_all(item.orelse)
            elif isinstance(item, ast.AST):
                if not _stands_alone(item):
                    self.tell(item)
            else:  # names; None for `**more` among the keys of a dictionary
                self.words.append(repr(item))
        self.words.append("]")


def _stands_alone(node: ast.AST) -> bool:
    """Whether a statement is a text and nothing else."""
    value = node.value if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    """Dotted names of an import."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, *([node.module] if node.module else [])])
        yield base
        yield from (f"{base}.{alias.name}" for alias in node.names)
