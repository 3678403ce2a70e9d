// Shows the recipe that the stack is deployed with.

import { $, copyButton, element } from "./dom.js";

/** Opens the dialog with the API's document of a recipe. */
export function showRecipe(recipe) {
  const text = JSON.stringify(recipe, null, 2);
  const rows = Object.entries(recipe.presets).map(([name, preset]) => element("tr", {},
    element("th", { scope: "row" }, name),
    element("td", {}, box(preset)),
    element("td", {}, preset.fit + (preset.fit === "cover" ? `, ${preset.gravity}` : "")),
    element("td", {}, preset.format + (preset.lossless ? ", lossless" : preset.quality ? `, quality ${preset.quality}` : "")),
    element("td", {}, mark(preset.watermark))));
  const heads = ["Preset", "Size", "Fit", "Format", "Watermark"];
  const dialog = $("recipe");
  dialog.replaceChildren(
    element("header", {}, element("h2", { id: "recipe-name" }, "Recipe"), element("code", { class: "quiet" }, recipe.hash),
      element("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => dialog.close() }, "×")),
    element("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Presets" }, element("table", {},
      element("thead", {}, element("tr", {}, heads.map((head) => element("th", { scope: "col" }, head)))),
      element("tbody", {}, rows))),
    element("p", {}, `Metadata: ${recipe.metadata}. At most ${recipe.limits.max_megabytes} MB and ${
      recipe.limits.max_megapixels} megapixels.`),
    element("details", {}, element("summary", {}, "Every setting"),
      copyButton("Copy", "the recipe", () => text),
      element("pre", { tabindex: 0 }, text)));
  dialog.showModal();
}

function box({ width, height }) {
  return width && height ? `${width} × ${height}` : width ? `${width} wide` : height ? `${height} high` : "as it is";
}

function mark(watermark) {
  if (!watermark) return "none";
  return `${watermark.text ?? watermark.image.name}, ${watermark.gravity}`;
}
