// Follows the images that this page uploaded, reprocesses or deletes until they are settled.

import { show } from "./api.js";

const READS = 8; // of single images at once; most of many settle by the list
const SETTLED = ["done", "failed", "deleted"];

export class Work {
  #jobs = new Map(); // id -> { image, deleting, after, read }

  get size() {
    return this.#jobs.size;
  }

  has(id) {
    return this.#jobs.has(id);
  }

  /** The images as they are shown, the newest job first. */
  get images() {
    return [...this.#jobs.values()].map(({ image }) => image).reverse();
  }

  /** Follows `image`, which is shown as it is given; `after` is the `updated` of a result that is not awaited. */
  follow(image, { deleting = false, after = null } = {}) {
    this.#jobs.set(image.id, { image, deleting, after, read: 0 });
    return image;
  }

  /** The image as the page shows it, now that the API says `image`; no longer followed once settled. */
  see(image) {
    const job = this.#jobs.get(image.id);
    if (!job) return image;
    const awaited = job.deleting ? image.status === "deleted" : image.updated !== job.after;
    if (awaited && SETTLED.includes(image.status)) return this.#settle(image);
    const status = job.deleting ? "deleting" : image.status === "processing" ? "processing" : "queued";
    job.image = { ...job.image, ...image, status };
    return job.image;
  }

  /** Reads some of them, those first that were not read for longest; returns those that got further. */
  async read() {
    const next = [...this.#jobs].sort(([, one], [, other]) => one.read - other.read).slice(0, READS);
    const read = await Promise.all(next.map(async ([id, job]) => {
      const { status } = job.image;
      job.read = performance.now();
      try {
        const image = this.see(await show(id));
        return image.status !== status && image;
      } catch (problem) {
        if (problem.status !== 404) throw problem;
        return this.#settle({ id, key: job.image.key, status: "deleted" });
      }
    }));
    return read.filter(Boolean);
  }

  #settle(image) {
    const preview = this.#jobs.get(image.id)?.image.preview;
    if (preview) URL.revokeObjectURL(preview);
    this.#jobs.delete(image.id);
    return image;
  }
}
