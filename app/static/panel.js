// One row an attribute: release or forget, name, slider, value. The server sends {groups, reads, done}; what the visitor
// wishes goes back as {wishes: {name: probability}, released: [name]}.
const state = { reads: {}, wishes: {}, released: new Set(), changed: [] };
const box = element.querySelector(".groups"), model = box.querySelector(".attribute"); // a row to copy
const action = box.dataset.tab; // whose Edit they are for
const alone = box.dataset.alone === "true"; // no other tab edits the same picture
let rows = {};
const percent = (p) => `${Math.round(p * 100)}`;

function draw() {
  for (const [name, row] of Object.entries(rows)) {
    const slider = row.querySelector("input"), button = row.querySelector("button"), label = row.dataset.label;
    const read = state.reads[name] ?? 0.5, wished = name in state.wishes, free = state.released.has(name);
    const value = wished ? state.wishes[name] : read;
    if (document.activeElement !== slider || !wished) slider.value = Math.round(value * 100);
    row.classList.toggle("wished", wished);
    row.classList.toggle("free", free && !wished);
    row.classList.toggle("changed", state.changed.includes(name));
    row.style.setProperty("--read", `${Math.round(read * 1000) / 10}%`);
    row.style.setProperty("--low", `${Math.round(Math.min(read, value) * 1000) / 10}%`);
    row.style.setProperty("--high", `${Math.round(Math.max(read, value) * 1000) / 10}%`);
    row.querySelector("output").textContent = percent(value);
    slider.setAttribute("aria-valuetext", wished ? `asked for ${percent(value)}, is ${percent(read)}` : `is ${percent(read)}`);
    const action = wished ? `Forget the wish for ${label}` : free ? `Hold ${label}` : `Let ${label} change`;
    button.title = wished ? "Forget this wish" : free ? "Free to change: click to hold it" : "Held: click to let it change";
    button.setAttribute("aria-label", action);
    button.setAttribute("aria-pressed", String(free && !wished));
  }
  for (const tab of element.querySelectorAll(".group-tab")) {
    const group = element.querySelector(`.group[data-group="${tab.dataset.group}"]`);
    tab.classList.toggle("has-wish", Boolean(group.querySelector(".wished")));
    tab.classList.toggle("has-change", Boolean(group.querySelector(".changed")));
  }
  announce();
}

// Which attributes there are is said by whoever reads the picture: [[title, [[name, label], ...]], ...].
function build(groups) {
  const built = JSON.stringify(groups);
  if (built === state.built) return;
  Object.assign(state, { built, reads: {}, wishes: {}, changed: [] });
  state.released.clear();
  rows = {};
  const tabs = [], bodies = [];
  for (const [title, members] of groups) {
    const tab = document.createElement("button"), body = document.createElement("fieldset");
    const legend = document.createElement("legend");
    Object.assign(tab, { type: "button", className: "group-tab", textContent: title });
    body.className = "group";
    tab.dataset.group = body.dataset.group = legend.textContent = title;
    body.append(legend);
    for (const [name, label] of members) {
      const row = model.cloneNode(true), id = `attribute-${action}-${Object.keys(rows).length}`;
      row.dataset.name = name;
      row.dataset.label = row.querySelector("label").textContent = label;
      row.querySelector("label").htmlFor = row.querySelector("input").id = id;
      rows[name] = row;
      body.append(row);
    }
    tabs.push(tab);
    bodies.push(body);
  }
  element.querySelector(".group-tabs").replaceChildren(...tabs);
  box.replaceChildren(...bodies);
  if (groups.length) open(groups[0][0]);
  stand(Object.values(rows)[0]);
}

// One row is where Tab stops; arrows up and down go to the others.
function stand(row) {
  for (const other of Object.values(rows)) {
    for (const part of other.querySelectorAll("button, input")) part.tabIndex = other === row ? 0 : -1;
  }
}

// To Edit, and to the tab that edits keypoints: it will do this as well.
function announce() {
  const plain = (name) => rows[name].dataset.label.toLowerCase();
  const asked = Object.entries(state.wishes).map(([name, p]) => `${plain(name)} ${percent(p)}`);
  for (const name of state.released) if (!(name in state.wishes)) asked.push(`${plain(name)} free`);
  const shown = asked.length > 4 ? [...asked.slice(0, 3), `${asked.length - 3} more`] : asked;
  const words = shown.join(", "), wished = Object.keys(state.wishes).length > 0; // what is free asks for nothing
  window.sgfAsked = { ...window.sgfAsked, [alone ? `${action} wishes` : "wishes"]: wished ? words : "" };
  if (!alone) window.sgfAsked.attributes = words;
  window.dispatchEvent(new Event("sgf-asked"));
}

// A message of the server's takes the place of what was sent: said again, or the next Edit would not know of it.
function keep() {
  props.value = { from: "client", wishes: { ...state.wishes }, released: [...state.released] };
}

function report() {
  keep();
  trigger("input");
}

element.addEventListener("input", (event) => {
  const row = event.target.closest(".attribute");
  if (!row) return;
  state.wishes[row.dataset.name] = Number(event.target.value) / 100;
  draw();
});
element.addEventListener("change", (event) => {
  if (event.target.closest(".attribute")) report();
});
element.addEventListener("click", (event) => {
  const tab = event.target.closest(".group-tab");
  if (tab) return open(tab.dataset.group);
  const button = event.target.closest(".attribute button");
  if (!button) return;
  const name = button.closest(".attribute").dataset.name;
  if (name in state.wishes) delete state.wishes[name];
  else if (!state.released.delete(name)) state.released.add(name);
  draw();
  report();
});

element.addEventListener("focusin", (event) => {
  const row = event.target.closest(".attribute");
  if (row) stand(row);
});
element.addEventListener("keydown", (event) => {
  const row = event.target.closest(".attribute"), by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (row && by) {
    const seen = Object.values(rows).filter((one) => one.offsetParent), next = seen[seen.indexOf(row) + by];
    next?.querySelector(event.target.tagName).focus();
    event.preventDefault();
    return;
  }
  if (event.key === "Enter" && event.target.type === "range") document.querySelector(`#edit-${action}`)?.click();
});
document.addEventListener("keydown", (event) => {
  if (alone || event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  [...document.querySelectorAll("button[id^='edit-']")].find((button) => button.offsetParent)?.click();
});
window.addEventListener("sgf-ask", (event) => {
  if (alone) return;
  Object.assign(state.wishes, event.detail);
  draw();
  report();
});
window.addEventListener("sgf-forget", (event) => {
  if (alone || event.detail !== "attributes") return;
  state.wishes = {};
  state.released.clear();
  draw();
  report();
});

function open(group) {
  for (const node of element.querySelectorAll("[data-group]")) node.classList.toggle("open", node.dataset.group === group);
  for (const tab of element.querySelectorAll(".group-tab")) tab.setAttribute("aria-pressed", String(tab.dataset.group === group));
  const first = element.querySelector(".group.open .attribute");
  if (first) stand(first);
}

function receive() {
  const message = props.value;
  if (!message || message.from === "client") return;
  if (message.groups) build(message.groups);
  if (message.reads) state.reads = message.reads;
  if (message.changed) state.changed = message.changed;
  for (const name of message.done === null ? Object.keys(state.wishes) : message.done || []) delete state.wishes[name];
  draw();
  if (Object.keys(state.wishes).length || state.released.size) keep();
}
build(JSON.parse(box.dataset.groups));
draw();
watch("value", receive);
receive();
