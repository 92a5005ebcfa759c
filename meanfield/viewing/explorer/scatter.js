/* Particles in a plane: discs and trails as pixels; axes, margins, marks and the path of the one
   that is followed on a second canvas above. Lengths are CSS pixels unless said otherwise. */

const ROOM = { left: 58, right: 50, top: 50, bottom: 40 };
const MARGIN = 34, BINS_OF_MARGIN = 90;
const MOST_TRAILS = 4000;
const NEAR = 14;
const LEAST_RADIUS = 0.7;

class Scatter {
  constructor(plot, movie, theme) {
    this.plot = plot;
    this.movie = movie;
    this.theme = theme;
    this.pixels = new Pixels(plot.querySelector("#dots"));
    this.canvas = plot.querySelector("#marks");
    this.context = this.canvas.getContext("2d");
    this.window = { x: [0, 1], y: [0, 1] };
    this.touched = false;
  }

  resize() {
    const box = this.plot.getBoundingClientRect();
    this.ratio = Math.min(window.devicePixelRatio || 1, 2);
    this.width = box.width;
    this.height = box.height;
    this.canvas.width = Math.round(box.width * this.ratio);
    this.canvas.height = Math.round(box.height * this.ratio);
    this.pixels.resize(this.canvas.width, this.canvas.height);
    this.inner = { left: ROOM.left, right: box.width - ROOM.right, top: ROOM.top, bottom: box.height - ROOM.bottom };
  }

  /* A window with all particles of all frames; to one scale where both axes have one unit. */
  fit(show) {
    const around = ([low, high]) => {
      const half = 0.54 * (high - low) || 0.5 * Math.max(1, Math.abs(low));
      return [0.5 * (low + high) - half, 0.5 * (low + high) + half];
    };
    const x = around(this.movie.range(show.x)), y = around(this.movie.range(show.y));
    if (this.movie.unit(show.x) && this.movie.unit(show.x) === this.movie.unit(show.y)) {
      const { left, right, top, bottom } = this.inner;
      const scale = Math.max((x[1] - x[0]) / (right - left), (y[1] - y[0]) / (bottom - top));
      const widen = (side, length) => {
        const centre = 0.5 * (side[0] + side[1]);
        side[0] = centre - 0.5 * scale * length;
        side[1] = centre + 0.5 * scale * length;
      };
      widen(x, right - left);
      widen(y, bottom - top);
    }
    this.window = { x, y };
    this.touched = false;
  }

  toX(value) {
    const [low, high] = this.window.x;
    return this.inner.left + ((value - low) / (high - low)) * (this.inner.right - this.inner.left);
  }

  toY(value) {
    const [low, high] = this.window.y;
    return this.inner.bottom - ((value - low) / (high - low)) * (this.inner.bottom - this.inner.top);
  }

  move(right, down) {
    const { x, y } = this.window, { left, right: end, top, bottom } = this.inner;
    const dx = (-right * (x[1] - x[0])) / (end - left), dy = (down * (y[1] - y[0])) / (bottom - top);
    this.window = { x: [x[0] + dx, x[1] + dx], y: [y[0] + dy, y[1] + dy] };
    this.touched = true;
  }

  zoom(factor, px, py, onlyAcross) {
    const { x, y } = this.window, { left, right, top, bottom } = this.inner;
    const about = (side, share) => {
      const centre = side[0] + share * (side[1] - side[0]);
      return side.map((end) => centre + (end - centre) * factor);
    };
    const across = about(x, (px - left) / (right - left));
    this.window = { x: across, y: onlyAcross ? y : about(y, (bottom - py) / (bottom - top)) };
    this.touched = true;
  }

  /* The number of the nearest particle, or -1. */
  pick(px, py, show) {
    const xs = this.movie.at(show.x, show.time), ys = this.movie.at(show.y, show.time);
    let nearest = -1, least = NEAR * NEAR;
    for (let i = 0; i < xs.length; i++) {
      const dx = this.toX(xs[i]) - px, dy = this.toY(ys[i]) - py, distance = dx * dx + dy * dy;
      if (distance < least) [nearest, least] = [i, distance];
    }
    return nearest;
  }

  draw(show) {
    const { ratio, inner, pixels } = this;
    pixels.clear(pixel(this.theme.paper));
    pixels.clip(inner.left * ratio, inner.top * ratio, inner.right * ratio, inner.bottom * ratio);
    this.drawZeros();
    const colours = this.colours(show);
    if (show.trails > 0) this.drawTrails(show, colours);
    this.drawDiscs(show, colours);
    pixels.show();
    const context = this.context;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    this.drawAxes(show);
    this.drawMargins(show);
    this.drawTeacher(show);
    if (show.selected >= 0) this.drawPath(show);
  }

  /* The pixel of every particle. */
  colours(show) {
    const { low, high, ramp: shades } = show.scale, found = new Uint32Array(this.movie.count);
    const values = this.movie.at(show.colour, show.when === "start" ? 0 : show.time);
    const factor = high > low ? (STEPS - 1) / (high - low) : 0;
    for (let i = 0; i < found.length; i++) {
      const step = Math.round((values[i] - low) * factor);
      found[i] = shades[step < 0 ? 0 : step > STEPS - 1 ? STEPS - 1 : step | 0];
    }
    return found;
  }

  largestRadius() {
    const area = (this.inner.right - this.inner.left) * (this.inner.bottom - this.inner.top);
    return Math.min(6, Math.max(0.9, 0.68 * (area / Math.max(1, this.movie.count)) ** 0.25));
  }

  /* Areas are proportional to the quantity that is the size, but for points that one would not see. */
  drawDiscs(show, colours) {
    const xs = this.movie.at(show.x, show.time), ys = this.movie.at(show.y, show.time);
    const sizes = show.size ? this.movie.at(show.size, show.time) : null;
    const largest = (sizes ? 2 : 1) * this.largestRadius() * this.ratio;
    const most = sizes ? this.movie.range(show.size)[1] || 1 : 1;
    const opacity = this.movie.count > 20000 ? 0.6 : 0.8;
    const radii = Array.from({ length: SIZES + 1 }, (_, n) => Math.max(LEAST_RADIUS * this.ratio, (largest * n) / SIZES));
    const ax = this.toX(0) * this.ratio, bx = (this.toX(1) - this.toX(0)) * this.ratio;
    const ay = this.toY(0) * this.ratio, by = (this.toY(1) - this.toY(0)) * this.ratio;
    for (let i = 0; i < xs.length; i++) {
      const size = sizes ? Math.round(SIZES * Math.sqrt(Math.max(0, sizes[i] / most))) : SIZES;
      this.pixels.disc(ax + bx * xs[i], ay + by * ys[i], radii[size], colours[i], opacity);
    }
  }

  /* Where a sample of the particles was in the last frames; points where rows change owners. */
  drawTrails(show, colours) {
    const stride = Math.ceil(this.movie.count / MOST_TRAILS), last = Math.floor(show.time);
    const first = Math.max(0, last - show.trails + 1), length = Math.min(show.trails, last + 1);
    for (let frame = first; frame <= last; frame++) {
      const next = Math.min(frame + 1, show.time);
      if (next === frame) break;
      const x0 = this.movie.at(show.x, frame), y0 = this.movie.at(show.y, frame);
      const x1 = this.movie.at(show.x, next), y1 = this.movie.at(show.y, next);
      const fade = 0.5 * (1 - (last - frame) / (length + 1));
      for (let i = 0; i < x0.length; i += stride) {
        const x = this.toX(x0[i]) * this.ratio, y = this.toY(y0[i]) * this.ratio;
        if (this.movie.about.jumps) this.pixels.disc(x, y, 0.7 * this.ratio, colours[i], fade);
        else this.pixels.line(x, y, this.toX(x1[i]) * this.ratio, this.toY(y1[i]) * this.ratio, colours[i], fade);
      }
    }
  }

  drawAxes(show) {
    const { context, theme, inner } = this;
    context.lineWidth = 1;
    context.font = FONT;
    context.strokeStyle = theme.soft;
    context.fillStyle = theme.soft;
    context.beginPath();
    context.moveTo(inner.left - 0.5, inner.top);
    context.lineTo(inner.left - 0.5, inner.bottom + 0.5);
    context.lineTo(inner.right, inner.bottom + 0.5);
    context.textAlign = "center";
    context.textBaseline = "top";
    for (const value of ticks(...this.window.x, (inner.right - inner.left) / 90)) {
      const x = Math.round(this.toX(value)) - 0.5;
      context.moveTo(x, inner.bottom);
      context.lineTo(x, inner.bottom + 4);
      context.fillText(say(value), x, inner.bottom + 7);
    }
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const value of ticks(...this.window.y, (inner.bottom - inner.top) / 60)) {
      const y = Math.round(this.toY(value)) - 0.5;
      context.moveTo(inner.left, y);
      context.lineTo(inner.left - 4, y);
      context.fillText(say(value), inner.left - 7, y);
    }
    context.stroke();
    context.fillStyle = theme.ink;
    context.textAlign = "center";
    context.textBaseline = "bottom";
    context.fillText(show.x, 0.5 * (inner.left + inner.right), this.height);
    context.save();
    context.translate(11, 0.5 * (inner.top + inner.bottom));
    context.rotate(-Math.PI / 2);
    context.textBaseline = "middle";
    context.fillText(show.y, 0, 0);
    context.restore();
  }

  /* Where x and y are zero, below the particles. */
  drawZeros() {
    const { inner, ratio } = this, colour = pixel(this.theme.hair);
    const x = this.toX(0) * ratio, y = this.toY(0) * ratio;
    this.pixels.line(x, inner.top * ratio, x, inner.bottom * ratio, colour, 1);
    this.pixels.line(inner.left * ratio, y, inner.right * ratio, y, colour, 1);
  }

  /* The mass over each axis. */
  drawMargins(show) {
    const { context, inner } = this;
    context.fillStyle = this.theme.hair;
    const bars = (name, low, high, draw) => {
      const values = this.movie.at(name, show.time), mass = this.movie.at("mass", show.time);
      const sums = new Float64Array(BINS_OF_MARGIN), factor = BINS_OF_MARGIN / (high - low);
      for (let i = 0; i < values.length; i++) {
        const bin = Math.floor((values[i] - low) * factor);
        if (bin >= 0 && bin < BINS_OF_MARGIN) sums[bin] += mass[i];
      }
      const most = Math.max(...sums);
      if (most > 0) sums.forEach((sum, bin) => sum > 0 && draw(bin / BINS_OF_MARGIN, (MARGIN * sum) / most));
    };
    const width = inner.right - inner.left, height = inner.bottom - inner.top;
    bars(show.x, ...this.window.x, (share, length) =>
      context.fillRect(inner.left + share * width, inner.top - 6 - length, width / BINS_OF_MARGIN + 0.3, length));
    if (show.y.startsWith(BELOW)) return;
    bars(show.y, ...this.window.y, (share, length) =>
      context.fillRect(inner.right + 6, inner.bottom - share * height, length, -height / BINS_OF_MARGIN - 0.3));
  }

  /* Directions of the teacher; the fainter, the more one points out of the plane. */
  drawTeacher(show) {
    const { context, inner } = this, xs = this.movie.teacher(show.x), ys = this.movie.teacher(show.y);
    const reach = 4 * (Math.abs(this.window.x[0]) + Math.abs(this.window.x[1]) + Math.abs(this.window.y[0]) + Math.abs(this.window.y[1]));
    context.save();
    context.beginPath();
    context.rect(inner.left, inner.top, inner.right - inner.left, inner.bottom - inner.top);
    context.clip();
    context.setLineDash([5, 4]);
    context.strokeStyle = this.theme.ink;
    if (xs && ys && this.movie.unit(show.x) && this.movie.unit(show.x) === this.movie.unit(show.y)) {
      xs.forEach((x, n) => {
        const length = Math.hypot(x, ys[n]);
        context.globalAlpha = 0.75 * Math.min(1, length);
        if (length > 0.05) this.line(this.toX(0), this.toY(0), this.toX((reach * x) / length), this.toY((reach * ys[n]) / length));
      });
    } else {
      context.globalAlpha = 0.5;
      if (xs && !this.movie.unit(show.x)) for (const x of xs) this.line(this.toX(x), inner.top, this.toX(x), inner.bottom);
      if (ys && !this.movie.unit(show.y)) for (const y of ys) this.line(inner.left, this.toY(y), inner.right, this.toY(y));
    }
    context.restore();
    if (xs || ys) {
      context.fillStyle = this.theme.soft;
      context.textAlign = "right";
      context.textBaseline = "bottom";
      context.fillText("dashed: teacher", inner.right - 4, inner.bottom - 4);
    }
  }

  /* Past and future of the particle that is followed, and where it is. */
  drawPath(show) {
    const { context, inner, theme } = this, i = show.selected;
    const place = (time) => [this.toX(this.movie.at(show.x, time)[i]), this.toY(this.movie.at(show.y, time)[i])];
    const [x, y] = place(show.time), now = Math.floor(show.time);
    context.save();
    context.beginPath();
    context.rect(inner.left, inner.top, inner.right - inner.left, inner.bottom - inner.top);
    context.clip();
    for (const past of [false, true]) {
      context.strokeStyle = context.fillStyle = past ? theme.ink : theme.soft;
      context.lineWidth = past ? 1.4 : 0.8;
      context.beginPath();
      const frames = [...Array(this.movie.frames).keys()].filter((t) => (past ? t <= now : t > now));
      const points = frames.map(place);
      if (past) points.push([x, y]);
      else points.unshift([x, y]);
      if (this.movie.about.jumps) points.forEach(([px, py]) => context.rect(px - 1, py - 1, 2, 2));
      else points.forEach((point, n) => (n ? context.lineTo(...point) : context.moveTo(...point)));
      context.stroke();
    }
    context.restore();
    context.strokeStyle = theme.ink;
    context.lineWidth = 2;
    context.beginPath();
    context.arc(x, y, 8, 0, 2 * Math.PI);
    context.stroke();
  }

  line(x0, y0, x1, y1) {
    const { left, right, top, bottom } = this.inner;
    if (x0 === x1 && (x0 < left || x0 > right)) return;
    if (y0 === y1 && (y0 < top || y0 > bottom)) return;
    this.context.beginPath();
    this.context.moveTo(x0, y0);
    this.context.lineTo(x1, y1);
    this.context.stroke();
  }
}

const FONT = "12px system-ui, -apple-system, 'Segoe UI', sans-serif";
