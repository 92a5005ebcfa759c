/* The observed series: panels of curves with a common time, a cursor at that of the particles. */

const SIDE = { left: 52, right: 8, top: 6, bottom: 18 };
const DASHES = [[], [5, 2], [5, 2, 1, 2], [1.5, 1.5], [9, 2], [5, 2, 1, 2, 1, 2], [3, 1.5], [1, 3]];
const FEW_POINTS = 12;

class Curves {
  constructor(box, panels, theme, goTo) {
    this.box = box;
    this.theme = theme;
    this.logarithmic = false;
    const times = panels.flatMap((panel) => panel.curves.flatMap((curve) => curve.time));
    this.end = times.reduce((a, b) => Math.max(a, b), 0);
    this.first = times.reduce((a, b) => (b > 0 ? Math.min(a, b) : a), Infinity);
    this.panels = panels.map((panel) => this.add(panel, goTo));
    this.own = null;
    this.goTo = goTo;
  }

  /* Elements for a panel: a title, a value at the cursor, a button for logarithms, a legend. */
  add({ title, curves }, goTo, after = null) {
    const values = curves.flatMap((curve) => curve.values.concat(curve.low ?? [])).filter((v) => v !== null);
    const [low, high] = values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
    const panel = { curves, logarithmic: low > 0 && high > 10 * low, positive: low > 0, values: [] };
    panel.box = element("div", { className: "panel" });
    const head = element("header");
    const name = element("h2", { textContent: title, title });
    head.append(name);
    if (curves.length === 1) panel.values.push(name.appendChild(valueOf(" ")));
    if (panel.positive) {
      const button = element("button", { type: "button", textContent: "log", title: "logarithmic or linear values" });
      button.setAttribute("aria-pressed", panel.logarithmic);
      button.addEventListener("click", () => {
        panel.logarithmic = !panel.logarithmic;
        button.setAttribute("aria-pressed", panel.logarithmic);
        this.drawPanel(panel);
      });
      head.append(button);
    }
    panel.canvas = element("canvas");
    panel.canvas.setAttribute("aria-label", `${title} over time: click to go to a time`);
    panel.cursor = element("div", { className: "cursor" });
    const frame = element("div", { className: "frame" });
    frame.append(panel.canvas, panel.cursor);
    panel.box.append(head, frame);
    if (curves.length > 1) panel.box.append(this.legend(panel));
    this.listen(panel, goTo);
    if (after) this.box.insertBefore(panel.box, after);
    else this.box.append(panel.box);
    return panel;
  }

  legend(panel) {
    const box = element("div", { className: "legend" });
    panel.curves.forEach((curve, n) => {
      const entry = element("span"), mark = element("i");
      mark.style.borderTopStyle = n % DASHES.length ? "dashed" : "solid";
      mark.style.borderTopColor = `var(--line${n % 8})`;
      panel.values.push(valueOf(" "));
      entry.append(mark, curve.label, panel.values[n]);
      box.append(entry);
    });
    return box;
  }

  listen(panel, goTo) {
    const go = (event) => goTo(this.timeAt(event.clientX - panel.canvas.getBoundingClientRect().left));
    panel.canvas.addEventListener("pointerdown", (event) => {
      panel.canvas.setPointerCapture(event.pointerId);
      go(event);
    });
    panel.canvas.addEventListener("pointermove", (event) => event.buttons && go(event));
  }

  /* A panel for the particle that is followed; none for no curves. */
  follow(panel) {
    const log = this.own?.logarithmic;
    if (this.own) this.own.box.remove();
    this.own = panel && this.add(panel, this.goTo, this.box.firstChild);
    if (this.own && log !== undefined) this.own.logarithmic = log && this.own.positive;
    if (this.own) this.drawPanel(this.own);
  }

  get all() {
    return this.own ? [this.own, ...this.panels] : this.panels;
  }

  /* Up to the first moment a logarithmic axis is linear, so that the start is there too. */
  share(time) {
    if (!this.logarithmic || !(this.first < this.end)) return this.end > 0 ? time / this.end : 0;
    if (time <= this.first) return (LINEAR * time) / this.first;
    return LINEAR + ((1 - LINEAR) * Math.log(time / this.first)) / Math.log(this.end / this.first);
  }

  timeAt(x) {
    const share = (x - SIDE.left) / (this.width - SIDE.left - SIDE.right);
    if (!this.logarithmic || !(this.first < this.end)) return share * this.end;
    if (share <= LINEAR) return (share / LINEAR) * this.first;
    return this.first * (this.end / this.first) ** ((share - LINEAR) / (1 - LINEAR));
  }

  toX(time) {
    return SIDE.left + this.share(time) * (this.width - SIDE.left - SIDE.right);
  }

  draw() {
    for (const panel of this.all) this.drawPanel(panel);
  }

  /* The cursor, and what the curves are there. */
  point(time) {
    for (const panel of this.all) {
      panel.cursor.hidden = time === null;
      if (time === null) continue;
      panel.cursor.style.left = `${this.toX(time)}px`;
      panel.curves.forEach((curve, n) => {
        panel.values[n].textContent = ` ${say(curve.values[nearest(curve.time, time)])}`;
      });
    }
  }

  drawPanel(panel) {
    const canvas = panel.canvas, box = canvas.getBoundingClientRect();
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    if (!box.width) return;
    this.width = box.width;
    canvas.width = Math.round(box.width * ratio);
    canvas.height = Math.round(box.height * ratio);
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const bottom = box.height - SIDE.bottom, toY = this.heights(panel, bottom);
    this.drawTicks(context, panel, toY, bottom);
    panel.curves.forEach((curve, n) => {
      const colour = this.theme.lines[n % 8];
      if (curve.low) this.drawBand(context, curve, toY, colour);
      context.strokeStyle = context.fillStyle = colour;
      context.lineWidth = 1.3;
      context.setLineDash(DASHES[n % DASHES.length]);
      this.trace(context, curve, curve.values, toY);
      context.stroke();
      context.setLineDash([]);
      if (curve.time.length <= FEW_POINTS) {
        curve.time.forEach((time, k) => {
          if (curve.values[k] !== null) context.fillRect(this.toX(time) - 1.5, toY(curve.values[k]) - 1.5, 3, 3);
        });
      }
    });
  }

  /* From a value to a height, and the limits that this has. */
  heights(panel, bottom) {
    const shown = panel.curves.flatMap((curve) => [...curve.values, ...(curve.low ?? []), ...(curve.high ?? [])]);
    const known = shown.filter((value) => value !== null && (!panel.logarithmic || value > 0));
    let [low, high] = known.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
    if (!(low <= high)) [low, high] = panel.logarithmic ? [1, 10] : [0, 1];
    const way = panel.logarithmic ? Math.log : (value) => value;
    const room = 0.04 * (way(high) - way(low)) || 0.5 * Math.max(1e-300, Math.abs(way(low))) || 1;
    const from = way(low) - room, to = way(high) + room;
    const toY = (value) => bottom - ((way(value) - from) / (to - from)) * (bottom - SIDE.top);
    const back = panel.logarithmic ? Math.exp : (value) => value;
    toY.limits = [back(from), back(to)];
    return toY;
  }

  drawTicks(context, panel, toY, bottom) {
    const right = this.width - SIDE.right;
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = this.theme.soft;
    context.strokeStyle = this.theme.hair;
    context.lineWidth = 1;
    context.beginPath();
    context.textAlign = "right";
    context.textBaseline = "middle";
    let last = Infinity;
    for (const value of (panel.logarithmic ? powers : ticks)(...toY.limits, 3)) {
      const y = Math.round(toY(value)) - 0.5;
      if (y < SIDE.top - 2 || y > bottom + 2 || y > last - 13) continue;
      last = y;
      context.moveTo(SIDE.left, y);
      context.lineTo(right, y);
      context.fillText(say(value, 3), SIDE.left - 5, y);
    }
    context.moveTo(SIDE.left, bottom + 0.5);
    context.lineTo(right, bottom + 0.5);
    context.stroke();
    context.textBaseline = "top";
    context.textAlign = "center";
    const wanted = (right - SIDE.left) / 70;
    const times = this.logarithmic && this.first < this.end ? [0, ...powers(this.first, this.end, wanted)] : ticks(0, this.end, wanted);
    for (const time of times) {
      const x = this.toX(time), half = 0.5 * context.measureText(say(time, 3)).width;
      context.fillText(say(time, 3), Math.max(SIDE.left + half, Math.min(right - half, x)), bottom + 4);
    }
  }

  drawBand(context, curve, toY, colour) {
    context.fillStyle = colour;
    context.globalAlpha = 0.16;
    context.beginPath();
    const there = curve.time.map((_, k) => k).filter((k) => curve.low[k] !== null && curve.high[k] !== null);
    for (const k of there) context.lineTo(this.toX(curve.time[k]), height(toY, curve.low[k]));
    for (const k of there.reverse()) context.lineTo(this.toX(curve.time[k]), height(toY, curve.high[k]));
    context.fill();
    context.globalAlpha = 1;
  }

  trace(context, curve, values, toY) {
    context.beginPath();
    let pen = false;
    curve.time.forEach((time, k) => {
      const y = values[k] === null ? NaN : toY(values[k]);
      if (!Number.isFinite(y)) pen = false;
      else if (pen) context.lineTo(this.toX(time), y);
      else context.moveTo(this.toX(time), y);
      pen = Number.isFinite(y);
    });
  }
}

const LINEAR = 0.06;

function height(toY, value) {
  const y = toY(value);
  return Number.isFinite(y) ? y : toY(toY.limits[0]);
}

function nearest(times, time) {
  let best = 0;
  for (let k = 1; k < times.length; k++) if (Math.abs(times[k] - time) < Math.abs(times[best] - time)) best = k;
  return best;
}

function valueOf(text) {
  return element("span", { className: "value", textContent: text });
}
