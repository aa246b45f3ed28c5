// One line: what the other tab asks for. The panel and the stage announce it, and forget it when they are told to.
const { of } = props.setup, line = element.querySelector(".asked");

function draw() {
  const words = (window.sgfAsked || {})[of] || "";
  line.hidden = !words;
  line.querySelector("b").textContent = words;
}

line.querySelector("button").addEventListener("click", () => window.dispatchEvent(new CustomEvent("sgf-forget", { detail: of })));
window.addEventListener("sgf-asked", draw);
draw();
