/* What stands around the pictures. All text of the run is set as text, never as HTML. */

function element(name, properties = {}) {
  return Object.assign(document.createElement(name), properties);
}

function option(value, label = value) {
  return element("option", { value, textContent: label });
}

/* A list of quantities; the first entry, if there is one, stands for none. */
function fill(select, names, chosen, none = null) {
  select.replaceChildren(...(none === null ? [] : [option("", none)]), ...names.map((name) => option(name)));
  select.value = chosen;
}

function describe(about) {
  document.getElementById("title").textContent = about.title || "Run";
  const seeds = about.seeds > 1 ? `seed ${about.seed}, one of ${about.seeds}` : `seed ${about.seed}`;
  const ended = about.status === "finished" ? "finished" : `${about.status}: ${about.stopReason}`;
  const count = (number, noun) => `${whole(number)} ${noun}${number === 1 ? "" : "s"}`;
  const particles = `${count(about.count, "particle")}, ${count(about.times.length, "frame")}`;
  document.getElementById("status").textContent = [particles, seeds, ended].join(" · ");
  hold(about);
  fold("parameters", element("pre", { textContent: about.experiment || "The run was started from Python and holds no experiment file." }));
  fold("provenance", table([...about.provenance, ...about.diagnostics]));
}

/* What is stored, and how exactly. */
function hold(about) {
  const rows = about.quantities.map((quantity) => {
    const made = quantity.made && `made of ${quantity.made.of.join(", ")}`;
    const step = (quantity.high - quantity.low) / (2 ** quantity.bits - 1);
    const stored = made ?? `from ${say(quantity.low)} to ${say(quantity.high)}, off by at most ${say(step / 2, 2)}`;
    return [quantity.name, [stored, quantity.note].filter(Boolean).join("; ")];
  });
  const points = "Curves show at most 500 moments of each series; bands are the smallest and the largest value over the seeds.";
  const jumps = about.jumps ? ["A row of the run is another particle after a death: no lines are drawn between frames."] : [];
  for (const sentence of [...about.said, points, ...jumps]) fold("about-page", element("p", { textContent: sentence }));
  fold("about-page", table(rows));
}

function fold(id, ...content) {
  document.getElementById(id).append(...content);
}

function table(rows) {
  const made = element("table");
  for (const [name, value] of rows) {
    const row = made.insertRow();
    row.append(element("th", { textContent: name }), element("td", { textContent: value }));
  }
  const box = element("div", { className: "scroll" });
  box.append(made);
  return box;
}

/* The values of the particle that is followed. */
class Follower {
  constructor(box, movie, onClose) {
    this.box = box;
    this.movie = movie;
    this.onClose = onClose;
    this.number = -1;
  }

  show(number, time) {
    if (number !== this.number) this.begin(number);
    if (number < 0) return;
    for (const [name, cell] of this.cells) cell.textContent = say(this.movie.at(name, time)[number], 5);
  }

  begin(number) {
    this.number = number;
    this.box.hidden = number < 0;
    this.box.replaceChildren();
    if (number < 0) return;
    const head = element("h2", { textContent: `Particle ${this.movie.number(number)}` });
    const close = element("button", { type: "button", textContent: "follow none" });
    close.addEventListener("click", this.onClose);
    head.append(close);
    this.box.append(head);
    this.cells = [...this.movie.quantities.keys()].slice(0, MOST_VALUES).map((name) => {
      const entry = element("div"), cell = element("span", { className: "value" });
      entry.append(element("span", { className: "name", textContent: name }), cell);
      this.box.append(entry);
      return [name, cell];
    });
  }
}

const MOST_VALUES = 40;
