// What stands in the place of the grid where there is nothing to show.

import { element } from "./dom.js";

/** The words for a list that was searched for what `filter` says, to its end or not. */
export function nothing({ filter: { status, text, prefix }, ended }) {
  if (!ended) return [element("p", {}, "There is none among the newest images.")];
  if (text) {
    const how = prefix ? "Nothing lies under" : "No name contains";
    return [element("p", {}, `${how} “${text}”${status ? ` among the ${status}` : ""}.`)];
  }
  if (status === "failed") return [element("p", {}, "Nothing failed.")];
  if (status) return [element("p", {}, `Nothing is ${status}.`)];
  return [element("p", {}, "No image yet. Drop one: it is uploaded, and in a moment its renditions stand here."),
    element("p", { class: "quiet" }, "None at hand? ", element("code", {}, "imgpipe samples ./in"), " draws some.")];
}
