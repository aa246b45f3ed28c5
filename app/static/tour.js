
// -- the tour ----------------------------------------------------------------------------------------------------
// Three steps that say how to begin, where an edit is offered and nobody has been here before; who went through them, or
// skipped them, or edits, is remembered by the browser.
const tour = { box: find(".tour"), step: 0, key: "sgf-hub-tour" };
const stops = [
  ["Move a slider: that is what you ask for. Everything else is held.", "#panel"],
  ["Press Edit, and watch the picture change step by step.", "#edit-attributes"],
  ["Here you read what came of it; drag the handle on the picture for before and after.", ".told"],
];

function stop(step) {
  document.querySelectorAll(".toured").forEach((one) => one.classList.remove("toured"));
  tour.step = step;
  tour.box.hidden = step >= stops.length;
  if (tour.box.hidden) return;
  const [words, place] = stops[step], target = document.querySelector(place);
  tour.box.querySelector("p").textContent = `${step + 1} of ${stops.length}. ${words}`;
  tour.box.querySelector(".tour-next").textContent = step + 1 < stops.length ? "Next" : "Done";
  target?.classList.add("toured");
  if (step > 0) target?.scrollIntoView({ block: "nearest", behavior: calm.matches ? "auto" : "smooth" });
}

function seen(also) {
  try { // a browser may forbid it
    if (also) localStorage.setItem(tour.key, "seen");
    return localStorage.getItem(tour.key) !== null;
  } catch { return false; }
}

function endTour() {
  if (tour.box.hidden) return;
  seen(true);
  stop(stops.length);
}

tour.box.querySelector(".tour-skip").addEventListener("click", endTour);
tour.box.querySelector(".tour-next").addEventListener("click", () => {
  if (tour.step + 1 < stops.length) stop(tour.step + 1);
  else endTour();
});
listeners.push((message) => {
  if (message.offer && !seen()) stop(0);
  else if (message.run && message.run.busy) endTour();
});
