"""How a file is written: encodings, line ends, delimiters, headers, rows that are no rows."""

from tests.hard_inputs.case import Case, content, together
from tests.small_trial import Trial

BOM = b"\xef\xbb\xbf"
ALL = {"analysed": 72}
THREE_SITES = {"analysed": 54}
SITE_LOST = {"set aside": 18, "analysed": 54}


def _commas(trial: Trial) -> None:
    """Site A as a spreadsheet of another country writes it: 90,5;22,4."""
    for row in trial.files["A.csv"]:
        row.update(dbp=row["dbp"].replace(".", ","), bmi=row["bmi"].replace(".", ","))


def _semicolons(data: bytes) -> bytes:
    return data.replace(b",", b";")


def _accents(trial: Trial) -> None:
    for number, row in enumerate(trial.files["A.csv"]):
        row["patient"] = f"Zoë {number // 3}"


def _named_in_french(trial: Trial) -> None:
    trial.data["columns"]["patient"] = "n° du patient"
    trial.data["endpoints"]["SYSBP"]["column"] = "pression systolique (assis)"
    trial.data["visits"][0]["codes"] = ["première visite"]
    names = {"patient": "n° du patient", "sbp": "pression systolique (assis)"}
    for name, rows in trial.files.items():
        trial.files[name] = [{names.get(k, k): v for k, v in row.items()} for row in rows]
        for row in trial.files[name]:
            row["visit"] = row["visit"].replace("baseline", "première visite")
    trial.files["Hôpital général.csv"] = [
        row | {"site": "Hôpital général"} for row in trial.files.pop("A.csv")
    ]


def _decomposed(trial: Trial) -> None:
    """The same, but site B's header has its accents as letters of their own."""
    _named_in_french(trial)
    trial.data["columns"]["patient"] = "numéro"
    for name, rows in trial.files.items():
        written = "nume\u0301ro" if name == "B.csv" else "numéro"
        trial.files[name] = [
            {written if k == "n° du patient" else k: v for k, v in row.items()} for row in rows
        ]


def _quoted_newline(data: bytes) -> bytes:
    header, *rows = data.split(b"\n")
    told = [row + b',"first line\nsecond, line"' if row else row for row in rows]
    return b"\n".join([header + b",remark", *told])


def _only_header_in_a_batch(trial: Trial) -> None:
    trial.data["sites"]["batches"] = 50
    batches = trial.sheet.batches(50)
    assert ("A",) in [tuple(site.siteid for site in sites) for sites in batches.values()]
    trial.bytes_changed.append(("A.csv", lambda data: data[: data.index(b"\n") + 1]))


def _numbered(data: bytes) -> bytes:
    header, *rows = data.rstrip(b"\n").split(b"\n")
    numbered = [b"%d,%s" % (number, row) for number, row in enumerate(rows, start=1)]
    return b"\n".join([header, *numbered]) + b"\n"


def _twice(trial: Trial) -> None:
    for row in trial.files["A.csv"]:
        row["sbp "] = row["sbp"]


CASES = (
    Case(
        "Byte-order mark",
        "`A.csv` begins with the bytes EF BB BF, as spreadsheets write UTF-8",
        content("A.csv", lambda data: BOM + data),
        ("read as: A.csv: utf-8 with byte-order mark",),
        ALL,
    ),
    Case(
        "CRLF line ends",
        "`A.csv` has CR LF at the end of each line",
        content("A.csv", lambda data: data.replace(b"\n", b"\r\n")),
        ("read as: A.csv: utf-8, line ends CRLF",),
        ALL,
    ),
    Case(
        "CRLF and LF in one file",
        "the first line of `A.csv` ends with CR LF, the others with LF",
        content("A.csv", lambda data: data.replace(b"\n", b"\r\n", 1)),
        ("line ends CRLF and LF",),
        ALL,
    ),
    Case(
        "Semicolons, declared",
        "`A.csv` is separated by semicolons, and the site sheet says `semicolon`",
        lambda trial: trial.sites.update(A={"delimiter": ";"}),
        ("delimiter semicolon",),
        ALL,
    ),
    Case(
        "Semicolons, not declared",
        "the same, and the site sheet says nothing",
        content("A.csv", _semicolons),
        (
            "the cells look separated by semicolons, and the site sheet says commas",
            "set the site's `delimiter` to `semicolon` in the site sheet",
        ),
        SITE_LOST,
    ),
    Case(
        "Decimal commas, declared",
        "`A.csv` has 90,5 between semicolons; the site sheet says `semicolon` and `comma`",
        together(_commas, lambda trial: trial.sites.update(A={"delimiter": ";", "decimal": ","})),
        ("delimiter semicolon, decimal comma",),
        ALL,
    ),
    Case(
        "Decimal commas, not declared",
        "the same, and the site sheet says `semicolon` only",
        together(_commas, lambda trial: trial.sites.update(A={"delimiter": ";"})),
        (
            "'90,5' is not a number; it looks like a number with a decimal comma, and the site"
            " sheet says that this file's decimal mark is a point",
            "set the site's `decimal` to `comma` in the site sheet",
            "Body-mass index '20,4' is not a number",
        ),
        {"set aside": 9, "analysed": 63},
    ),
    Case(
        "UTF-16, declared",
        '`A.csv` is in UTF-16 ("Unicode text"), and the site sheet says `utf-16`',
        content("A.csv", lambda data: data.decode().encode("utf-16"), encoding="utf-16"),
        ("utf-16 with byte-order mark",),
        ALL,
    ),
    Case(
        "UTF-16, not declared",
        "the same, and the site sheet says nothing",
        content("A.csv", lambda data: data.decode().encode("utf-16")),
        (
            "the file is not written in utf-8: byte 0xff at line 1 does not belong to it",
            "set the site's `encoding` in the site sheet to `utf-16`",
        ),
        THREE_SITES,
    ),
    Case(
        "UTF-16 without its mark, not declared",
        "the same, without the two bytes at its start",
        content("A.csv", lambda data: data.decode().encode("utf-16-le")),
        (
            "the file has a NUL character at line 1",
            "set the site's `encoding` in the site sheet to `utf-16-le`: the second of each two"
            " bytes is NUL",
        ),
        THREE_SITES,
    ),
    Case(
        "UTF-16 without its mark, the order declared",
        "the same, and the site sheet says `utf-16-le`",
        content("A.csv", lambda data: data.decode().encode("utf-16-le"), encoding="utf-16-le"),
        ("read as: A.csv: utf-16-le, line ends",),
        ALL,
    ),
    Case(
        "UTF-16, the other order declared",
        "the same, and the site sheet says `utf-16-be`",
        content("A.csv", lambda data: data.decode().encode("utf-16-le"), encoding="utf-16-be"),
        (
            "the file is not written in utf-16-be: its bytes are no such pairs",
            "set the site's `encoding` in the site sheet to `utf-16-le`",
        ),
        THREE_SITES,
    ),
    Case(
        "Latin-1, declared",
        "`A.csv` has the patient `Zoë 0` in Latin-1, and the site sheet says `latin-1`",
        together(
            _accents,
            content("A.csv", lambda data: data.decode().encode("latin-1"), encoding="latin-1"),
        ),
        ("read as: A.csv: latin-1",),
        ALL,
    ),
    Case(
        "Latin-1, not declared",
        "the same, and the site sheet says nothing",
        together(_accents, content("A.csv", lambda data: data.decode().encode("latin-1"))),
        (
            "the file is not written in utf-8: byte 0xeb at line 2 does not belong to it",
            "set the site's `encoding` in the site sheet to `cp1252`",
        ),
        THREE_SITES,
    ),
    Case(
        "UTF-8 declared as Latin-1",
        "`A.csv` has the patient `Zoë 0` in UTF-8, and the site sheet says `latin-1`",
        together(_accents, content("A.csv", lambda data: data, encoding="latin-1")),
        ("the file is valid UTF-8: 'ë' was read as 'Ã«'", "`encoding` in the site sheet to"),
        ALL,
    ),
    Case(
        "Quoted newlines",
        "`A.csv` has a remark of two lines in quotes at the end of each row",
        content("A.csv", _quoted_newline),
        ("nothing: it is read as it stands",),
        ALL,
    ),
    Case(
        "A fault behind quoted newlines",
        "the same, and A1's SBP at month 6 is `abc`: the line is that of an editor",
        together(
            lambda trial: trial.row("A", "A1", "month 6").update(sbp="abc"),
            content("A.csv", _quoted_newline),
        ),
        ("A.csv line 10, column 'sbp', found 'abc'",),
        {"set aside": 1, "analysed": 71},
    ),
    Case(
        "A quote that is never closed",
        "a quote before the patient in line 6 of `A.csv`, and none behind it",
        content("A.csv", lambda data: data.replace(b"A,A1,HIC,month 6", b'A,"A1,HIC,month 6')),
        (
            "the record that starts at line 6 can't be read: a quote is opened there and never"
            " closed",
            "mend the quotes there",
        ),
        THREE_SITES,
    ),
    Case(
        "A trailing totals row",
        "the last row of `A.csv` is `Total,,,,1350,820,,,,`",
        content("A.csv", lambda data: data + b"Total,,,,1350,820,,,,\n"),
        (
            "A.csv line 11, column 'site', found 'Total': the row has 'Total' in the column"
            " 'site': it looks like a row of totals",
        ),
        {"set aside": 2, "analysed": 72},
    ),
    Case(
        "A remark below the rows",
        "the last row of `A.csv` is `A,,,,,,,,,checked by Ama`",
        content("A.csv", lambda data: data + b"A,,,,,,,,,checked by Ama\n"),
        ("the row has neither patient nor arm nor visit: it looks like totals or a remark",),
        {"set aside": 2, "analysed": 72},
    ),
    Case(
        "A row with too many cells",
        "line 6 of `A.csv` has an unquoted comma in a cell",
        content("A.csv", lambda data: data.replace(b"A,A1,HIC,month 6", b"A,A1,x,HIC,month 6")),
        ("A.csv line 6, found '11 cells'", "a delimiter within a cell needs quotes"),
        {"set aside": 2, "analysed": 70},
    ),
    Case(
        "A delimiter at the end of every row but the header",
        "each row of `A.csv` ends with a comma",
        content("A.csv", lambda data: data.replace(b"rural\n", b"rural,\n")),
        (
            "A.csv line 2, found '11 cells': 9 of 9 rows have 11 cells, the header has 10:"
            " their cells can't be told apart; they end with a delimiter, the header does not",
            "ask the hospital for the file with the delimiter at the end of every line or of none",
            "hospital A is set aside: 18 of 18 measured readings (100%) were set aside",
        ),
        SITE_LOST,
    ),
    Case(
        "A column without a name",
        "each row of `A.csv` begins with its number, and the header does not name that column",
        content("A.csv", _numbered),
        ("9 of 9 rows have 11 cells", "a column without a name may stand in them"),
        SITE_LOST,
    ),
    Case(
        "A column twice",
        "the header of `A.csv` has `sbp` in two places",
        _twice,
        ("the column 'sbp' stands 2 times in the header", "which one is meant"),
        SITE_LOST,
    ),
    Case(
        "A column in another case",
        "`A.csv` has `SBP` where the plan says `sbp`",
        content("A.csv", lambda data: data.replace(b",sbp,", b",SBP,")),
        (
            "the column 'sbp' is missing; did you mean 'SBP'? They differ only in upper and lower"
            " case",
        ),
        SITE_LOST,
    ),
    Case(
        "A title above the header",
        "`A.csv` begins with the line `Export of hospital A`",
        content("A.csv", lambda data: b"Export of hospital A\n" + data),
        ("none of the plan's columns is in the first line: Export of hospital A",),
        {"set aside": 20, "analysed": 54},
    ),
    Case(
        "Names with spaces and accents",
        "the file `Hôpital général.csv`, its columns, its visits and its SITEID, all in French",
        _named_in_french,
        ("nothing: it is read as it stands",),
        ALL,
    ),
    Case(
        "Accents encoded in two ways",
        "the plan says `numéro`; in `B.csv` the accent is a character of its own",
        _decomposed,
        (
            "the column 'numéro' is missing; did you mean",
            "They differ only in how accents are encoded",
        ),
        SITE_LOST,
    ),
    Case(
        "A workbook named .csv",
        "`A.csv` is an Excel workbook under another name",
        content("A.csv", lambda _data: b"PK\x03\x04\x14\x00\x06\x00"),
        ("it is an Excel workbook", "a new name alone does not help"),
        THREE_SITES,
    ),
    Case(
        "An empty file",
        "`A.csv` has no bytes",
        content("A.csv", lambda _data: b""),
        ("the file is empty",),
        THREE_SITES,
    ),
    Case(
        "A header only, in a batch of its own",
        "`A.csv` has a header and no rows, and no other hospital is in its batch",
        _only_header_in_a_batch,
        ("the file has a header and no rows",),
        THREE_SITES,
    ),
    Case(
        "A file that is cut off",
        "`A.csv` ends within its last row",
        content("A.csv", lambda data: data[:-20]),
        ("the last line has no line end: if the file was cut off, its last row is not whole",),
        {"set aside": 2, "analysed": 70},
    ),
    Case(
        "A file that is missing",
        "the site sheet lists `A.csv`; the folder has `a.CSV`",
        together(content("a.CSV", lambda _data: b"site\n"), content("A.csv", lambda _data: None)),
        ("there is no file 'A.csv' in the data folder; a file 'a.CSV' is there",),
        THREE_SITES,
    ),
    Case(
        "A link that leads out of the data folder",
        "`A.csv` is a symbolic link to a file elsewhere on the machine",
        lambda trial: (trial.folder / "A.csv").symlink_to("/dev/null"),
        ("'A.csv' is, or lies behind, a symbolic link that leads out of the data folder",),
        THREE_SITES,
    ),
    Case(
        "Blanks around cells",
        "every patient of `A.csv` has a blank before and behind",
        lambda trial: [row.update(patient=f" {row['patient']} ") for row in trial.files["A.csv"]],
        ("blanks around 9 cells not counted",),
        ALL,
    ),
)
