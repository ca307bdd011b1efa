// The validation panel. No imports: it works offline, in JupyterLab, Notebook, VS Code and Colab.
// Figures arrive as log ratios and are shown in percent. The panel records nothing, so it is honest without a kernel.
const GLYPH = { pass: "✓", warn: "!", fail: "✗", inconclusive: "?", error: "⚠" };
const LABEL = { validated: "✓", corroborated: "◐", unverified: "○" };
const TICKS = [-90, -75, -60, -40, -20, 0, 25, 50, 100, 200, 400, 900];
// JupyterLab's single-key shortcuts ("a" adds a cell) spare an element only when it has this attribute itself.
const KEYS = { "data-lm-suppress-shortcuts": "true" };
const SVG = "http://www.w3.org/2000/svg";

// Elements are made, never parsed: text from data stays text.
function make(space, name, attributes, children) {
  const element = space ? document.createElementNS(space, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value != null) element.setAttribute(key, value);
  }
  element.append(...children.filter((c) => c != null));
  return element;
}
const h = (name, attributes = {}, ...children) => make(null, name, attributes, children);
const s = (name, attributes = {}, ...children) => make(SVG, name, attributes, children);

function percent(ratio) {
  if (ratio == null) return "–";
  const p = 100 * Math.expm1(ratio);
  const text = Math.abs(p) >= 9.95 ? p.toFixed(0) : p.toFixed(1).replace(/\.0$/, "");
  if (Number(text) === 0) return "0%";
  return (p > 0 ? "+" : "−") + text.replace("-", "") + "%";
}
const spoken = (x) =>
  percent(x.estimate) + (x.lower == null ? "" : ` (${percent(x.lower)} to ${percent(x.upper)})`) + `, ${x.verdict}`;

// Half the width of a symmetric log axis that shows all figures and some air.
function reach(figures, band) {
  const seen = figures.flatMap((f) => [f.estimate, f.lower, f.upper]).filter((v) => v != null);
  return Math.min(Math.max(0.3, ...seen.map((v) => 1.08 * Math.abs(v)), ...band.map((v) => 1.25 * Math.abs(v ?? 0))), 1.8);
}
function axis(limit, start, end) {
  return (v) => start + ((Math.min(Math.max(v, -limit), limit) + limit) / (2 * limit)) * (end - start);
}
// Percent marks from zero outwards, as many as stand `gap` pixels apart.
function ticks(limit, scale, gap) {
  const marks = [{ at: 0, text: "0" }];
  for (const side of [-1, 1]) {
    let last = scale(0);
    for (const p of TICKS.filter((p) => p * side > 0).sort((a, b) => Math.abs(a) - Math.abs(b))) {
      const at = Math.log1p(p / 100);
      if (Math.abs(at) > limit || Math.abs(scale(at) - last) < gap) continue;
      marks.push({ at, text: percent(at) });
      last = scale(at);
    }
  }
  return marks;
}

// This method against each other method: one row each, the chosen one marked.
function forest(data, selected) {
  const W = 460, left = 140, right = 380, row = 28, top = 22;
  const limit = reach(data.others, data.others.flatMap((o) => o.allowed));
  const x = axis(limit, left, right);
  const bottom = top + row * data.others.length;
  const rows = data.others.map((o, k) => {
    const y = top + row * k, middle = y + row / 2;
    const [low, high] = [o.allowed[0] ?? -9, o.allowed[1] ?? 9];
    return s("g", {}, s("title", {}, o.words),
      o.name === selected ? s("rect", { x: 0, y: y + 1, width: W, height: row - 2, rx: 4, class: "row" }) : null,
      s("rect", { x: x(low), y, width: x(high) - x(low), height: row, class: "band" }),
      s("text", { x: 6, y: middle + 4, class: o.name === selected ? "b" : null }, o.title.length > 20 ? o.title.slice(0, 19) + "…" : o.title),
      s("g", { class: o.verdict },
        o.lower == null ? null : s("line", { x1: x(o.lower), x2: x(o.upper), y1: middle, y2: middle, class: "iv" }),
        o.estimate == null ? null : s("circle", { cx: x(o.estimate), cy: middle, r: 4.5 }),
        s("text", { x: right + 14, y: middle + 4, class: "v b" }, GLYPH[o.verdict])),
      s("text", { x: W - 6, y: middle + 4, "text-anchor": "end", class: "b" }, percent(o.estimate)));
  });
  const grid = ticks(limit, x, 48).flatMap((t) => [
    s("line", { x1: x(t.at), x2: x(t.at), y1: top, y2: bottom, class: t.at === 0 ? "zero" : "grid" }),
    s("text", { x: x(t.at), y: 13, "text-anchor": "middle", class: "s" }, t.at === 0 ? "the same" : t.text)]);
  const said = data.others.map((o) => `${o.title} ${spoken(o)}`).join("; ");
  return s("svg", { viewBox: `0 0 ${W} ${bottom + 4}`, role: "img", "aria-label": `${data.title} against other methods: ${said}` }, ...grid, ...rows);
}

// Miss by decile of this method, the chosen one as a dashed line.
function deciles(data, selected) {
  const W = 460, H = 200, left = 46, right = 452, top = 8, bottom = 162;
  const mine = data.deciles[data.stage], other = data.deciles[selected] ?? [];
  const limit = reach([...mine, ...other.map((p) => ({ estimate: p.estimate }))], data.decile_band);
  const y = axis(limit, bottom, top);
  const x = (k) => left + ((right - left) / mine.length) * (k + 0.5);
  const [low, high] = [data.decile_band[0] ?? -9, data.decile_band[1] ?? 9];
  const line = other.flatMap((p, k) => (p.estimate == null ? [] : [`${x(k)},${y(p.estimate)}`])).join(" ");
  const parts = [s("rect", { x: left, y: y(high), width: right - left, height: y(low) - y(high), class: "band" })];
  for (const t of ticks(limit, y, 18))
    parts.push(s("line", { x1: left, x2: right, y1: y(t.at), y2: y(t.at), class: t.at === 0 ? "zero" : "grid" }),
      s("text", { x: left - 6, y: y(t.at) + 4, "text-anchor": "end", class: "s" }, t.text));
  if (line) parts.push(s("polyline", { points: line, class: "alt" }));
  mine.forEach((p, k) => parts.push(s("g", { class: p.verdict }, s("title", {}, `decile ${p.group}: ${spoken(p)}`),
    p.lower == null ? null : s("line", { x1: x(k), x2: x(k), y1: y(p.lower), y2: y(p.upper), class: "iv" }),
    p.estimate == null ? null : s("circle", { cx: x(k), cy: y(p.estimate), r: 4 })),
    s("text", { x: x(k), y: bottom + 16, "text-anchor": "middle", class: "s" }, p.group)));
  parts.push(s("text", { x: left, y: H - 6, class: "s" }, "lowest predicted"), s("text", { x: right, y: H - 6, "text-anchor": "end", class: "s" }, "highest"));
  const said = mine.map((p) => `decile ${p.group} ${spoken(p)}`).join("; ");
  return s("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `${data.title}, miss by decile: ${said}` }, ...parts);
}

function render({ model, el }) {
  const root = h("section", { class: "nbd", "aria-label": "How this method stands" });
  el.append(root);
  let refresh = () => {};

  // Controls are made once for a study and then only changed, so that focus stays where it is.
  function build() {
    const data = model.get("data");
    const detail = h("div", { class: "detail" });
    const charts = h("div", { class: "charts" });
    const live = h("p", { role: "status", "aria-live": "polite", class: "note" });
    const option = (o) => h("option", { value: o.name }, o.title + (o.same_family ? " (same family)" : ""));
    const select = h("select", { onchange: pick, ...KEYS }, ...data.others.map(option));
    const chips = data.chips.map((c, k) => h("button",
      { class: "chip", type: "button", role: "radio", onclick: () => choose(k, true), onkeydown: (event) => step(event, k), ...KEYS },
      h("i", { class: c.verdict, "aria-hidden": "true" }, GLYPH[c.verdict]), ` ${c.title}: `, h("span", { class: c.verdict }, c.verdict)));

    function step(event, k) {
      const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!by) return;
      event.preventDefault();
      event.stopPropagation();
      choose((k + by + chips.length) % chips.length, true);
    }
    function choose(index, byPerson) {
      const shown = data.chips[index];
      chips.forEach((chip, k) => {
        chip.setAttribute("aria-checked", String(k === index));
        chip.tabIndex = k === index ? 0 : -1;
      });
      const more = shown.count - shown.words.length;
      detail.replaceChildren(h("h4", {}, shown.question || shown.title), h("ul", {}, ...shown.words.map((w) => h("li", {}, w))),
        ...(more > 0 ? [h("p", { class: "note" }, `and ${more} more in the report`)] : []));
      if (!byPerson) return;
      chips[index].focus();
      live.textContent = `${shown.title}: ${shown.verdict}`;
    }
    function pick() {
      model.set("selected", select.value);
      model.save_changes();
      const other = data.others.find((o) => o.name === select.value);
      if (other) live.textContent = other.words;
    }
    refresh = () => {
      const selected = model.get("selected"), mine = data.deciles[data.stage];
      select.value = selected;
      charts.replaceChildren(
        ...(data.others.length ? [h("div", {}, h("h4", {}, `Total ${data.component} against other methods`), forest(data, selected),
          h("p", { class: "note" }, "Dot and line: difference and its 90 percent interval; shaded: allowed."))] : []),
        h("div", {}, h("h4", {}, "By decile of what it predicted"), mine ? deciles(data, selected) : null,
          h("p", { class: "note" }, data.decile_note + (mine && data.deciles[selected] ? " Dashed: the method chosen above." : ""))));
    };
    root.replaceChildren(
      h("h3", {}, data.title, h("span", { class: `label ${data.label}` }, `${LABEL[data.label]} study ${data.label}`),
        h("span", { class: "soft" }, [data.family, data.horizon && `${data.horizon} ahead`, data.as_of && `as of ${data.as_of}`].filter(Boolean).join(" · "))),
      h("p", {}, data.meaning),
      ...(data.reasons.length ? [h("details", data.primary ? { open: "" } : {}, h("summary", KEYS, `Why the study is ${data.label}`),
        h("ul", {}, ...data.reasons.map((r) => h("li", {}, r))))] : []),
      h("div", { class: "chips", role: "radiogroup", "aria-label": "Kinds of evidence" }, ...chips), detail,
      ...(data.others.length ? [h("label", { class: "choose" }, "Compare with", select)] : []), charts, live);
    if (chips.length) choose(0, false);
    else detail.append(h("p", { class: "note" }, "The study knows nothing of this method yet."));
    refresh();
  }
  const changed = () => refresh();
  model.on("change:data", build);
  model.on("change:selected", changed);
  build();
  return () => {
    model.off("change:data", build);
    model.off("change:selected", changed);
  };
}
export default { render };
