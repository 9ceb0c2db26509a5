/* The page on a screen: tables sort and filter, figures enlarge, the contents show the place.
   Without it the page is complete and stands still. Nothing is fetched. */
(function () {
  "use strict";
  const FILTER_FROM = 13; // rows; a shorter table is seen at a glance
  const text = (node) => node.textContent.replace(/[\u2007\u2008]/g, "").trim();

  function value(cell) {
    const plain = text(cell).replace(/\u2212/g, "-");
    const found = plain.match(/^[<>(]*\s*(-?\d+(?:\.\d+)?(?:e-?\d+)?)/i);
    return found ? parseFloat(found[1]) : NaN;
  }

  function compare(a, b) {
    const x = value(a), y = value(b);
    if (x !== y && !isNaN(x) && !isNaN(y)) return x - y; // as in 002-002 and 002-023, the rest tells
    return text(a).localeCompare(text(b), "en", { numeric: true });
  }

  // Rows by the heading above them; a first cell left empty means the one above it.
  function parts(body) {
    const found = [{ head: null, rows: [] }];
    let above = "";
    for (const row of body.rows) {
      if (row.classList.contains("total")) continue; // in its place, whatever is sorted or filtered
      if (row.classList.contains("group")) {
        found.push({ head: row, rows: [] });
        above = "";
        continue;
      }
      const first = row.cells[0];
      const said = text(first);
      first.dataset.said = first.textContent;
      above = said || above;
      first.dataset.meant = above;
      found[found.length - 1].rows.push(row);
    }
    return found;
  }

  function arrange(body, groups, column, way) {
    const totals = body.querySelectorAll("tr.total");
    for (const group of groups) {
      const rows = group.rows.slice();
      // What is no number comes last, both ways.
      const lacks = (row) => isNaN(value(row.cells[column]));
      const some = !rows.every(lacks);
      if (way) rows.sort((a, b) => (some && lacks(a) - lacks(b))
        || way * compare(a.cells[column], b.cells[column]));
      if (group.head) body.append(group.head);
      body.append(...rows);
    }
    body.append(...totals);
  }

  // Rows parted from the one above them say their first cell in full.
  function spell(body, groups) {
    const parted = body.dataset.sorted || body.dataset.filtered;
    for (const group of groups) {
      for (const row of group.rows) {
        const first = row.cells[0];
        if (!text(first) || first.classList.contains("meant")) {
          first.textContent = parted ? first.dataset.meant : first.dataset.said;
          first.classList.toggle("meant", Boolean(parted));
        }
      }
    }
  }

  function sortable(table) {
    const body = table.tBodies[0];
    if (!body || body.rows.length < 2 || !table.tHead) return;
    const groups = parts(body);
    const whole = [...body.rows].every((row) =>
      row.classList.contains("group") || row.cells.length === table.tHead.rows[0].cells.length);
    if (!whole) return;
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      if (!text(head)) return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.title = "Sort by this column; a third time: as it was";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const was = head.getAttribute("aria-sort");
        const now = was === "ascending" ? "descending" : was === "descending" ? "" : "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        if (now) head.setAttribute("aria-sort", now);
        arrange(body, groups, column, now === "ascending" ? 1 : now === "descending" ? -1 : 0);
        body.dataset.sorted = now;
        spell(body, groups);
      });
    });
    if (body.rows.length >= FILTER_FROM) filterable(table, groups);
  }

  function filterable(table, groups) {
    const field = document.createElement("input");
    field.type = "search";
    field.className = "filter";
    field.placeholder = "Filter rows";
    field.setAttribute("aria-label", "Filter the rows of this table");
    table.before(field);
    field.addEventListener("input", () => {
      const wanted = field.value.toLowerCase().trim();
      table.tBodies[0].dataset.filtered = wanted;
      spell(table.tBodies[0], groups);
      for (const group of groups) {
        let left = 0;
        for (const row of group.rows) {
          const said = `${row.cells[0].dataset.meant} ${row.textContent}`.toLowerCase();
          row.hidden = wanted !== "" && !said.includes(wanted);
          left += !row.hidden;
        }
        if (group.head) group.head.hidden = left === 0;
      }
    });
  }

  function enlarging() {
    const dialog = document.getElementById("large");
    const place = dialog.querySelector("div");
    dialog.addEventListener("click", () => dialog.close());
    for (const drawing of document.querySelectorAll("figure > svg")) {
      drawing.setAttribute("tabindex", "0");
      const open = () => {
        place.replaceChildren(drawing.cloneNode(true));
        dialog.showModal();
      };
      drawing.addEventListener("click", open);
      drawing.addEventListener("keydown", (event) => {
        if (event.key === "Enter") open();
      });
    }
  }

  // A long list of contents moves so far that the line is seen.
  function within(list, line) {
    if (list.scrollHeight <= list.clientHeight) return;
    const own = list.getBoundingClientRect(), seen = line.getBoundingClientRect();
    if (seen.bottom > own.bottom) list.scrollTop += seen.bottom - own.bottom + 40;
    else if (seen.top < own.top) list.scrollTop += seen.top - own.top - 40;
  }

  function following() {
    const links = new Map();
    for (const link of document.querySelectorAll("nav.contents a")) {
      links.set(link.getAttribute("href").slice(1), link);
    }
    const heads = [...links.keys()].map((id) => document.getElementById(id)).filter(Boolean);
    let last = null, waiting = false;
    const mark = () => {
      waiting = false;
      let now = null;
      for (const head of heads) {
        if (head.getBoundingClientRect().top < 120) now = head;
        else break;
      }
      const link = now && links.get(now.id);
      if (link === last) return;
      if (last) last.removeAttribute("aria-current");
      if (link) {
        link.setAttribute("aria-current", "true");
        within(link.closest("nav"), link);
      }
      last = link;
    };
    addEventListener("scroll", () => {
      if (!waiting) requestAnimationFrame(mark);
      waiting = true;
    }, { passive: true });
    mark();
  }

  document.querySelectorAll("div.table table").forEach(sortable);
  enlarging();
  following();
})();
