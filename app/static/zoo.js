// The tabs have more room here than beside a picture, and Gradio folds those that do not fit when the window is resized.
let room = 0;
new ResizeObserver(([{ contentRect: { width } }]) => {
  if (Math.abs(width - room) > 1) setTimeout(() => window.dispatchEvent(new Event("resize")), 50);
  room = width;
}).observe(document.querySelector("#tabs"));

// The cards' buttons: one opens a mapping, the other copies the lines of code beside it.
element.addEventListener("click", async (event) => {
  const open = event.target.closest("[data-open]"), copy = event.target.closest("[data-copy]");
  if (open) trigger("open", { name: open.dataset.open });
  if (!copy) return;
  const code = copy.parentElement.querySelector("code"), chosen = document.getSelection();
  chosen.selectAllChildren(code);
  try {
    if (navigator.clipboard) await navigator.clipboard.writeText(code.textContent);
    else document.execCommand("copy"); // on a page without https
    copy.textContent = "Copied";
  } catch {
    copy.textContent = "Press Ctrl+C"; // the lines are marked
  }
  setTimeout(() => { copy.textContent = "Copy"; }, 2000);
});
