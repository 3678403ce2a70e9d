// Lets files be chosen, or dropped anywhere on the page.

import { mediaType } from "./api.js";
import { $ } from "./dom.js";

/** Calls `take(files, left, unread)` with what a person gives; `left` counts what lies in its folders and is no image,
 * `unread` what the browser could not read. */
export function listen(take) {
  $("choose").onclick = () => $("files").click();
  $("choose-folder").onclick = () => $("folder").click();
  $("files").onchange = ({ target }) => {
    take([...target.files], 0, 0);
    target.value = "";
  };
  $("folder").onchange = ({ target }) => {
    const images = [...target.files].filter(isImage);
    take(images, target.files.length - images.length, 0);
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
    // The items are gone as soon as the event is over.
    const { files, left, unread } = await walk([...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()));
    take(files, left, unread);
  });
}

/** The files of a drop's entries, those in folders too. */
export async function walk(entries) {
  const found = { files: [], left: 0, unread: 0 };
  const visit = async (entry, inside) => {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => { entry.file(resolve, reject); });
      if (!inside || isImage(file)) found.files.push(file);
      else found.left += 1;
      return;
    }
    const reader = entry.createReader();
    // A folder is told in parts, and an empty part is its end.
    for (let part; (part = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); })).length;) {
      for (const one of part) await tried(one, true);
    }
  };
  const tried = (entry, inside) => visit(entry, inside).catch(() => { found.unread += 1; });
  for (const entry of entries.filter(Boolean)) await tried(entry, false);
  return found;
}

/** Whether a file in a folder is meant to be uploaded. */
const isImage = (file) => mediaType(file).startsWith("image/") && !file.name.startsWith(".");
