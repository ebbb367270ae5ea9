"use strict";
// The one viewer of a page: three planes through a position, on 2-D canvases. It shows one view at a time (a volume,
// the labels of an entry, a background) and forgets the last one. Sampling is nearest voxel: what is seen is data.

const TALLEST = 28; // rem: the highest plane

class Viewer {
  /**
   * element: the viewer's markup; views: what can be shown; regionsOf(view): colours, names and peaks of its regions;
   * moved(view, region): told whenever the crosshair has moved.
   */
  constructor(element, views, { regionsOf, moved }) {
    this.element = element;
    this.views = views;
    this.regionsOf = regionsOf;
    this.moved = moved;
    this.colours = colourTable();
    this.part = (name) => element.querySelector(`[data-part="${name}"]`);
    this.planes = PLANES.map((plane) => {
      const frame = this.part(plane.name.toLowerCase());
      return { ...plane, frame, canvas: frame.querySelector("canvas"), where: frame.querySelector("output") };
    });
    this.listen();
  }

  // ---------------------------------------------------------------- what is shown

  /** Show a view; `mm` places the crosshair, otherwise it stays, or goes to the first region's peak. */
  async show(key, mm = null) {
    const view = this.views.find((candidate) => candidate.key === key);
    if (this.view === view) return mm ? this.goTo(mm) : undefined;
    this.wanted = key;
    this.element.setAttribute("aria-busy", "true");
    try {
      const loaded = await this.load(view);
      if (this.wanted !== key) return undefined; // another one was asked for meanwhile
      Object.assign(this, loaded, { view });
      this.open(mm);
    } catch (error) {
      this.part("trouble").textContent = `This map cannot be shown here: ${error.message}. The figures and tables are complete without it.`;
      this.part("trouble").hidden = false;
    }
    this.element.removeAttribute("aria-busy");
    return undefined;
  }

  async load(view) {
    const [volume, labels, regions] = await Promise.all([
      payload.array(view.volume),
      view.labels ? payload.array(view.labels) : null,
      this.regionsOf(view),
    ]);
    const grid = new Grid(volume.shape, volume.affine);
    return { volume, grid, labels, regions, background: await this.loadBackground(view.background) };
  }

  async loadBackground(key) {
    if (!key) return null;
    if (this.background?.key === key) return this.background;
    const picture = await payload.array(key);
    return { ...picture, key, grid: new Grid(picture.shape, picture.affine) };
  }

  open(mm) {
    const boxes = [this.grid.box, ...(this.background ? [this.background.grid.box] : [])];
    const extreme = (pick, side) => [0, 1, 2].map((axis) => pick(...boxes.map((box) => box[side][axis])));
    this.box = [extreme(Math.min, 0), extreme(Math.max, 1)];
    this.part("trouble").hidden = true;
    this.part("view").value = this.view.key;
    this.part("unit").textContent = this.volume.quantity;
    this.layOutPlanes();
    this.layOutThreshold();
    const start = mm ?? this.cursor ?? this.regions.first ?? this.box[0].map((low, axis) => (low + this.box[1][axis]) / 2);
    this.goTo(start);
  }

  /** Widths in the ratio of the millimetres, and none too high: all three planes have one scale. */
  layOutPlanes() {
    const extent = (axis) => this.box[1][axis] - this.box[0][axis];
    const tallest = Math.max(...this.planes.map((plane) => extent(plane.up)));
    for (const plane of this.planes) {
      plane.frame.style.setProperty("--share", extent(plane.across).toFixed(3));
      plane.frame.style.maxWidth = `${((TALLEST * extent(plane.across)) / tallest).toFixed(3)}rem`;
      plane.canvas.style.aspectRatio = `${extent(plane.across)} / ${extent(plane.up)}`;
    }
  }

  // ---------------------------------------------------------------- threshold

  /** The slider ends at the largest magnitude, or at the cutoff where nothing reaches it. */
  layOutThreshold() {
    const { limit, step } = this.volume;
    const slider = this.part("threshold");
    const cutoff = this.view.cutoff;
    const end = cutoff === null ? limit : Math.max(limit, cutoff * 1.02);
    slider.max = end;
    slider.step = end / 500;
    const share = (cutoff ?? 0) / end;
    const mark = this.part("cutoff");
    mark.hidden = cutoff === null;
    mark.style.left = `${100 * share}%`;
    mark.className = `cutoff ${share < 0.15 ? "left" : share > 0.85 ? "right" : ""}`;
    this.part("cutoff-text").textContent = cutoff === null ? "" : `cutoff ${this.number(cutoff)}`;
    this.part("limit-text").textContent = this.number(end);
    this.digits = Math.max(0, Math.min(8, 1 - Math.floor(Math.log10(step))));
    this.paintBar(end);
    this.setThreshold(cutoff === null ? limit : cutoff);
  }

  setThreshold(value) {
    this.threshold = value;
    this.part("threshold").value = value;
    this.part("threshold-text").textContent = this.number(value);
    this.part("threshold").setAttribute("aria-valuetext", `${this.number(value)} ${this.volume.quantity}`);
    this.part("reset").disabled = value === this.view.cutoff || this.view.cutoff === null;
    this.draw();
  }

  /** The colours over the slider: upper strip for positive, lower strip for negative values; empty beyond the map's. */
  paintBar(end) {
    const bar = this.part("bar");
    const strips = { diverging: [1, -1], positive: [1, 1], negative: [-1, -1] }[this.volume.palette];
    const image = new ImageData(bar.width, bar.height);
    for (let y = 0, at = 0; y < bar.height; y++) {
      const sign = strips[y < bar.height / 2 ? 0 : 1];
      for (let x = 0; x < bar.width; x++, at += 4) {
        const share = ((x + 0.5) / bar.width) * (end / this.volume.limit);
        const entry = 3 * Math.round(127 + sign * Math.min(1, share) * 127);
        if (share <= 1) image.data.set([...this.colours.slice(entry, entry + 3), 255], at);
      }
    }
    bar.getContext("2d").putImageData(image, 0, 0);
  }

  // ---------------------------------------------------------------- crosshair

  /** Move the crosshair to a position in mm; outside the box it stays at its border. */
  goTo(mm) {
    const [low, high] = this.box;
    const inside = mm.map((value, axis) => Math.min(high[axis] - 1e-6, Math.max(low[axis] + 1e-6, value)));
    this.cursor = this.grid.snap(inside);
    this.readOut();
    this.draw();
  }

  /** One voxel along an axis in mm. */
  move(axis, direction, voxels) {
    const mm = [...this.cursor];
    mm[axis] += direction * voxels * this.grid.pace(axis);
    this.goTo(mm);
  }

  readOut() {
    const ijk = this.grid.voxel(this.cursor);
    const at = this.grid.offset(ijk);
    const region = at >= 0 && this.labels ? this.labels.data[at] : 0;
    const peak = this.regions.peaks.get(ijk.join(" "));
    this.region = region;
    const say = (name, text) => (this.part(name).textContent = text);
    say("mm", this.cursor.map((value) => this.millimetres(value)).join("  "));
    say("voxel", at < 0 ? "outside the map" : ijk.join("  "));
    say("centre", at < 0 || this.grid.straight ? "" : `centre ${this.grid.place(ijk).map(this.millimetres).join("  ")}`);
    this.readValue(at, peak);
    say("region", region ? this.regions.names.get(region) ?? String(region) : "none");
    this.part("swatch").style.backgroundColor = region ? `rgb(${this.regions.colours.get(region)})` : "";
    this.part("swatch").hidden = !region;
    const read = this.part("readout");
    read.dataset.mm = this.cursor.join(" ");
    read.dataset.voxel = ijk.join(" ");
    read.dataset.region = region;
    for (const plane of this.planes) {
      plane.where.textContent = `${plane.axis} = ${this.millimetres(this.cursor[plane.through])}`;
      plane.canvas.setAttribute("aria-label", `${plane.name} plane at ${plane.where.textContent} mm`);
    }
    this.moved(this.view, region);
  }

  /** A peak's value comes from its table and is exact; every other one is known to half a step. */
  readValue(at, peak) {
    const { step } = this.volume;
    const value = at < 0 ? NaN : this.volume.data[at] * step;
    const exact = peak && Math.abs(Number(peak.value) - value) <= 0.51 * step; // the table may be about another map
    const rounded = `${value.toFixed(this.digits)} ± ${Number((step / 2).toPrecision(1))}`;
    const which = exact && Number(peak.rank) > 1 ? `peak ${peak.rank}` : "the peak";
    this.part("value").textContent = at < 0 ? "no value" : exact ? peak.value : rounded;
    this.part("note").textContent = exact ? `exact: ${which} of region ${peak.index}` : "";
    this.part("readout").dataset.value = value;
  }

  millimetres(value) {
    return String(Math.round(value * 100) / 100 + 0);
  }

  number(value) {
    return String(Number(value.toPrecision(4)));
  }

  // ---------------------------------------------------------------- drawing

  /** Ask for a picture; several requests before the next frame make one. */
  draw() {
    if (this.frame || !this.volume) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = null;
      this.look = this.lookOf();
      for (const plane of this.planes) this.drawPlane(plane);
    });
  }

  lookOf() {
    const style = getComputedStyle(this.element);
    const grey = (name) => Number(style.getPropertyValue(name));
    return {
      colours: this.colours,
      threshold: this.threshold,
      tail: this.view.tail,
      fade: this.part("fade").checked,
      paper: hexColour(style.getPropertyValue("--film").trim()),
      ink: style.getPropertyValue("--film-ink").trim(),
      dark: grey("--film-dark"),
      bright: grey("--film-bright"),
    };
  }

  drawPlane(plane) {
    const { canvas } = plane;
    const density = Math.min(2, window.devicePixelRatio || 1);
    const width = Math.max(1, Math.round(canvas.clientWidth * density));
    const height = Math.max(1, Math.round(canvas.clientHeight * density));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const pixels = pixelsOf(plane, this.cursor, this.box, width, height);
    const image = new ImageData(width, height);
    const { background, volume, labels } = this;
    const greys = background ? sampleLinear(background.grid, background.data, pixels) : new Uint8Array(width * height);
    paintVoxels(image, greys, sampleNearest(this.grid, volume.data, pixels), volume, this.look);
    const found = labels ? sampleNearest(this.grid, labels.data, pixels) : null;
    if (found && this.part("contours").checked) paintContours(image, found, this.regions.colours, this.region, Math.round(density));
    const pen = canvas.getContext("2d");
    pen.putImageData(image, 0, 0);
    this.drawCrosshair(pen, plane, pixels, density);
    if (found && this.part("contours").checked) this.drawNumbers(pen, numberPlaces(found, width, height), density);
    this.drawEnds(pen, plane, density);
  }

  write(pen, text, x, y, density) {
    pen.lineJoin = "round";
    pen.lineWidth = 3 * density;
    pen.strokeStyle = `rgb(${this.look.paper})`;
    pen.fillStyle = this.look.ink;
    pen.strokeText(text, x, y);
    pen.fillText(text, x, y);
  }

  drawNumbers(pen, places, density) {
    pen.font = `600 ${11 * density}px system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    for (const [label, place] of places) {
      if (place.length > 9 * density) this.write(pen, String(label), place.x, place.y, density);
    }
  }

  drawEnds(pen, plane, density) {
    const { width, height } = pen.canvas;
    const margin = 10 * density;
    const [left, right, bottom, top] = plane.ends;
    pen.font = `600 ${12 * density}px system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    this.write(pen, left, margin, height / 2, density);
    this.write(pen, right, width - margin, height / 2, density);
    this.write(pen, bottom, width / 2, height - margin, density);
    this.write(pen, top, width / 2, margin, density);
  }

  /** Two thin lines that leave the voxel itself free. */
  drawCrosshair(pen, plane, pixels, density) {
    const x = (this.cursor[plane.across] - this.box[0][plane.across]) / pixels.right[plane.across];
    const y = (this.cursor[plane.up] - this.box[1][plane.up]) / pixels.down[plane.up];
    const gap = 7 * density;
    const { width, height } = pixels;
    for (const [colour, thickness] of [[`rgb(${this.look.paper} / 0.7)`, 3], [this.look.ink, 1]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = thickness * density;
      pen.beginPath();
      for (const [from, to] of [[[0, y], [x - gap, y]], [[x + gap, y], [width, y]], [[x, 0], [x, y - gap]], [[x, y + gap], [x, height]]]) {
        pen.moveTo(...from);
        pen.lineTo(...to);
      }
      pen.stroke();
    }
  }

  // ---------------------------------------------------------------- hands

  /** The position in mm under a pointer. */
  under(plane, event) {
    const frame = plane.canvas.getBoundingClientRect();
    const [low, high] = this.box;
    const mm = [...this.cursor];
    const right = (event.clientX - frame.left) / frame.width;
    const down = (event.clientY - frame.top) / frame.height;
    mm[plane.across] = low[plane.across] + right * (high[plane.across] - low[plane.across]);
    mm[plane.up] = high[plane.up] - down * (high[plane.up] - low[plane.up]);
    return mm;
  }

  onKey(plane, event) {
    const moves = {
      ArrowLeft: [plane.across, -1],
      ArrowRight: [plane.across, 1],
      ArrowUp: [plane.up, 1],
      ArrowDown: [plane.up, -1],
      PageUp: [plane.through, 1],
      PageDown: [plane.through, -1],
    };
    const wanted = moves[event.key];
    if (!wanted || event.ctrlKey || event.metaKey || event.altKey || !this.view) return;
    event.preventDefault();
    this.move(...wanted, event.shiftKey ? 5 : 1);
  }

  listen() {
    for (const plane of this.planes) {
      const { canvas } = plane;
      canvas.addEventListener("pointerdown", (event) => {
        if (event.button !== 0 || !this.view) return;
        canvas.setPointerCapture(event.pointerId);
        this.goTo(this.under(plane, event));
      });
      canvas.addEventListener("pointermove", (event) => {
        if (this.view && event.buttons & 1 && canvas.hasPointerCapture(event.pointerId)) this.goTo(this.under(plane, event));
      });
      canvas.addEventListener("keydown", (event) => this.onKey(plane, event));
    }
    this.part("threshold").addEventListener("input", (event) => this.setThreshold(Number(event.target.value)));
    this.part("reset").addEventListener("click", () => this.setThreshold(this.view.cutoff));
    for (const box of ["fade", "contours"]) this.part(box).addEventListener("change", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(this.part("planes"));
    for (const query of ["(prefers-color-scheme: dark)", "print"]) {
      window.matchMedia(query).addEventListener("change", () => this.draw());
    }
  }
}
