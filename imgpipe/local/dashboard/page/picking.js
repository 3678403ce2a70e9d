// Lets files be chosen, or dropped anywhere on the page.

import { $ } from "./dom.js";
import { dropped, isImage } from "./uploads.js";

/** Calls `take(files, left)` with what a person gives; `left` counts what lies in its folders and is no image. */
export function listen(take) {
  $("choose").onclick = () => $("files").click();
  $("choose-folder").onclick = () => $("folder").click();
  $("files").onchange = ({ target }) => {
    take([...target.files], 0);
    target.value = "";
  };
  $("folder").onchange = ({ target }) => {
    const images = [...target.files].filter(isImage);
    take(images, target.files.length - images.length);
    target.value = "";
  };
  let inside = 0; // how many elements deep: each sends events of its own
  const on = (name, react) => addEventListener(name, (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    react(event);
    $("veil").hidden = inside === 0;
  });
  on("dragenter", () => { inside += 1; });
  on("dragleave", () => { inside -= 1; });
  on("dragover", () => {});
  on("drop", async (event) => {
    inside = 0;
    const { files, left } = await dropped(event.dataTransfer);
    take(files, left);
  });
}
