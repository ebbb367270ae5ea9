"use strict";
// The threshold slider with the map's histogram over it: how many voxels have which magnitude, positive above, negative
// below, each in the colour it is painted in; the cutoff as a line, and in words what lies beyond the slider.

class Instruments {
  /** changed(threshold): told whenever the slider moves. */
  constructor(part, changed) {
    this.part = part;
    this.changed = changed;
    part("threshold").addEventListener("input", (event) => this.set(Number(event.target.value)));
    part("reset").addEventListener("click", () => this.set(this.view.cutoff));
  }

  /** The slider ends at the largest magnitude, or at the cutoff where nothing reaches it. */
  open({ volume, view, labels }) {
    Object.assign(this, { volume, view, labels });
    const { cutoff } = view;
    const end = cutoff === null ? volume.limit : Math.max(volume.limit, cutoff * 1.02);
    const slider = this.part("threshold");
    slider.max = end;
    slider.step = end / 500;
    const share = (cutoff ?? 0) / end;
    const mark = this.part("cutoff");
    mark.hidden = cutoff === null;
    mark.style.left = `${100 * share}%`;
    mark.className = `cutoff ${share < 0.2 ? "left" : share > 0.8 ? "right" : ""}`;
    this.part("cutoff-text").textContent = cutoff === null ? "" : `cutoff ${this.number(cutoff)}`;
    this.part("limit-text").textContent = share > 0.68 ? "" : this.number(end); // the cutoff's place
    this.count(end);
    this.paint(end);
    this.set(cutoff === null ? volume.limit : cutoff);
  }

  /** The histogram: voxels by magnitude, of either sign; and how many the regions hold. */
  count(end) {
    const bins = this.part("bar").width;
    const { data, step } = this.volume;
    this.bins = [new Uint32Array(bins), new Uint32Array(bins)];
    this.withData = 0;
    this.kept = 0;
    for (let at = 0; at < data.length; at++) {
      if (this.labels && this.labels.data[at] !== 0) this.kept += 1;
      const stored = data[at];
      if (stored === 0) continue;
      this.withData += 1;
      const bin = Math.min(bins - 1, Math.floor((Math.abs(stored) * step * bins) / end));
      this.bins[stored > 0 ? 0 : 1][bin] += 1;
    }
  }

  paint(end) {
    const bar = this.part("bar");
    const { width, height } = bar;
    const image = new ImageData(width, height);
    const most = Math.log1p(Math.max(...this.bins[0], ...this.bins[1]));
    const two = this.volume.palette === "diverging";
    const room = two ? height / 2 : height;
    const strips = two ? [[0, 1], [1, -1]] : this.volume.palette === "negative" ? [[1, -1]] : [[0, 1]];
    for (const [which, sign] of strips) {
      for (let x = 0; x < width; x++) {
        const share = ((x + 0.5) / width) * (end / this.volume.limit);
        if (share > 1) continue;
        const entry = 3 * Math.round(127 + sign * share * 127);
        const full = this.bins[which][x] ? Math.max(2, Math.round((Math.log1p(this.bins[which][x]) / (most || 1)) * (room - 5))) : 0;
        const colour = [...this.colours.slice(entry, entry + 3), 255];
        const top = Math.min(room, 4 + full); // the strip of colour lies in the middle, the counts grow away from it
        for (let y = 0; y < top; y++) {
          const row = two ? (sign > 0 ? height / 2 - 1 - y : height / 2 + y) : height - 1 - y;
          image.data.set(colour, (row * width + x) * 4);
        }
      }
    }
    bar.getContext("2d").putImageData(image, 0, 0);
  }

  set(value) {
    const { view, volume } = this;
    this.value = value;
    const slider = this.part("threshold");
    slider.value = value;
    this.part("threshold-text").textContent = this.number(value);
    slider.setAttribute("aria-valuetext", `${this.number(value)} ${volume.quantity}`);
    this.part("reset").disabled = value === view.cutoff || view.cutoff === null;
    this.part("share").textContent = this.shareWords(value);
    this.changed(value);
  }

  /** What the rule kept of the map, or what lies beyond the slider. */
  shareWords(value) {
    const { view, volume } = this;
    const atCutoff = value === view.cutoff;
    const what = `${this.view.sheets?.length ? "vertices" : "voxels"} ${volume.people && view.decides ? "in anybody's regions" : "with data"}`;
    const per = (n) => `${n.toLocaleString("en")} of ${this.withData.toLocaleString("en")} ${what} (${this.percent(n / (this.withData || 1))})`;
    if (atCutoff && view.decides) return `In regions: ${per(this.kept)}.`;
    let beyond = 0;
    for (let at = 0; at < volume.data.length; at++) {
      if (volume.data[at] !== 0 && passes(volume.data[at] * volume.step, value, view)) beyond += 1;
    }
    return `${atCutoff ? "Past the cutoff" : "Past the slider"}: ${per(beyond)}.`;
  }

  percent(share) {
    const percent = 100 * share;
    return `${percent === 0 ? "0" : percent < 0.1 ? "below 0.1" : percent.toFixed(percent < 10 ? 1 : 0)}\u00a0%`; // never apart over two lines
  }

  /** A value as the slider tells it; of a fraction of people in per cent. */
  number(value) {
    if (this.volume.people) return `${Number((100 * value).toPrecision(3))}\u00a0%`;
    return String(Number(value.toPrecision(4)));
  }
}
