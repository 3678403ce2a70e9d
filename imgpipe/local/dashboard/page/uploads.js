// Uploads files, a few at once, each by a form that the API hands out for it alone.

import { exists, offer, send } from "./api.js";

const AT_ONCE = 4; // a browser opens six connections to a server, and two are for looking
const REST = 1000; // milliseconds, doubled as long as nothing gets through
const LONGEST_REST = 30000;

/** Whether it is the way that fails, or what is at its end, and not this upload. */
const passing = ({ status }) => status === 0 || status > 500;

/** A queue of uploads. `change(upload)` is called whenever one has got further: its `state` is waiting, uploading,
 * uploaded, refused or stopped; `share` is of its bytes; `problem` why it was refused. */
export class Uploads {
  #change;
  #waiting = new Set();
  #running = new Set();
  #stop = new AbortController();
  #rest = 0;
  #timer;
  /** Of the files under way and those uploaded with them. */
  files = 0;
  bytes = 0;
  uploaded = 0;
  sent = 0;
  /** Why the queue rests, where it does. */
  resting = null;

  constructor(change) {
    this.#change = change;
  }

  get done() {
    return !this.#waiting.size && !this.#running.size;
  }

  add(files) {
    const added = files.map((file) => ({ file, state: "waiting", share: 0, problem: null, id: null, key: null }));
    added.forEach((upload) => this.#enter(upload));
    return added;
  }

  /** Uploads what waits. */
  start() {
    while (!this.resting && this.#waiting.size && this.#running.size < AT_ONCE) {
      const [next] = this.#waiting;
      this.#waiting.delete(next);
      this.#running.add(next);
      this.#upload(next, this.#stop.signal).finally(() => {
        this.#running.delete(next);
        this.start();
      });
    }
  }

  /** Takes one that was refused into the queue again. */
  again(upload) {
    upload.problem = null;
    this.#enter(upload);
    this.#set(upload, "waiting");
    this.start();
  }

  /** Ends all that are not uploaded yet. */
  stop() {
    this.#stop.abort();
    this.#stop = new AbortController();
    this.#wake();
    for (const upload of this.#waiting) {
      this.#leave(upload);
      this.#set(upload, "stopped");
    }
    this.#waiting.clear();
  }

  async #upload(upload, signal) {
    this.#set(upload, "uploading");
    try {
      // Where only the answer was lost, the image lies there already.
      if (!upload.id || !await exists(upload.id)) {
        const { id, key, upload: form } = await offer(upload.file);
        Object.assign(upload, { id, key });
        await send(form, upload.file, (share) => {
          this.#progress(upload, share);
          this.#change(upload);
        }, signal);
      }
      this.#progress(upload, 1);
      this.uploaded += 1;
      this.#rest = 0;
      this.#set(upload, "uploaded");
    } catch (problem) {
      if (signal.aborted) {
        this.#leave(upload);
        this.#set(upload, "stopped");
      } else if (passing(problem)) {
        this.#progress(upload, 0);
        this.#waiting.add(upload);
        this.#pause(problem);
        this.#set(upload, "waiting");
      } else {
        this.#leave(upload);
        upload.problem = problem;
        this.#set(upload, "refused");
      }
    }
  }

  #pause(problem) {
    if (this.resting) return;
    this.resting = problem;
    this.#rest = Math.min(Math.max(this.#rest * 2, REST), LONGEST_REST);
    this.#timer = setTimeout(() => { this.#wake(); this.start(); }, this.#rest);
  }

  #wake() {
    clearTimeout(this.#timer);
    this.resting = null;
  }

  #enter(upload) {
    if (this.done) Object.assign(this, { files: 0, bytes: 0, uploaded: 0, sent: 0 });
    this.files += 1;
    this.bytes += upload.file.size;
    this.#waiting.add(upload);
  }

  #leave(upload) {
    this.#progress(upload, 0);
    this.files -= 1;
    this.bytes -= upload.file.size;
  }

  #progress(upload, share) {
    this.sent += (share - upload.share) * upload.file.size;
    upload.share = share;
  }

  #set(upload, state) {
    upload.state = state;
    this.#change(upload);
  }
}
