"use strict";
// One plane through the volumes: which position in mm each pixel has, what colour it gets, where contours run.
// Left is left on every plane; anterior is right on the sagittal one.

const PLANES = [
  { name: "Sagittal", axis: "x", through: 0, across: 1, up: 2, ends: ["P", "A", "I", "S"] },
  { name: "Coronal", axis: "y", through: 1, across: 0, up: 2, ends: ["L", "R", "I", "S"] },
  { name: "Axial", axis: "z", through: 2, across: 0, up: 1, ends: ["L", "R", "P", "A"] },
];

// RdBu of ColorBrewer (Cynthia Brewer, Apache-2.0), blue to red: the figures' colours.
const RDBU = ["053061", "2166ac", "4393c3", "92c5de", "d1e5f0", "f7f7f7", "fddbc7", "f4a582", "d6604d", "b2182b", "67001f"];

const hexColour = (hex) => [0, 2, 4].map((at) => parseInt(hex.replace("#", "").slice(at, at + 2), 16));

/** 255 colours, for -limit ... limit; a map of one sign may use one half only. */
function colourTable() {
  const anchors = RDBU.map(hexColour);
  const table = new Uint8ClampedArray(255 * 3);
  for (let entry = 0; entry < 255; entry++) {
    const at = (entry / 254) * (anchors.length - 1);
    const low = Math.min(Math.floor(at), anchors.length - 2);
    for (let channel = 0; channel < 3; channel++) {
      table[entry * 3 + channel] = anchors[low][channel] + (at - low) * (anchors[low + 1][channel] - anchors[low][channel]);
    }
  }
  return table;
}

/** The plane's pixels in mm: centre of the upper left one, and the steps to the right and down. */
function pixelsOf(plane, cursor, box, width, height) {
  const [low, high] = box;
  const right = [0, 0, 0];
  const down = [0, 0, 0];
  right[plane.across] = (high[plane.across] - low[plane.across]) / width;
  down[plane.up] = -(high[plane.up] - low[plane.up]) / height;
  const first = [...cursor];
  first[plane.across] = low[plane.across] + right[plane.across] / 2;
  first[plane.up] = high[plane.up] + down[plane.up] / 2;
  return { first, right, down, width, height };
}

/** The voxel coordinates of a plane's pixels: those of the first one, and their steps to the right and down. */
function walkOf(grid, pixels) {
  const turn = (vector) => [0, 1, 2].map((axis) => vector.reduce((sum, v, mm) => sum + v * grid.inverse[axis][mm], 0));
  return { first: applyAffine(grid.inverse, pixels.first), right: turn(pixels.right), down: turn(pixels.down) };
}

/** Nearest voxel of `data` for every pixel; 0 outside. */
function sampleNearest(grid, data, pixels) {
  const { width, height } = pixels;
  const [ni, nj, nk] = grid.shape;
  const walk = walkOf(grid, pixels);
  const [fi, fj, fk] = walk.first.map((value) => value + 0.5);
  const [ri, rj, rk] = walk.right;
  const [di, dj, dk] = walk.down;
  const found = new data.constructor(width * height);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const i = Math.floor(fi + x * ri + y * di);
      const j = Math.floor(fj + x * rj + y * dj);
      const k = Math.floor(fk + x * rk + y * dk);
      if (i >= 0 && j >= 0 && k >= 0 && i < ni && j < nj && k < nk) found[at] = data[i + ni * (j + nj * k)];
    }
  }
  return found;
}

/** Between the eight voxels around every pixel, leaving out those that are outside (0): for backgrounds only. */
function sampleLinear(grid, data, pixels) {
  const { width, height } = pixels;
  const [ni, nj, nk] = grid.shape;
  const corners = [0, 1, ni, ni + 1, ni * nj, ni * nj + 1, ni * nj + ni, ni * nj + ni + 1];
  const { first, right, down } = walkOf(grid, pixels);
  const found = new Uint8ClampedArray(width * height);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const i = first[0] + x * right[0] + y * down[0];
      const j = first[1] + x * right[1] + y * down[1];
      const k = first[2] + x * right[2] + y * down[2];
      const [i0, j0, k0] = [Math.floor(i), Math.floor(j), Math.floor(k)];
      if (i0 < 0 || j0 < 0 || k0 < 0 || i0 >= ni - 1 || j0 >= nj - 1 || k0 >= nk - 1) continue;
      const corner = i0 + ni * (j0 + nj * k0);
      const [di, dj, dk] = [i - i0, j - j0, k - k0];
      let [sum, weight] = [0, 0];
      for (let c = 0; c < 8; c++) {
        const grey = data[corner + corners[c]];
        if (grey === 0) continue;
        const share = (c & 1 ? di : 1 - di) * (c & 2 ? dj : 1 - dj) * (c & 4 ? dk : 1 - dk);
        sum += share * grey;
        weight += share;
      }
      if (weight > 0.5) found[at] = sum / weight;
    }
  }
  return found;
}

/** How strongly a value covers the background: fully from the threshold on, fading below it by the square. */
function coverage(value, look) {
  const magnitude = Math.abs(value);
  const wanted = look.tail === "positive" ? value > 0 : look.tail === "negative" ? value < 0 : true;
  if (wanted && magnitude >= look.threshold) return 1;
  if (!look.fade || look.threshold === 0) return 0;
  return Math.min(1, magnitude / look.threshold) ** 2 * (wanted ? 1 : 0.35);
}

/** Background and map, blended into `image`. */
function paintVoxels(image, greys, stored, volume, look) {
  const out = image.data;
  const toEntry = (volume.step / volume.limit) * 127;
  for (let at = 0, byte = 0; at < greys.length; at++, byte += 4) {
    const grey = greys[at];
    for (let channel = 0; channel < 3; channel++) {
      out[byte + channel] = grey === 0 ? look.paper[channel] : look.dark + (grey * (look.bright - look.dark)) / 255;
    }
    out[byte + 3] = 255;
    const value = stored[at] * volume.step;
    const cover = value === 0 ? 0 : coverage(value, look);
    if (cover === 0) continue;
    const entry = 3 * Math.max(0, Math.min(254, Math.round(127 + stored[at] * toEntry)));
    for (let channel = 0; channel < 3; channel++) {
      out[byte + channel] += cover * (look.colours[entry + channel] - out[byte + channel]);
    }
  }
}

/** Region borders, drawn inside the region in its colour; the region under the crosshair twice as wide. */
function paintContours(image, labels, colours, active, reach) {
  const { width, height, data } = image;
  const differs = (x, y, label) => x < 0 || y < 0 || x >= width || y >= height || labels[y * width + x] !== label;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const label = labels[at];
      if (label === 0) continue;
      const r = label === active ? 2 * reach : reach;
      if (!(differs(x - r, y, label) || differs(x + r, y, label) || differs(x, y - r, label) || differs(x, y + r, label))) continue;
      const colour = colours.get(label);
      if (colour) data.set(colour, at * 4);
    }
  }
}

/** For each region on the plane the middle of its longest row of pixels: a place for its number. */
function numberPlaces(labels, width, height) {
  const places = new Map();
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; ) {
      const label = labels[y * width + x];
      let end = x + 1;
      while (end < width && labels[y * width + end] === label) end++;
      if (label !== 0 && end - x > (places.get(label)?.length ?? 0)) places.set(label, { x: (x + end) / 2, y, length: end - x });
      x = end;
    }
  }
  return places;
}
