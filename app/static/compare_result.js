// Above the paths: what each of them kept, in one sentence about the pictures that are shown ("compare:path").
const line = element.querySelector(".kept"), paths = {};
const strong = (text) => Object.assign(document.createElement("b"), { textContent: text });

function draw() {
  const there = props.setup.methods.map((method) => paths[method]).filter((path) => path && path.frame && path.others);
  line.hidden = !there.length;
  line.replaceChildren();
  there.forEach(({ title, frame, others }, i) => {
    const kept = others - frame.changed.length, name = title.replace(", ", " in the ");
    const short = frame.asked < 0.5 ? ", without the wish" : "";
    if (i === 0) line.append(strong(`${name} kept ${kept} of ${others}`), ` other attributes${short}`);
    else line.append(short || paths[there[i - 1].method].frame.asked < 0.5 ? "; " : ", ", `${name} `, strong(kept), short);
  });
  if (there.length) line.append(".");
}

document.addEventListener("compare:path", ({ detail }) => {
  paths[detail.method] = detail;
  draw();
});
