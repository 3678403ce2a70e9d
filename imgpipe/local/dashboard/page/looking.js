// Keeps looking at what the pipeline does. This loop alone reads the feed, so that no answer meets another's question.

import { $ } from "./dom.js";
import { chosen, remember } from "./filter.js";
import { calm, trouble } from "./trouble.js";

const QUICK = 1000; // milliseconds between looks while something is in work
const QUIET = 4000;
const SLOW = 30000; // where the server or AWS does not answer

export class Looking {
  #interrupt = new AbortController();
  #anew = true;
  #further = false;
  #woken = false;
  #wake = () => {};
  #end = new IntersectionObserver((entries) => { if (entries.at(-1).isIntersecting) this.more(); }, { rootMargin: "800px" });

  /** `start` is done once before all else, and `also` in every round; `mine` returns the images that the page has in
   * hand. All may fail, and are tried again. */
  constructor({ feed, list, work, start, also, mine }) {
    Object.assign(this, { feed, list, work, start, also, mine });
  }

  /** Looks at once. */
  wake() {
    this.#woken = true;
    this.#wake();
  }

  /** Reads the list anew, by what is chosen now. */
  refill() {
    this.#anew = true;
    this.#interrupt.abort();
    this.wake();
  }

  /** Reads the list further back. */
  more() {
    this.#further = true;
    this.wake();
  }

  /** Looks again and again, soon while something is going on, later where nothing answers. */
  async live() {
    for (let wait = 0, failed = 0, started = false; ;) {
      await this.#pause(wait);
      if (document.hidden) await new Promise((resolve) => { document.addEventListener("visibilitychange", resolve, { once: true }); });
      const began = performance.now();
      this.#interrupt = new AbortController();
      const { signal } = this.#interrupt;
      try {
        if (!started) await this.start();
        started = true;
        const changed = await this.#round(signal);
        calm("looking");
        failed = 0;
        wait = changed ? QUICK : Math.min(this.work.size ? wait * 1.2 : QUIET, QUIET);
        wait = Math.max(wait, QUICK, 3 * (performance.now() - began));
      } catch (problem) {
        if (signal.aborted) continue;
        trouble("looking", problem);
        failed += 1;
        wait = Math.min(QUICK * 2 ** failed, SLOW);
      }
      this.list.count();
    }
  }

  #pause(time) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#woken ? 0 : time);
      this.#wake = () => { clearTimeout(timer); resolve(); };
    }).then(() => { this.#woken = false; });
  }

  async #round(signal) {
    if (this.#anew || !this.feed.begun) await this.#refill(signal);
    else if (this.#further) await this.#fill(signal);
    const changed = await this.#look(signal);
    await this.also();
    return changed;
  }

  async #refill(signal) {
    this.#anew = false;
    this.feed.restart(chosen());
    remember(this.feed.filter);
    await this.#fill(signal, () => this.list.begin(this.mine()));
  }

  /** Reads further back; goes on by itself only while that brings something, and its end is in sight. */
  async #fill(signal, begin) {
    this.#end.unobserve($("more"));
    $("more").setAttribute("aria-busy", "true");
    let added = 0;
    try {
      for await (const images of this.feed.more(signal)) {
        begin?.();
        begin = null;
        for (const image of images) this.list.put(this.work.see(image));
        added += images.length;
      }
      this.#further = false;
    } finally {
      $("more").removeAttribute("aria-busy");
    }
    this.list.count();
    if (added) this.#end.observe($("more"));
  }

  /** Takes up what became of images; returns whether there was anything. */
  async #look(signal) {
    const further = await this.work.read();
    for (const image of further) this.list.put(image, true);
    const { images, gap } = await this.feed.news(signal);
    for (const image of [...images].reverse()) {
      if (this.work.has(image.id)) this.list.put(this.work.see(image), true);
      else this.list.tell(image);
    }
    if (gap) this.list.skip();
    if (this.list.grid.inSight) this.reveal();
    return further.length + images.length > 0;
  }

  /** Shows what is new at the top. */
  reveal() {
    if (!this.list.reveal()) this.refill();
  }
}
