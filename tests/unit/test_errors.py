"""How errors are said."""

import pickle

from sitewise.errors import DataError, PlanError, Problem, SitewiseError, in_number, plural


def test_all_problems_numbered_with_place_and_remedy() -> None:
    error = DataError(
        "Two files can't be used.",
        [
            Problem("no such file", where="site_07.csv", allowed="a CSV", fix="send it again"),
            Problem("the file is empty", where="site_08.csv"),
        ],
    )
    assert str(error).splitlines() == [
        "Two files can't be used.",
        "  1. site_07.csv: no such file",
        "         allowed: a CSV",
        "         to do:   send it again",
        "  2. site_08.csv: the file is empty",
    ]


def test_errors_survive_pickling() -> None:
    error = PlanError("title", [Problem("what")])
    again = pickle.loads(pickle.dumps(error))
    assert (again.title, again.problems) == (error.title, error.problems)


def test_exit_codes_differ_by_kind() -> None:
    kinds = SitewiseError.__subclasses__()
    assert all(kind.exit_code > 1 for kind in kinds)


def test_counts_in_words() -> None:
    assert [plural(n, "site") for n in (0, 1, 2)] == ["0 sites", "1 site", "2 sites"]
    assert [plural(n, "analysis", "analyses") for n in (1, 2)] == ["1 analysis", "2 analyses"]
    assert in_number([Problem("what")]) == "1 problem"
