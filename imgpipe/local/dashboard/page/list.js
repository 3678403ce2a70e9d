// What is shown of the images: those that belong to the filter, and at its top what is new once nobody reads below.

import { $, eachFrame, say } from "./dom.js";
import { nothing } from "./empty.js";
import { belongs } from "./filter.js";
import { counted, named } from "./words.js";

export class List {
  #held = new Map(); // id -> image: what is new while somebody looks at what is further down
  #gap = false; // more is new than is held

  /** `changed(image, belongs)` is told of every image that is put. */
  constructor(grid, feed, changed) {
    this.grid = grid;
    this.feed = feed;
    this.changed = changed;
    this.count = eachFrame(() => this.#count());
  }

  /** Shows an image where it stands, or else at one end; or no longer, where the filter has it so. */
  put(image, top = false) {
    const stays = belongs(image, this.feed.filter);
    this.#held.delete(image.id);
    if (stays) this.grid.put(image, top);
    else if (this.grid.has(image.id)) {
      if (image.status === "deleted") say(`${named(image.key).name}: deleted.`);
      this.grid.drop(image.id);
    }
    this.changed(image, stays);
    this.count();
  }

  /** Takes up what happened to an image: one that is not shown yet waits for `reveal`. */
  tell(image) {
    if (this.grid.has(image.id) || !belongs(image, this.feed.filter)) this.put(image);
    else this.#held.set(image.id, image);
  }

  /** Notes that not everything new was told. */
  skip() {
    this.#gap = true;
  }

  /** Shows what is new at the top; returns whether that is all, or the list is to be read anew. */
  reveal() {
    if (!this.#gap) for (const image of [...this.#held.values()]) this.put(image, true);
    this.count();
    return !this.#gap;
  }

  /** Begins anew, with the `images` that the page has in hand. */
  begin(images) {
    this.#held.clear();
    this.#gap = false;
    this.grid.clear();
    for (const image of images) this.put(image);
    this.count();
  }

  drop(id) {
    this.grid.drop(id);
    this.count();
  }

  #count() {
    const { begun, ended, filter: { status, text } } = this.feed;
    const { size } = this.grid;
    $("count").textContent = size ? `${counted(size, "image")}${ended ? "" : " so far"}` : "";
    $("more").hidden = !begun || ended;
    $("more").textContent = text || !size ? "Search further back" : "Show more";
    $("empty").hidden = size > 0 || !begun;
    if (!size) $("empty").replaceChildren(...nothing(this.feed));
    $("drop").classList.toggle("small", size > 0 || Boolean(status || text) || !ended);
    $("fresh").hidden = !this.#held.size && !this.#gap;
    $("fresh").textContent = this.#gap ? "Show what is new" : `Show ${counted(this.#held.size, "new image")}`;
  }
}
