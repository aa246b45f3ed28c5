
// -- before and after --------------------------------------------------------------------------------------------
// The picture before the last edit over the one that is shown, with a handle to wipe between the two; and of an edit that
// is offered, what it comes to, played once. `before` comes with a picture at rest, `offer` with the first one.
const wipe = { box: find(".stage-wipe"), range: find(".stage-wipe input"), other: find(".stage-other"), offer: find(".stage-offer"), wishes: {}, ran: false, playing: 0 };
const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

function wipeTo(percent) {
  wipe.range.value = percent;
  canvas.style.setProperty("--wipe", `${percent}%`);
  canvas.classList.toggle("wiping", percent > 0);
}

function sweep(from, to, milliseconds, then = () => {}) {
  const own = ++wipe.playing, begun = performance.now();
  const frame = (now) => {
    if (own !== wipe.playing) return; // by hand, or another picture has come
    const share = calm.matches ? 1 : clamp((now - begun) / milliseconds);
    wipeTo(from + (to - from) * share * share * (3 - 2 * share));
    if (share < 1) requestAnimationFrame(frame);
    else then();
  };
  requestAnimationFrame(frame);
}

function playOnce() {
  if (calm.matches) return;
  sweep(0, 100, 1100, () => {
    const own = wipe.playing;
    setTimeout(() => { if (own === wipe.playing) sweep(100, 0, 900, () => { canvas.dataset.played = "yes"; }); }, 1300);
  });
}

wipe.range.addEventListener("input", () => { wipe.playing += 1; wipeTo(Number(wipe.range.value)); });
wipe.offer.addEventListener("click", () => {
  const edit = document.querySelector("#edit-attributes");
  edit.focus({ preventScroll: true }); // where it stays when the offer goes
  wipe.offer.hidden = true;
  window.dispatchEvent(new CustomEvent("sgf-ask", { detail: wipe.wishes }));
  setTimeout(() => edit.click()); // once Gradio has what is asked
});

listeners.push((message) => {
  if (message.run && message.run.busy) wipe.ran = true;
  if (!message.image) return;
  wipe.playing += 1;
  wipeTo(0);
  wipe.box.hidden = !message.before;
  wipe.offer.hidden = !message.offer;
  if (message.before) {
    wipe.other.src = message.before;
    const to = message.said && message.said.worse ? 50 : 0; // what came out worse is seen beside what was
    if (wipe.ran) sweep(100, to, 1400);
    else wipeTo(to);
  } else if (message.offer) {
    wipe.offer.textContent = message.offer.words;
    wipe.wishes = message.offer.wishes;
    wipe.other.onload = () => { wipe.other.onload = null; playOnce(); };
    wipe.other.src = message.offer.after;
  }
  if (message.rest) wipe.ran = false;
});
