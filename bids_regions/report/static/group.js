"use strict";
// The group page's own pieces: one participant found in every strip plot, the agreement matrix read cell by cell,
// thumbnails in pages. `startCohort` is called by page.js.

const SVG = "http://www.w3.org/2000/svg";
const cohort = { points: new Map() };

/** Values of a set's metrics, by metric and participant; unpacked when first asked for. */
cohort.pointsOf = async (set) => {
  if (!cohort.points.has(set)) cohort.points.set(set, JSON.parse(await payload.text(`points-${set}`)));
  return cohort.points.get(set);
};

/** Put a ring around one participant in every strip plot. */
cohort.highlight = async (participant) => {
  for (const ring of document.querySelectorAll(".ring")) ring.remove();
  if (!participant) return 0;
  let found = 0;
  for (const plot of document.querySelectorAll("[data-strip]")) {
    const set = plot.closest("article").id;
    const value = (await cohort.pointsOf(set))[plot.dataset.strip.slice(set.length + 1)]?.[participant];
    if (value === undefined || value === null) continue;
    found += 1;
    const dot = plot.querySelector(`[data-participant="${CSS.escape(participant)}"]`);
    const axis = plot.querySelector(".axis");
    const [low, high, left, right] = [plot.dataset.low, plot.dataset.high, axis.getAttribute("x1"), axis.getAttribute("x2")].map(Number);
    const x = dot ? Number(dot.getAttribute("cx")) : left + ((value - low) / (high - low)) * (right - left);
    cohort.drawRing(plot, x, dot ? Number(dot.getAttribute("cy")) : 46, `${participant}: ${showNumber(String(value), "")}`);
  }
  return found;
};

cohort.drawRing = (plot, x, y, words) => {
  const group = document.createElementNS(SVG, "g");
  group.setAttribute("class", "ring");
  const ring = document.createElementNS(SVG, "circle");
  for (const [name, value] of Object.entries({ cx: x, cy: y, r: 8 })) ring.setAttribute(name, value);
  const text = document.createElementNS(SVG, "text");
  for (const [name, value] of Object.entries({ x: 626, y: 0, "text-anchor": "end" })) text.setAttribute(name, value);
  text.textContent = words;
  group.append(ring, text);
  plot.append(group);
};

cohort.startFinding = () => {
  const input = document.getElementById("find");
  if (!input) return;
  input.closest(".find").hidden = false;
  const say = document.getElementById("found");
  const names = new Set();
  const show = async (name) => {
    const found = await cohort.highlight(name);
    say.textContent = name === "" ? "" : found ? `ringed in ${found} ${found === 1 ? "plot" : "plots"}` : "not found";
  };
  input.addEventListener("focus", async () => {
    if (names.size) return;
    for (const plot of document.querySelectorAll("[data-strip]")) {
      const points = await cohort.pointsOf(plot.closest("article").id);
      for (const metric of Object.values(points)) for (const name of Object.keys(metric)) names.add(name);
    }
    document.getElementById("participants").append(...[...names].slice(0, 2000).map((name) => new Option("", name)));
  });
  input.addEventListener("input", () => {
    const name = input.value.trim();
    show(/^sub-/.test(name) || name === "" ? name : `sub-${name}`);
  });
  document.addEventListener("pointerover", (event) => {
    const name = event.target.dataset?.participant;
    if (name && input.value === "") cohort.highlight(name);
    else if (input.value === "" && event.target.closest?.(".strips") === null) cohort.highlight("");
  });
};

/** One matrix: pointer and arrow keys read a cell. */
cohort.startMatrix = (figure) => {
  const area = figure.querySelector(".matrix-picture");
  const readout = figure.querySelector("output");
  const key = `agreement-${figure.dataset.matrix}`;
  let matrix = null;
  let cell = [0, 0];
  const read = async (row, column) => {
    matrix ??= await payload.array(key);
    const [size] = matrix.shape;
    cell = [row, column].map((value) => Math.max(0, Math.min(size - 1, value)));
    const stored = matrix.data[cell[0] + size * cell[1]];
    const names = cell.map((at) => matrix.participants[at]);
    const said = stored === 65535 ? "no value" : (stored / 10000).toFixed(2);
    readout.textContent = `${names[0]} and ${names[1]}: ${matrix.name} ${said}`;
  };
  area.addEventListener("pointermove", (event) => {
    const frame = area.querySelector("img").getBoundingClientRect();
    const size = payload.header(key).shape[0];
    read(Math.floor(((event.clientY - frame.top) / frame.height) * size), Math.floor(((event.clientX - frame.left) / frame.width) * size));
  });
  area.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    read(cell[0] + step[0], cell[1] + step[1]);
  });
};

/** Pages of thumbnails; the first one stands in the page already. */
cohort.startPager = (pager) => {
  const list = document.querySelector(`[data-thumbs="${pager.dataset.pager}"]`);
  const first = [...list.children];
  const rest = document.querySelectorAll(`[id^="thumbs-${pager.dataset.pager}-"]`).length;
  if (rest === 0) return;
  let now = 1;
  const where = make("output");
  const before = make("button", { type: "button", textContent: "Previous", onclick: () => turn(now - 1) });
  const after = make("button", { type: "button", textContent: "Next", onclick: () => turn(now + 1) });
  const itemOf = ({ participant, href, alt, width, height, source }) => {
    const picture = make("img", { alt, width, height, src: source });
    const parts = [picture, make("span", { textContent: participant })];
    return make("li", {}, ...(href ? [make("a", { href }, ...parts)] : parts));
  };
  const turn = async (number) => {
    now = Math.max(1, Math.min(rest + 1, number));
    const items = now === 1 ? first : JSON.parse(await payload.text(`thumbs-${pager.dataset.pager}-${now}`)).map(itemOf);
    list.replaceChildren(...items);
    where.textContent = `page ${now} of ${rest + 1}`;
    before.disabled = now === 1;
    after.disabled = now === rest + 1;
  };
  pager.append(before, where, after);
  pager.hidden = false;
  turn(1);
};

/** Called by page.js for every part of the page, once it is there. */
function startCohort(part) {
  for (const figure of part.querySelectorAll("[data-matrix]")) cohort.startMatrix(figure);
  for (const pager of part.querySelectorAll("[data-pager]")) cohort.startPager(pager);
  if (part === document) cohort.startFinding();
}
