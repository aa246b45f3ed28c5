// Pictures to choose from, in a dialog. The server sends {pictures: [[seed, picture]]}; the chosen {seed} goes back.
const dialog = element.querySelector("dialog"), grid = dialog.querySelector(".sheet-grid");
const more = dialog.querySelector(".sheet-more"), status = dialog.querySelector(".sheet-status");
const { noun } = props.setup;

function draw(pictures) {
  grid.replaceChildren();
  for (const [seed, source] of pictures) {
    const button = document.createElement("button"), image = document.createElement("img");
    image.src = source; image.alt = "";
    button.type = "button"; button.dataset.seed = seed; button.title = `${noun} ${seed}`;
    button.setAttribute("aria-label", `Begin with ${noun} ${seed}`);
    button.append(image); grid.append(button);
  }
  status.textContent = `${pictures.length} ${noun}s of the chosen variety. Click one to begin with it.`;
  more.disabled = false;
  if (!dialog.open) dialog.showModal();
  if (!dialog.contains(document.activeElement) || document.activeElement === dialog) grid.firstElementChild.focus();
}

grid.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  dialog.close();
  props.value = { from: "client", seed: Number(button.dataset.seed) };
  trigger("select");
});
grid.addEventListener("keydown", (event) => {
  const columns = getComputedStyle(grid).gridTemplateColumns.split(" ").length;
  const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
  const buttons = [...grid.children], next = by && buttons[buttons.indexOf(document.activeElement) + by];
  if (!next) return;
  next.focus();
  event.preventDefault();
});
more.addEventListener("click", () => {
  more.disabled = true;
  status.textContent = "Drawing …";
  props.value = { from: "client", more: true };
  trigger("input");
});
dialog.querySelector(".sheet-close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

function receive() {
  const message = props.value;
  if (message && message.pictures) draw(message.pictures);
}
watch("value", receive);
receive();
