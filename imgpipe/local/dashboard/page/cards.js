// Draws one image of the grid: its picture, what became of it, and its renditions.

import { element } from "./dom.js";
import { STATUS, counted, named, pixels, saving, size } from "./words.js";

const SHARP = 320; // pixels of a card's picture
const LINES = 4;
const MOVING = ["waiting", "uploading", "queued", "processing", "deleting"];

/** A card without content; `open` is called when somebody wants to know more. */
export function makeCard(open) {
  const button = element("button", { type: "button", class: "mat", onclick: open });
  const text = element("div", { class: "text" });
  // For a pointer: with keys the button is enough.
  text.addEventListener("click", ({ target }) => { if (!target.closest("button") && !button.disabled) open(); });
  return element("li", { class: "card" }, button, text);
}

/** Draws `image` on its card: the API's document; or a `local` one, which the API has no name for yet, with what is known
 * of its upload: `preview`, `share`, `problem` and `buttons`. */
export function paint(card, image, remedies) {
  const [mat, text] = card.children;
  const { name, folder } = named(image.key);
  card.dataset.status = image.status;
  card.dataset.id = image.id;
  mat.disabled = Boolean(image.local);
  const why = image.error ? `: ${told(image, remedies).message}` : "";
  mat.setAttribute("aria-label", `${name}, ${STATUS[image.status].toLowerCase()}${why}`);
  drawPicture(card, mat, image, remedies);
  text.replaceChildren(
    element("h3", { title: image.key }, folder && element("span", {}, folder), name),
    element("p", { class: "facts" }, facts(image)),
    ...(image.renditions?.length ? [renditions(image)] : []),
    ...(image.buttons ?? []),
  );
}

function drawPicture(card, mat, image, remedies) {
  const source = picture(image);
  // A link is signed anew in every answer, and is the same picture all the same.
  const stamp = source && `${source.startsWith("blob:") ? "here" : image.updated}`;
  let drawn = mat.querySelector("img");
  if (!source || card.dataset.picture !== stamp) {
    drawn?.remove();
    drawn = null;
  }
  card.dataset.picture = stamp ?? "";
  const inside = [];
  if (source) inside.push(drawn ?? element("img", { src: source, alt: "", loading: "lazy", decoding: "async" }));
  if (image.status === "failed" || image.status === "refused") inside.push(reason(image, remedies));
  if (image.status !== "done" && image.status !== "failed" && image.status !== "refused") {
    inside.push(element("span", { class: `chip ${MOVING.includes(image.status) ? "moving" : ""}` }, STATUS[image.status]));
  }
  if (image.status === "uploading") inside.push(bar(image));
  if (drawn && inside[0] === drawn) {
    for (const old of [...mat.children]) if (old !== drawn) old.remove();
    mat.append(...inside.slice(1));
  } else {
    mat.replaceChildren(...inside);
  }
}

/** The URL of the smallest rendition that is sharp, or of what is being uploaded. */
export function picture(image) {
  const made = [...(image.renditions ?? [])].filter((rendition) => rendition.url);
  made.sort((one, other) => one.width * one.height - other.width * other.height);
  const sharp = made.find(({ width, height }) => Math.max(width, height) >= SHARP) ?? made.at(-1);
  return sharp?.url ?? (["failed", "refused"].includes(image.status) ? null : image.preview ?? null);
}

function bar(image) {
  return element("progress", { max: 1, value: image.share, "aria-label": `${image.key}, uploaded` });
}

function reason(image, remedies) {
  const { code, message, remedy } = told(image, remedies);
  return element("span", { class: "reason" },
    element("strong", {}, image.status === "refused" ? STATUS.refused : code.replaceAll("_", " ")),
    element("span", {}, message),
    element("span", { class: "quiet" }, remedy));
}

/** Why an image failed, and what to do. */
export function told(image, remedies) {
  if (image.problem) {
    const { code, message, remedy } = image.problem;
    // What the API says of content types is for programs.
    return code === "unsupported_format"
      ? { code, message: "This is no kind of image that is opened.", remedy: remedies[code] ?? remedy } : { code, message, remedy };
  }
  const { code, message } = image.error;
  return { code, message, remedy: remedies[code] ?? "" };
}

function facts(image) {
  const known = [];
  if (image.width) known.push(pixels(image));
  if (image.format) known.push(image.format.toUpperCase());
  if (image.bytes !== undefined && image.bytes !== null) known.push(size(image.bytes));
  if (image.status === "uploading") known.push(`${Math.floor(image.share * 100)} % sent`);
  return known.join(" · ") || "\u00a0";
}

function renditions(image) {
  const lines = image.renditions.slice(0, LINES).map((made) => {
    const [words, sort] = saving(image.bytes, made.bytes);
    return element("li", {},
      element("b", {}, made.preset),
      element("span", { class: "quiet" }, pixels(made)),
      element("span", {}, size(made.bytes)),
      element("span", { class: sort }, words));
  });
  const rest = image.renditions.length - LINES;
  if (rest > 0) lines.push(element("li", { class: "quiet" }, `and ${counted(rest, "other")}`));
  return element("ul", {}, lines);
}
