"use strict";
// Three planes through a position on 2-D canvases, or the glass brain on the same canvases. Sampling is nearest voxel:
// what is seen is data. This is one *display* of the viewer; any other (a surface, say) has the same five methods:
//   open(scene)         what is shown: volume, grid, labels, regions, background, box
//   showPlace(mm)       where the crosshair is
//   showRegion(index)   which region it is in; 0 is none
//   setThreshold(value) what the slider says
//   draw(look)          paint, with the colours and switches of `look`
// and tells viewer.goTo(mm) where its reader points. The viewer reads out; a display never does.

const TALLEST = { compact: 17, large: 34 }; // rem: the highest plane
const FEW = 8; // numbers written on a plane, unless all are asked for

class Planes {
  constructor(viewer) {
    this.viewer = viewer;
    this.zoom = 1;
    this.glass = false;
    this.planes = PLANES.map((plane) => {
      const frame = viewer.part(plane.name.toLowerCase());
      return { ...plane, frame, canvas: frame.querySelector("canvas"), where: frame.querySelector("output") };
    });
    for (const plane of this.planes) this.listen(plane);
  }

  get canvases() {
    return this.planes.map((plane) => plane.canvas);
  }

  // ---------------------------------------------------------------- what the viewer tells

  open(scene) {
    const same = this.scene?.volume === scene.volume;
    this.scene = scene;
    this.shadows = null;
    if (!same) this.zoom = 1;
    this.frame();
    this.layOut();
  }

  showPlace(mm) {
    this.mm = mm;
    const off = this.view && mm.some((value, axis) => value < this.view[0][axis] || value > this.view[1][axis]);
    if (off) this.frame();
    for (const plane of this.planes) {
      const at = this.viewer.millimetres(mm[plane.through]);
      plane.where.textContent = this.glass ? "" : `${plane.axis} = ${at}`;
      plane.canvas.setAttribute("aria-label", this.glass ? `${plane.name} projection of all regions` : `${plane.name} plane at ${plane.axis} = ${at} mm`);
    }
  }

  showRegion(index) {
    this.region = index;
  }

  setThreshold(value) {
    this.threshold = value;
  }

  draw(look) {
    for (const plane of this.planes) this.drawPlane(plane, look);
  }

  // ---------------------------------------------------------------- layout

  /** The part of the box that is seen: all of it, or a window around the crosshair. */
  frame() {
    const [low, high] = this.scene.box;
    const middle = this.zoom > 1 && this.mm ? this.mm : [0, 1, 2].map((axis) => (low[axis] + high[axis]) / 2);
    this.view = [[], []];
    for (let axis = 0; axis < 3; axis++) {
      const half = (high[axis] - low[axis]) / 2 / this.zoom;
      const at = Math.min(high[axis] - half, Math.max(low[axis] + half, middle[axis]));
      this.view[0].push(at - half);
      this.view[1].push(at + half);
    }
  }

  setZoom(zoom) {
    this.zoom = Math.min(8, Math.max(1, zoom));
    this.frame();
  }

  /** Widths in the ratio of the millimetres, and none too high: all three planes have one scale. */
  layOut() {
    const { box } = this.scene;
    const extent = (axis) => box[1][axis] - box[0][axis];
    const tallest = Math.max(...this.planes.map((plane) => extent(plane.up)));
    const most = this.viewer.element.classList.contains("large") ? TALLEST.large : TALLEST.compact;
    for (const plane of this.planes) {
      plane.frame.style.setProperty("--share", extent(plane.across).toFixed(3));
      plane.frame.style.maxWidth = `${((most * extent(plane.across)) / tallest).toFixed(3)}rem`;
      plane.canvas.style.aspectRatio = `${extent(plane.across)} / ${extent(plane.up)}`;
    }
  }

  // ---------------------------------------------------------------- drawing

  drawPlane(plane, look) {
    const { canvas } = plane;
    const density = Math.min(2, window.devicePixelRatio || 1);
    const width = Math.max(1, Math.round(canvas.clientWidth * density));
    const height = Math.max(1, Math.round(canvas.clientHeight * density));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const pixels = pixelsOf(plane, this.mm, this.view, width, height);
    const pen = canvas.getContext("2d");
    if (this.glass) this.drawGlass(pen, plane, pixels, look, density);
    else this.drawSlice(pen, plane, pixels, look, density);
    this.drawEnds(pen, plane, look, density);
  }

  drawSlice(pen, plane, pixels, look, density) {
    const { width, height } = pixels;
    const { background, volume, grid, labels, regions, others } = this.scene;
    const image = new ImageData(width, height);
    const greys = background ? sampleLinear(background.grid, background.data, pixels) : new Uint8Array(width * height);
    const found = labels ? sampleNearest(grid, labels.data, pixels) : null;
    paintVoxels(image, greys, sampleNearest(grid, volume.data, pixels), found, volume, look);
    const reach = Math.round(density);
    if (look.others) for (const other of others) paintDashes(image, sampleNearest(grid, other.data, pixels), reach);
    if (found && look.contours) paintContours(image, found, regions.colours, this.region, reach);
    pen.putImageData(image, 0, 0);
    this.drawCrosshair(pen, plane, pixels, look, density);
    if (found && look.contours) this.drawNumbers(pen, numberPlaces(found, width, height), look, density);
  }

  write(pen, text, x, y, look, density) {
    pen.lineJoin = "round";
    pen.lineWidth = 3 * density;
    pen.strokeStyle = `rgb(${look.paper})`;
    pen.fillStyle = look.ink;
    pen.strokeText(text, x, y);
    pen.fillText(text, x, y);
  }

  drawNumbers(pen, places, look, density) {
    const size = 11 * density;
    pen.font = `600 ${size}px system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    for (const { label, x, y } of pickNumbers(places, this.region, look.numbers ? Infinity : FEW, look.numbers ? 0 : size)) {
      const within = (at, end) => Math.min(end - 0.7 * size, Math.max(0.7 * size, at)); // no number is cut at the rim
      this.write(pen, String(label), within(x, pen.canvas.width), within(y, pen.canvas.height), look, density);
    }
  }

  drawEnds(pen, plane, look, density) {
    const { width, height } = pen.canvas;
    const margin = 9 * density;
    const [left, right, bottom, top] = plane.ends;
    pen.font = `600 ${11 * density}px system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    this.write(pen, left, margin, height / 2, look, density);
    this.write(pen, right, width - margin, height / 2, look, density);
    this.write(pen, bottom, width / 2, height - margin, look, density);
    this.write(pen, top, width / 2, margin, look, density);
  }

  /** A position in mm as pixels of a plane. */
  pixelOf(plane, pixels, mm) {
    const x = (mm[plane.across] - this.view[0][plane.across]) / pixels.right[plane.across];
    const y = (mm[plane.up] - this.view[1][plane.up]) / pixels.down[plane.up];
    return [x, y];
  }

  /** Two thin lines that leave the voxel itself free. */
  drawCrosshair(pen, plane, pixels, look, density) {
    const [x, y] = this.pixelOf(plane, pixels, this.mm);
    const gap = 7 * density;
    const { width, height } = pixels;
    for (const [colour, thickness] of [[`rgb(${look.paper.join(" ")} / 0.7)`, 3], [look.ink, 1]]) {
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

  // ---------------------------------------------------------------- glass brain

  drawGlass(pen, plane, pixels, look, density) {
    const { width, height } = pixels;
    this.shadows ??= castShadows(this.scene, this.planes, look);
    const image = new ImageData(width, height);
    paintShadow(image, this.shadows.get(plane.name), this.scene, pixels, plane, look);
    pen.putImageData(image, 0, 0);
    this.drawPeaks(pen, plane, pixels, look, density);
  }

  /** Every region's peak with its number, the largest regions on top. */
  drawPeaks(pen, plane, pixels, look, density) {
    const { regions } = this.scene;
    const size = 10.5 * density;
    pen.font = `600 ${size}px system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    const places = new Map(regions.list.map(({ index, mm }) => {
      const [x, y] = this.pixelOf(plane, pixels, mm);
      return [index, { x, y }];
    }));
    const all = look.numbers || places.size <= 3 * FEW;
    const shown = pickNumbers(places, this.region, all ? Infinity : 3 * FEW, all ? 0 : size);
    for (const { label, x, y } of shown.reverse()) {
      const colour = regions.colours.get(label);
      const radius = (label === this.region ? 10.5 : 8.5) * density;
      const ink = outlineOf(colour);
      pen.beginPath();
      pen.arc(x, y, radius, 0, 7);
      pen.fillStyle = `rgb(${colour.slice(0, 3).join(" ")})`;
      pen.strokeStyle = label === this.region ? look.ink : `rgb(${look.paper.join(" ")})`;
      pen.lineWidth = (label === this.region ? 2.5 : 1) * density;
      pen.fill();
      pen.stroke();
      pen.fillStyle = `rgb(${ink.slice(0, 3).join(" ")})`;
      pen.fillText(String(label), x, y + 0.5 * density);
    }
  }

  /** The region whose peak is nearest to a pointer on a projection, if one is near. */
  peakUnder(plane, mm) {
    let best = null;
    const far = (this.view[1][plane.across] - this.view[0][plane.across]) / 15;
    for (const region of this.scene.regions.list) {
      const distance = Math.hypot(region.mm[plane.across] - mm[plane.across], region.mm[plane.up] - mm[plane.up]);
      if (distance < (best?.distance ?? far)) best = { distance, region };
    }
    return best?.region ?? null;
  }

  // ---------------------------------------------------------------- hands

  /** The position in mm under a pointer. */
  under(plane, event) {
    const frame = plane.canvas.getBoundingClientRect();
    const [low, high] = this.view;
    const mm = [...this.mm];
    const right = Math.min(1, Math.max(0, (event.clientX - frame.left) / frame.width));
    const down = Math.min(1, Math.max(0, (event.clientY - frame.top) / frame.height));
    mm[plane.across] = low[plane.across] + right * (high[plane.across] - low[plane.across]);
    mm[plane.up] = high[plane.up] - down * (high[plane.up] - low[plane.up]);
    return mm;
  }

  point(plane, event) {
    const mm = this.under(plane, event);
    const region = this.glass ? this.peakUnder(plane, mm) : null;
    this.viewer.goTo(region ? region.mm : mm, { follow: false });
  }

  /** Arrow keys go along the plane, Page Up and Page Down through it; with Shift five voxels at once. */
  onKey(plane, event) {
    const steps = {
      ArrowRight: [plane.across, 1], ArrowLeft: [plane.across, -1], ArrowUp: [plane.up, 1], ArrowDown: [plane.up, -1],
      PageUp: [plane.through, 1], PageDown: [plane.through, -1],
    };
    const step = steps[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.viewer.move(...step, event.shiftKey ? 5 : 1);
  }

  listen(plane) {
    const { canvas } = plane;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.scene) return;
      canvas.setPointerCapture(event.pointerId);
      this.point(plane, event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (this.scene && event.buttons & 1 && canvas.hasPointerCapture(event.pointerId)) this.point(plane, event);
    });
    canvas.addEventListener("keydown", (event) => this.scene && this.onKey(plane, event));
  }
}

// -------------------------------------------------------------------- projections

/**
 * What each plane's axis sees through the brain over the box: the extreme kept value, on a raster of the map's voxels,
 * and how much brain there is, on one of the background's, so that neither lets the other's grid show through.
 */
function castShadows(scene, planes, look) {
  const { grid, volume, labels, box, background } = scene;
  const below = background ?? { grid, data: volume.data };
  const rasterOf = (own, plane) => {
    const bin = Math.max(1, Math.min(...own.sizes));
    const [columns, rows] = [plane.across, plane.up].map((axis) => Math.ceil((box[1][axis] - box[0][axis]) / bin));
    return { bin, columns, rows, data: new Float32Array(columns * rows) };
  };
  const shadows = new Map(planes.map((plane) => [plane.name, { values: rasterOf(grid, plane), brain: rasterOf(below.grid, plane) }]));
  const drop = (own, data, which, keep, put) => {
    const [ni, nj, nk] = own.shape;
    for (let k = 0, at = 0; k < nk; k++) {
      for (let j = 0; j < nj; j++) {
        for (let i = 0; i < ni; i++, at++) {
          if (!keep(at)) continue;
          const mm = own.place([i, j, k]);
          for (const plane of planes) {
            const raster = shadows.get(plane.name)[which];
            const x = Math.floor((mm[plane.across] - box[0][plane.across]) / raster.bin);
            const y = Math.floor((box[1][plane.up] - mm[plane.up]) / raster.bin);
            if (x >= 0 && y >= 0 && x < raster.columns && y < raster.rows) put(raster.data, y * raster.columns + x, data[at]);
          }
        }
      }
    }
  };
  drop(below.grid, below.data, "brain", (at) => below.data[at] !== 0, (brain, at) => (brain[at] += 1));
  const kept = labels && look.decides ? (at) => labels.data[at] !== 0 : (at) => passes(volume.data[at] * volume.step, look.cutoff, look);
  drop(grid, volume.data, "values", kept, (values, at, stored) => {
    const value = stored * volume.step;
    if (Math.abs(value) > Math.abs(values[at])) values[at] = value;
  });
  for (const { brain } of shadows.values()) {
    const most = brain.data.reduce((one, two) => Math.max(one, two), 1);
    for (let at = 0; at < brain.data.length; at++) brain.data[at] /= most;
  }
  return shadows;
}

/** A projection: the brain as a pale shape, darker at its rim, and the extreme kept values in the map's colours. */
function paintShadow(image, shadow, scene, pixels, plane, look) {
  const { width, height, data } = image;
  const { box, volume } = scene;
  const ink = hexColour(look.ink);
  const seen = ({ bin, columns, rows, data: own }, right, down) => {
    const [column, row] = [Math.floor(right / bin), Math.floor(down / bin)];
    return row >= 0 && column >= 0 && row < rows && column < columns ? own[row * columns + column] : 0;
  };
  for (let y = 0, byte = 0; y < height; y++) {
    const down = box[1][plane.up] - (pixels.first[plane.up] + y * pixels.down[plane.up]);
    for (let x = 0; x < width; x++, byte += 4) {
      const right = pixels.first[plane.across] + x * pixels.right[plane.across] - box[0][plane.across];
      const brain = seen(shadow.brain, right, down);
      const cover = brain ? 0.1 + 0.14 * brain : 0;
      for (let channel = 0; channel < 3; channel++) data[byte + channel] = look.paper[channel] + cover * (ink[channel] - look.paper[channel]);
      data[byte + 3] = 255;
      const value = seen(shadow.values, right, down);
      if (value === 0) continue;
      const entry = 3 * Math.max(0, Math.min(254, Math.round(127 + (value / volume.limit) * 127)));
      for (let channel = 0; channel < 3; channel++) data[byte + channel] = look.colours[entry + channel];
    }
  }
}
