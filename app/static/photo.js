// A visitor's picture and the square of it that is sent. The file stays in the browser: only the crop goes out, through
// `value` as {picture: data URI}, when a button of the page is pressed.
const MOST = 20 * 2 ** 20, SIDE = 512, ZOOM = 8;
const find = (selector) => element.querySelector(selector);
const view = find(".photo-view"), pen = view.getContext("2d"), told = find(".photo-told");
const drop = find(".photo-drop"), file = find("input[type=file]");
const ranges = { zoom: find(".photo-zoom"), x: find(".photo-x"), y: find(".photo-y") };
// x and y: where the square lies in the room that it has, 0 to 1
const state = { image: null, zoom: 1, x: 0.5, y: 0.5, pointers: new Map(), spread: 0 };

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const crop = () => Math.min(state.image.naturalWidth, state.image.naturalHeight) / state.zoom;
const room = () => [state.image.naturalWidth - crop(), state.image.naturalHeight - crop()];

// -- taking a picture in -------------------------------------------------------------------------------------------

function say(sentence) {
  told.textContent = sentence;
  told.hidden = !sentence;
}

// What cannot be read is not searched for, nor is what was there before it.
function refuse(sentence) {
  say(sentence);
  state.image = null;
  find(".photo-crop").hidden = true;
  drop.hidden = false;
  send();
}

function take(blob) {
  if (!blob) return;
  if (blob.size > MOST) return refuse("This file is larger than 20 MB: take a smaller picture.");
  if (!/^image\/(?!svg)/.test(blob.type)) return refuse("This is not a picture that can be shown here: take a PNG, JPEG, WebP, AVIF, BMP or GIF.");
  open(URL.createObjectURL(blob), true);
}

function open(address, mine) {
  const image = new Image();
  image.onload = () => {
    if (mine) URL.revokeObjectURL(address); // it is decoded, and nothing else needs the file
    if (Math.min(image.naturalWidth, image.naturalHeight) < 16) return refuse("This picture is too small: it needs 16 pixels on each side.");
    say("");
    Object.assign(state, { image, zoom: 1, x: 0.5, y: 0.5 });
    find(".photo-crop").hidden = false;
    drop.hidden = true;
    draw();
    send();
  };
  image.onerror = () => {
    if (mine) URL.revokeObjectURL(address);
    refuse("Your browser cannot read this file: take a PNG, JPEG, WebP, AVIF, BMP or GIF picture.");
  };
  image.src = address;
}

file.addEventListener("change", () => { take(file.files[0]); file.value = ""; });
find(".photo-other").addEventListener("click", () => file.click());
for (const button of element.querySelectorAll(".photo-example")) {
  button.addEventListener("click", () => open(button.querySelector("img").src, false));
}
for (const kind of ["dragenter", "dragover"]) {
  element.addEventListener(kind, (event) => { event.preventDefault(); element.classList.add("dropping"); });
}
element.addEventListener("dragleave", (event) => {
  if (!element.contains(event.relatedTarget)) element.classList.remove("dropping");
});
element.addEventListener("drop", (event) => {
  event.preventDefault();
  element.classList.remove("dropping");
  take(event.dataTransfer.files[0]);
});
window.addEventListener("paste", (event) => {
  if (!element.isConnected || element.offsetParent === null) return; // another tab is open
  const pasted = [...(event.clipboardData ? event.clipboardData.files : [])].find((one) => one.type.startsWith("image/"));
  if (pasted) { event.preventDefault(); take(pasted); }
});

// -- the square ----------------------------------------------------------------------------------------------------

function draw() {
  if (!state.image) return;
  const size = crop(), [across, down] = room(), side = Math.round(clamp(size, 64, SIDE));
  view.width = view.height = side;
  pen.fillStyle = "#fff"; // under what is transparent
  pen.fillRect(0, 0, side, side);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(state.image, state.x * across, state.y * down, size, size, 0, 0, side, side);
  ranges.zoom.value = state.zoom;
  for (const [axis, free] of [["x", across], ["y", down]]) {
    ranges[axis].value = state[axis];
    ranges[axis].disabled = free < 1;
    ranges[axis].setAttribute("aria-valuetext", Math.round(state[axis] * 100) + "%");
  }
  ranges.zoom.setAttribute("aria-valuetext", state.zoom.toFixed(1) + " times");
}

function send() {
  props.value = { from: "client", picture: state.image ? view.toDataURL("image/jpeg", 0.92) : null };
  window.sgfAsked = { ...window.sgfAsked, photo: state.image ? "the face in the square" : "" };
  window.dispatchEvent(new Event("sgf-asked"));
}

function move(dx, dy) { // in shares of the view
  const [across, down] = room(), size = crop();
  if (across >= 1) state.x = clamp(state.x - (dx * size) / across, 0, 1);
  if (down >= 1) state.y = clamp(state.y - (dy * size) / down, 0, 1);
}

function zoom(to) { // about the middle of the view
  const [left, top] = room(), old = crop(), middle = [state.x * left + old / 2, state.y * top + old / 2];
  state.zoom = clamp(to, 1, ZOOM);
  const [across, down] = room(), size = crop();
  state.x = across >= 1 ? clamp((middle[0] - size / 2) / across, 0, 1) : 0.5;
  state.y = down >= 1 ? clamp((middle[1] - size / 2) / down, 0, 1) : 0.5;
}

const apart = () => {
  const [one, other] = [...state.pointers.values()];
  return Math.hypot(one.x - other.x, one.y - other.y);
};

view.addEventListener("pointerdown", (event) => {
  if (!state.image || event.button > 0) return;
  view.setPointerCapture(event.pointerId);
  state.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  if (state.pointers.size === 2) state.spread = apart() / state.zoom;
});
view.addEventListener("pointermove", (event) => {
  const from = state.pointers.get(event.pointerId);
  if (!from) return;
  const side = view.getBoundingClientRect().width, share = side * state.pointers.size;
  move((event.clientX - from.x) / share, (event.clientY - from.y) / share);
  state.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  if (state.pointers.size === 2 && state.spread > 0) zoom(apart() / state.spread);
  draw();
});
for (const kind of ["pointerup", "pointercancel"]) {
  view.addEventListener(kind, (event) => { if (state.pointers.delete(event.pointerId)) send(); });
}
let rested = 0;
view.addEventListener("wheel", (event) => {
  if (!state.image) return;
  event.preventDefault();
  zoom(state.zoom * Math.exp(-clamp(event.deltaY, -100, 100) / 400));
  draw();
  clearTimeout(rested);
  rested = setTimeout(send, 120);
}, { passive: false });
ranges.zoom.addEventListener("input", () => { zoom(Number(ranges.zoom.value)); draw(); });
for (const axis of ["x", "y"]) ranges[axis].addEventListener("input", () => { state[axis] = Number(ranges[axis].value); draw(); });
for (const range of Object.values(ranges)) range.addEventListener("change", send);
