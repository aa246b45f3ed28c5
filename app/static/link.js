// The link to the picture as it is, {link}: the page sends it along, for a server that has forgotten its visitors, and has
// it in its address, for who reloads. The first one changes no address: it is of the picture that the page was opened with.
let first = true;

function receive() {
  const message = props.value;
  if (!message || message.link === undefined) return;
  if (!first && message.link) {
    const here = new URL(window.location.href);
    here.searchParams.set("edit", message.link);
    window.history.replaceState(window.history.state, "", here);
  }
  first = false;
}
watch("value", receive);
receive();
