"use strict";
// Data blocks of the page, unpacked on demand: base64 of zlib, in inert <script> elements that nothing executes.
// A block may live in a file beside the page (data-src); that file is a script, since fetch() is not allowed to
// read from file://, and hands its text to bidsRegionsSide().

const TYPES = { int8: Int8Array, int16: Int16Array, uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, float32: Float32Array };

/** Numbers of several bytes lie in planes, all lowest bytes first: put each number's bytes side by side again. */
function joinPlanes(planes, Type) {
  const width = Type.BYTES_PER_ELEMENT;
  if (width === 1) return new Type(planes.buffer);
  const joined = new Uint8Array(planes.length);
  const count = planes.length / width;
  for (let plane = 0, from = 0; plane < width; plane++) {
    for (let at = plane; from < (plane + 1) * count; at += width, from++) joined[at] = planes[from];
  }
  return new Type(joined.buffer);
}

/** A bit for each place that is not zero comes first, the lowest of a byte being its first place; then their values. */
function fillPlaces(bytes, size, Type) {
  const flags = Math.ceil(size / 8);
  const values = joinPlanes(bytes.slice(flags), Type);
  const filled = new Type(size);
  for (let at = 0, next = 0; at < flags; at++) {
    for (let bits = bytes[at], place = 8 * at; bits; bits >>= 1, place++) if (bits & 1) filled[place] = values[next++];
  }
  return filled;
}

const payload = {
  waiting: new Map(), // id of a block -> what to do with the text of its side file

  /** What a block says of itself: shape, affine, step, ... */
  header(id) {
    return JSON.parse(document.getElementById(id).dataset.header);
  },

  /** The block as bytes. Nothing is kept: what is no longer shown can be forgotten. */
  async bytes(id) {
    const block = document.getElementById(id);
    const text = block.dataset.src ? await payload.side(id, block.dataset.src) : block.textContent;
    const packed = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).arrayBuffer();
  },

  /** A block of numbers, with its header. */
  async array(id) {
    const header = payload.header(id);
    const size = header.shape.reduce((product, length) => product * length, 1);
    return { ...header, data: fillPlaces(new Uint8Array(await payload.bytes(id)), size, TYPES[header.dtype]) };
  },

  async text(id) {
    return new TextDecoder().decode(await payload.bytes(id));
  },

  side(id, address) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      const settle = (action, result) => {
        payload.waiting.delete(id);
        script.remove();
        action(result);
      };
      payload.waiting.set(id, (text) => settle(resolve, text));
      script.onerror = () => settle(reject, new Error(`${decodeURIComponent(address)} is not beside this page`));
      script.src = address;
      document.head.append(script);
    });
  },
};

/** Called by side files. */
function bidsRegionsSide(id, text) {
  payload.waiting.get(id)?.(text);
}
