/* Colours, as the page's theme has them and as 32-bit pixels.

   Signed quantities go from orange over grey to blue, others through a scale whose lightness
   changes evenly (the anchors are those of viridis, N. Smith and S. van der Walt, 2015), and angles
   around a circle. */

const STEPS = 256;
const SEQUENCE = ["#440154", "#3e4989", "#26828e", "#35b779", "#b5de2b"];
const SEQUENCE_DARK = ["#5b3a8c", "#4068a5", "#2a9d9f", "#4cc97c", "#f0e442"];
const SIGNED = ["#a34400", "#d55e00", "#b9b4ae", "#0072b2", "#004c77"];
const SIGNED_DARK = ["#ffb733", "#e69f00", "#6f7276", "#56b4e9", "#a3d8f7"];

const CIRCLE = ["#c4b2c4", "#5e7fc4", "#4a3a80", "#c06350", "#c4b2c4"];

class Theme {
  constructor() {
    this.listening = matchMedia("(prefers-color-scheme: dark)");
    this.read();
  }

  read() {
    const style = getComputedStyle(document.documentElement);
    const named = (name) => style.getPropertyValue(`--${name}`).trim();
    this.dark = this.listening.matches;
    for (const name of ["paper", "ink", "soft", "hair", "accent"]) this[name] = named(name);
    this.lines = Array.from({ length: 8 }, (_, i) => named(`line${i}`));
    this.sequence = ramp(this.dark ? SEQUENCE_DARK : SEQUENCE);
    this.circle = ramp(CIRCLE);
    this.signed = ramp(this.dark ? SIGNED_DARK : SIGNED);
  }

  onChange(listener) {
    this.listening.addEventListener("change", () => {
      this.read();
      listener();
    });
  }
}

function rgb(hex) {
  return [1, 3, 5].map((place) => parseInt(hex.slice(place, place + 2), 16));
}

function pixel(hex) {
  const [red, green, blue] = rgb(hex);
  return (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
}

/* STEPS pixels between the anchors, evenly. */
function ramp(anchors) {
  const points = anchors.map(rgb), found = new Uint32Array(STEPS);
  for (let n = 0; n < STEPS; n++) {
    const place = (n / (STEPS - 1)) * (points.length - 1);
    const left = Math.min(Math.floor(place), points.length - 2), part = place - left;
    const mix = (c) => Math.round(points[left][c] * (1 - part) + points[left + 1][c] * part);
    found[n] = (0xff000000 | (mix(2) << 16) | (mix(1) << 8) | mix(0)) >>> 0;
  }
  return found;
}

/* Which end of which scale a quantity has: a signed one is symmetric about 0. */
function scaleOf(movie, { colour, when }, theme) {
  if (movie.turns(colour)) return { low: -1, high: 1, ramp: theme.circle };
  const [low, high] = movie.bulk(colour, when === "start" ? 1 : movie.frames);
  if (low < 0 && high > 0) {
    const size = Math.max(-low, high);
    return { low: -size, high: size, ramp: theme.signed };
  }
  return { low, high, ramp: theme.sequence };
}

function cssOf(colour) {
  return `rgb(${colour & 255}, ${(colour >> 8) & 255}, ${(colour >> 16) & 255})`;
}
