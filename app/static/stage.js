// The picture, its draggable keypoints, its caption, the run's progress and the filmstrip. Owns the DOM below `element`; the server
// sends messages through `value`, and what the visitor did goes back the same way as {moved: {name: [x, y]}}.
const SIDE = 1000, CLICK = 0.004, SVG = "http://www.w3.org/2000/svg";
const { alone, tab } = props.setup; // alone: what is moved here is asked for in one tab only
let features = {}, names = [], lines = {}, arrows = {}, dots = {}, ends = null;
const find = (selector) => element.querySelector(selector), canvas = find(".canvas");
const listeners = []; // to what the server sends
const picture = find(".stage-picture"), svg = find(".stage-points"), strip = find(".strip");
const state = { points: {}, moved: {}, came: {}, whole: false, drag: null, drags: 0, ahead: 0, waits: false, step: -1, run: null, distances: [], reading: null, readings: {} };

function make(tag, attributes, parent) {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  parent.appendChild(node);
  return node;
}

// -- keypoints ---------------------------------------------------------------------------------------------------

// In what order a line joins a feature's points, by the ends of their names; what is not named is not joined.
const order = {
  eye: ["eye_outer", "eye_top", "eye_inner", "eye_bottom"], nose: ["nose_bridge", "nose_left", "nose_tip", "nose_right"],
  mouth: ["mouth_left", "lip_top", "mouth_right", "lip_bottom"],
};

function ring(feature, members) {
  const kind = feature.split(" ").pop();
  if (!order[kind]) return members;
  return order[kind].map((end) => members.find((name) => name.endsWith(end))).filter(Boolean);
}

function buildPoints(given) {
  features = given; names = Object.values(features).flat(); lines = {}; arrows = {}; dots = {};
  svg.replaceChildren();
  for (const [feature, members] of Object.entries(features)) {
    const line = ring(feature, members);
    lines[feature] = [make(line.length > 3 && feature !== "jaw" ? "polygon" : "polyline", { class: "contour" }, svg), line];
  }
  for (const name of names) arrows[name] = make("line", { class: "arrow" }, svg);
  ends = make("g", { class: "ends" }, svg);
  for (const name of names) {
    const group = make("g", { class: "point", tabindex: "0", role: "slider", "data-name": name }, svg);
    make("circle", { class: "touch", r: 30 }, group);
    make("circle", { class: "dot", r: 8 }, group);
    dots[name] = group;
  }
  canvas.classList.toggle("with-points", names.length > 0);
}

const place = (name) => state.moved[name] || state.points[name];
function drawPoints() {
  for (const [node, members] of Object.values(lines)) {
    const known = members.map(place).filter(Boolean);
    node.setAttribute("points", known.map(([x, y]) => `${x * SIDE},${y * SIDE}`).join(" "));
  }
  for (const name of names) {
    const at = place(name), from = state.points[name], group = dots[name];
    group.style.display = at ? "" : "none";
    if (!at) continue;
    group.setAttribute("transform", `translate(${at[0] * SIDE} ${at[1] * SIDE})`);
    group.classList.toggle("moved", name in state.moved);
    const percent = (value) => `${Math.round(value * 1000) / 10}%`;
    const end = name in state.came ? `, ${state.came[name][2] ? `${percent(state.came[name][2])} short of where you put it` : "reached"}` : "";
    group.setAttribute("aria-label", `${name.replaceAll("_", " ")}, ${percent(at[0])} across, ${percent(at[1])} down${end}`);
    group.setAttribute("aria-valuetext", `${percent(at[0])}, ${percent(at[1])}`);
    const arrow = arrows[name];
    arrow.style.display = name in state.moved ? "" : "none";
    if (name in state.moved && from) {
      arrow.setAttribute("x1", from[0] * SIDE); arrow.setAttribute("y1", from[1] * SIDE);
      arrow.setAttribute("x2", at[0] * SIDE); arrow.setAttribute("y2", at[1] * SIDE);
    }
  }
  drawEnds();
  const count = Object.keys(state.moved).length;
  find(".stage-clear").disabled = count === 0;
  if (!names.length) return;
  // to the tab that edits attributes: it will do this as well
  const words = count ? `${count} ${count === 1 ? "point" : "points"} moved` : "";
  window.sgfAsked = { ...window.sgfAsked, [alone ? `${tab} points` : "points"]: words };
  window.dispatchEvent(new Event("sgf-asked"));
}

// Of an edit that is over: from where each point was put to where it came, green if it arrived, else with what is left.
function drawEnds() {
  if (!ends) return;
  ends.replaceChildren();
  const short = Object.values(state.came).map((one) => one[2]).filter(Boolean), most = Math.max(...short);
  for (const [name, [x, y, rest]] of Object.entries(state.came)) {
    if (!state.points[name]) continue;
    const from = [x * SIDE, y * SIDE], to = state.points[name].map((value) => value * SIDE);
    const far = Math.hypot(to[0] - from[0], to[1] - from[1]), unit = [(to[0] - from[0]) / far, (to[1] - from[1]) / far];
    const group = make("g", { class: rest ? "end short" : "end reached", "data-name": name }, ends);
    make("circle", { cx: from[0], cy: from[1], r: 15 }, group);
    if (far > 15) { // a shorter arrow would be all head
      const head = [-0.6, 0.6].map((turn) => `${to[0] - 16 * (unit[0] * Math.cos(turn) - unit[1] * Math.sin(turn))},${to[1] - 16 * (unit[0] * Math.sin(turn) + unit[1] * Math.cos(turn))}`);
      make("polyline", { points: `${from} ${to} ${head[0]} ${to} ${head[1]}` }, group);
    }
    // of many, the farthest tells
    if (rest && (short.length <= 6 || rest === most)) make("text", { x: from[0], y: from[1] - 24 }, group).textContent = `${(rest * 100).toFixed(1)}%`;
  }
}

const clamp = (value) => Math.min(1, Math.max(0, value));
const members = (name) =>
  state.whole ? Object.values(features).find((group) => group.includes(name)) || [name] : [name];

function shift(name, from, dx, dy) {
  for (const other of members(name)) state.moved[other] = [clamp(from[other][0] + dx), clamp(from[other][1] + dy)];
  drawPoints();
}

// A message of the server's takes the place of what was sent: said again, or the next Edit would not know of it.
function keep(more = {}) {
  const moved = {};
  for (const [name, [x, y]] of Object.entries(state.moved)) moved[name] = [+x.toFixed(4), +y.toFixed(4)];
  props.value = { from: "client", moved, ...more };
}

function putBack() {
  state.moved = {};
  drawPoints();
  keep();
}

// While a point is held: one step a picture, of where it is by then, and none is asked for before the last one came.
function preview() {
  if (state.waits || !state.drag || !state.drag.moved) return;
  state.waits = true;
  state.drag.moved = false;
  keep({ drag: state.drags });
  trigger("input");
}

function previewed(message) {
  state.waits = false;
  if (!state.drag || message.preview !== state.drags) return;
  picture.src = message.image;
  state.ahead += 1;
  state.points = message.points;
  drawPoints();
  preview();
}

function locate(event) {
  const box = svg.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
}

svg.addEventListener("pointerdown", (event) => {
  if (!event.target.closest(".point") || event.button > 0) return;
  const at = locate(event);
  // the touch areas overlap: the nearest point is meant
  const near = names.filter(place).map((name) => [Math.hypot(place(name)[0] - at[0], place(name)[1] - at[1]), name]);
  const name = near.sort((a, b) => a[0] - b[0])[0][1];
  const from = Object.fromEntries(members(name).map((other) => [other, place(other)]));
  state.drag = { id: event.pointerId, name, at, from, before: state.moved, points: state.points, far: 0, moved: false };
  Object.assign(state, { drags: state.drags + 1, moved: { ...state.moved }, came: {}, ahead: 0, waits: false });
  dots[name].focus({ preventScroll: true });
  dots[name].classList.add("dragged");
  event.preventDefault();
});
window.addEventListener("pointermove", (event) => {
  if (!state.drag || state.drag.id !== event.pointerId) return;
  const [x, y] = locate(event), { name, at, from } = state.drag;
  Object.assign(state.drag, { far: Math.max(state.drag.far, Math.hypot(x - at[0], y - at[1])), moved: true });
  if (state.drag.far < CLICK) return;
  shift(name, from, x - at[0], y - at[1]);
  preview();
});
for (const kind of ["pointerup", "pointercancel"]) {
  window.addEventListener(kind, (event) => {
    if (!state.drag || state.drag.id !== event.pointerId) return;
    const { name, far, before, points } = state.drag;
    dots[name].classList.remove("dragged");
    Object.assign(state, { drag: null, points });
    const dropped = kind === "pointerup" && far >= CLICK;
    if (!dropped) { state.moved = before; picture.src = state.image; }
    drawPoints();
    keep();
    if (dropped) trigger("release");
  });
}
svg.addEventListener("keydown", (event) => {
  const group = event.target.closest(".point");
  if (!group) return;
  const name = group.dataset.name, far = event.shiftKey ? 0.02 : 0.005;
  const step = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] }[event.key];
  if (step) shift(name, Object.fromEntries(members(name).map((other) => [other, place(other)])), ...step);
  else if (event.key === "Enter") { document.querySelector(`#edit-${tab}`)?.click(); return; }
  else if (event.key === "Escape" || event.key === "Delete") members(name).forEach((other) => delete state.moved[other]);
  else return;
  event.preventDefault();
  drawPoints();
  keep();
});
find(".stage-whole").addEventListener("change", (event) => { state.whole = event.target.checked; });
find(".stage-clear").addEventListener("click", putBack);
window.addEventListener("sgf-forget", (event) => { if (event.detail === "points" && names.length && !alone) putBack(); });

// -- progress and filmstrip --------------------------------------------------------------------------------------

const lastStep = () => Number(strip.lastElementChild?.querySelector("button").dataset.step ?? 0);

// Of the picture that is shown: the result, a step of a running edit, or one that the pointer is on.
function drawRun(run) {
  const hud = find(".stage-hud");
  hud.hidden = !run;
  if (!run) return;
  find(".stage-step").textContent = run.busy ? `Step ${run.step}` : `Step ${run.step} of ${lastStep()}`;
  const last = run.distances[run.distances.length - 1];
  find(".stage-distance").textContent = `distance ${last.toFixed(1)}, goal 1`;
  const top = Math.max(...run.distances, 1.5), count = Math.max(run.distances.length - 1, 12);
  const at = (distance, i) => `${(i / count) * 120},${27 - (Math.min(distance, top) / top) * 24}`;
  find(".stage-spark polyline").setAttribute("points", run.distances.map(at).join(" "));
  const goal = 27 - 24 / top;
  const line = find(".stage-spark line");
  line.setAttribute("y1", goal); line.setAttribute("y2", goal);
}

function comeIntoView() {
  // on a phone the words and sliders are far below the picture that is about to change
  const box = find(".stage-frame").getBoundingClientRect();
  const seen = Math.min(box.bottom, window.innerHeight) - Math.max(box.top, 0);
  if (seen < box.height / 2) find(".stage-frame").scrollIntoView({ behavior: "smooth", block: "nearest" });
}

function addFrame(source, step, label) {
  const item = document.createElement("li"), button = document.createElement("button"), image = document.createElement("img");
  image.src = source; image.alt = ""; button.type = "button"; button.title = label; button.setAttribute("aria-label", label);
  button.dataset.step = step;
  button.append(image); item.append(button); strip.append(item);
  const show = () => {
    if (canvas.classList.contains("running")) return;
    picture.src = source;
    canvas.classList.toggle("previewing", source !== state.image && button.getAttribute("aria-current") === null);
    if (state.distances[step] !== undefined) drawRun({ step, distances: state.distances.slice(0, step + 1) });
    if (state.reading) drawReading(state.readings[step] || { ...state.reading, similarity: null, words: [] });
  };
  const back = () => {
    if (canvas.classList.contains("running")) return;
    picture.src = state.image;
    canvas.classList.remove("previewing");
    drawRun(state.run);
    drawReading(state.reading);
  };
  button.addEventListener("pointerenter", show); button.addEventListener("focus", show);
  button.addEventListener("pointerleave", back); button.addEventListener("blur", back);
}

function drawStrip(frames) {
  strip.replaceChildren();
  const last = frames.length ? frames[frames.length - 1][0] : 0;
  for (const [step, source] of frames) {
    addFrame(source, step, step === 0 ? "Before the edit: go back to it" : `Step ${step} of ${last}: take it as the result`);
  }
  strip.hidden = frames.length === 0;
  if (!frames.length) state.distances = [], state.readings = {};
  strip.scrollLeft = strip.scrollWidth;
}

function mark(step) {
  const last = lastStep(), further = find(".further"), shown = strip.hidden || step === null ? 0 : last;
  find(".strip-hint").hidden = !shown;
  find(".strip-hint span").textContent = `Step ${step} of ${last} is shown. Click another to take it.`;
  further.hidden = step >= last;
  further.textContent = `Further: step ${step + 1}`;
  further.dataset.step = step + 1;
  for (const button of strip.querySelectorAll("button")) {
    if (Number(button.dataset.step) === step) button.setAttribute("aria-current", "step");
    else button.removeAttribute("aria-current");
    button.tabIndex = Number(button.dataset.step) === step ? 0 : -1; // one stop of Tab; arrows go on from there
  }
}

strip.addEventListener("keydown", (event) => {
  const to = { ArrowLeft: "previousElementSibling", ArrowRight: "nextElementSibling" }[event.key];
  const next = to && event.target.closest("li")?.[to]?.querySelector("button");
  if (!next) return;
  next.focus();
  event.preventDefault();
});

function take(step) {
  if (canvas.classList.contains("running")) return;
  keep({ take: step });
  trigger("select");
}
strip.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) take(Number(button.dataset.step));
});
find(".further").addEventListener("click", (event) => take(Number(event.target.dataset.step)));

// -- what is said of the edit ------------------------------------------------------------------------------------

const said = { box: find(".said"), hold: find(".said-hold"), keep: find(".said-keep"), back: find(".said-back") };
function drawSaid(message) {
  said.box.hidden = !message;
  if (!message) return;
  said.box.className = `said ${message.tone}`;
  find(".said-words").textContent = message.words; // never markup: words may come from a visitor
  said.hold.hidden = !message.hold;
  said.hold.textContent = message.hold;
  said.keep.hidden = said.back.hidden = !message.worse;
  for (const button of [said.hold, said.back]) button.disabled = false;
}
said.hold.addEventListener("click", () => { said.hold.disabled = said.back.disabled = true; trigger("retry"); });
said.back.addEventListener("click", () => { said.hold.disabled = said.back.disabled = true; take(0); });
said.keep.addEventListener("click", () => { said.keep.hidden = said.back.hidden = true; wipeTo(0); });

// -- the caption -------------------------------------------------------------------------------------------------

function drawReading(reading) {
  const box = find(".reading"), line = find(".reading-words"), likeness = find(".likeness");
  box.hidden = !reading;
  if (!reading) return;
  line.replaceChildren();
  for (const [word, isNew] of reading.words) {
    const node = document.createElement(isNew ? "mark" : "span");
    node.textContent = word; // never markup: words may come from a visitor
    line.append(node, " ");
  }
  box.classList.toggle("busy", reading.busy);
  likeness.hidden = reading.similarity === null;
  if (reading.similarity === null) return;
  find(".meter i").style.width = `${clamp(reading.similarity) * 100}%`;
  find(".likeness output").textContent = reading.similarity.toFixed(2);
}

// -- messages from the server ------------------------------------------------------------------------------------

function receive() {
  const message = props.value;
  if (!message || message.from === "client") return;
  if (message.preview !== undefined) return previewed(message);
  const busy = message.run && message.run.busy;
  if (message.image) {
    if (!busy || message.run.step >= state.ahead) picture.src = message.image; // no further back than the preview was
    state.image = message.image;
    canvas.classList.add("ready");
  }
  if (message.run === null) { picture.src = state.image; state.ahead = 0; } // at rest, or it failed
  if (message.alt) picture.alt = message.alt;
  if (message.features && JSON.stringify(message.features) !== JSON.stringify(features)) {
    state.moved = {}; // of pictures that have other points
    buildPoints(message.features);
  }
  if (message.points) state.points = message.points;
  if (message.done === null) state.moved = {};
  for (const name of message.done || []) delete state.moved[name];
  if (message.moved) state.moved = { ...message.moved };
  if (message.run !== undefined || message.moved) state.came = message.came || {};
  if (message.image || message.points || message.moved) drawPoints();
  if ("reading" in message) drawReading(state.reading = message.reading);
  if ("said" in message) drawSaid(message.said);
  if (message.rest || message.run !== undefined) canvas.classList.remove("previewing");
  if (message.strip) drawStrip(message.strip);
  if ("run" in message) {
    drawRun(state.run = message.run);
    canvas.classList.toggle("running", Boolean(busy));
    if (busy) {
      if (message.run.step <= state.step || message.run.step === 0) strip.replaceChildren(), state.readings = {};
      if (message.run.step === 0) comeIntoView();
      state.step = message.run.step;
      state.distances = message.run.distances;
      if (message.reading) state.readings[state.step] = message.reading;
      strip.hidden = false;
      find(".strip-hint").hidden = true;
      addFrame(message.image, message.run.step, `Step ${message.run.step}`);
      strip.scrollLeft = strip.scrollWidth;
    } else {
      state.step = -1;
    }
  }
  if (message.rest) canvas.dataset.scenes = Number(canvas.dataset.scenes || 0) + 1; // for tests: a picture has come to rest
  if (message.mark !== undefined) mark(message.mark);
  if (message.status !== undefined) find(".stage-status").textContent = message.status;
  for (const listener of listeners) listener(message);
  if (Object.keys(state.moved).length) keep();
  if (message.moved) trigger("release");
}
watch("value", receive);
receive();
