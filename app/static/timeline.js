// The edits of the picture. The server sends {items: [[label, picture]], now}; {at: number} goes back when one is chosen.
const row = element.querySelector(".timeline"), list = row.querySelector("ol");

function draw(items, now) {
  const focused = list.contains(document.activeElement);
  list.replaceChildren();
  items.forEach(([label, source], i) => {
    const item = document.createElement("li"), button = document.createElement("button");
    const image = document.createElement("img"), words = document.createElement("span");
    image.src = source; image.alt = "";
    words.textContent = label; // never markup: words may come from a visitor
    button.type = "button"; button.title = label; button.dataset.at = i;
    button.classList.toggle("undone", i > now);
    const state = i === now ? ", shown" : i > now ? ", undone" : "";
    button.setAttribute("aria-label", (i === 0 ? "Start" : `Edit ${i}: ${label}`) + state);
    if (i === now) button.setAttribute("aria-current", "step");
    button.tabIndex = i === now ? 0 : -1; // one stop of Tab; arrows go on from there
    button.append(image, words); item.append(button); list.append(item);
  });
  row.hidden = items.length < 2;
  const shown = list.querySelector("[aria-current]");
  if (!shown) return;
  list.scrollLeft = shown.offsetLeft - list.clientWidth / 2;
  if (focused) shown.focus({ preventScroll: true });
}

list.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button || button.hasAttribute("aria-current")) return;
  props.value = { from: "client", at: Number(button.dataset.at) };
  trigger("select");
});
list.addEventListener("keydown", (event) => {
  const to = { ArrowLeft: "previousElementSibling", ArrowRight: "nextElementSibling" }[event.key];
  const next = to && event.target.closest("li")?.[to]?.querySelector("button");
  if (!next) return;
  next.focus();
  event.preventDefault();
});

function receive() {
  const message = props.value;
  if (message && message.items) draw(message.items, message.now);
}
watch("value", receive);
receive();
