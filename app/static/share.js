// The link to an edit. The server sends {link}: its text, "" for one that would be too long, null to put it away; and
// {status}, a line below the buttons that write files. {} goes back when the file is asked for.
const box = element.querySelector(".share-box"), field = box.querySelector("input");
const status = element.querySelector(".share-status"), row = box.querySelector(".share-link");

async function copy() {
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    status.textContent = "The link is copied. Who opens it sees this picture and all its edits.";
  } catch {
    // no clipboard without a secure connection, or without leave: the old way, or by hand
    const copied = document.execCommand && document.execCommand("copy");
    status.textContent = copied ? "The link is copied." : "The link is selected: press Ctrl+C to copy it.";
  }
}

function show(link) {
  box.hidden = link === null;
  if (link === null) { status.textContent = ""; return; }
  row.hidden = link === "";
  if (link === "") {
    status.textContent = "These edits are too long for a link: save them as a file, which Open takes.";
    return;
  }
  const here = new URL(window.location.href);
  here.search = ""; here.hash = "";
  field.value = `${here.href}?edit=${link}`;
  copy();
}

box.querySelector(".share-copy").addEventListener("click", copy);
field.addEventListener("focus", () => field.select());
box.querySelector(".share-file").addEventListener("click", () => {
  props.value = { from: "client" };
  trigger("download");
});

function receive() {
  const message = props.value;
  if (!message || message.from === "client") return;
  if ("link" in message) show(message.link);
  if (message.status !== undefined) status.textContent = message.status;
}
watch("value", receive);
receive();
