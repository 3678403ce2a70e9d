// Which images are shown: what the controls say, kept in the address, and the one rule that follows from it.

import { $ } from "./dom.js";
import { named } from "./words.js";

const radios = () => [...document.querySelectorAll("input[name=status]")];
const SETTLED = { done: ["done"], failed: ["failed", "refused"], deleted: ["deleted"] };

/** Whether an image of the API's or of the page's own belongs to what `filter` shows. */
export function belongs(image, { status, text, prefix }) {
  if (status ? !SETTLED[status].includes(image.status) : image.status === "deleted") return false;
  return prefix ? image.key.startsWith(prefix) : named(image.key).name.toLowerCase().includes(text.toLowerCase());
}

/** What is chosen: `status` is one of the API's or "", `text` a part of the name; where it has a "/", it is the `prefix`
 * of the key. */
export function chosen() {
  const text = $("search").value.trim();
  return { status: radios().find(({ checked }) => checked).value, text, prefix: text.includes("/") ? text : "" };
}

/** Chooses. */
export function choose(status, text) {
  for (const radio of radios()) radio.checked = radio.value === status;
  $("search").value = text;
}

/** Chooses what the address says. */
export function recall() {
  const asked = new URLSearchParams(location.search);
  choose(Object.hasOwn(SETTLED, asked.get("status") ?? "") ? asked.get("status") : "", asked.get("find") ?? "");
}

/** Keeps a filter in the address. */
export function remember({ status, text }) {
  const asked = new URLSearchParams(Object.entries({ status, find: text }).filter(([, value]) => value));
  history.replaceState(null, "", asked.size ? `?${asked}` : location.pathname);
}

/** Calls `changed` when somebody chooses anew. */
export function listenToFilter(changed) {
  for (const radio of radios()) radio.onchange = changed;
  let typing;
  $("search").oninput = () => { clearTimeout(typing); typing = setTimeout(changed, 250); };
}
