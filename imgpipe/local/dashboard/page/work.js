// Follows the images that this page uploaded, reprocesses or deletes until they are settled.

import { show } from "./api.js";

const READS = 8; // of single images at once; most of many settle by the list

export class Work {
  #images = new Map(); // id -> { deleting, after, read }

  get size() {
    return this.#images.size;
  }

  has(id) {
    return this.#images.has(id);
  }

  /** Follows an image; `after` is the `updated` of a result that is known and not awaited. */
  follow(id, { deleting = false, after = null } = {}) {
    this.#images.set(id, { deleting, after, read: 0 });
  }

  /** The image as the page shows it, now that the API says `image`; no longer followed once settled. */
  see(image) {
    const job = this.#images.get(image.id);
    if (!job) return image;
    const settled = job.deleting ? image.status === "deleted" : image.updated !== job.after;
    if (settled && ["done", "failed", "deleted"].includes(image.status)) {
      this.#images.delete(image.id);
      return image;
    }
    if (job.deleting) return { ...image, status: "deleting" };
    return image.status === "processing" ? image : { ...image, status: "queued" };
  }

  /** Reads some of them, those first that were not read for longest. */
  async read() {
    const next = [...this.#images].sort(([, one], [, other]) => one.read - other.read).slice(0, READS);
    return Promise.all(next.map(async ([id, job]) => {
      job.read = performance.now();
      try {
        return this.see(await show(id));
      } catch (problem) {
        if (problem.status !== 404) throw problem;
        this.#images.delete(id);
        return { id, status: "deleted" };
      }
    }));
  }
}
