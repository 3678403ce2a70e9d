// Says what is in the way, at the top of the page, as long as it is.

import { Problem } from "./api.js";
import { $, element } from "./dom.js";

const said = new Map(); // source -> Problem

const FAULT = new Problem(0, "internal", "The page itself failed at something.", "Load it anew; if that does not help, report it.");

/** Says a problem of one `source`; what is no Problem is a fault of the page's own, and is reported as that. */
export function trouble(source, problem) {
  const known = problem instanceof Problem;
  if (!known) reportError(problem);
  said.set(source, known ? problem : FAULT);
  draw();
}

/** Says that nothing is in the way of `source` any more. */
export function calm(source) {
  said.delete(source);
  draw();
}

function draw() {
  const problems = new Map([...said.values()].map((problem) => [problem.message, problem]));
  const text = [...problems.keys()].join(" ");
  const box = $("trouble");
  box.hidden = !problems.size;
  // Said anew, screen readers would read it again.
  if (box.dataset.said === text) return;
  box.dataset.said = text;
  box.replaceChildren(...[...problems.values()].map(({ message, remedy }) =>
    element("p", {}, element("strong", {}, message), " ", remedy)));
}
