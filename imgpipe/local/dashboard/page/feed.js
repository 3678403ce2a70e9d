// Reads the list of settled images: backwards page by page, and forwards what is new since. One reads it at a time.

import { list } from "./api.js";
import { belongs } from "./filter.js";

const SCREENFUL = 24;
const PAGES_AT_ONCE = 10;
const NEWS_PAGES = 4;
const LAG = 10000; // milliseconds: the list's index may learn of a record a little after others

export class Feed {
  #seen = new Map(); // id -> updated
  #cursor = null;
  #newest = 0; // milliseconds since the epoch, by AWS's clock
  filter = { status: "", text: "", prefix: "" };
  begun = false;
  ended = false;

  restart(filter) {
    this.#seen.clear();
    this.#cursor = null;
    this.begun = false;
    this.ended = false;
    this.filter = filter;
  }

  /** The next older images that belong to the filter, as they are read: at least a screenful where there are as many and
   * the search need not go too far. */
  async *more(signal) {
    const { status, prefix } = this.filter;
    for (let pages = 0, found = 0; pages < PAGES_AT_ONCE && found < SCREENFUL && !this.ended; pages += 1) {
      const page = await list({ status, prefix, cursor: this.#cursor }, signal);
      if (!this.begun) this.#newest = page.at;
      this.begun = true;
      this.#cursor = page.cursor;
      this.ended = !page.cursor;
      const images = this.#unseen(page.images).filter((image) => belongs(image, this.filter));
      this.#see(page.images);
      found += images.length;
      yield images;
    }
  }

  /** What settled since it was asked last, the newest first, whether it belongs to the filter or not: what does not may
   * have done so. `gap` where there was more than is read at once. */
  async news(signal) {
    const since = new Date(this.#newest - LAG).toISOString();
    const images = [];
    let cursor = null;
    let gap = true;
    for (let pages = 0; pages < NEWS_PAGES && gap; pages += 1) {
      const page = await list({ since, cursor }, signal);
      const unseen = this.#unseen(page.images);
      images.push(...unseen);
      cursor = page.cursor;
      gap = Boolean(cursor) && (unseen.length > 0 || !page.images.length);
    }
    this.#see(images);
    return { images, gap };
  }

  #unseen(images) {
    return images.filter((image) => this.#seen.get(image.id) !== image.updated);
  }

  #see(images) {
    for (const image of images) {
      this.#seen.set(image.id, image.updated);
      this.#newest = Math.max(this.#newest, Date.parse(image.updated));
    }
  }
}
