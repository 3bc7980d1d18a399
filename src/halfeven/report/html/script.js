"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const body = document.querySelector("#table tbody");
  const rows = [...body.rows];
  const order = rows.map((row) => row.dataset.k);
  const rowOf = new Map(rows.map((row) => [row.dataset.k, row]));
  const curve = document.getElementById("curve");
  const tip = document.getElementById("tip");
  let chosen = null;

  function element(tag, properties, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  // --- one layer ---

  function choose(key, { scroll = false, focus = false } = {}) {
    const layer = data.layers[key];
    if (!layer) return;
    if (chosen !== null) {
      rowOf.get(chosen).setAttribute("aria-selected", "false");
      rowOf.get(chosen).tabIndex = -1;
    }
    chosen = key;
    const row = rowOf.get(key);
    row.setAttribute("aria-selected", "true");
    row.tabIndex = 0;
    if (focus) row.focus({ preventScroll: true });
    if (scroll || focus) bringIntoView(row);
    document.getElementById("name").textContent = layer.name;
    document.getElementById("what").textContent = layer.what;
    document.getElementById("place").textContent = `Layer ${key}, ${order.indexOf(key) + 1} of ${order.length}`;
    document.getElementById("findings").replaceChildren(...layer.findings.map(finding));
    document.getElementById("numbers").replaceChildren(...layer.numbers.map(([what, value]) =>
      element("tr", {}, element("th", { scope: "row", textContent: what }), element("td", { textContent: value }))));
    document.getElementById("histogram").replaceChildren(...(layer.histogram ? histogram(...layer.histogram) : []));
    document.getElementById("cursor").setAttribute("d", `M${order.indexOf(key)} 0V60`);
  }

  function bringIntoView(row) {
    const box = row.closest(".scroll");
    const head = box.querySelector("thead").offsetHeight;
    if (row.offsetTop - head < box.scrollTop) box.scrollTop = row.offsetTop - head;
    const below = row.offsetTop + row.offsetHeight - box.clientHeight;
    if (below > box.scrollTop) box.scrollTop = below;
  }

  function finding([severity, kind, text, remedy]) {
    return element("p", { className: "finding" }, element("span", { className: `tag ${severity}`, textContent: kind }),
      ` ${text}.`, element("span", { className: "do", textContent: `What helps: ${remedy}.` }));
  }

  // --- histograms ---

  const drawn = curve.querySelector("svg");

  function shape(tag, attributes) {
    const made = document.createElementNS(drawn.namespaceURI, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  }

  function histogram(real, run, lo, hi, clipLo, clipHi, inCodes) {
    const top = data.levels.length - 1;
    const height = (letter) => top - data.levels.indexOf(letter);
    const bars = `M0 ${top}` + [...real].map((l, k) => `V${height(l)}H${k + 1}`).join("") + `V${top}Z`;
    const line = `M0 ${top}` + [...run].map((l, k) => `V${height(l)}H${k + 1}`).join("") + `V${top}`;
    const grid = Array.from({ length: 7 }, (_, k) => `M0 ${top * k / 6}H${real.length}`).join("");
    const svg = shape("svg", { viewBox: `0 0 ${real.length} ${top}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    svg.append(shape("path", { class: "grid", d: grid }), shape("path", { class: "bars", d: bars }),
      shape("path", { class: "steps-line", d: line }),
      shape("path", { class: "clip", d: `M${clipLo} 0V${top}M${clipHi} 0V${top}` }));
    const plot = element("div", { className: "plot" }, svg);
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", "Histogram of float values and of the quantized run, with the ends of the range of codes");
    ["100%", "10%", "1%", "0.1%", "0.01%", "10⁻⁵", "10⁻⁶"].forEach((text, k) =>
      plot.append(label("y", text, "top", k / 6)));
    for (const part of [0, 0.25, 0.5, 0.75, 1]) plot.append(label("x", short(lo + (hi - lo) * part), "left", part));
    const ends = [[clipLo, "lowest code"], [clipHi, "highest code"]];
    ends.forEach(([at, text], k) => {
      const made = element("span", { className: "clip-label", textContent: text });
      const part = at / real.length;
      const rightwards = k === 0 ? part < 0.75 : part < 0.25; // into the plot, where there is room
      if (rightwards) made.style.left = `${100 * part}%`;
      else made.style.right = `${100 * (1 - part)}%`;
      made.classList.toggle("above", k === 1 && (clipHi - clipLo) / real.length < 0.6);
      plot.append(made);
    });
    const legend = element("p", { className: "legend" }, element("span", { className: "key real" }), "float model",
      element("span", { className: "key codes" }), "quantized run",
      inCodes ? "; in codes, each channel on its own scale" : "");
    return [legend, plot];
  }

  function label(className, text, side, part) {
    const made = element("span", { className, textContent: text });
    made.style[side] = `${100 * part}%`;
    return made;
  }

  function short(value) {
    const text = Math.abs(value) < 1e-12 ? "0" : value.toPrecision(3);
    return text.includes("e") ? Number(value).toExponential(1) : String(Number(text));
  }

  // --- table: sorting, finding, keys ---

  const headings = [...document.querySelectorAll("#table thead th")];

  function sort(column, descending) {
    const numeric = rows.some((row) => row.cells[column].dataset.v !== undefined);
    const value = (row) => {
      const cell = row.cells[column];
      if (!numeric) return cell.textContent;
      return cell.dataset.v === undefined ? null : Number(cell.dataset.v);
    };
    const sign = descending ? -1 : 1;
    const compare = (a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === null || y === null) return (x === null) - (y === null);
      return sign * (numeric ? x - y : x.localeCompare(y)) || a.dataset.k - b.dataset.k;
    };
    body.append(...rows.sort(compare));
    headings.forEach((h, k) => k === column
      ? h.setAttribute("aria-sort", descending ? "descending" : "ascending") : h.removeAttribute("aria-sort"));
  }

  headings.forEach((heading, column) => heading.firstElementChild.addEventListener("click", () => {
    const severe = heading.textContent === "Diagnosis" && !heading.hasAttribute("aria-sort");
    sort(column, severe || heading.getAttribute("aria-sort") === "ascending");
  }));

  const find = document.getElementById("find");
  const loud = document.getElementById("loud");

  function filter() {
    const wanted = find.value.trim().toLowerCase();
    for (const row of rows) {
      const quiet = !row.classList.contains("problem") && !row.classList.contains("weak");
      row.hidden = (loud.checked && quiet) || !row.textContent.toLowerCase().includes(wanted);
    }
    const shown = rows.filter((row) => !row.hidden).length;
    document.getElementById("shown").textContent = shown < rows.length ? `${shown} of ${rows.length} layers` : "";
  }

  find.addEventListener("input", filter);
  loud.addEventListener("change", filter);

  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (row) choose(row.dataset.k);
  });
  body.addEventListener("focusin", (event) => {
    const row = event.target.closest("tr");
    if (row && row.dataset.k !== chosen) choose(row.dataset.k);
  });
  body.addEventListener("keydown", (event) => {
    const shown = [...body.rows].filter((row) => !row.hidden);
    const at = shown.indexOf(event.target.closest("tr"));
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: shown.length - 1 }[event.key];
    if (at < 0 || next === undefined || !shown[next]) return;
    event.preventDefault();
    choose(shown[next].dataset.k, { focus: true });
  });

  for (const link of document.querySelectorAll("[data-choose]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      choose(link.dataset.choose, { scroll: true });
      document.getElementById("layers").scrollIntoView();
    });
  }

  // --- curve ---

  function step(by) {
    const at = order.indexOf(chosen) + by;
    if (order[at] !== undefined) choose(order[at], { scroll: true });
  }

  function nearest(event) {
    const box = drawn.getBoundingClientRect();
    const part = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    return order[Math.round(part * (order.length - 1))];
  }

  curve.addEventListener("mousemove", (event) => {
    const key = nearest(event);
    const layer = data.layers[key];
    tip.textContent = `${key} ${layer.name}: ${layer.sqnr} dB, alone ${layer.alone} dB`;
    tip.hidden = false;
    const width = curve.clientWidth;
    const half = tip.offsetWidth / 2;
    const at = order.length > 1 ? order.indexOf(key) / (order.length - 1) * width : 0;
    tip.style.left = `${Math.min(Math.max(at, half), width - half)}px`;
  });
  curve.addEventListener("mouseleave", () => { tip.hidden = true; });
  curve.addEventListener("click", (event) => choose(nearest(event), { scroll: true }));
  curve.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    step(by);
  });
  document.getElementById("before").addEventListener("click", () => step(-1));
  document.getElementById("after").addEventListener("click", () => step(1));

  if (order.length) choose(String(data.first));
})();
