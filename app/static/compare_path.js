// One method's path: its frames come once, and are gone along here. Tells the board below where it stands (the event
// "compare:path"), and follows it ("compare:at": a share of the wish, or each path's best).
const find = (selector) => element.querySelector(selector), card = find(".path");
const { method, title, about } = props.setup, picture = find("img"), slide = find("input");
const state = { frames: [], at: 0, best: 0 };
const percent = (share) => `${Math.round(share * 100)} %`;

function tell() {
  const { why, others } = state;
  const detail = { method, title, frame: state.frames[state.at], start: state.frames[0], why, others };
  document.dispatchEvent(new CustomEvent("compare:path", { detail }));
}

function show(at) {
  state.at = Math.max(0, Math.min(state.frames.length - 1, at));
  const frame = state.frames[state.at];
  if (!frame) return;
  picture.src = frame.image;
  picture.alt = frame.says || `${title}, step ${frame.step}: the wish is ${percent(frame.asked)} there.`;
  slide.value = state.at;
  slide.setAttribute("aria-valuetext", `step ${frame.step}, ${percent(frame.asked)}`);
  find("output").textContent = percent(frame.asked);
  find(".path-says").textContent = frame.says || (state.at ? `Step ${frame.step} of ${state.steps}` : "Unchanged");
  tell();
}

// the first frame that is there, or the nearest that the path gets to it
function matched(level) {
  const first = state.frames.findIndex((frame) => frame.asked >= level);
  if (first >= 0) return first;
  const asked = state.frames.map((frame) => frame.asked);
  return asked.indexOf(Math.max(...asked));
}

slide.addEventListener("input", () => show(Number(slide.value)));
document.addEventListener("compare:at", ({ detail }) => {
  if (state.frames.length) show(detail.best ? state.best : matched(detail.level));
});

function receive() {
  const message = props.value;
  if (!message || !message.state) return;
  card.dataset.state = message.state; // source, away, waiting, done, missing
  find(".path-wait").textContent = message.says || (message.state === "waiting" ? about : "");
  find(".path-slide").hidden = message.state !== "done" || message.frames.length < 2;
  if (message.state !== "done") {
    Object.assign(state, { frames: [], at: 0, why: message.state === "missing" ? message.says : "" });
    if (message.image) picture.src = message.image;
    else picture.removeAttribute("src");
    picture.alt = message.alt || "";
    find(".path-says").textContent = message.note || "";
    tell();
    return;
  }
  Object.assign(state, { frames: message.frames, steps: message.steps, best: message.best, others: message.others, why: "" });
  slide.max = message.frames.length - 1;
  const board = document.querySelector("#compare-level");
  show(message.whole ? message.frames.length - 1 : matched(board ? Number(board.value) / 100 : 0.9));
}
watch("value", receive);
receive();
