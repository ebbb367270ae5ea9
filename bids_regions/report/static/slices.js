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

const LOST = 0.8; // how strongly a voxel is drawn that passes the cutoff and lies in no region

/** Whether a value passes a threshold on a tail; at the cutoff itself as strictly as the regions were made. */
function passes(value, threshold, look) {
  const wanted = look.tail === "positive" ? value > 0 : look.tail === "negative" ? value < 0 : value !== 0;
  const magnitude = Math.abs(value);
  return wanted && (look.strict && threshold === look.cutoff ? magnitude > threshold : magnitude >= threshold);
}

/**
 * How strongly a voxel covers the background. At the cutoff what is painted in full is what the label image holds;
 * above it what of that passes the slider's threshold; below it whatever passes. The rest fades by the square.
 */
function coverage(value, label, look) {
  const { threshold, cutoff } = look;
  const beyond = passes(value, threshold, look);
  if (look.decides && threshold >= cutoff) {
    if (label !== 0 && (beyond || threshold === cutoff)) return 1;
    if (beyond) return look.fade ? LOST : 0;
  } else if (beyond) {
    return 1;
  }
  if (!look.fade || threshold === 0) return 0;
  const wanted = look.tail === "positive" ? value > 0 : look.tail === "negative" ? value < 0 : true;
  return Math.min(1, Math.abs(value) / threshold) ** 2 * (wanted ? 1 : 0.35);
}

/** Background and map, blended into `image`; `labels` may be null. */
function paintVoxels(image, greys, stored, labels, volume, look) {
  const out = image.data;
  const toEntry = (volume.step / volume.limit) * 127;
  const range = (look.bright - look.dark) / 255;
  for (let at = 0, byte = 0; at < greys.length; at++, byte += 4) {
    const grey = greys[at];
    for (let channel = 0; channel < 3; channel++) {
      out[byte + channel] = grey === 0 ? look.paper[channel] : look.dark + grey * range;
    }
    out[byte + 3] = 255;
    const value = stored[at] * volume.step;
    const label = labels ? labels[at] : 0;
    const cover = value === 0 && label === 0 ? 0 : look.opacity * coverage(value, label, look);
    if (cover === 0) continue;
    const entry = 3 * Math.max(0, Math.min(254, Math.round(127 + stored[at] * toEntry)));
    for (let channel = 0; channel < 3; channel++) {
      out[byte + channel] += cover * (look.colours[entry + channel] - out[byte + channel]);
    }
  }
}

const BLACK = [0, 0, 0, 255];
const WHITE = [255, 255, 255, 255];

/** Black or white, whichever stands out more from a colour: at least 4.5 to 1, by WCAG's relative luminance. */
function outlineOf(rgb) {
  const [r, g, b] = rgb.map((value) => (value <= 10 ? value / 3295 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? BLACK : WHITE;
}

/** Region borders inside the region in its colour, with an outline around; the region at the crosshair twice as wide. */
function paintContours(image, labels, colours, active, reach) {
  const { width, height, data } = image;
  const outlines = new Map([...colours].map(([label, colour]) => [label, outlineOf(colour)]));
  const label = (x, y) => (x < 0 || y < 0 || x >= width || y >= height ? 0 : labels[y * width + x]);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const own = labels[at];
      const r = own !== 0 && own === active ? 2 * reach : reach;
      const around = [label(x - r, y), label(x + r, y), label(x, y - r), label(x, y + r)];
      if (own === 0) {
        const beside = around.find((one) => one !== 0);
        if (beside && colours.has(beside)) data.set(outlines.get(beside), at * 4);
      } else if (around.some((one) => one !== own) && colours.has(own)) {
        data.set(colours.get(own), at * 4);
      }
    }
  }
}

/** Borders of another entry's regions: dashes of black and white, which are seen on every colour. */
function paintDashes(image, labels, reach) {
  const { width, height, data } = image;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const own = labels[at];
      if (own === 0) continue;
      const border = x < reach || y < reach || x >= width - reach || y >= height - reach
        || labels[at - reach] !== own || labels[at + reach] !== own || labels[at - reach * width] !== own || labels[at + reach * width] !== own;
      if (border) data.set(Math.floor((x + y) / (3 * reach)) % 2 ? BLACK : WHITE, at * 4);
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

/** Which numbers to write: the chosen region's, then the largest regions', none over another; a few, or all. */
function pickNumbers(places, active, most, size) {
  const picked = [];
  const order = [...places].sort(([one], [two]) => (two === active) - (one === active) || one - two);
  for (const [label, { x, y }] of order) {
    if (picked.length >= most) break;
    const clear = size === 0 || picked.every((other) => Math.abs(other.x - x) > size * 1.4 || Math.abs(other.y - y) > size * 1.1);
    if (clear) picked.push({ label, x, y });
  }
  return picked;
}
