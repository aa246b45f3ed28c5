// The link to the picture as it is, {link, address}: the page sends it along, for a server that has forgotten its visitors.
// Where `address` says that it is short enough, it also stands in the page's address, for who reloads. The first one
// changes no address: it is of the picture that the page was opened with.
let first = true;

function receive() {
  const message = props.value;
  if (!message || message.link === undefined) return;
  const here = new URL(window.location.href);
  if (message.address) here.searchParams.set("edit", message.link);
  else here.searchParams.delete("edit");
  if (!first) window.history.replaceState(window.history.state, "", here);
  first = false;
}
watch("value", receive);
receive();
