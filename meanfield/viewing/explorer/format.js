/* Numbers as text, and where an axis has its ticks. */

function say(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  let text;
  if (size !== 0 && (size >= 1e5 || size < 1e-3)) {
    const [mantissa, power] = value.toExponential(digits - 1).split("e");
    text = `${trim(mantissa)}·10${raised(Number(power))}`.replace(/^(-?)1·/, "$1");
  } else {
    text = size >= 10 ** digits ? value.toFixed(0) : trim(value.toPrecision(digits));
  }
  return text.replace(/^-/, "−");
}

function trim(text) {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

function raised(power) {
  return [...String(power)].map((letter) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(letter)]).join("");
}

function whole(count) {
  return count.toLocaleString("en");
}

/* About `wanted` round numbers within [low, high]. */
function ticks(low, high, wanted) {
  const rough = (high - low) / Math.max(1, wanted);
  if (!(rough > 0) || !Number.isFinite(rough)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const found = [];
  for (let n = Math.ceil(low / step); n * step <= high + 1e-9 * step; n++) found.push(n * step || 0);
  return found;
}

/* Powers of ten within [low, high], at most `wanted`; of less than a decade, round numbers. */
function powers(low, high, wanted) {
  const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9);
  if (last - first < 1) return ticks(low, high, wanted + 1).filter((value) => value > 0);
  const stride = Math.ceil((last - first + 1) / Math.max(1, wanted));
  const found = [];
  for (let n = first; n <= last; n += stride) found.push(10 ** n);
  return found;
}
