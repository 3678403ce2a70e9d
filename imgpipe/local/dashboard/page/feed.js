// Reads the list of settled images: backwards page by page, and forwards what is new since.

import { list } from "./api.js";
import { named } from "./words.js";

const SCREENFUL = 24;
const PAGES_AT_ONCE = 10;
const NEWS_PAGES = 4;
const LAG = 5000; // milliseconds: the list's index may learn of a record a little after others

export class Feed {
  #seen = new Map(); // id -> updated
  #cursor = null;
  #newest = "";
  #run = 0;
  ended = false;

  /** Begins anew: `status` is one of the API's or "", `text` a part of the name, or of the whole key where it has a "/". */
  restart({ status, text }) {
    this.#run += 1;
    this.#seen.clear();
    this.#cursor = null;
    this.#newest = "";
    this.ended = false;
    this.status = status;
    this.text = text.trim();
    this.prefix = this.text.includes("/") ? this.text : "";
  }

  /** The next older images, at least a screenful where there are as many and the search need not go too far; null where
   * the feed began anew meanwhile. */
  async more() {
    const run = this.#run;
    const found = [];
    for (let pages = 0; pages < PAGES_AT_ONCE && found.length < SCREENFUL && !this.ended; pages += 1) {
      const page = await list({ status: this.status, prefix: this.prefix, cursor: this.#cursor });
      if (run !== this.#run) return null;
      this.#cursor = page.cursor;
      this.ended = !page.cursor;
      found.push(...this.#unseen(page.images).filter((image) => this.#fits(image)));
    }
    return found;
  }

  /** What settled since it was asked last, the newest first, deleted ones too; `gap` where there was more than is read
   * at once. */
  async news() {
    const run = this.#run;
    const since = this.#newest && new Date(Date.parse(this.#newest) - LAG).toISOString();
    const images = [];
    let cursor = null;
    for (let pages = 0; pages < NEWS_PAGES; pages += 1) {
      const page = await list({ status: this.status, prefix: this.prefix, since, cursor });
      if (run !== this.#run) return { images: [], gap: false };
      const unseen = this.#unseen(page.images);
      images.push(...unseen.filter((image) => this.#matches(image)));
      cursor = page.cursor;
      if (!cursor || (page.images.length && !unseen.length)) return { images, gap: false };
    }
    return { images, gap: true };
  }

  /** Those that are not known in this state, which they are from now on. */
  #unseen(images) {
    const unseen = images.filter((image) => this.#seen.get(image.id) !== image.updated);
    for (const image of images) {
      this.#seen.set(image.id, image.updated);
      if (image.updated > this.#newest) this.#newest = image.updated;
    }
    return unseen;
  }

  #fits(image) {
    return this.#matches(image) && (image.status !== "deleted" || this.status === "deleted");
  }

  #matches(image) {
    return this.prefix || named(image.key).name.toLowerCase().includes(this.text.toLowerCase());
  }
}
