/* The numbers of the page.

   A movie has T frames of N particles. A quantity is a table of T·N numbers, frame after frame: it
   is unpacked, or made of others, when it is first asked for. */

async function readMovie() {
  const about = JSON.parse(document.getElementById("about").textContent);
  const text = document.getElementById("numbers").textContent;
  return new Movie(about, text ? await inflate(text) : new Uint8Array(0));
}

async function inflate(text) {
  const letters = atob(text);
  const packed = new Uint8Array(letters.length);
  for (let i = 0; i < packed.length; i++) packed[i] = letters.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

class Movie {
  constructor(about, bytes) {
    this.about = about;
    this.times = about.times;
    this.frames = about.times.length;
    this.count = about.count;
    this.quantities = new Map(about.quantities.map((quantity) => [quantity.name, quantity]));
    this.bytes = bytes;
    this.tables = new Map();
    this.ranges = new Map();
    this.between = new Map();
  }

  /* All values of a quantity; "share below q" is how much mass has a smaller q. */
  table(name) {
    if (!this.tables.has(name)) this.tables.set(name, this.make(name));
    return this.tables.get(name);
  }

  make(name) {
    if (name.startsWith(BELOW)) return this.below(name.slice(BELOW.length));
    const quantity = this.quantities.get(name);
    return quantity.made ? this.combine(quantity.made) : this.unpack(quantity);
  }

  /* The reverse of packing.py: differences between frames, folded, low bytes before high ones. */
  unpack({ low, high, bits, place }) {
    const size = this.frames * this.count, start = 2 * size * place;
    const most = 2 ** bits - 1, before = new Int32Array(this.count);
    const values = new Float32Array(size);
    for (let k = 0, i = 0; k < size; k++) {
      const folded = this.bytes[start + k] | (this.bytes[start + size + k] << 8);
      const change = folded & 1 ? -((folded + 1) >> 1) : folded >> 1;
      before[i] = (before[i] + change) & most;
      const share = before[i] / most;
      values[k] = low * (1 - share) + high * share;
      if (++i === this.count) i = 0;
    }
    return values;
  }

  combine({ how, of, by }) {
    const parts = of.map((name) => this.table(name));
    const values = new Float32Array(this.frames * this.count);
    if (how === "angle") {
      for (let k = 0; k < values.length; k++) values[k] = Math.atan2(parts[1][k], parts[0][k]) / Math.PI;
      return values;
    }
    if (how === "product") values.fill(1);
    parts.forEach((part, j) => {
      if (how === "norm") for (let k = 0; k < values.length; k++) values[k] += part[k] * part[k];
      else if (how === "linear") for (let k = 0; k < values.length; k++) values[k] += by[j] * part[k];
      else for (let k = 0; k < values.length; k++) values[k] *= Math.abs(part[k]);
    });
    if (how === "norm") for (let k = 0; k < values.length; k++) values[k] = Math.sqrt(values[k]);
    return values;
  }

  /* Particles are sorted into BINS bins; within one, in the order of their numbers. */
  below(name) {
    const values = this.table(name), mass = this.table("mass");
    const [low, high] = this.range(name), scale = (BINS - 1) / (high - low || 1);
    const shares = new Float32Array(values.length), sums = new Float64Array(BINS + 1);
    for (let t = 0; t < this.frames; t++) {
      const begin = t * this.count, end = begin + this.count;
      sums.fill(0);
      for (let k = begin; k < end; k++) sums[1 + Math.floor((values[k] - low) * scale)] += mass[k];
      for (let b = 1; b <= BINS; b++) sums[b] += sums[b - 1];
      const total = sums[BINS] || 1;
      for (let k = begin; k < end; k++) {
        const bin = Math.floor((values[k] - low) * scale);
        shares[k] = (sums[bin] + 0.5 * mass[k]) / total;
        sums[bin] += mass[k];
      }
    }
    return shares;
  }

  /* The values (N) of one frame; between two of them on straight lines, an angle the short way. */
  at(name, time) {
    const table = this.table(name), first = Math.floor(time), part = time - first;
    const here = table.subarray(first * this.count, (first + 1) * this.count);
    if (part === 0) return here;
    const next = table.subarray((first + 1) * this.count, (first + 2) * this.count);
    if (!this.between.has(name)) this.between.set(name, new Float32Array(this.count));
    const values = this.between.get(name), turns = this.turns(name);
    for (let i = 0; i < values.length; i++) {
      let change = next[i] - here[i];
      if (turns) change -= 2 * Math.round(change / 2);
      values[i] = here[i] + part * change;
    }
    return values;
  }

  /* The smallest and the largest value in all frames. */
  range(name) {
    if (!this.ranges.has(name)) this.ranges.set(name, extent(this.table(name)));
    return this.ranges.get(name);
  }

  /* Where a colour scale ends: of the first frames one in two hundred is beyond, on each side. */
  bulk(name, frames) {
    const values = this.table(name).subarray(0, frames * this.count), stride = Math.max(1, Math.floor(values.length / 40000));
    const some = values.filter((_, k) => k % stride === 0).sort();
    if (some.length === 0) return [0, 1];
    const rank = Math.floor(some.length / 200);
    return [some[rank], some[some.length - 1 - rank]];
  }

  /* Whether it is an angle, in units of π: 1 and −1 are the same. */
  turns(name) {
    return name.startsWith("angle of ");
  }

  /* What the run calls a particle. */
  number(i) {
    return this.about.numbers.length ? this.about.numbers[i] : i;
  }

  unit(name) {
    return this.quantities.get(name)?.unit ?? "";
  }

  teacher(name) {
    return this.quantities.get(name)?.teacher;
  }
}

const BELOW = "share below ";
const BINS = 16384;

function extent(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : [0, 1];
}
