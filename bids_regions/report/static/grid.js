"use strict";
// Voxels and millimetres. A position is [x, y, z] in mm, RAS+ (right, anterior, superior grow); a voxel is [i, j, k],
// 0-based, on the file's own axes; an affine is 4 x 4, voxel -> mm, and may be oblique or sheared.

/** The 3 x 4 inverse of an affine: mm -> voxel. */
function invertAffine(affine) {
  const [[a, b, c], [d, e, f], [g, h, i]] = affine;
  const cofactors = [
    [e * i - f * h, c * h - b * i, b * f - c * e],
    [f * g - d * i, a * i - c * g, c * d - a * f],
    [d * h - e * g, b * g - a * h, a * e - b * d],
  ];
  const determinant = a * cofactors[0][0] + b * cofactors[1][0] + c * cofactors[2][0];
  return cofactors.map((row) => {
    const scaled = row.map((value) => value / determinant);
    const shift = -scaled.reduce((sum, value, axis) => sum + value * affine[axis][3], 0);
    return [...scaled, shift];
  });
}

const applyAffine = (rows, point) =>
  [0, 1, 2].map((axis) => {
    const [x, y, z, shift] = rows[axis];
    return x * point[0] + y * point[1] + z * point[2] + shift + 0; // + 0: no minus zero
  });

class Grid {
  constructor(shape, affine) {
    this.shape = shape;
    this.affine = affine;
    this.inverse = invertAffine(affine);
    this.strides = [1, shape[0], shape[0] * shape[1]]; // the first axis is the fastest, as in the file
  }

  /** Centre of a voxel, mm. */
  place(ijk) {
    return applyAffine(this.affine, ijk);
  }

  /** Voxel nearest to a position; may lie outside the image. */
  voxel(mm) {
    return applyAffine(this.inverse, mm).map((value) => Math.floor(value + 0.5) + 0);
  }

  /** Where a voxel lies in the data; -1 outside the image. */
  offset(ijk) {
    const inside = ijk.every((value, axis) => value >= 0 && value < this.shape[axis]);
    return inside ? ijk.reduce((sum, value, axis) => sum + value * this.strides[axis], 0) : -1;
  }

  /** Edge lengths of a voxel, mm, by file axis. */
  get sizes() {
    return [0, 1, 2].map((axis) => Math.hypot(...[0, 1, 2].map((row) => this.affine[row][axis])));
  }

  /** The file axis that runs most along an axis in mm. */
  fileAxis(axis) {
    const shares = this.sizes.map((size, column) => Math.abs(this.affine[axis][column]) / size);
    return shares.indexOf(Math.max(...shares));
  }

  /** True where every file axis runs along one axis in mm. */
  get straight() {
    return [0, 1, 2].every((axis) => {
      const along = this.fileAxis(axis);
      return [0, 1, 2].every((other) => other === along || Math.abs(this.affine[axis][other]) < 1e-4 * this.sizes[other]);
    });
  }

  /** How far one key press goes along an axis in mm: one voxel. */
  pace(axis) {
    return this.sizes[this.fileAxis(axis)];
  }

  /** Voxel centres on straight grids; on oblique ones the position itself, else planes would jump while one drags. */
  snap(mm) {
    return this.straight ? this.place(this.voxel(mm)) : mm;
  }

  /** The smallest box in mm around voxels `low` to `high`, borders included: [[x, y, z] low, [x, y, z] high]. */
  boxOf(low, high) {
    const corners = [];
    for (let corner = 0; corner < 8; corner++) {
      corners.push(this.place([0, 1, 2].map((axis) => ((corner >> axis) & 1 ? high[axis] + 0.5 : low[axis] - 0.5))));
    }
    const extreme = (pick) => [0, 1, 2].map((axis) => pick(...corners.map((corner) => corner[axis])));
    return [extreme(Math.min), extreme(Math.max)];
  }

  /** The box around all voxels. */
  get box() {
    return this.boxOf([0, 0, 0], this.shape.map((size) => size - 1));
  }

  /** The box around the voxels that are not zero; around all of them where none is. */
  filledBox(data) {
    const [ni, nj, nk] = this.shape;
    const low = [...this.shape];
    const high = [-1, -1, -1];
    for (let k = 0, at = 0; k < nk; k++) {
      for (let j = 0; j < nj; j++) {
        for (let i = 0; i < ni; i++, at++) {
          if (data[at] === 0) continue;
          if (i < low[0]) low[0] = i;
          if (i > high[0]) high[0] = i;
          if (j < low[1]) low[1] = j;
          if (j > high[1]) high[1] = j;
          if (k < low[2]) low[2] = k;
          high[2] = k;
        }
      }
    }
    return high[0] < 0 ? this.box : this.boxOf(low, high);
  }
}
