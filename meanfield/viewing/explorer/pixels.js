/* Many discs and lines, written pixel by pixel: one pass over 50,000 particles takes milliseconds,
   where the drawing commands of a canvas would take a tenth of a second. */

const SUBPIXELS = 4;
const SIZES = 16;

class Pixels {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    this.stamps = new Map();
  }

  resize(width, height) {
    this.canvas.width = this.width = Math.max(1, width);
    this.canvas.height = this.height = Math.max(1, height);
    this.image = this.context.createImageData(this.width, this.height);
    this.words = new Uint32Array(this.image.data.buffer);
  }

  clear(colour) {
    this.words.fill(colour);
  }

  show() {
    this.context.putImageData(this.image, 0, 0);
  }

  /* Nothing is written outside of these pixels. */
  clip(left, top, right, bottom) {
    this.left = Math.max(0, Math.floor(left));
    this.top = Math.max(0, Math.floor(top));
    this.right = Math.min(this.width, Math.ceil(right));
    this.bottom = Math.min(this.height, Math.ceil(bottom));
  }

  blend(place, colour, cover) {
    const old = this.words[place], rb = old & 0xff00ff, g = old & 0x00ff00;
    const mixedRb = (rb + ((((colour & 0xff00ff) - rb) * cover) >>> 8)) & 0xff00ff;
    const mixedG = (g + ((((colour & 0x00ff00) - g) * cover) >>> 8)) & 0x00ff00;
    this.words[place] = 0xff000000 | mixedRb | mixedG;
  }

  disc(x, y, radius, colour, opacity) {
    const reach = radius + 1;
    if (!(x > this.left - reach && x < this.right + reach && y > this.top - reach && y < this.bottom + reach)) return;
    const column = Math.floor(x), row = Math.floor(y);
    const stamp = this.stamp(radius, Math.floor((x - column) * SUBPIXELS), Math.floor((y - row) * SUBPIXELS), opacity);
    const { half, cover } = stamp, width = 2 * half + 1;
    const fromRow = Math.max(this.top, row - half), toRow = Math.min(this.bottom - 1, row + half);
    const fromColumn = Math.max(this.left, column - half), toColumn = Math.min(this.right - 1, column + half);
    for (let r = fromRow; r <= toRow; r++) {
      let from = (r - row + half) * width + fromColumn - column + half;
      for (let c = fromColumn, place = r * this.width + fromColumn; c <= toColumn; c++, place++, from++) {
        if (cover[from]) this.blend(place, colour, cover[from]);
      }
    }
  }

  /* How much of each pixel a disc covers, 0 … 255, for a place of its centre within a pixel. */
  stamp(radius, right, down, opacity) {
    const key = ((Math.round(radius * 32) * SUBPIXELS + right) * SUBPIXELS + down) * 256 + Math.round(opacity * 255);
    const known = this.stamps.get(key);
    if (known) return known;
    const half = Math.ceil(radius + 0.5), width = 2 * half + 1;
    const cover = new Uint8Array(width * width);
    const cx = half + (right + 0.5) / SUBPIXELS, cy = half + (down + 0.5) / SUBPIXELS;
    for (let r = 0; r < width; r++) {
      for (let c = 0; c < width; c++) {
        const distance = Math.hypot(c + 0.5 - cx, r + 0.5 - cy);
        const inside = Math.min(1, Math.max(0, radius + 0.5 - distance));
        cover[r * width + c] = Math.round(255 * opacity * inside * Math.min(1, 2 * radius));
      }
    }
    const made = { half, cover };
    this.stamps.set(key, made);
    return made;
  }

  /* A line one pixel wide; what leaves the clip far outside is not followed there. */
  line(x0, y0, x1, y1, colour, opacity) {
    const length = Math.max(Math.abs(x1 - x0), Math.abs(y1 - y0));
    if (!(length < 4 * (this.width + this.height))) return;
    const steps = Math.max(1, Math.ceil(length)), cover = Math.round(255 * opacity);
    const dx = (x1 - x0) / steps, dy = (y1 - y0) / steps;
    for (let n = 0; n < steps; n++) {
      const c = Math.floor(x0 + n * dx), r = Math.floor(y0 + n * dy);
      if (c >= this.left && c < this.right && r >= this.top && r < this.bottom) {
        this.blend(r * this.width + c, colour, cover);
      }
    }
  }
}
