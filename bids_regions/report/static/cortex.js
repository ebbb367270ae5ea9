"use strict";
// The cortex on 2-D canvases: each hemisphere from outside and from inside, drawn by a buffer of depths, without WebGL.
// This is one *display* of the viewer, as planes.js is. What it shows is a scene with `sheets`: meshes whose vertices
// are rows of the scene's volume, one sheet after the other. A *place* is [row, 0, 0]. A pixel shows its nearest
// vertex, so what is painted is the map's own vertices. A *pose* is a turn about the vertical and then about the
// horizontal; a *shot* is a sheet in a pose: which vertex each pixel shows, and its grey.

const OUTSIDE = 0; // grey level beside the sheet
const AMBIENT = 0.45; // brightness of a surface that is seen from its edge
const GYRUS = 250; // grey levels before light, as the figures have them
const SULCUS = 120;
const DRAG = 4; // pixels: a shorter way of the pointer is a click
const TURN = 15; // degrees that a key turns a hemisphere by
const TURNS = [0.25, 0.5, 0.75, 1]; // of the way to look straight down on a vertex, until it is seen
const POSES = { lateral: 1, medial: -1 };

/** Numbers as report/sheets.py packs them: differences folded to unsigned numbers, in `columns` columns. */
function unfold(folded, columns) {
  const rows = folded.length / columns;
  const found = new Int32Array(folded.length);
  for (let column = 0; column < columns; column++) {
    for (let row = 0, sum = 0; row < rows; row++) {
      const number = folded[column * rows + row];
      sum += number & 1 ? -(number >>> 1) - 1 : number >>> 1;
      found[row * columns + column] = sum;
    }
  }
  return found;
}

/** One hemisphere's mesh, with what can be known of it before it is looked at. */
class Sheet {
  constructor(header, places, triangles, folding, first) {
    const units = unfold(places, 3);
    Object.assign(this, { side: header.side, name: header.name, size: units.length / 3, first, triangles: unfold(triangles, 1) });
    this.xyz = new Float32Array(units.length);
    for (let at = 0; at < units.length; at++) this.xyz[at] = units[at] * header.step + header.origin[at % 3];
    this.tones = Uint8Array.from(folding, (depth) => GYRUS + ((SULCUS - GYRUS) * depth) / 255);
    this.centre();
    this.face();
  }

  static async load(id, first) {
    const header = payload.header(id);
    const [places, triangles, folding] = await Promise.all([
      payload.bytes(`${id}-places`), payload.bytes(`${id}-triangles`), payload.bytes(`${id}-folding`),
    ]);
    const numbers = (bytes, Type) => joinPlanes(new Uint8Array(bytes), Type);
    return new Sheet(header, numbers(places, Uint16Array), numbers(triangles, Uint32Array), new Uint8Array(folding), first);
  }

  /** The middle of the sheet's box, and the radius that any turn of it stays within. */
  centre() {
    const [low, high] = [[Infinity, Infinity, Infinity], [-Infinity, -Infinity, -Infinity]];
    this.xyz.forEach((value, at) => {
      low[at % 3] = Math.min(low[at % 3], value);
      high[at % 3] = Math.max(high[at % 3], value);
    });
    this.middle = [0, 1, 2].map((axis) => (low[axis] + high[axis]) / 2);
    this.extent = [0, 1, 2].map((axis) => high[axis] - low[axis]);
  }

  /** The normal of each vertex, outwards: the mean of its triangles', each weighted by its area. */
  face() {
    const { xyz, triangles } = this;
    const normals = new Float32Array(xyz.length);
    for (let at = 0; at < triangles.length; at += 3) {
      const [a, b, c] = [triangles[at] * 3, triangles[at + 1] * 3, triangles[at + 2] * 3];
      const [ux, uy, uz] = [xyz[b] - xyz[a], xyz[b + 1] - xyz[a + 1], xyz[b + 2] - xyz[a + 2]];
      const [vx, vy, vz] = [xyz[c] - xyz[a], xyz[c + 1] - xyz[a + 1], xyz[c + 2] - xyz[a + 2]];
      const normal = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
      for (const corner of [a, b, c]) for (let axis = 0; axis < 3; axis++) normals[corner + axis] += normal[axis];
    }
    for (let at = 0; at < normals.length; at += 3) {
      const length = Math.hypot(normals[at], normals[at + 1], normals[at + 2]) || 1;
      for (let axis = 0; axis < 3; axis++) normals[at + axis] /= length;
    }
    this.normals = normals;
  }

  /** The vertices that share an edge with one. */
  neighbours(vertex) {
    this.around ??= this.linkUp();
    return this.around.get(vertex) ?? new Set();
  }

  linkUp() {
    const around = new Map();
    const { triangles } = this;
    for (let at = 0; at < triangles.length; at += 3) {
      for (let corner = 0; corner < 3; corner++) {
        const own = triangles[at + corner];
        if (!around.has(own)) around.set(own, new Set());
        around.get(own).add(triangles[at + ((corner + 1) % 3)]).add(triangles[at + ((corner + 2) % 3)]);
      }
    }
    return around;
  }
}

/** Right, up and towards the eye, as directions in mm, of a pose: `yaw` about the vertical, then `pitch`, in degrees. */
function poseOf(side, pose, yaw = 0, pitch = 0) {
  const outward = (side === "R" ? 1 : -1) * POSES[pose];
  const [sin, cos] = [Math.sin((yaw * Math.PI) / 180), Math.cos((yaw * Math.PI) / 180)];
  const [down, level] = [Math.sin((pitch * Math.PI) / 180), Math.cos((pitch * Math.PI) / 180)];
  const flat = [outward * cos, outward * sin, 0]; // where the eye is before it rises
  const eye = [flat[0] * level, flat[1] * level, down];
  const right = [-flat[1], flat[0], 0];
  const up = [-flat[0] * down, -flat[1] * down, level];
  return { right, up, eye };
}

/** A sheet in a pose on a canvas of width x height pixels: which vertex each shows (-1: none), and how light it is. */
function shoot(sheet, pose, scale, width, height) {
  const { xyz, normals, tones, triangles, middle, size } = sheet;
  const [px, py, pz] = [new Float32Array(size), new Float32Array(size), new Float32Array(size)];
  const light = new Float32Array(size);
  const { right, up, eye } = pose;
  for (let vertex = 0, at = 0; vertex < size; vertex++, at += 3) {
    const [x, y, z] = [xyz[at] - middle[0], xyz[at + 1] - middle[1], xyz[at + 2] - middle[2]];
    px[vertex] = width / 2 + scale * (x * right[0] + y * right[1] + z * right[2]);
    py[vertex] = height / 2 - scale * (x * up[0] + y * up[1] + z * up[2]);
    pz[vertex] = x * eye[0] + y * eye[1] + z * eye[2];
    const facing = normals[at] * eye[0] + normals[at + 1] * eye[1] + normals[at + 2] * eye[2];
    light[vertex] = tones[vertex] * (AMBIENT + (1 - AMBIENT) * Math.max(0, facing));
  }
  const depth = new Float32Array(width * height).fill(-Infinity);
  const vertex = new Int32Array(width * height).fill(-1);
  const grey = new Uint8Array(width * height);
  for (let at = 0; at < triangles.length; at += 3) {
    const [a, b, c] = [triangles[at], triangles[at + 1], triangles[at + 2]];
    const [ax, ay] = [px[a], py[a]];
    const [bx, by] = [px[b] - ax, py[b] - ay];
    const [cx, cy] = [px[c] - ax, py[c] - ay];
    const twice = bx * cy - by * cx;
    if (twice >= 0) continue; // seen from behind: down is positive on a canvas, so outward triangles turn left
    const left = Math.max(0, Math.ceil(Math.min(ax, px[b], px[c]) - 0.5));
    const end = Math.min(width - 1, Math.floor(Math.max(ax, px[b], px[c]) - 0.5));
    const top = Math.max(0, Math.ceil(Math.min(ay, py[b], py[c]) - 0.5));
    const bottom = Math.min(height - 1, Math.floor(Math.max(ay, py[b], py[c]) - 0.5));
    for (let y = top; y <= bottom; y++) {
      const dy = y + 0.5 - ay;
      for (let x = left; x <= end; x++) {
        const dx = x + 0.5 - ax;
        const ofB = (dx * cy - dy * cx) / twice;
        const ofC = (bx * dy - by * dx) / twice;
        const ofA = 1 - ofB - ofC;
        if (ofA < -1e-6 || ofB < -1e-6 || ofC < -1e-6) continue;
        const near = ofA * pz[a] + ofB * pz[b] + ofC * pz[c];
        const pixel = y * width + x;
        if (near <= depth[pixel]) continue;
        depth[pixel] = near;
        vertex[pixel] = ofA >= ofB && ofA >= ofC ? a : ofB >= ofC ? b : c;
        grey[pixel] = Math.max(1, ofA * light[a] + ofB * light[b] + ofC * light[c]);
      }
    }
  }
  return { vertex, grey, px, py, pz, width, height };
}

class Cortex {
  constructor(viewer) {
    this.viewer = viewer;
    this.shots = viewer.part("cortex").querySelectorAll("figure");
    this.frames = [...this.shots].map((frame) => {
      const { side, pose } = frame.dataset;
      return { side, pose, frame, canvas: frame.querySelector("canvas"), yaw: 0, pitch: 0, led: false };
    });
    for (const frame of this.frames) this.listen(frame);
  }

  get canvases() {
    return this.frames.filter((frame) => frame.sheet).map((frame) => frame.canvas);
  }

  // ---------------------------------------------------------------- what the viewer tells

  /** scene.sheets: the sheets of this map; a side without one has no frames. */
  open(scene) {
    const same = this.scene?.sheets === scene.sheets;
    this.scene = scene;
    for (const frame of this.frames) {
      frame.sheet = scene.sheets?.find((sheet) => sheet.side === frame.side);
      frame.frame.hidden = !frame.sheet;
      if (!same) this.turn(frame, 0, 0);
    }
  }

  /** Where the crosshair is: a hemisphere is turned until it is seen, if no view shows it as it stands. */
  showPlace(place) {
    this.row = place[0];
    const own = this.framesOf(this.row);
    for (const frame of own) if (frame.led) this.turn(frame, 0, 0); // what a former place had turned
    if (!own.length || own.some((frame) => this.pixelOf(frame))) return;
    for (const frame of own) this.turn(frame, 0, 0);
    if (own.some((frame) => this.pixelOf(frame))) return;
    this.face(own);
  }

  showRegion(index) {
    this.region = index;
  }

  setThreshold(value) {
    this.threshold = value;
  }

  draw(look) {
    for (const frame of this.frames) if (frame.sheet) this.drawFrame(frame, look);
  }

  // ---------------------------------------------------------------- sheets and their vertices

  sheetOf(row) {
    return this.scene?.sheets?.find((sheet) => row >= sheet.first && row < sheet.first + sheet.size);
  }

  /** The row of a vertex; null where the side has none of that number. */
  rowOf(side, vertex) {
    const sheet = this.scene.sheets.find((one) => one.side === side);
    return sheet && vertex < sheet.size ? sheet.first + vertex : null;
  }

  /** A row in words. */
  words(row) {
    const sheet = this.sheetOf(row);
    return { side: sheet.side === "L" ? "left" : "right", number: String(row - sheet.first) };
  }

  /** Uphill over the edges of the sheet to where no neighbour is stronger. */
  uphill(row, strength) {
    const sheet = this.sheetOf(row);
    for (let best = row; ; row = best) {
      for (const vertex of sheet.neighbours(row - sheet.first)) {
        if (strength(sheet.first + vertex) > strength(best)) best = sheet.first + vertex;
      }
      if (best === row) return row;
    }
  }

  framesOf(row) {
    const sheet = this.sheetOf(row);
    return this.frames.filter((frame) => sheet && frame.sheet === sheet);
  }

  /** The row of the vertex that a row is joined to in a direction on the screen, or the row itself. */
  besideOf(frame, row, right, down) {
    const { sheet } = frame;
    const { px, py } = this.shotOf(frame);
    const own = row - sheet.first;
    let [best, found] = [0.2, own];
    for (const vertex of sheet.neighbours(own)) {
      const [dx, dy] = [px[vertex] - px[own], py[vertex] - py[own]];
      const along = (dx * right + dy * down) / (Math.hypot(dx, dy) || 1);
      if (along > best) [best, found] = [along, vertex];
    }
    return sheet.first + found;
  }

  // ---------------------------------------------------------------- poses

  turn(frame, yaw, pitch) {
    Object.assign(frame, { yaw: ((yaw + 540) % 360) - 180, pitch: Math.max(-90, Math.min(90, pitch)), shot: null, led: false });
  }

  /** Turn the view that needs the smaller turn towards the row's vertex, no further than until it is seen. */
  face(own) {
    const { sheet } = own[0];
    const at = 3 * (this.row - sheet.first);
    const [x, y, z] = sheet.normals.subarray(at, at + 3);
    const turns = own.map((frame) => {
      const { eye } = poseOf(frame.side, frame.pose);
      return { frame, eye, towards: eye[0] * x + eye[1] * y + eye[2] * z };
    });
    const { frame, eye } = turns.reduce((one, two) => (one.towards >= two.towards ? one : two));
    const yaw = (Math.atan2(eye[0] * y - eye[1] * x, eye[0] * x + eye[1] * y) * 180) / Math.PI;
    const pitch = (Math.asin(Math.max(-1, Math.min(1, z))) * 180) / Math.PI;
    for (const share of TURNS) {
      this.turn(frame, share * yaw, share * pitch);
      frame.led = true;
      if (this.pixelOf(frame)) return;
    }
  }

  /** The shot of a frame at its pose and size; kept until either changes. */
  shotOf(frame) {
    const { canvas, sheet } = frame;
    const density = Math.min(2, window.devicePixelRatio || 1);
    const width = Math.max(1, Math.round(canvas.clientWidth * density));
    const height = Math.max(1, Math.round(canvas.clientHeight * density));
    if (!frame.shot || frame.shot.width !== width || frame.shot.height !== height) {
      const pose = poseOf(frame.side, frame.pose, frame.yaw, frame.pitch);
      const seen = (direction) => Math.hypot(...direction.map((part, axis) => part * sheet.extent[axis])); // an ellipsoid's
      const scale = 0.96 * Math.min(width / seen(pose.right), height / seen(pose.up));
      frame.shot = shoot(sheet, pose, scale, width, height);
      frame.shot.density = density;
    }
    return frame.shot;
  }

  /** The pixel at which a frame shows the crosshair's vertex; null where it is hidden or on another sheet. */
  pixelOf(frame) {
    const { sheet } = frame;
    const own = this.row - sheet.first;
    if (own < 0 || own >= sheet.size) return null;
    const { px, py, vertex, width, height } = this.shotOf(frame);
    const [x, y] = [Math.floor(px[own]), Math.floor(py[own])];
    const close = sheet.neighbours(own);
    for (let down = -2; down <= 2; down++) {
      for (let right = -2; right <= 2; right++) {
        const [column, line] = [x + right, y + down];
        if (column < 0 || line < 0 || column >= width || line >= height) continue;
        const shown = vertex[line * width + column];
        if (shown === own || close.has(shown)) return [px[own], py[own]];
      }
    }
    return null;
  }

  // ---------------------------------------------------------------- drawing

  /** What the pixels of a shot show of the rows of an array. */
  sample(shot, sheet, data) {
    const found = new data.constructor(shot.vertex.length);
    for (let at = 0; at < found.length; at++) if (shot.vertex[at] >= 0) found[at] = data[sheet.first + shot.vertex[at]];
    return found;
  }

  drawFrame(frame, look) {
    const { canvas, sheet } = frame;
    if (!canvas.clientWidth) return;
    const shot = this.shotOf(frame);
    const { width, height, density } = shot;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const { volume, labels, regions, others } = this.scene;
    const image = new ImageData(width, height);
    const found = labels ? this.sample(shot, sheet, labels.data) : null;
    paintVoxels(image, shot.grey, this.sample(shot, sheet, volume.data), found, volume, { ...look, dark: 0, bright: 255 });
    const reach = Math.round(density);
    if (look.others) for (const other of others ?? []) paintDashes(image, this.sample(shot, sheet, other.data), reach);
    if (found && look.contours) paintContours(image, found, regions.colours, this.region, reach);
    const pen = canvas.getContext("2d");
    pen.putImageData(image, 0, 0);
    this.drawCrosshair(pen, frame, look, density);
    if (found && look.contours) this.viewer.slices.drawNumbers(pen, numberPlaces(found, width, height), look, density);
    canvas.setAttribute("aria-label", `${frame.side === "L" ? "Left" : "Right"} hemisphere, ${frame.pose} view`);
  }

  /** A ring around the vertex. */
  drawCrosshair(pen, frame, look, density) {
    const place = this.pixelOf(frame);
    if (!place) return;
    for (const [colour, thickness] of [[`rgb(${look.paper.join(" ")})`, 4], [look.ink, 2]]) {
      pen.beginPath();
      pen.arc(...place, 7 * density, 0, 7);
      pen.strokeStyle = colour;
      pen.lineWidth = thickness * density;
      pen.stroke();
    }
  }

  // ---------------------------------------------------------------- hands

  /** The row under a pointer; -1 beside the sheet. */
  under(frame, event) {
    const shot = this.shotOf(frame);
    const box = frame.canvas.getBoundingClientRect();
    const x = Math.floor(((event.clientX - box.left) / box.width) * shot.width);
    const y = Math.floor(((event.clientY - box.top) / box.height) * shot.height);
    const vertex = x < 0 || y < 0 || x >= shot.width || y >= shot.height ? -1 : shot.vertex[y * shot.width + x];
    return vertex < 0 ? -1 : frame.sheet.first + vertex;
  }

  listen(frame) {
    const { canvas } = frame;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !frame.sheet) return;
      canvas.setPointerCapture(event.pointerId);
      frame.held = { x: event.clientX, y: event.clientY, yaw: frame.yaw, pitch: frame.pitch, moved: false };
    });
    canvas.addEventListener("pointermove", (event) => {
      const { held } = frame;
      if (!held || !(event.buttons & 1)) return;
      const [right, down] = [event.clientX - held.x, event.clientY - held.y];
      if (!held.moved && Math.hypot(right, down) < DRAG) return;
      held.moved = true;
      this.turn(frame, held.yaw - (right * 180) / canvas.clientWidth, held.pitch + (down * 180) / canvas.clientWidth);
      this.viewer.draw();
    });
    canvas.addEventListener("pointerup", (event) => {
      const { held } = frame;
      frame.held = null;
      if (!held || held.moved) return;
      const row = this.under(frame, event);
      if (row >= 0) this.viewer.goTo([row, 0, 0], { follow: false });
    });
    canvas.addEventListener("dblclick", () => {
      this.turn(frame, 0, 0);
      this.viewer.draw();
    });
    canvas.addEventListener("keydown", (event) => frame.sheet && this.onKey(frame, event));
  }

  /** Arrow keys go from vertex to vertex; with Shift they turn the hemisphere; Home turns it back. */
  onKey(frame, event) {
    const step = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], Home: [0, 0] }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (event.key === "Home") this.turn(frame, 0, 0);
    else if (event.shiftKey) this.turn(frame, frame.yaw + step[0] * TURN, frame.pitch - step[1] * TURN);
    else if (this.sheetOf(this.row) === frame.sheet) {
      this.viewer.goTo([this.besideOf(frame, this.row, ...step), 0, 0], { follow: false });
      return;
    }
    this.viewer.draw();
  }
}
