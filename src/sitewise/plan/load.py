"""Read a plan from YAML; every problem at once, by its path in the file."""

from collections.abc import Hashable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from sitewise.errors import PlanError, Problem, in_number
from sitewise.plan.agreement import disagreements
from sitewise.plan.model import Plan
from sitewise.plan.names import names_unknown
from sitewise.plan.parts import valid_part
from sitewise.plan.text import UnreadableError, read_text

# Values that the design foresees and the code does not have yet: refused by name.
NOT_YET = {
    ("sites.small", "pool"): "pooling of small sites",
    ("sides", "1"): "one-sided tests",
    ("arms.direction", "reference minus arm"): "contrasts of reference minus arm",
}

# What a wrong type should have been, in words; the other kinds say it themselves.
_TYPES = {
    "string_type": "text; put it in quotes if it looks like a number, a date or yes/no",
    "float_type": "a number, without quotes",
    "finite_number": "a number, not .nan or .inf",
    "int_type": "a whole number, without quotes",
    "bool_type": "true or false, without quotes",
    "date_type": "a day of the calendar as YYYY-MM-DD, without quotes",
    "date_from_datetime_parsing": "a day of the calendar as YYYY-MM-DD, without quotes",
    "model_type": "keys and values, indented below the key",
    "dict_type": "keys and values, indented below the key",
    "tuple_type": "a list: [a, b], or one `- item` a line",
}


_YAML = "YAML, as in config/demo.yaml"
# Signs of what the reader of YAML met, the same in other words ("": its own), and what to do.
_YAML_FAULTS = (
    ("'\\t'", "a tab stands where the line is indented", "indent with blanks, not with tabs"),
    ("undefined alias", "", "quote text that begins with *: that sign refers to a &name"),
    ("another document", "a second document begins here", "one plan a file: remove the line `---`"),
    ("stands twice", "", "keep the one that is meant, and remove the other"),
    (
        "special characters are not allowed",
        "a character stands in it that no one sees",
        "remove it, or write it as an escape in double quotes",
    ),
)


def load_plan(path: Path) -> Plan:
    """Read and validate the plan at `path`; raises PlanError with every problem."""
    return validate_plan(read_yaml(path), path.name)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read the plan's YAML as plain data; a key that stands twice is a problem."""
    import yaml

    try:
        text = read_text(path, "the plan's YAML file, e.g. sitewise run config/ghana.yaml")
    except UnreadableError as error:
        raise PlanError(
            "The plan can't be read.",
            [
                Problem(
                    str(error),
                    where=str(path),
                    allowed="a readable YAML file in UTF-8",
                    fix=error.fix,
                )
            ],
        ) from error
    try:
        data = yaml.load(text, Loader=_unique_key_loader())
    except (yaml.YAMLError, RecursionError) as error:
        raise PlanError("The plan is not valid YAML.", [_no_yaml(error, path.name)]) from error
    if not isinstance(data, dict):
        raise PlanError(
            "The plan is empty or no plan.",
            [
                Problem(
                    "nothing stands in it" if data is None else f"found {_shown(data)}",
                    where=path.name,
                    allowed="keys and values, as in config/demo.yaml",
                    fix="name the plan's YAML file, not the site sheet or a hospital file",
                )
            ],
        )
    return data


def _no_yaml(error: Exception, name: str) -> Problem:
    """What the reader of YAML says, with the line and without its own words for the file."""
    if isinstance(error, RecursionError):
        return Problem(
            "it is nested too deeply", where=name, allowed=_YAML, fix="mind the indentation"
        )
    mark = getattr(error, "problem_mark", None)
    said = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
    fix = "mind the indentation, and quote text that holds ': ' or '#'"
    for sign, told, advice in _YAML_FAULTS:
        if sign in said:
            said, fix = told or said, advice
    where = f"{name}, line {mark.line + 1}, column {mark.column + 1}" if mark else name
    return Problem(" ".join(said.split()), where=where, allowed=_YAML, fix=fix)


def validate_plan(data: dict[str, Any], source: str) -> Plan:
    """Turn plain data into a Plan; `source` is the file's name in messages."""
    plan, problems = read_sections(data)
    if problems:
        raise PlanError(f"The plan {source} has {in_number(problems)}.", problems)
    return plan


def read_sections(data: dict[str, Any]) -> tuple[Plan, list[Problem]]:
    """The plan, or as many of its sections as are valid by themselves, and every problem.

    Sections that are valid are held against each other even where others are not.
    """
    from pydantic import ValidationError

    try:
        return Plan.model_validate(data), []
    except ValidationError as error:
        items = error.errors()
    misspelt = {meant for item in items if (meant := _meant(dict(item)))}
    asked = [item for item in items if item["type"] != "missing" or item["loc"] not in misspelt]
    problems = [p for item in asked if not _follows(item, items) for p in _problems(dict(item))]
    wrong = {item["loc"][0] for item in items if item["loc"]}
    part = valid_part(data, [n for n in Plan.model_fields if n in data and n not in wrong])
    if wrong:  # otherwise the disagreements are the problems
        problems += [
            _disagreement(*found) for found in (*disagreements(part), *names_unknown(data))
        ]
    return part, list(dict.fromkeys(problems))


def _follows(item: Any, items: Sequence[Any]) -> bool:
    """Whether a list is too short only because entries of it are wrong themselves."""
    place = item["loc"]
    return item["type"] == "too_short" and any(
        other["loc"][: len(place)] == place and len(other["loc"]) > len(place) for other in items
    )


def _disagreement(where: str, what: str, allowed: str = "", fix: str = "") -> Problem:
    return Problem(what, where=where, allowed=allowed, fix=fix)


def _problems(item: dict[str, Any]) -> Iterator[Problem]:
    """Problems of one pydantic error."""
    path = ".".join(str(part) for part in item["loc"] if part != "[key]")
    kind, found = item["type"], item.get("input")
    if kind == "value_error":
        message = str(item["ctx"]["error"])
        for line in message.split("\n"):
            if "\t" not in line:
                yield Problem(message, where=path)
                return
            where, *rest = line.split("\t")
            yield _disagreement(where or path, *rest)
    elif kind == "extra_forbidden":
        known = sorted(_keys_at(item["loc"][:-1]))
        meant = _meant(item)
        yield Problem(
            "unknown key",
            where=path,
            allowed=", ".join(known),
            fix=f"did you mean `{meant[-1]}`?" if meant else "remove it",
        )
    elif kind == "missing":
        description = _description_at(item["loc"])
        yield Problem("required key is missing", where=path, fix=f"add it: {description}")
    elif (path, str(found)) in NOT_YET:
        yield Problem(
            f"{NOT_YET[path, str(found)]} is not implemented yet, found {found!r}",
            where=path,
            allowed=str(item.get("ctx", {}).get("expected", "")),
        )
    else:
        allowed = str(item.get("ctx", {}).get("expected", ""))
        meaning = _description_at(item["loc"])
        said = "wrong type" if kind in _TYPES else f"{item['msg'][0].lower()}{item['msg'][1:]}"
        if kind == "too_short":
            least, number = item["ctx"]["min_length"], item["ctx"]["actual_length"]
            said, allowed = (
                f"{number} stand there, {least} are needed",
                f"a list of {least} or more",
            )
        yield Problem(
            f"{said}, found {_shown(found)}",
            where=path,
            allowed=allowed or _TYPES.get(kind, ""),
            fix=f"mend the value; the key means: {meaning}" if meaning else "mend the value",
        )


def _meant(item: dict[str, Any]) -> tuple[Any, ...]:
    """Of an unknown key, the place of the known one that looks like it; else nothing."""
    if item["type"] != "extra_forbidden":
        return ()
    *before, last = item["loc"]
    near = get_close_matches(str(last), sorted(_keys_at(tuple(before))), n=1)
    return (*before, near[0]) if near else ()


def _shown(value: Any) -> str:
    """A found value, shortened, with its type where the type is the point."""
    text = repr(value)
    text = text if len(text) <= 60 else text[:57] + "..."
    return f"{text} ({type(value).__name__})"


def _model_at(loc: tuple[Any, ...]) -> Any:
    """The section type at a path, or None where the path leaves the types."""
    from pydantic import BaseModel

    current: Any = Plan
    for part in loc:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(str(part))
            current = field.annotation if field else None
        else:
            inner = [a for a in get_args(current) if isinstance(a, type) and a is not str]
            current = inner[-1] if inner else None
    return current


def _keys_at(loc: tuple[Any, ...]) -> list[str]:
    section = _model_at(loc)
    return list(section.model_fields) if hasattr(section, "model_fields") else []


def _description_at(loc: tuple[Any, ...]) -> str:
    section = _model_at(loc[:-1])
    field = getattr(section, "model_fields", {}).get(str(loc[-1])) if loc else None
    return (field.description or "") if field else ""


def _unique_key_loader() -> type:
    """A safe YAML loader that refuses a key that stands twice in one mapping.

    What looks like a date and is none (2026-13-01) stays text, for the plan's types to refuse it by
    its key.
    """
    import yaml

    class UniqueKeyLoader(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            seen: set[Any] = set()
            for key_node, _ in node.value:
                key = self.construct_object(key_node, deep=deep)
                if not isinstance(key, Hashable):
                    raise yaml.constructor.ConstructorError(
                        None, None, "a key is one word, not a list or keys", key_node.start_mark
                    )
                if key in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key!r} stands twice", key_node.start_mark
                    )
                seen.add(key)
            return super().construct_mapping(node, deep)

        def construct_date(self, node: Any) -> Any:
            try:
                return self.construct_yaml_timestamp(node)
            except ValueError:
                return node.value

    UniqueKeyLoader.add_constructor("tag:yaml.org,2002:timestamp", UniqueKeyLoader.construct_date)
    return UniqueKeyLoader
