// Says what is in the way, at the top of the page, as long as it is.

import { Problem } from "./api.js";
import { $, element } from "./dom.js";

/** Says a Problem; everything else is a fault of the page's own. */
export function trouble(problem) {
  if (!(problem instanceof Problem)) throw problem;
  const box = $("trouble");
  box.hidden = false;
  // Said anew, screen readers would read it again.
  if (box.dataset.said === problem.message) return;
  box.dataset.said = problem.message;
  box.replaceChildren(element("strong", {}, problem.message), " ", problem.remedy);
}

export function calm() {
  $("trouble").hidden = true;
  $("trouble").dataset.said = "";
}
