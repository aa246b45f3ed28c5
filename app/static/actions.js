// Edit and Stop of a tab: Edit is off while nothing is asked, and a line says what is to be done, or what is asked. Focus
// stays with the two when one takes the other's place. Whoever takes wishes announces them in `sgfAsked` (`sgf-asked`).
const { edit, stop, kinds, hint } = props.setup;
const line = element.querySelector("p"), id = `${edit}-hint`;
let focused = false;
line.id = id;

const button = () => document.getElementById(edit);

function draw() {
  const asked = kinds.map((kind) => (window.sgfAsked || {})[kind]).filter(Boolean).join("; ");
  const words = asked ? `Asked: ${asked}.` : hint;
  if (line.textContent !== words) line.textContent = words;
  line.classList.toggle("asks", Boolean(asked));
  const now = button();
  if (!now) return;
  now.setAttribute("aria-disabled", String(!asked));
  now.setAttribute("aria-describedby", id);
}

window.addEventListener("sgf-asked", draw);
window.addEventListener("click", (event) => {
  const now = event.target.closest?.(`#${edit}`);
  if (!now || now.getAttribute("aria-disabled") !== "true") return;
  event.stopImmediatePropagation();
  event.preventDefault();
  line.classList.remove("told-again");
  requestAnimationFrame(() => line.classList.add("told-again"));
}, true);

document.addEventListener("focusin", (event) => { focused = [edit, stop].includes(event.target.id); });
document.addEventListener("pointerdown", (event) => { if (!event.target.closest?.(`#${edit}, #${stop}`)) focused = false; });
// Gradio takes the one out of the page, and puts the other in
new MutationObserver(() => {
  draw();
  if (focused && document.activeElement === document.body) {
    (document.getElementById(stop) || button())?.focus({ preventScroll: true });
  }
}).observe(element.closest(".acting"), { childList: true, subtree: true, attributes: true, attributeFilter: ["class", "style"] });
draw();
