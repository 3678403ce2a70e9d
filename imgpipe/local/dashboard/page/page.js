// The page: puts its parts together, and does what a person asks for.

import * as api from "./api.js";
import { Details } from "./details.js";
import { $, say } from "./dom.js";
import { Feed } from "./feed.js";
import { choose, listenToFilter, recall } from "./filter.js";
import { Grid } from "./grid.js";
import { List } from "./list.js";
import { Looking } from "./looking.js";
import { listen } from "./picking.js";
import { showRecipe } from "./recipe.js";
import { calm, trouble } from "./trouble.js";
import { Uploading } from "./uploading.js";
import { Work } from "./work.js";
import { counted, named } from "./words.js";

const RECIPE_EVERY = 30000;
const LINKS_FRESH = 60000; // of the 15 minutes that they work; also, a picture that does not load is asked for once

const remedies = {};
const details = new Details({ remove, reprocess, step, closed: (id) => grid.focus(id) }, remedies);
const grid = new Grid(open, remedies);
const feed = new Feed();
const work = new Work();
const list = new List(grid, feed, show);
const uploading = new Uploading(list, work, () => looking.wake());
const looking = new Looking({ feed, list, work, start, also, mine: () => [...uploading.images, ...work.images] });

// ---- looking

async function start() {
  const told = await api.about();
  Object.assign(remedies, told.remedies);
  $("place").textContent = `Stack ${told.stack}, ${told.place}`;
  document.title = `imgpipe: ${told.stack}`;
}

let recipe = null;
let lookedAtRecipe = -RECIPE_EVERY;

async function also() {
  if (performance.now() - lookedAtRecipe > RECIPE_EVERY) await lookAtRecipe();
  if (details.id && performance.now() - details.asked > LINKS_FRESH) await renew();
  uploading.count();
}

async function lookAtRecipe() {
  if (!recipe || (await api.health()).recipe !== recipe.hash) recipe = await api.recipe();
  lookedAtRecipe = performance.now();
  details.recipe = recipe.hash;
}

/** Has the links in the dialog work as long as it is open. */
async function renew() {
  const { id } = details;
  if (!await api.exists(id)) return;
  const image = work.see(await api.show(id));
  if (details.id === id) details.show(image);
}

// ---- one image

/** Has the dialog show what became of its image. */
function show(image, stays) {
  if (details.id !== image.id) return;
  if (image.status === "deleted" && !stays) details.close();
  else details.show(image);
}

/** Does what a person asked for, or says what is in its way. */
async function attempt(what) {
  calm("asked");
  try {
    await what();
  } catch (problem) {
    trouble("asked", problem);
  }
}

function open(id) {
  return attempt(async () => {
    const known = grid.image(id);
    const fresh = performance.now() - known.asked < LINKS_FRESH ? known : work.see(await api.show(id));
    details.open({ ...known, ...fresh });
  });
}

function step(image, by) {
  const next = grid.neighbour(image.id, by);
  if (next && !next.local) open(next.id);
}

async function remove(image) {
  await api.remove(image.id);
  details.close();
  list.put(work.follow({ ...image, status: "deleting" }, { deleting: true }));
  looking.wake();
}

async function reprocess(image) {
  await api.reprocess(image.id);
  say(`${named(image.key).name}: queued.`);
  list.put(work.follow({ ...image, status: "queued" }, { after: image.updated }));
  looking.wake();
}

/** A picture that does not load: its link has run out, if it ever worked. */
function refresh(picture) {
  const card = picture.closest(".card");
  if (picture.src.startsWith("blob:")) return picture.remove();
  if (performance.now() - (card.asked ?? -LINKS_FRESH) < LINKS_FRESH) return;
  card.asked = performance.now();
  delete card.dataset.picture;
  attempt(async () => list.put({ ...grid.image(card.dataset.id), ...work.see(await api.show(card.dataset.id)) }));
}

// ---- the controls

function take(files, left, unread) {
  if (left) say(`${counted(left, "file")} of the folder left out: no images.`);
  if (unread) {
    trouble("asked", new api.Problem(0, "unreadable", `The browser could not read ${counted(unread, "file or folder")} of these.`,
      "Choose the photos with the button."));
  }
  if (!files.length) return;
  if (feed.filter.status || feed.filter.text) {
    choose("", "");
    looking.refill();
  }
  scrollTo({ top: 0 });
  uploading.take(files);
}

listen(take);
listenToFilter(() => looking.refill());
$("more").onclick = () => looking.more();
$("fresh").onclick = () => {
  looking.reveal();
  scrollTo({ top: 0 });
  $("grid").querySelector("button")?.focus();
};
$("show-recipe").onclick = () => attempt(async () => { await lookAtRecipe(); showRecipe(recipe); });
$("grid").addEventListener("error", ({ target }) => refresh(target), true);
addEventListener("beforeunload", (event) => { if (!uploading.done) event.preventDefault(); });
// The link of another run, opened in this tab, loads nothing by itself.
addEventListener("hashchange", () => { api.enter(); location.reload(); });

recall();
api.enter();
looking.live();
