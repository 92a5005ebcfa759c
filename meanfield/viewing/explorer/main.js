/* The page: what is shown, what changes it, and when it is drawn. */

const PER_SECOND = 10; // frames, at speed 1
const SPEEDS = ["0.25", "0.5", "1", "2", "4"];
const get = (id) => document.getElementById(id);

class Explorer {
  constructor(movie) {
    this.movie = movie;
    this.theme = new Theme();
    this.show = { ...movie.about.show, time: 0, trails: 0, selected: -1, scale: null };
    this.playing = false;
    this.drawn = 0;
    describe(movie.about);
    this.curves = new Curves(get("curves"), movie.about.panels, this.theme, (time) => this.goTo(time));
    this.curves.logarithmic = get("logarithmic").checked = Boolean(movie.about.logarithmic);
    get("series").hidden = movie.about.panels.length === 0;
    get("stage").hidden = movie.frames === 0;
    if (movie.frames > 0) this.begin();
    get("logarithmic").addEventListener("change", (event) => {
      this.curves.logarithmic = event.target.checked;
      this.curves.draw();
      this.redraw();
    });
    this.theme.onChange(() => this.resize());
    new ResizeObserver(() => this.resize()).observe(document.body);
    this.resize();
  }

  begin() {
    this.show.y ||= BELOW + this.show.x;
    this.scatter = new Scatter(get("plot"), this.movie, this.theme);
    this.follower = new Follower(get("particle"), this.movie, () => this.select(-1));
    get("slider").max = this.movie.frames - 1;
    get("smooth").checked = !this.movie.about.jumps;
    this.fillChoices();
    for (const id of ["x", "y", "colour", "when", "size", "trails"]) {
      get(id).addEventListener("change", (event) => this.choose({ [id]: event.target.value }));
    }
    get("play").addEventListener("click", () => this.play(!this.playing));
    get("slider").addEventListener("input", (event) => this.toFrame(Number(event.target.value)));
    get("whole").addEventListener("click", () => this.fit());
    document.addEventListener("keydown", (event) => this.key(event));
    this.listen(get("plot"));
  }

  fillChoices() {
    const names = [...this.movie.quantities.keys()], show = this.show;
    fill(get("x"), names, show.x);
    fill(get("y"), [...names, BELOW + show.x], show.y);
    fill(get("colour"), names, show.colour);
    fill(get("size"), names.filter((name) => ["mass", "m|a||w|", "|a|", "|w|"].includes(name)), show.size, "same");
    get("when").value = show.when;
    get("trails").value = show.trails;
  }

  /* Change what is drawn, as in choose({ x: "a", trails: 4 }). */
  choose(changes) {
    const axes = "x" in changes || "y" in changes;
    if ("x" in changes && this.show.y.startsWith(BELOW)) changes = { y: BELOW + changes.x, ...changes };
    Object.assign(this.show, changes);
    this.show.trails = Number(this.show.trails);
    this.show.scale = null;
    this.fillChoices();
    if (axes) this.scatter.fit(this.show);
    if (this.show.selected >= 0) this.curves.follow(this.ownCurves());
    this.redraw();
  }

  fit() {
    this.scatter.fit(this.show);
    this.redraw();
  }

  select(number) {
    this.show.selected = number;
    this.curves.follow(number < 0 ? null : this.ownCurves());
    this.redraw();
  }

  ownCurves() {
    const { x, y, colour, selected } = this.show, { movie } = this;
    const names = [...new Set([x, y, colour])];
    const values = (name) => movie.times.map((_, t) => movie.at(name, t)[selected]);
    const curves = names.map((name) => ({ label: name, time: movie.times, values: values(name) }));
    return { title: `particle ${movie.number(selected)}`, curves };
  }

  toFrame(frame) {
    this.play(false);
    this.show.time = Math.min(this.movie.frames - 1, Math.max(0, Math.round(frame)));
    this.redraw();
  }

  goTo(time) {
    if (this.movie.frames > 0) this.toFrame(nearest(this.movie.times, time));
  }

  play(on) {
    if (on && this.show.time >= this.movie.frames - 1) this.show.time = 0;
    if (!on && this.playing) this.show.time = Math.round(this.show.time);
    this.playing = on && this.movie.frames > 1;
    this.clock = this.show.time;
    this.last = performance.now();
    get("play").textContent = this.playing ? "❚❚" : "▶";
    get("play").setAttribute("aria-label", this.playing ? "Pause" : "Play");
    this.redraw();
  }

  advance(now) {
    const seconds = Math.min(0.25, (now - this.last) / 1000);
    this.last = now;
    this.clock += seconds * PER_SECOND * Number(get("speed").value);
    const end = this.movie.frames - 1;
    this.show.time = get("smooth").checked ? Math.min(end, this.clock) : Math.floor(Math.min(end, this.clock));
    if (this.clock >= end) this.play(false);
  }

  redraw() {
    this.waiting ??= requestAnimationFrame((now) => {
      this.waiting = undefined;
      if (this.playing) this.advance(now);
      this.draw();
      if (this.playing) this.redraw();
    });
  }

  draw() {
    this.drawn += 1;
    if (this.movie.frames === 0) return this.curves.point(null);
    const { show, movie } = this, frame = Math.floor(show.time);
    show.scale ??= scaleOf(movie, show, this.theme);
    this.scatter.draw(show);
    this.legend(show.scale);
    this.follower.show(show.selected, show.time);
    const next = Math.min(frame + 1, movie.frames - 1), part = show.time - frame;
    const time = movie.times[frame] * (1 - part) + movie.times[next] * part;
    this.curves.point(time);
    get("slider").value = frame;
    get("clock").textContent = `t = ${say(time)}, frame ${frame + 1} of ${movie.frames}`;
    get("slider").setAttribute("aria-valuetext", get("clock").textContent);
  }

  legend(scale) {
    get("least").textContent = say(scale.low, 3);
    get("greatest").textContent = say(scale.high, 3);
    if (this.shaded === scale) return;
    this.shaded = scale;
    const context = get("ramp").getContext("2d");
    scale.ramp.forEach((colour, n) => {
      context.fillStyle = cssOf(colour);
      context.fillRect(n, 0, 1, 1);
    });
  }

  resize() {
    this.show.scale = null;
    if (this.scatter) {
      this.scatter.resize();
      if (!this.scatter.touched) this.scatter.fit(this.show);
    }
    this.curves.draw();
    this.redraw();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const control = event.target.closest("select, summary, input, button");
    const own = control && (control.type !== "range" || /^(Arrow|Home|End)/.test(event.key));
    const last = this.movie.frames - 1, step = (by) => this.toFrame(Math.round(this.show.time) + by);
    const speed = (by) => {
      const place = SPEEDS.indexOf(get("speed").value) + by;
      get("speed").value = SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, place))];
    };
    const actions = {
      " ": () => this.play(!this.playing),
      ArrowLeft: () => step(-1), ArrowRight: () => step(1),
      Home: () => this.toFrame(0), End: () => this.toFrame(last),
      "+": () => speed(1), "=": () => speed(1), "-": () => speed(-1),
      0: () => this.fit(), Escape: () => this.select(-1),
    };
    const action = actions[event.key];
    if (!action || (own && event.key !== "Escape")) return;
    event.preventDefault();
    action();
  }

  listen(plot) {
    let held = null;
    const place = (event) => {
      const box = plot.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    plot.addEventListener("pointerdown", (event) => {
      plot.setPointerCapture(event.pointerId);
      held = { at: place(event), moved: false };
    });
    plot.addEventListener("pointermove", (event) => {
      const at = place(event);
      if (!held) return this.hint(at);
      const right = at[0] - held.at[0], down = at[1] - held.at[1];
      if (!held.moved && Math.hypot(right, down) < 4) return;
      this.scatter.move(right, down);
      held = { at, moved: true };
      this.redraw();
    });
    plot.addEventListener("pointerup", (event) => {
      const at = place(event);
      if (held && !held.moved) this.select(this.scatter.pick(...at, this.show));
      held = null;
    });
    plot.addEventListener("pointercancel", () => (held = null));
    plot.addEventListener("pointerleave", () => (get("hint").hidden = true));
    plot.addEventListener("wheel", (event) => {
      event.preventDefault();
      const turn = event.deltaY || event.deltaX;
      this.scatter.zoom(Math.exp(0.0015 * Math.max(-200, Math.min(200, turn))), ...place(event), event.shiftKey);
      this.redraw();
    }, { passive: false });
  }

  /* The values of the particle under the pointer. */
  hint([px, py]) {
    const { show, movie } = this, hint = get("hint");
    const i = this.playing ? -1 : this.scatter.pick(px, py, show);
    hint.hidden = i < 0;
    if (i < 0) return;
    const lines = [...new Set([show.x, show.y, show.colour])].map((name) => `${name} = ${say(movie.at(name, show.time)[i])}`);
    hint.textContent = [`particle ${movie.number(i)}`, ...lines].join("\n");
    const left = px > this.scatter.width - 190 ? px - 14 - hint.offsetWidth : px + 14;
    hint.style.left = `${left}px`;
    hint.style.top = `${Math.max(0, py - 10)}px`;
  }
}

try {
  window.explorer = new Explorer(await readMovie());
} catch (error) {
  const old = typeof DecompressionStream === "undefined";
  get("problem").textContent = old ? "This browser is too old for the page: it needs DecompressionStream (2023)." : `The page cannot be shown: ${error}`;
  get("problem").hidden = false;
  console.error(error);
}
document.documentElement.dataset.ready = "yes";
