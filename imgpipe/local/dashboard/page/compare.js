// Shows a source and one of its renditions: over each other under a slider, or side by side where one is cropped.

import { element } from "./dom.js";
import { alike } from "./snippet.js";

/** The two, for a stage of the page. */
export function compare(image, rendition) {
  const before = picture("before", "Before", image);
  const after = picture("after", "After", rendition);
  if (!image.url) return element("div", { class: "pair" }, after);
  const unseen = element("p", { class: "quiet", hidden: true },
    `This browser cannot show ${image.format.toUpperCase()}: here is what was made of it.`);
  const stage = alike(image, rendition) ? slider(before, after, rendition) : element("div", { class: "pair" }, before, after);
  before.querySelector("img").addEventListener("error", () => {
    before.remove();
    stage.querySelector("input")?.remove();
    unseen.hidden = false;
  });
  return element("div", {}, stage, unseen);
}

function slider(before, after, { width, height }) {
  const range = element("input", {
    type: "range", min: 0, max: 100, value: 50, step: 1, "aria-label": "How much of the source shows",
  });
  const stage = element("div", { class: "slider" }, after, before, range);
  stage.style.setProperty("--ratio", `${width} / ${height}`);
  const split = () => {
    stage.style.setProperty("--split", `${range.value}%`);
    range.setAttribute("aria-valuetext", `${range.value} % before, ${100 - range.value} % after`);
  };
  range.addEventListener("input", split);
  split();
  return stage;
}

function picture(name, label, shown) {
  return element("figure", { class: name },
    element("img", { src: shown.url, alt: label, width: shown.width, height: shown.height, decoding: "async" }),
    element("figcaption", {}, label));
}
