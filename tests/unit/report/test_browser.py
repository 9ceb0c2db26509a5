"""The page in a browser: no message on its console, no request, tables and figures that work."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome")
     if (found := shutil.which(name))), None,
)  # fmt: skip
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")

# What a reader does, and what it must lead to; the outcome is written into the page.
STEPS = """
<script>
(function () {
  const said = [];
  const check = (what, holds) => said.push((holds ? "held: " : "FAILED: ") + what);
  const column = (table, i) => [...table.tBodies[0].rows]
    .filter((row) => !row.classList.contains("group") && !row.hidden)
    .map((row) => row.cells[i].textContent.trim());
  const numbers = (texts) => texts.map((text) => parseFloat(text.replace("\\u2212", "-")));
  const rising = (values) => values.every((value, i) => !i || values[i - 1] <= value);

  const outcomes = document.querySelector("#tbl-outcomes-SYSBP table");
  const before = column(outcomes, 0), n = column(outcomes, 2);
  const heads = outcomes.querySelectorAll("th button.sort");
  heads[2].click();
  check("a number column rises", rising(numbers(column(outcomes, 2))));
  check("no row is lost", column(outcomes, 2).length === n.length);
  check("a row keeps its visit", column(outcomes, 0).every((text) => text !== ""));
  heads[2].click();
  check("then falls", rising(numbers(column(outcomes, 2)).reverse()));
  heads[2].click();
  check("then is as it was", JSON.stringify(column(outcomes, 0)) === JSON.stringify(before)
    && JSON.stringify(column(outcomes, 2)) === JSON.stringify(n));

  const answers = document.querySelector("#tbl-answer table");
  answers.querySelectorAll("th button.sort")[2].click();
  check("minus signs are numbers", rising(numbers(column(answers, 2))));

  const models = document.querySelector("#tbl-visits-SYSBP table");
  const groups = [...models.tBodies[0].querySelectorAll("tr.group")].map((row) => row.textContent);
  models.querySelectorAll("th button.sort")[1].click();
  check("headings of groups stay", JSON.stringify(groups) ===
    JSON.stringify([...models.tBodies[0].querySelectorAll("tr.group")].map((r) => r.textContent)));
  check("a group's heading comes first", models.tBodies[0].rows[0].classList.contains("group"));

  const sums = document.querySelector("#tbl-account");
  const fates = column(sums.querySelector("table"), 0);
  const foot = (table) => [...table.tBodies[0].rows].pop();
  const total = foot(sums.querySelector("table")).textContent;
  let last = true;
  for (const button of sums.querySelectorAll("th button.sort")) {
    for (let i = 0; i < 3; i++) {
      button.click();
      last = last && foot(sums.querySelector("table")).textContent === total;
    }
  }
  check("a total stays at the foot", last && total.trim().startsWith("readings in"));
  check("and the rows are as they were",
    JSON.stringify(column(sums.querySelector("table"), 0)) === JSON.stringify(fates));
  const search = sums.querySelector("input.filter");
  search.value = "not measured";
  search.dispatchEvent(new Event("input"));
  check("a filter leaves the total", JSON.stringify(column(sums.querySelector("table"), 0))
    === JSON.stringify(["not measured", "readings in"]));

  const account = document.querySelector("#tbl-errors");
  const field = account.querySelector("input.filter");
  field.value = "P7";
  field.dispatchEvent(new Event("input"));
  check("a filter leaves what fits", column(account.querySelector("table"), 0).length === 1);
  field.value = "";
  field.dispatchEvent(new Event("input"));
  check("an empty filter leaves all", column(account.querySelector("table"), 0).length > 3);

  const dialog = document.getElementById("large");
  const drawing = document.querySelector("figure > svg");
  drawing.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  check("a figure enlarges", dialog.open && dialog.querySelector("svg") !== null);
  dialog.click();
  check("and closes", !dialog.open);
  const width = drawing.getBoundingClientRect().width;
  check("figures have a size", width > 300);

  document.fonts.ready.then(() => {
    const faces = [...document.fonts].filter((face) => face.status === "loaded");
    check("the page's own font is used", faces.some((face) => face.family.includes("Report")));
    const place = document.createElement("p");
    place.id = "outcome";
    place.textContent = said.join(" | ");
    document.body.append(place);
  });
})();
</script>
"""

# On a telephone.
NARROW = """
<script>
const wide = [...document.querySelectorAll("div.table")]
  .filter((x) => x.scrollWidth > x.clientWidth);
const place = document.createElement("p");
place.id = "outcome";
place.textContent = [
  innerWidth, document.documentElement.scrollWidth, wide.length,
  wide.filter((x) => getComputedStyle(x).backgroundAttachment.includes("local")
    && getComputedStyle(x).backgroundImage.includes("gradient")).length,
].join(" ");
document.body.append(place);
</script>
"""

# A table over many pages.
LONG = """
<script>
const body = document.querySelector("#tbl-outcomes-SYSBP table").tBodies[0], rows = [...body.rows];
for (let i = 0; i < 40; i++) rows.forEach((row) => {
  const again = row.cloneNode(true);
  again.cells[0].textContent = "oncemore";
  body.append(again);
});
</script>
"""


@pytest.fixture(scope="module")
def seen(built: Path, tmp_path_factory) -> dict[str, str]:
    """What the browser said while it showed the page and took the steps."""
    text = (built / "report.html").read_text(encoding="utf-8")
    few = "FILTER_FROM = 13"
    assert few in text
    # Filters stand at short tables, too, so that they can be tried.
    text = text.replace(few, "FILTER_FROM = 4")
    return visit(text.replace("</body>", f"{STEPS}</body>"), tmp_path_factory.mktemp("browser"))


def visit(text: str, folder: Path, width: int = 1400) -> dict[str, str]:
    """Show the page `text` in a window of this width: what becomes of it, and what is said."""
    page, net = folder / "page.html", folder / "net.json"
    page.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
         "--disable-extensions", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", f"--window-size={width},1200", f"--user-data-dir={folder / 'profile'}",
         "--enable-logging=stderr", "--log-level=0", f"--log-net-log={net}",
         "--virtual-time-budget=4000", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True, cwd=folder,
    )  # fmt: skip
    return {"dom": done.stdout, "log": done.stderr, "net": net.read_text(), "uri": page.as_uri()}


def test_nothing_on_the_console(seen) -> None:
    told = [line for line in seen["log"].splitlines() if "CONSOLE" in line]
    assert told == []


def test_nothing_is_asked_of_a_network(seen) -> None:
    """Only the page itself is fetched; the browser's own requests carry other initiators."""
    log = seen["net"].rstrip().rstrip(",")
    events = json.loads(log if log.endswith("}") else log + "]}")["events"]
    urls = {event["params"]["url"] for event in events if "url" in event.get("params", {})}
    asked = {url for url in urls if not url.startswith(("data:", "blob:", "chrome"))}
    # The pages of the report know no host at all.
    own = re.findall(r"https?://[^\s\"'<>)]+", (seen["dom"]))
    allowed = ("http://www.w3.org/",)  # names of SVG's vocabulary, which nobody fetches
    assert {url for url in own if not url.startswith(allowed)} == set()
    assert {url for url in asked if "w3.org" in url or "report" in url} == set()


def test_tables_and_figures_answer(seen) -> None:
    outcome = re.search(r'<p id="outcome">(.*?)</p>', seen["dom"])
    assert outcome, "the steps did not come to their end"
    steps = outcome[1].split(" | ")
    assert [step for step in steps if not step.startswith("held")] == []
    assert len(steps) == 17


def test_on_a_narrow_screen_only_tables_move_and_show_it(built, tmp_path) -> None:
    text = (built / "report.html").read_text(encoding="utf-8")
    shown = visit(text.replace("</body>", f"{NARROW}</body>"), tmp_path, width=400)
    assert [line for line in shown["log"].splitlines() if "CONSOLE" in line] == []
    outcome = re.search(r'<p id="outcome">(.*?)</p>', shown["dom"])
    assert outcome
    window, page, wide, marked = map(int, outcome[1].split())
    assert window <= 760
    assert page <= window
    assert 0 < wide == marked


def test_on_paper_every_page_of_a_table_has_its_head(built, tmp_path) -> None:
    from pypdf import PdfReader

    text = (built / "report.html").read_text(encoding="utf-8")
    page, paper = tmp_path / "page.html", tmp_path / "page.pdf"
    page.write_text(text.replace("</body>", f"{LONG}</body>"), encoding="utf-8")
    subprocess.run(
        [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
         "--disable-extensions", f"--user-data-dir={tmp_path / 'profile'}",
         f"--print-to-pdf={paper}", page.as_uri()],
        capture_output=True, timeout=120, check=True, cwd=tmp_path,
    )  # fmt: skip
    pages = [" ".join(p.extract_text().split()) for p in PdfReader(paper).pages]
    rows = [i for i, text in enumerate(pages) if "oncemore" in text]
    assert len(rows) > 2
    assert [i for i in rows if "n with change" not in pages[i]] == []
