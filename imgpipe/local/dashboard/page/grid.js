// Keeps the cards of the grid: which image each shows, and where it stands.

import { makeCard, paint } from "./cards.js";
import { $, say } from "./dom.js";
import { STATUS, named } from "./words.js";

export class Grid {
  #list = $("grid");
  #cards = new Map(); // id -> { card, image }

  /** `open(id)` is called when somebody wants to know more of an image; `remedies` by code. */
  constructor(open, remedies) {
    this.open = open;
    this.remedies = remedies;
  }

  get size() {
    return this.#cards.size;
  }

  has(id) {
    return this.#cards.has(id);
  }

  image(id) {
    return this.#cards.get(id)?.image;
  }

  /** The image before (-1) or after (1) another, where there is one. */
  neighbour(id, by) {
    const card = this.#cards.get(id)?.card;
    return this.image((by > 0 ? card?.nextElementSibling : card?.previousElementSibling)?.dataset.id);
  }

  focus(id) {
    (this.#cards.get(id)?.card.querySelector("button") ?? $("choose")).focus();
  }

  /** Shows an image where it stands, or else at one end. */
  put(image, top) {
    const known = this.#cards.get(image.id);
    const card = known?.card ?? makeCard(() => this.open(card.dataset.id));
    this.#cards.set(image.id, { card, image });
    paint(card, image, this.remedies);
    if (!known && top) this.#list.prepend(card);
    else if (!known) this.#list.append(card);
    if (known && known.image.status !== image.status && ["done", "failed"].includes(image.status)) {
      say(`${named(image.key).name}: ${STATUS[image.status].toLowerCase()}.`);
    }
  }

  /** Lets the card of an upload be that of the image that the API knows. */
  rename(id, other) {
    const known = this.#cards.get(id);
    if (!known) return;
    this.#cards.delete(id);
    this.#cards.set(other, known);
  }

  /** Removes a card; the focus goes to its neighbour, if it was there. */
  drop(id) {
    const known = this.#cards.get(id);
    if (!known) return;
    const next = known.card.nextElementSibling ?? known.card.previousElementSibling;
    const focused = known.card.contains(document.activeElement);
    known.card.remove();
    this.#cards.delete(id);
    if (focused) (next?.querySelector("button") ?? $("choose")).focus();
  }

  clear() {
    this.#list.replaceChildren();
    this.#cards.clear();
  }

  /** Whether its first row can be seen. */
  get inSight() {
    return !this.size || scrollY < this.#list.offsetTop;
  }
}
