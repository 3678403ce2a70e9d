// Makes elements, and speaks to screen readers. Text is only ever text: nothing here reads HTML.

/** The element of the page with that id. */
export const $ = (id) => document.getElementById(id);

/** An element: `attributes` may hold listeners (onclick: f), true for bare attributes, and null for none. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/** A function that does `draw` before the next picture of the page, however often it is called until then. */
export function eachFrame(draw) {
  let asked = false;
  return () => {
    if (!asked) requestAnimationFrame(() => { asked = false; draw(); });
    asked = true;
  };
}

let waiting = [];

/** Has screen readers say a sentence, with others of the same moment, without moving the focus. */
export function say(sentence) {
  if (!waiting.length) setTimeout(speak, 400);
  if (!waiting.includes(sentence)) waiting.push(sentence);
}

function speak() {
  $("said").textContent = waiting.length > 3 ? `${waiting.length} images changed.` : waiting.join(" ");
  waiting = [];
}

/** A button that copies what `text` returns, and says so. */
export function copyButton(label, what, text) {
  const button = element("button", { type: "button", class: "small", "aria-label": `${label} ${what}` }, label);
  button.addEventListener("click", async () => {
    const copied = await navigator.clipboard.writeText(text()).then(() => true, () => false);
    button.textContent = copied ? "Copied" : "Not allowed";
    say(copied ? `Copied ${what}.` : "The browser does not allow copying.");
    setTimeout(() => { button.textContent = label; }, 2000);
  });
  return button;
}
