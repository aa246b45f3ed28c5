// One row an attribute: release or forget, name, slider, value. The server sends {reads, done}; what the visitor
// wishes goes back as {wishes: {name: probability}, released: [name]}.
const state = { reads: {}, wishes: {}, released: new Set() };
const rows = Object.fromEntries([...element.querySelectorAll(".attribute")].map((row) => [row.dataset.name, row]));
const percent = (p) => `${Math.round(p * 100)}`;

function draw() {
  for (const [name, row] of Object.entries(rows)) {
    const slider = row.querySelector("input"), button = row.querySelector("button"), label = row.dataset.label;
    row.hidden = !(name in state.reads) && Object.keys(state.reads).length > 0;
    const read = state.reads[name] ?? 0.5, wished = name in state.wishes, free = state.released.has(name);
    const value = wished ? state.wishes[name] : read;
    if (document.activeElement !== slider || !wished) slider.value = Math.round(value * 100);
    row.classList.toggle("wished", wished);
    row.classList.toggle("free", free && !wished);
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
  }
}

function report() {
  props.value = { from: "client", wishes: { ...state.wishes }, released: [...state.released] };
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

function open(group) {
  for (const node of element.querySelectorAll("[data-group]")) node.classList.toggle("open", node.dataset.group === group);
  for (const tab of element.querySelectorAll(".group-tab")) tab.setAttribute("aria-pressed", String(tab.dataset.group === group));
}

function receive() {
  const message = props.value;
  if (!message || message.from === "client") return;
  if (message.reads) state.reads = message.reads;
  for (const name of message.done === null ? Object.keys(state.wishes) : message.done || []) delete state.wishes[name];
  draw();
}
watch("value", receive);
receive();
