// The edits of the picture. The server sends {items: [[label, picture]], now, left: [label, picture] or null}; {at: number}
// goes back when one is chosen, {at: "left"} for the picture that was left for this one.
const row = element.querySelector(".timeline"), list = row.querySelector("ol"), back = row.querySelector(".left-picture");

function face(button, label, source) {
  const image = document.createElement("img"), words = document.createElement("span");
  image.src = source; image.alt = "";
  words.textContent = label; // never markup: words may come from a visitor
  button.replaceChildren(image, words);
}

function draw(items, now) {
  const focused = list.contains(document.activeElement);
  list.replaceChildren();
  items.forEach(([label, source], i) => {
    const item = document.createElement("li"), button = document.createElement("button");
    face(button, label, source);
    button.type = "button"; button.title = label; button.dataset.at = i;
    button.classList.toggle("undone", i > now);
    const state = i === now ? ", shown" : i > now ? ", undone" : "";
    button.setAttribute("aria-label", (i === 0 ? "Start" : `Edit ${i}: ${label}`) + state);
    if (i === now) button.setAttribute("aria-current", "step");
    button.tabIndex = i === now ? 0 : -1; // one stop of Tab; arrows go on from there
    item.append(button); list.append(item);
  });
  row.hidden = false;
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

back.addEventListener("click", () => {
  props.value = { from: "client", at: "left" };
  trigger("select");
});

function receive() {
  const message = props.value;
  if (!message || !message.items) return;
  draw(message.items, message.now);
  back.hidden = !message.left;
  if (!message.left) return;
  face(back, `← ${message.left[0]}`, message.left[1]);
  back.title = `Back to ${message.left[0]}`;
  back.setAttribute("aria-label", back.title);
}

// Undo, Redo and Reset turn each other off, and what is off has no focus: it goes to one that is on.
const off = new MutationObserver(([change]) => {
  if (!change.target.disabled || document.activeElement !== document.body) return;
  change.target.closest(".tools").querySelector("button:not(:disabled)")?.focus({ preventScroll: true });
});
document.addEventListener("focusin", (event) => {
  off.disconnect();
  const tools = event.target.closest(".tools");
  if (tools && tools.parentElement.contains(element)) off.observe(event.target, { attributeFilter: ["disabled"] });
});
watch("value", receive);
receive();
