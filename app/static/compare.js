// What stands below the paths: one slider for them all, the table of side effects, and the curves. Filled from what the
// paths tell ("compare:path"); the server sends the curves and who looked.
const find = (selector) => element.querySelector(selector);
const level = find("#compare-level"), rows = find("tbody"), state = { paths: {}, curves: "" };
const percent = (share) => `${Math.round(share * 100)} %`;
// by its distance in features: two unrelated faces are .29 to .91 apart, hair of another colour about .1
const LOOKS = [[0.04, "the same"], [0.15, "alike"], [0.3, "different"], [Infinity, "very different"]];
const words = (name) => name.replaceAll("_", " ");

function cell(label, text, tag = "td") {
  const node = document.createElement(tag);
  node.setAttribute("role", tag === "th" ? "rowheader" : "cell");
  node.dataset.label = label;
  node.textContent = text;
  return node;
}

function drawRow({ method, title, frame, start, why }) {
  let row = rows.querySelector(`[data-method="${method}"]`);
  if (!frame && !why) {
    if (row) row.remove();
    return;
  }
  if (!row) {
    row = document.createElement("tr");
    row.dataset.method = method;
    row.setAttribute("role", "row");
    rows.append(row);
  }
  row.className = `m-${method}`;
  row.replaceChildren(cell("Method", title, "th"));
  if (!frame) {
    const said = cell("", why);
    said.colSpan = 5;
    row.append(said);
    return;
  }
  const changed = frame.changed.map(words).join(", ") || "nothing";
  const alike = frame.drift === null ? "–" : LOOKS.find(([most]) => frame.drift < most)[1];
  const time = frame.seconds < 0.095 ? `${Math.round(frame.seconds * 1000)} ms` : `${frame.seconds.toFixed(1)} s`;
  row.append(cell("Asked", `${percent(start.asked)} → ${percent(frame.asked)}`), cell("Also changed", changed));
  row.append(cell("The rest looks", alike), cell("Steps", String(frame.step)), cell("Time", time));
  row.children[2].classList.toggle("calm", !frame.changed.length);
}

function drawDots() {
  const figure = find(".mdc");
  if (!figure) return;
  const [left, top, width, height] = figure.dataset.box.split(" ").map(Number);
  for (const dot of figure.querySelectorAll(".here")) {
    const path = state.paths[dot.dataset.method];
    if (!path || !path.frame || path.frame.kept === null) continue;
    const far = Math.max(0, path.frame.asked - path.start.asked);
    dot.setAttribute("cx", left + far * width);
    dot.setAttribute("cy", top + (1 - path.frame.kept) * height);
  }
}

document.addEventListener("compare:path", ({ detail }) => {
  if (detail.method === "source") return;
  state.paths[detail.method] = detail;
  drawRow(detail);
  drawDots();
});
const order = (detail) => document.dispatchEvent(new CustomEvent("compare:at", { detail }));
level.addEventListener("input", () => {
  find(".level-value").textContent = `${level.value} %`;
  order({ level: Number(level.value) / 100 });
});
find(".level-best").addEventListener("click", () => order({ best: true }));

function receive() {
  const message = props.value;
  if (!message || message.from !== "server") return;
  if ("open" in message) find(".board").hidden = !message.open;
  if ("matched" in message) find(".levels").hidden = !message.matched;
  if ("effects" in message) find(".effects").hidden = !message.effects;
  if ("note" in message) find(".board-note").textContent = message.note;
  for (const node of element.querySelectorAll(".observer")) node.textContent = message.observer || node.textContent;
  if ("curves" in message) {
    find(".curves").innerHTML = message.curves; // drawn by the server; no word of a visitor is in it
    find(".curves-box").hidden = !message.curves;
    drawDots();
  }
}
watch("value", receive);
receive();
