// Uploads files, a few at once, each by a form that the API hands out for it alone.

import { mediaType, offer, send } from "./api.js";

const AT_ONCE = 4; // a browser opens six connections to a server, and two are for looking

/** The files of a drop, those in folders too. What lies in folders and is no image is left out, and counted. */
export async function dropped(transfer) {
  // Both are gone as soon as the event is over.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  const files = [];
  let left = 0;
  const walk = async (entry, inside) => {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => { entry.file(resolve, reject); });
      if (!inside || isImage(file)) files.push(file);
      else left += 1;
      return;
    }
    const reader = entry.createReader();
    // A folder is told in parts, and an empty part is its end.
    for (let part; (part = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); })).length;) {
      for (const found of part) await walk(found, true);
    }
  };
  for (const entry of entries) await walk(entry, false);
  return { files, left };
}

/** Whether a file in a folder is meant to be uploaded. */
export const isImage = (file) => mediaType(file).startsWith("image/") && !file.name.startsWith(".");

/** A queue of uploads. `change(upload)` is called whenever one has got further: its `state` is waiting, uploading,
 * uploaded, refused or stopped; `share` is of its bytes; `problem` why it was refused. */
export class Uploads {
  #change;
  #running = 0;
  #stop = new AbortController();
  all = [];

  constructor(change) {
    this.#change = change;
  }

  add(files) {
    if (this.done) this.all = [];
    const added = files.map((file) => ({ file, state: "waiting", share: 0, problem: null, id: null, key: null }));
    this.all.push(...added);
    return added;
  }

  /** Uploads what waits. */
  start() {
    while (this.#running < AT_ONCE) {
      const next = this.all.find((upload) => upload.state === "waiting");
      if (!next) return;
      this.#running += 1;
      this.#upload(next).finally(() => {
        this.#running -= 1;
        this.start();
      });
    }
  }

  again(upload) {
    if (!this.all.includes(upload)) this.all.push(upload);
    Object.assign(upload, { state: "waiting", share: 0, problem: null });
    this.#change(upload);
    this.start();
  }

  /** Ends all that are not uploaded yet. */
  stop() {
    this.#stop.abort();
    this.#stop = new AbortController();
    for (const upload of this.all.filter((one) => one.state === "waiting")) this.#set(upload, "stopped");
  }

  get done() {
    return this.all.every((upload) => !["waiting", "uploading"].includes(upload.state));
  }

  async #upload(upload) {
    const { signal } = this.#stop;
    this.#set(upload, "uploading");
    try {
      const { id, key, upload: form } = await offer(upload.file);
      await send(form, upload.file, (share) => {
        upload.share = share;
        this.#change(upload);
      }, signal);
      Object.assign(upload, { id, key, share: 1 });
      this.#set(upload, "uploaded");
    } catch (problem) {
      upload.problem = problem;
      this.#set(upload, signal.aborted ? "stopped" : "refused");
    }
  }

  #set(upload, state) {
    upload.state = state;
    this.#change(upload);
  }
}
