"use strict";
// Tables one can work with: sort, filter, copy, download. The page holds each table twice: as plain rows, for print and
// for browsers without scripts, and as the text of its TSV file, which is what is sorted, filtered, copied and given
// back. Rows are made from that text when they come into view; above 500 rows only a window of them exists.

const WINDOWED = 500; // rows; also the number of plain rows in the page
const MARGIN = 20; // rows made above and below the visible ones
const collator = new Intl.Collator("en", { numeric: true });

/**
 * A number as the page shows it: "w" as written, a number of decimals, "p" a probability, "%" or "of:" a share, or four
 * digits where a column has none of these.
 */
function showNumber(text, decimals) {
  const value = Number(text);
  if (text === "" || Number.isNaN(value) || decimals === "w") return text;
  const size = Math.abs(value);
  if (/^(%|of:)/.test(decimals) && size >= 0.995 && size < 1) return "> 99 %"; // not all
  if (/^(%|of:)/.test(decimals)) return `${(100 * size).toFixed(size >= 0.1 || size === 0 ? 0 : 1)} %`;
  if (size >= 1e15) return value.toExponential(3);
  if (decimals === "p") return size !== 0 && size < 0.001 ? value.toExponential(1) : value === 0 ? "0" : value.toFixed(4);
  if (decimals !== "") return value.toFixed(Number(decimals));
  if (value === 0 || /^[-+]?\d+$/.test(text)) return text;
  if (size < 0.001) return value.toExponential(1);
  return size >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(4)));
}

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function swatchOf(colour) {
  const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const square = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [name, value] of Object.entries({ class: "swatch", viewBox: "0 0 10 10", "aria-hidden": "true" })) picture.setAttribute(name, value);
  for (const [name, value] of Object.entries({ width: 10, height: 10, rx: 2, fill: colour })) square.setAttribute(name, value);
  picture.append(square);
  return picture;
}

class DataTable {
  /**
   * element: the .table; chosen(table, entry): told when a row is chosen, to show its place;
   * sentenceOf(table, cells): a row in words, for a manuscript.
   */
  constructor(element, { chosen, sentenceOf }) {
    Object.assign(this, { element, chosen, sentenceOf });
    this.scroll = element.querySelector(".scroll");
    this.table = element.querySelector("table");
    this.body = this.table.tBodies[0];
    this.plain = [...this.body.rows];
    this.canMove = "moves" in element.dataset;
    this.shows = JSON.parse(element.dataset.shows ?? "{}"); // what a row of another table's regions leads to
    this.active = 0; // the row that the keyboard is on, by its place in the list
    this.sorted = { position: -1, direction: 1 };
    this.opened = new Set();
    this.needle = "";
    this.current = 0;
  }

  /** Read the text and take the table over; once. */
  ready() {
    this.loading ??= this.load();
    return this.loading;
  }

  async load() {
    const { text, peaks, links, tips, words } = this.element.dataset;
    this.text = await payload.text(text);
    this.lines = this.text.split("\n");
    if (this.lines.at(-1) === "") this.lines.pop();
    this.header = this.lines.shift().split("\t");
    this.links = links ? JSON.parse(await payload.text(links)) : {};
    this.tips = tips ? JSON.parse(await payload.text(tips)) : {};
    this.words = words ? JSON.parse(await payload.text(words)) : {};
    this.readPeaks(peaks ? await payload.text(peaks) : "");
    this.columns = [...this.table.tHead.rows[0].cells].map((head) => ({ head, ...head.dataset, position: this.header.indexOf(head.dataset.column) }));
    this.longest = this.columns.map(() => "");
    this.windowed = this.lines.length > WINDOWED;
    this.arrange();
    this.addTools();
    this.addSorting();
    this.listen();
    this.element.classList.add("ready");
  }

  /** Sub-peaks by the number of their region; the main peak is the region's own row. */
  readPeaks(text) {
    const [header, ...lines] = text.split("\n").filter((line) => line !== "");
    this.peakHeader = header?.split("\t") ?? [];
    this.peaks = new Map();
    for (const line of lines) {
      const cells = line.split("\t");
      if (cells[1] === "1") continue;
      this.peaks.set(cells[0], [...(this.peaks.get(cells[0]) ?? []), cells]);
    }
  }

  cell(line, name) {
    return this.lines[line].split("\t")[this.header.indexOf(name)];
  }

  /** All regions and peaks of the table, for the viewer. */
  async regions() {
    await this.ready();
    const found = { colours: new Map(), names: new Map(), atlas: new Map(), peaks: new Map(), list: [], first: null };
    const atlases = this.header.filter((name) => /_overlap$/.test(name));
    this.lines.forEach((text, line) => {
      const [index, colour, value] = ["index", "color", "peak_value"].map((name) => this.cell(line, name));
      const voxel = (this.sheetPlace(line) ?? ["i", "j", "k"].map((axis) => this.cell(line, `peak_${axis}`))).join(" ");
      const number = Number(index);
      found.colours.set(number, [...hexColour(colour), 255]);
      found.names.set(number, this.nameOf(line));
      found.atlas.set(number, this.atlasWords(atlases.map((name) => [name, this.cell(line, name)])));
      found.peaks.set(voxel, { index, rank: 1, value });
      found.list.push({ index: number, mm: this.placeOf(line) });
      found.first ??= this.placeOf(line);
    });
    for (const peaks of this.peaks.values()) {
      for (const cells of peaks) {
        const [index, rank, value, i, j, k] = ["index", "rank", "value", "i", "j", "k"].map((name) => cells[this.peakHeader.indexOf(name)]);
        found.peaks.set((this.sheetPlace(0, cells) ?? [i, j, k]).join(" "), { index, rank, value });
      }
    }
    return found;
  }

  /** A region in words: its number and, where an atlas named it, its name. */
  nameOf(line) {
    const [index, name] = [this.cell(line, "index"), this.cell(line, "name") ?? ""];
    return name === "" || name === numberedName(index) ? index : `${index} · ${name}`;
  }

  /** What the atlases say of a region; each by its name where there are several. */
  atlasWords(pairs) {
    const known = pairs.filter(([, text]) => text && text !== "n/a");
    const named = known.length > 1;
    return known.map(([column, text]) => (named ? `${column.replace(/_overlap$/, "")}: ${text}` : text)).join(" · ");
  }

  /** The place of a region of vertices on its sheets: [row, 0, 0]; null for one of voxels. */
  sheetPlace(line, peak = null) {
    const [hemi, vertex] = peak
      ? ["hemi", "vertex"].map((name) => peak[this.peakHeader.indexOf(name)])
      : ["hemi", "peak_vertex"].map((name) => this.cell(line, name));
    if (!/^\d+$/.test(vertex ?? "") || !this.firstRow) return null;
    const first = this.firstRow(hemi);
    return first === null ? null : [first + Number(vertex), 0, 0];
  }

  /** Where a row leads: in mm, or a row of sheets; null where it has no place of its own. */
  placeOf(line, peak = null) {
    const row = this.sheetPlace(line, peak);
    if (row) return row;
    const mm = ["x", "y", "z"].map((axis) => Number(peak ? peak[this.peakHeader.indexOf(axis)] : this.cell(line, `peak_${axis}`)));
    return mm.every(Number.isFinite) ? mm : null;
  }

  /** The table of the regions that a row speaks of: this one, or one that its set names; with the region's number. */
  targetOf(line) {
    if (!this.element.dataset.shows) return { table: this.element.id, region: this.cell(line, "index") };
    const set = this.cell(line, "set") ?? "";
    return { table: this.shows[set] ?? this.shows[""], region: this.cell(line, "region") };
  }

  lineOfRegion(region) {
    return this.lines.findIndex((_, line) => this.cell(line, "index") === String(region));
  }

  // ---------------------------------------------------------------- order and selection

  /** The list of what is shown: line numbers, and sub-peaks as {line, peak}. */
  arrange() {
    const needle = this.needle.toLowerCase();
    let order = [...this.lines.keys()];
    if (needle) order = order.filter((line) => this.lines[line].toLowerCase().includes(needle));
    if (this.sorted.position >= 0) order = this.sortLines(order);
    this.shown = order;
    this.list = order;
    if (this.peaks.size) {
      this.list = order.flatMap((line) => {
        const index = this.cell(line, "index");
        return [line, ...(this.opened.has(index) ? this.peaks.get(index) ?? [] : []).map((peak) => ({ line, peak }))];
      });
    }
    this.table.setAttribute("aria-rowcount", this.list.length + 1);
    this.paint(true);
  }

  sortLines(order) {
    const { position, direction, kind } = this.sorted;
    const texts = this.lines.map((line) => line.split("\t")[position]);
    if (kind === "text") return order.sort((a, b) => direction * collator.compare(texts[a], texts[b]) || a - b);
    const keys = Float64Array.from(texts, (text) => (text === "" ? NaN : Number(text))); // "n/a" is NaN too
    return order.sort((a, b) => {
      if (Number.isNaN(keys[a]) || Number.isNaN(keys[b])) return Number.isNaN(keys[a]) - Number.isNaN(keys[b]) || a - b;
      return direction * (keys[a] - keys[b]) || a - b;
    });
  }

  // ---------------------------------------------------------------- rows

  paint(anew = false) {
    if (this.printing) return;
    const [start, stop] = this.windowed ? this.span() : [0, this.list.length];
    if (!anew && start === this.start && stop === this.stop) return;
    Object.assign(this, { start, stop });
    const rows = this.list.slice(start, stop).map((entry, at) => this.rowOf(entry, start + at));
    if (this.windowed) {
      const height = this.height ?? 30;
      rows.unshift(this.spacer(start * height));
      rows.push(this.spacer((this.list.length - stop) * height), this.sizer());
    }
    this.body.replaceChildren(...rows);
    if (this.count) this.count.textContent = this.countText();
    if (this.height || !rows[1]?.offsetHeight) return;
    this.height = rows[1].offsetHeight;
    if (this.windowed) this.paint(true); // now that it is known how high a row is
  }

  /** Which rows are in view. */
  span() {
    const height = this.height ?? 30;
    const first = Math.floor(this.scroll.scrollTop / height) - MARGIN;
    const start = Math.max(0, Math.min(first, this.list.length - 1));
    return [start, Math.min(this.list.length, start + Math.ceil(this.scroll.clientHeight / height) + 2 * MARGIN)];
  }

  spacer(height) {
    const row = make("tr", { className: "spacer" });
    row.setAttribute("aria-hidden", "true");
    row.style.height = `${height}px`;
    return row;
  }

  /** A row without height that holds the widest cells seen, so that columns keep their width while one scrolls. */
  sizer() {
    const row = make("tr", { className: "sizer" }, ...this.columns.map((column, at) => make("td", { className: column.classes, textContent: this.longest[at] })));
    row.setAttribute("aria-hidden", "true");
    return row;
  }

  rowOf(entry, at) {
    const peak = typeof entry === "number" ? null : entry.peak;
    const line = peak ? entry.line : entry;
    const cells = this.lines[line].split("\t");
    const index = cells[this.header.indexOf("index")];
    const row = make("tr", { className: peak ? "peak" : "", tabIndex: -1 });
    row.setAttribute("aria-rowindex", at + 2);
    row.entry = { line, peak, index: Number(index), at };
    if (!peak && row.entry.index === this.current) row.setAttribute("aria-current", "true");
    row.classList.toggle("movable", this.canMove);
    this.columns.forEach((column, number) => {
      const text = peak ? this.peakCell(peak, column) : cells[column.position];
      const shown = this.wordsOf(column, text, peak ? null : cells);
      if (shown.length > this.longest[number].length) this.longest[number] = shown;
      const cell = make("td", { className: column.classes });
      if (column.kind === "id") cell.append(...(peak ? this.peakHead(peak) : this.regionHead(index, cells)));
      else if (column.kind === "link" && this.links[text]) cell.append(make("a", { href: this.links[text], textContent: shown }));
      else cell.textContent = shown;
      const tip = peak ? "" : this.tips[column.column]?.[index];
      if (tip || shown !== text || "long" in column) cell.title = tip || text;
      row.append(cell);
    });
    if (at === this.active) row.tabIndex = 0;
    for (const button of row.querySelectorAll("button")) button.tabIndex = at === this.active ? 0 : -1;
    return row;
  }

  /** A cell as a reader sees it: rounded, a share of people as its counts, a name as people say it. */
  wordsOf(column, text, cells) {
    const counts = column.decimals.startsWith("of:") && cells && text !== "n/a" ? column.decimals.split(":").slice(1) : [];
    const shown = counts.length ? counts.map((name) => Number(cells[this.header.indexOf(name)]).toLocaleString("en")).join(" of ") : column.kind === "number" ? showNumber(text, column.decimals) : text;
    return this.words[column.column]?.[shown] ?? shown;
  }

  /** What a sub-peak says in a column of its region: value, place and atlas names have a column in both tables. */
  peakCell(peak, column) {
    const name = { peak_value: "value" }[column.column] ?? column.column.replace(/^peak_([xyzijk])$/, "$1");
    const at = this.peakHeader.indexOf(name);
    return at < 0 || name === "index" ? "" : peak[at];
  }

  regionHead(index, cells) {
    const sub = this.peaks.get(index)?.length ?? 0;
    const parts = [swatchOf(cells[this.header.indexOf("color")])];
    if (!this.canMove) return [...parts, index];
    const go = make("button", { type: "button", className: "go", textContent: index });
    go.setAttribute("aria-label", `Region ${index}: show its peak`);
    parts.push(go);
    if (sub) {
      const open = this.opened.has(index);
      const fold = make("button", { type: "button", className: "fold", textContent: `+${sub}`, title: open ? "Fold the sub-peaks" : "Unfold the sub-peaks" });
      fold.setAttribute("aria-expanded", String(open));
      fold.setAttribute("aria-label", `${sub} ${sub === 1 ? "sub-peak" : "sub-peaks"} of region ${index}`);
      parts.push(fold);
    }
    return parts;
  }

  peakHead(peak) {
    const [index, rank] = peak;
    if (!this.canMove) return [`peak ${rank}`];
    const go = make("button", { type: "button", className: "go", textContent: `peak ${rank}` });
    go.setAttribute("aria-label", `Region ${index}, peak ${rank}: show it`);
    return [go];
  }

  countText() {
    const all = this.lines.length;
    return this.shown.length === all ? `${all} ${all === 1 ? "row" : "rows"}` : `${this.shown.length} of ${all} rows`;
  }

  /** Mark the row of a region, and bring it into view inside the table. */
  mark(index) {
    if (index === this.current || !this.list) return;
    this.current = index;
    for (const row of this.body.rows) {
      if (row.entry && !row.entry.peak && row.entry.index === index) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
    const at = index ? this.list.findIndex((entry) => typeof entry === "number" && Number(this.cell(entry, "index")) === index) : -1;
    if (at < 0) return;
    const here = this.list[this.active];
    if (typeof here === "number" || Number(this.cell(here.line, "index")) !== index) this.activate(at); // a sub-peak keeps its row
    this.reveal(at);
  }

  reveal(at) {
    if (at < 0) return;
    const height = this.height ?? this.body.rows[0].offsetHeight;
    const room = this.scroll.clientHeight - this.table.tHead.offsetHeight - height;
    const row = this.rowAt(at);
    const lead = this.table.tHead.offsetTop; // the caption, which scrolls with the rows
    const top = row && !this.windowed ? row.offsetTop - this.table.tHead.offsetHeight : lead + at * height;
    if (top < this.scroll.scrollTop || top > this.scroll.scrollTop + room) this.scroll.scrollTop = Math.max(0, top - room / 2);
  }

  rowAt(at) {
    return [...this.body.rows].find((row) => row.entry?.at === at) ?? null;
  }

  /** Put the keyboard's place on a row: it alone is reached by Tab. */
  activate(at) {
    this.active = at;
    for (const row of this.body.rows) {
      if (!row.entry) continue;
      row.tabIndex = row.entry.at === at ? 0 : -1;
      for (const button of row.querySelectorAll("button")) button.tabIndex = row.tabIndex;
    }
  }

  /** Go to a row of the list: show its place, and keep the keyboard there where it was in the table. */
  goToRow(at, { focus = true } = {}) {
    if (!this.list.length) return;
    const next = Math.max(0, Math.min(this.list.length - 1, at));
    this.activate(next);
    this.reveal(next);
    if (this.windowed) this.paint(true);
    const row = this.rowAt(next);
    if (focus) row?.focus({ preventScroll: true });
    if (row) this.choose(row);
  }

  /** The next or previous row's peak. */
  step(direction) {
    const at = this.current || this.started ? this.active + direction : 0;
    this.goToRow((at + this.list.length) % this.list.length, { focus: false });
  }

  /** The largest region of a sign. */
  largestOf(sign) {
    const size = this.header.includes("n_voxels") ? "n_voxels" : "n_vertices";
    let best = -1;
    this.list.forEach((entry, at) => {
      if (typeof entry !== "number" || this.cell(entry, "sign") !== sign) return;
      if (best < 0 || Number(this.cell(entry, size)) > Number(this.cell(this.list[best], size))) best = at;
    });
    return best;
  }

  // ---------------------------------------------------------------- tools

  addTools() {
    const tools = this.element.querySelector(".tools");
    const name = this.table.caption.textContent;
    const search = make("input", { type: "search", placeholder: "Filter rows", autocomplete: "off", spellcheck: false });
    search.setAttribute("aria-label", `Filter rows of ${name}`);
    search.addEventListener("input", () => {
      clearTimeout(this.pause);
      this.pause = setTimeout(() => this.filter(search.value), this.windowed ? 150 : 0);
    });
    this.count = make("output", { className: "count", textContent: this.countText() });
    const button = (text, action) => make("button", { type: "button", textContent: text, onclick: action });
    const copy = button(this.canMove ? "Copy all" : "Copy", () => this.hand(copy, this.asText()));
    copy.title = "Copy the rows shown, as TSV";
    const download = button("Download", () => this.download());
    download.title = `Download ${this.element.dataset.file}`;
    for (const action of [copy, download]) action.setAttribute("aria-label", `${action.textContent} ${name}`);
    tools.append(search, this.count);
    if (this.columns.some((column) => "minor" in column)) tools.append(this.switchOf("All columns", (on) => this.table.classList.toggle("all", on)));
    if (this.peaks.size) tools.append(this.switchOf("Sub-peaks", (on) => this.unfold(on)));
    if (this.canMove) tools.append(...this.rowTools(button));
    tools.append(copy, download);
    search.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== "ArrowDown") return;
      event.preventDefault();
      if (event.key === "Enter") this.filter(search.value);
      this.goToRow(0);
    });
  }

  /** What one can do with the row in use. */
  rowTools(button) {
    const row = button("Copy row", () => this.hand(row, this.rowText()));
    row.title = "Copy the marked row, as TSV (C in the table)";
    if (!this.header.includes("peak_value") || !this.header.includes("index")) return [row];
    const sentence = button("As a sentence", () => this.hand(sentence, this.rowSentence()));
    sentence.title = "Copy the marked row as a sentence for a manuscript (S in the table)";
    return [row, sentence];
  }

  /** The row in use, as it stands in its file. */
  rowText() {
    const entry = this.list[this.active];
    return typeof entry === "number" ? this.lines[entry] : entry.peak.join("\t");
  }

  rowSentence() {
    const entry = this.list[this.active];
    const cells = (header, texts) => Object.fromEntries(header.map((name, at) => [name, texts[at]]));
    const region = cells(this.header, this.lines[typeof entry === "number" ? entry : entry.line].split("\t"));
    return this.sentenceOf(this, region, typeof entry === "number" ? null : cells(this.peakHeader, entry.peak));
  }

  switchOf(text, action) {
    const box = make("input", { type: "checkbox", onchange: () => action(box.checked) });
    return make("label", { className: "switch" }, box, ` ${text}`);
  }

  unfold(all) {
    this.opened = new Set(all ? this.peaks.keys() : []);
    this.arrange();
  }

  filter(needle) {
    this.needle = needle.trim();
    this.scroll.scrollTop = 0;
    this.arrange();
  }

  /** The rows shown, in their order, as they stand in the file. */
  asText() {
    return [this.header.join("\t"), ...this.shown.map((line) => this.lines[line]), ""].join("\n");
  }

  /** Put text on the clipboard and say so, on the button or, from the keyboard, beside the number of rows. */
  async hand(place, text) {
    const done = await copyText(text);
    const before = place === this.count ? "" : place.textContent;
    place.textContent = done ? "Copied" : "Copying is not allowed here";
    setTimeout(() => (place.textContent = before || this.countText()), 1500);
  }

  download() {
    const address = URL.createObjectURL(new Blob([this.text], { type: "text/tab-separated-values" }));
    make("a", { href: address, download: this.element.dataset.file }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }

  addSorting() {
    for (const column of this.columns) {
      const { head } = column;
      const button = make("button", { type: "button", className: "sort" }, ...head.childNodes);
      if (head.title) button.title = head.title;
      head.removeAttribute("title");
      head.replaceChildren(button);
      button.addEventListener("click", () => this.sortBy(column));
    }
  }

  /** First click: numbers from the largest, text from A; second click: the other way; third: the file's order. */
  sortBy({ head, position, kind }) {
    const first = kind === "number" ? -1 : 1;
    const same = this.sorted.position === position;
    const direction = !same ? first : this.sorted.direction === first ? -first : 0;
    this.sorted = direction ? { position, direction, kind: kind === "link" ? "text" : kind } : { position: -1, direction: 1 };
    for (const column of this.columns) column.head.removeAttribute("aria-sort");
    if (direction) head.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
    this.arrange();
  }

  listen() {
    this.scroll.addEventListener("scroll", () => this.windowed && this.paint(), { passive: true });
    this.body.addEventListener("click", (event) => this.onClick(event));
    this.body.addEventListener("keydown", (event) => this.onKey(event));
    window.addEventListener("beforeprint", () => this.toPaper());
    window.addEventListener("afterprint", () => this.fromPaper());
  }

  /** Paper gets every sub-peak; of a windowed table it gets the plain rows. */
  toPaper() {
    if (this.printing) return;
    const opened = this.opened;
    this.unfold(true);
    this.printing = { opened };
    if (this.windowed) this.body.replaceChildren(...this.plain);
  }

  fromPaper() {
    if (!this.printing) return;
    this.opened = this.printing.opened;
    this.printing = null;
    this.arrange();
  }

  onClick(event) {
    const row = event.target.closest("tr");
    const fold = event.target.closest(".fold");
    if (fold) this.toggle(String(row.entry.index));
    else if (row?.entry && !event.target.closest("a") && getSelection().isCollapsed) this.choose(row);
  }

  choose(row) {
    if (!this.canMove) return;
    this.started = true;
    this.activate(row.entry.at);
    if (this.element.dataset.shows) {
      for (const other of this.body.querySelectorAll("[aria-current]")) other.removeAttribute("aria-current");
      row.setAttribute("aria-current", "true");
    }
    this.chosen(this, row.entry);
  }

  toggle(index) {
    if (!this.opened.delete(index)) this.opened.add(index);
    this.arrange();
    [...this.body.rows].find((row) => String(row.entry?.index) === index)?.querySelector(".fold")?.focus();
  }

  /**
   * Arrows, Home and End go from row to row and show each one's peak, Enter shows this one's; minus and plus go to the
   * largest negative and positive region; C copies the row, S copies it as a sentence.
   */
  onKey(event) {
    const row = event.target.closest("tr");
    if (!row?.entry || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = row.entry.at;
    const rows = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: this.list.length - 1, PageDown: at + 10, PageUp: at - 10 };
    const signs = { "-": "negative", "+": "positive", "=": "positive" };
    const texts = { c: () => this.rowText(), s: () => this.canMove && this.header.includes("index") && this.rowSentence() };
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key in rows) this.goToRow(rows[key]);
    else if (key in signs && this.header.includes("sign") && this.largestOf(signs[key]) >= 0) this.goToRow(this.largestOf(signs[key]));
    else if (key in texts && this.canMove) {
      this.activate(at);
      const text = texts[key]();
      if (text) this.hand(this.count, text).then(() => row.focus({ preventScroll: true }));
    } else if (key === "Enter" && event.target === row) this.choose(row);
    else return;
    event.preventDefault();
  }
}

/** The name of a region that no atlas named: it says no more than its number. */
const numberedName = (index) => `region-${index}`;

/** A region, or one of its peaks, as a sentence for a manuscript. */
function regionSentence(region, peak, { quantity, space }) {
  const minus = (text) => String(text).replace("-", "−");
  const number = (text, digits) => minus(Number(Number(text).toFixed(digits)).toLocaleString("en", { maximumFractionDigits: digits }));
  const sign = region.sign === "both" ? "" : `${region.sign} `;
  const volume = Number(region.volume_mm3);
  const size = volume >= 1000 ? `${number(volume / 1000, 1)} cm³` : `${number(volume, 0)} mm³`;
  const name = ["", "n/a", numberedName(region.index)].includes(region.name ?? "") ? "" : ` in ${region.name}`;
  const at = peak ?? { value: region.peak_value, x: region.peak_x, y: region.peak_y, z: region.peak_z };
  const place = `x = ${number(at.x, 1)}, y = ${number(at.y, 1)}, z = ${number(at.z, 1)} mm${space ? ` in ${space}` : ""}`;
  const value = `${quantity || "value"} = ${minus(showNumber(String(Number(Number(at.value).toPrecision(4))), ""))}`;
  const cluster = region.p_cluster ?? "n/a";
  const p = cluster === "n/a" || cluster === "" ? "" : `, cluster p ${Number(cluster) < 0.001 ? "< 0.001" : `= ${Number(cluster).toFixed(3)}`}`;
  const which = peak ? `; peak ${peak.rank} of it at ` : " with its peak at ";
  if (/^\d+$/.test(region.n_vertices ?? "")) return sheetSentence(region, peak, { sign, name, which, space, value, p });
  const voxels = Number(region.n_voxels);
  return `A ${sign}cluster of ${number(voxels, 0)} ${voxels === 1 ? "voxel" : "voxels"} (${size})${name}${which}${place} (${value}${p}).`;
}

/** The same for a cluster of vertices. */
function sheetSentence(region, peak, { sign, name, which, space, value, p }) {
  const vertices = Number(region.n_vertices);
  const area = region.area_mm2 === "n/a" ? "" : ` (${(Number(region.area_mm2) / 100).toFixed(2)} cm²)`;
  const side = region.hemi === "R" ? "right" : "left";
  const vertex = peak ? peak.vertex : region.peak_vertex;
  const size = `${vertices.toLocaleString("en")} ${vertices === 1 ? "vertex" : "vertices"}${area}`;
  return `A ${sign}cluster of ${size} of the ${side} hemisphere${name}${which}vertex ${vertex}${space ? ` of ${space}` : ""} (${value}${p}).`;
}

/** Put text on the clipboard; older or stricter browsers get the old way. */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = make("textarea", { value: text, className: "offscreen" });
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
