// The link to the picture as it is, {link, address}: the page sends it along, for a server that has forgotten its visitors,
// and it stands in the page's address, for who reloads: behind `?` where `address` says that a server takes it so, else
// behind `#`, which stays in the browser. The first one changes no address: it is of the picture that the page opened with.
let first = true;

function receive() {
  const message = props.value;
  if (!message || message.link === undefined) return;
  const here = new URL(window.location.href);
  here.searchParams.delete("edit");
  here.hash = "";
  if (message.address) here.searchParams.set("edit", message.link);
  else if (message.link) here.hash = `edit=${message.link}`;
  if (!first) window.history.replaceState(window.history.state, "", here);
  first = false;
}
watch("value", receive);
receive();
