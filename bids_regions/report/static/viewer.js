"use strict";
// The one viewer of a page. It holds what is shown (a *scene*: a volume, the labels of an entry, its regions, a
// background), where the crosshair is, and what is read there; its displays (planes.js) paint it. One scene at a time:
// the last one is forgotten.

class Viewer {
  /**
   * element: the viewer's markup; views: what can be shown; regionsOf(view): colours, names and peaks of its regions;
   * moved(view, region): told whenever the crosshair has moved; stepped(direction): next or previous peak was asked for.
   */
  constructor(element, views, { regionsOf, moved, stepped }) {
    Object.assign(this, { element, views, regionsOf, moved, stepped });
    this.part = (name) => element.querySelector(`[data-part="${name}"]`);
    this.colours = colourTable();
    this.slices = new Planes(this);
    this.cortex = new Cortex(this);
    this.displays = [this.slices];
    this.instruments = new Instruments(this.part, (value) => {
      for (const display of this.displays) display.setThreshold(value);
      this.draw();
    });
    this.instruments.colours = this.colours;
    this.listen();
  }

  // ---------------------------------------------------------------- what is shown

  /**
   * Show a view; `mm` places the crosshair. Without it the crosshair stays on another view of the same map, and goes to
   * the first region's peak, or else to the strongest voxel, on another map.
   */
  async show(key, mm = null) {
    const view = this.views.find((candidate) => candidate.key === key);
    if (this.view === view) return mm ? this.goTo(mm) : undefined;
    this.wanted = key;
    this.element.setAttribute("aria-busy", "true");
    try {
      const scene = await this.load(view);
      if (this.wanted !== key) return undefined; // another one was asked for meanwhile
      const stay = this.view?.section === view.section ? this.cursor : null;
      Object.assign(this, scene, { scene, view });
      this.open(mm ?? stay);
    } catch (error) {
      this.part("trouble").textContent = `This map cannot be shown here: ${error.message}. The figures and tables are complete without it.`;
      this.part("trouble").hidden = false;
    }
    this.element.removeAttribute("aria-busy");
    return undefined;
  }

  async load(view) {
    const [volume, labels, regions, others] = await Promise.all([
      payload.array(view.volume),
      view.labels ? payload.array(view.labels) : null,
      this.regionsOf(view),
      this.loadOthers(view),
    ]);
    const grid = new Grid(volume.shape, volume.affine);
    const sheets = await this.loadSheets(view.sheets ?? []);
    const background = await this.loadBackground(view.background);
    const companions = {};
    for (const [name, id] of Object.entries(volume.companions ?? {})) companions[name] = await payload.array(id);
    return { volume, grid, sheets, labels, regions, background, others, companions, box: this.boxOf(grid, volume, background) };
  }

  /** The meshes of a view, one after the other; kept, since other views lie on the same ones. */
  async loadSheets(ids) {
    this.sheetsOf ??= new Map();
    const key = ids.join(" ");
    if (!this.sheetsOf.has(key)) {
      const loaded = [];
      for (const id of ids) loaded.push(await Sheet.load(id, loaded.reduce((sum, sheet) => sum + sheet.size, 0)));
      this.sheetsOf.set(key, loaded);
    }
    return this.sheetsOf.get(key);
  }

  /** Views of the same map's other entries: their contours can be laid over this one's. */
  othersOf(view) {
    if (!view.labels) return [];
    const seen = new Set([view.labels]);
    return this.views.filter((other) => other.section === view.section && other.volume === view.volume && other.labels && !seen.has(other.labels) && seen.add(other.labels));
  }

  /** Their labels, once they are asked for. */
  async loadOthers(view) {
    if (!this.part("others").checked) return [];
    return Promise.all(this.othersOf(view).map((other) => payload.array(other.labels)));
  }

  async loadBackground(key) {
    if (!key) return null;
    if (this.background?.key === key) return this.background;
    const picture = await payload.array(key);
    const grid = new Grid(picture.shape, picture.affine);
    return { ...picture, key, grid, box: grid.filledBox(picture.data) };
  }

  /** What the planes show, in mm: the map, and the picture below it; empty borders are left away where there is one. */
  boxOf(grid, volume, background) {
    if (!background || background.plain) return grid.box;
    const boxes = [grid.filledBox(volume.data), background.box];
    const extreme = (pick, side) => [0, 1, 2].map((axis) => pick(...boxes.map((box) => box[side][axis])));
    return [extreme(Math.min, 0).map((value) => value - 3), extreme(Math.max, 1).map((value) => value + 3)];
  }

  open(mm) {
    this.part("trouble").hidden = true;
    this.part("view").value = this.view.key;
    this.part("unit").textContent = this.volume.quantity;
    const { step, dtype } = this.volume;
    this.digits = dtype === "float32" ? null : Math.max(0, Math.min(8, Math.floor(-Math.log10(step))));
    this.part("others").closest("label").hidden = this.othersOf(this.view).length === 0;
    for (const name of ["previous", "next"]) this.part(name).disabled = this.regions.list.length === 0;
    this.displays = [this.sheets.length ? this.cortex : this.slices];
    this.element.classList.toggle("sheets", this.sheets.length > 0);
    for (const display of [this.slices, this.cortex]) display.shown = this.displays.includes(display);
    this.part("planes").hidden = !this.slices.shown;
    this.part("cortex").hidden = !this.cortex.shown;
    for (const name of ["glass", "zoom-in", "zoom-out"]) this.part(name).hidden = this.cortex.shown;
    this.part("ground").textContent = this.groundWords();
    this.part("go").placeholder = this.cortex.shown ? "L 1234" : "x y z";
    this.part("go").setAttribute("aria-label", this.cortex.shown ? "Go to a vertex: side and number" : "Go to x y z, in mm");
    for (const display of this.displays) display.open(this.scene);
    this.instruments.open({ volume: this.volume, view: this.view, labels: this.labels });
    this.goTo(mm ?? this.regions.first ?? this.strongest() ?? this.box[0].map((low, axis) => (low + this.box[1][axis]) / 2));
  }

  groundWords() {
    const names = this.cortex.shown ? new Set(this.sheets.map((sheet) => sheet.name)) : [this.background?.name].filter(Boolean);
    return [...names].length ? `Drawn on: ${[...names].join(", ")}` : "";
  }

  // ---------------------------------------------------------------- crosshair

  /** Move the crosshair to a position in mm; outside the box it stays at its border. */
  goTo(mm, { follow = true } = {}) {
    const [low, high] = this.box;
    const inside = mm.map((value, axis) => Math.min(high[axis] - 1e-6, Math.max(low[axis] + 1e-6, value)));
    this.cursor = this.grid.snap(inside);
    for (const display of this.displays) display.showPlace(this.cursor);
    if (follow && this.slices.shown && this.slices.zoom > 1) this.slices.frame();
    this.readOut();
    this.draw();
  }

  /** One voxel along an axis in mm. */
  move(axis, direction, voxels) {
    const mm = [...this.cursor];
    mm[axis] += direction * voxels * this.grid.pace(axis);
    this.goTo(mm);
  }

  /** How strong a voxel is in the tails that were asked for. */
  strength(at) {
    const value = this.volume.data[at] * this.volume.step;
    const { tail } = this.view;
    return tail === "positive" ? value : tail === "negative" ? -value : Math.abs(value);
  }

  /** The place of the strongest voxel of the map, as its file tells; null where everything is zero. */
  strongest() {
    const { highest, lowest } = this.volume;
    const { tail } = this.view;
    const found = [tail !== "negative" && highest, tail !== "positive" && lowest].filter(Boolean);
    found.sort((one, two) => Math.abs(two[3]) - Math.abs(one[3]));
    return found.length ? this.grid.place(found[0].slice(0, 3)) : null;
  }

  /** Uphill from the crosshair, voxel by voxel over 26 neighbours, to where no neighbour is stronger. */
  nearestMaximum() {
    if (this.cortex.shown) {
      this.goTo([this.cortex.uphill(this.cursor[0], (row) => this.strength(row)), 0, 0]);
      return;
    }
    let ijk = this.grid.voxel(this.cursor).map((value, axis) => Math.min(this.grid.shape[axis] - 1, Math.max(0, value)));
    for (;;) {
      let best = ijk;
      for (let n = 0; n < 27; n++) {
        const next = [ijk[0] + (n % 3) - 1, ijk[1] + (Math.floor(n / 3) % 3) - 1, ijk[2] + Math.floor(n / 9) - 1];
        const at = this.grid.offset(next);
        if (at >= 0 && this.strength(at) > this.strength(this.grid.offset(best))) best = next;
      }
      if (best === ijk) break;
      ijk = best;
    }
    this.goTo(this.grid.place(ijk));
  }

  // ---------------------------------------------------------------- read-out

  readOut() {
    const ijk = this.grid.voxel(this.cursor);
    const own = ijk.map((value, axis) => value + (this.volume.first?.[axis] ?? 0)); // in the file, of which this may be a box
    const at = this.grid.offset(ijk);
    const region = at >= 0 && this.labels ? this.labels.data[at] : 0;
    this.region = region;
    for (const display of this.displays) display.showRegion(region);
    const say = (name, text) => (this.part(name).textContent = text);
    const vertex = this.cortex.shown ? this.cortex.words(ijk[0]) : null;
    say("mm", vertex ? vertex.side : this.cursor.map((value) => this.millimetres(value)).join("  "));
    say("mm-unit", vertex ? "hemisphere" : "mm");
    say("voxel-name", vertex ? "Vertex" : "Voxel");
    say("voxel", vertex ? vertex.number : at < 0 ? "outside the map" : own.join("  "));
    say("centre", at < 0 || this.grid.straight ? "" : `centre ${this.grid.place(ijk).map(this.millimetres).join("  ")}`);
    const peak = this.regions.peaks.get(own.join(" "));
    const value = this.readValue(at, peak);
    say("region", region ? this.regions.names.get(region) ?? String(region) : this.outsideWords(at, value));
    say("atlas", region ? this.regions.atlas.get(region) ?? "" : "");
    this.part("atlas").title = this.part("atlas").textContent; // cut to a line, whole on hovering
    this.part("swatch").style.backgroundColor = region ? `rgb(${this.regions.colours.get(region)?.slice(0, 3)})` : "";
    this.part("swatch").hidden = !region;
    Object.assign(this.part("readout").dataset, { mm: this.cursor.join(" "), voxel: own.join(" "), region, value });
    this.moved(this.view, region);
  }

  /** Why a voxel is in no region, where that is no matter of course. */
  outsideWords(at, value) {
    const { cutoff, decides } = this.view;
    const lost = decides && at >= 0 && cutoff !== null && passes(value, cutoff, this.view);
    return lost ? "none, though past the cutoff" : "none";
  }

  /** A peak's value comes from its table, where the table is about this map; both are the same number. */
  readValue(at, peak) {
    const { step, people } = this.volume;
    const value = at < 0 ? NaN : this.volume.data[at] * step;
    const own = peak && Math.abs(Number(peak.value) - value) <= Math.max(1.01 * step, 1e-6 * Math.abs(value));
    const exact = own ? Number(peak.value) : value;
    const which = !own ? "" : `${Number(peak.rank) > 1 ? `peak ${peak.rank}` : "the peak"} of region ${peak.index}`;
    const [text, unit, note] = people ? this.peopleWords(at, value) : [this.valueWords(exact, own ? 8 : this.digits), this.volume.quantity, ""];
    this.part("value").textContent = at < 0 ? "no value" : text;
    this.part("value").title = own && peak.value !== text ? peak.value : "";
    this.part("unit").textContent = at < 0 ? "" : unit;
    this.part("note").textContent = at < 0 ? "" : [note, which].filter(Boolean).join("; ");
    return exact;
  }

  /** A value in four digits, as tables have it, of at most `most` decimals; in more where four would cross the cutoff. */
  valueWords(value, most) {
    if (value === 0) return "0";
    const { cutoff } = this.view;
    const beyond = (number) => cutoff !== null && passes(number, cutoff, this.view);
    const decimals = Math.min(most ?? 8, 3 - Math.floor(Math.log10(Math.abs(value))));
    for (let more = 0; more < 8; more++) {
      const small = Math.abs(value) < 0.001;
      const text = small ? value.toExponential(1 + more) : String(Number(value.toFixed(Math.max(0, decimals + more))));
      if (beyond(Number(text)) === beyond(value)) return text;
    }
    return String(value);
  }

  /** A fraction of participants as the counts it came from. */
  peopleWords(at, value) {
    const { people } = this.volume;
    const share = (array) => (array && at >= 0 ? array.data[at] * array.step : 0);
    const { coverage, minor } = this.companions;
    const have = coverage ? Math.round(share(coverage) * people) : people;
    const count = (fraction) => [Math.round(Math.abs(fraction) * have), have].map((n) => n.toLocaleString("en")).join(" of ");
    if (have === 0) return ["no data", "", ""];
    if (!coverage) return [count(value), "participants", "have data here"];
    const sign = value > 0 ? "positive" : value < 0 ? "negative" : "";
    const other = share(minor) ? `${value > 0 ? "negative" : "positive"} in ${count(share(minor))}` : "";
    return [count(value), "participants", [sign, other].filter(Boolean).join(", ")];
  }

  millimetres(value) {
    return String(Math.round(value * 100) / 100 + 0);
  }

  // ---------------------------------------------------------------- drawing

  /** Ask for a picture; several requests before the next frame make one. */
  draw() {
    if (this.frame || !this.volume) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = null;
      this.look = this.lookOf();
      for (const display of this.displays) display.draw(this.look);
    });
  }

  lookOf() {
    const style = getComputedStyle(this.element);
    const grey = (name) => Number(style.getPropertyValue(name));
    const { cutoff, tail, strict, decides } = this.view;
    return {
      ...{ cutoff, tail, strict, decides },
      colours: this.colours,
      threshold: this.instruments.value,
      opacity: Number(this.part("opacity").value) / 100,
      ...Object.fromEntries(["fade", "contours", "others", "numbers"].map((name) => [name, this.part(name).checked])),
      paper: hexColour(style.getPropertyValue("--film").trim()),
      ink: style.getPropertyValue("--film-ink").trim(),
      dark: grey("--film-dark"),
      bright: grey("--film-bright"),
    };
  }

  // ---------------------------------------------------------------- the view as a picture

  /** What the view shows, in words. */
  caption() {
    const read = ["mm", "value", "unit", "region"].map((name) => this.part(name).textContent.replace(/ +/g, " "));
    const region = this.region ? `region ${read[3]}` : "in no region";
    const rule = this.view.cutoff === null ? "" : `, threshold ${this.part("threshold-text").textContent}`;
    return [
      `${this.view.group} · ${this.view.name}${rule}`,
      `${this.cortex.shown ? `${read[0]} hemisphere, vertex ${this.part("voxel").textContent}` : `x, y, z = ${read[0].split(" ").join(", ")} mm`}; value ${read[1]} ${read[2]}; ${region}`,
      [this.part("ground").textContent, this.cortex.shown ? "" : "left is left", document.title].filter(Boolean).join("; "),
    ];
  }

  /** The planes side by side over their caption, as a PNG. */
  picture() {
    const canvases = this.displays.flatMap((display) => display.canvases);
    const [gap, line] = [16, 26];
    const height = Math.max(...canvases.map((canvas) => canvas.height));
    const width = Math.max(canvases.reduce((sum, canvas) => sum + canvas.width + gap, gap), 900);
    const sheet = Object.assign(document.createElement("canvas"), { width, height: height + 4 * line + 2 * gap });
    const pen = sheet.getContext("2d");
    pen.fillStyle = `rgb(${this.look.paper.join(" ")})`;
    pen.fillRect(0, 0, sheet.width, sheet.height);
    let x = gap;
    for (const canvas of canvases) {
      pen.drawImage(canvas, x, gap + height - canvas.height);
      x += canvas.width + gap;
    }
    pen.fillStyle = this.look.ink;
    this.caption().forEach((text, at) => {
      pen.font = `${at ? "" : "600 "}17px system-ui, sans-serif`;
      pen.fillText(text, gap, height + gap + (at + 1.2) * line, sheet.width - 2 * gap);
    });
    return new Promise((resolve) => sheet.toBlob(resolve, "image/png"));
  }

  async save() {
    const address = URL.createObjectURL(await this.picture());
    const name = `${this.view.section}_${this.cursor.map((value) => Math.round(value)).join("_")}.png`;
    make("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }

  // ---------------------------------------------------------------- hands

  listen() {
    const on = (name, act) => this.part(name).addEventListener("click", () => this.view && act());
    on("previous", () => this.stepped(-1));
    on("next", () => this.stepped(1));
    on("nearest", () => this.nearestMaximum());
    on("global", () => this.strongest() && this.goTo(this.strongest()));
    on("zoom-in", () => this.zoomBy(1.5));
    on("zoom-out", () => this.zoomBy(1 / 1.5));
    on("glass", () => this.toggle("glass", (on_) => (this.slices.glass = on_)));
    on("large", () => this.toggle("large", (on_) => {
      this.element.classList.toggle("large", on_);
      if (this.slices.shown) this.slices.layOut();
    }));
    on("display", () => this.toggle("display", (on_) => this.element.classList.toggle("open", on_)));
    on("save", () => this.save());
    this.part("go").closest("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.goToText(this.part("go").value);
    });
    for (const name of ["fade", "contours", "numbers"]) this.part(name).addEventListener("change", () => this.draw());
    this.part("others").addEventListener("change", async () => {
      this.scene.others = await this.loadOthers(this.view);
      this.draw();
    });
    this.part("opacity").addEventListener("input", () => this.draw());
    for (const name of ["planes", "cortex"]) new ResizeObserver(() => this.draw()).observe(this.part(name));
    for (const query of ["(prefers-color-scheme: dark)", "print"]) {
      window.matchMedia(query).addEventListener("change", () => {
        this.slices.shadows = null;
        this.draw();
      });
    }
  }

  toggle(name, act) {
    const button = this.part(name);
    const pressed = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(pressed));
    act(pressed);
    this.goTo(this.cursor);
  }

  zoomBy(factor) {
    this.slices.setZoom(this.slices.zoom * factor);
    this.part("zoom-out").disabled = this.slices.zoom <= 1;
    this.draw();
  }

  /** Coordinates as typed: three numbers, whatever stands between them. */
  goToText(text) {
    if (this.cortex.shown) {
      this.goToVertex(text);
      return;
    }
    const found = text.replace(/[−–]/g, "-").match(/-?\d+(\.\d+)?/g)?.map(Number) ?? [];
    const input = this.part("go");
    const fits = found.length === 3;
    input.setAttribute("aria-invalid", String(!fits));
    input.setCustomValidity(fits ? "" : "Three numbers, in mm: x y z");
    if (!fits) input.reportValidity();
    else this.goTo(found);
  }

  /** A side and the number of a vertex, as typed: L 1234. */
  goToVertex(text) {
    const [, side, number] = text.match(/([lr])\D*(\d+)/i) ?? [];
    const row = side ? this.cortex.rowOf(side.toUpperCase(), Number(number)) : null;
    const input = this.part("go");
    input.setAttribute("aria-invalid", String(row === null));
    input.setCustomValidity(row === null ? "A side and the number of a vertex of it, such as L 1234" : "");
    if (row === null) input.reportValidity();
    else this.goTo([row, 0, 0]);
  }
}
