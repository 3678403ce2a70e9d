// The page: puts its parts together, and keeps looking at what the pipeline does.

import * as api from "./api.js";
import { isLocal } from "./cards.js";
import { Details } from "./details.js";
import { $, element, say } from "./dom.js";
import { nothing } from "./empty.js";
import { Feed } from "./feed.js";
import { Grid } from "./grid.js";
import { listen } from "./picking.js";
import { showRecipe } from "./recipe.js";
import { calm, trouble } from "./trouble.js";
import { Uploads } from "./uploads.js";
import { Work } from "./work.js";
import { counted, named, size } from "./words.js";

const QUICK = 1000; // milliseconds between looks while something is in work
const QUIET = 4000;
const SLOW = 30000; // where the server or AWS does not answer
const RECIPE_EVERY = 30000;
const WORTH_A_TRY = ["unreachable", "upload_refused"];
const LINKS_FRESH = 60000; // of the 15 minutes that they work; also, a picture that does not load is asked for once

const remedies = {};
const grid = new Grid(open, remedies);
const feed = new Feed();
const work = new Work();
const uploads = new Uploads(showUpload);
const local = new Map(); // upload -> { id, preview }: its card before the API has a name for it
let details;
let recipe = null;
let held = []; // what is new while somebody looks at what is further down

// ---- the grid

/** Shows an image where it stands, or else at one end of the grid. */
function put(image, top = false) {
  if (image.status === "deleted" && feed.status !== "deleted") return remove(image.id);
  const shown = grid.put(image, top);
  if (details.id === image.id) details.show(shown);
}

function remove(id) {
  if (!grid.has(id)) return;
  say(`${named(grid.image(id).key).name}: deleted.`);
  if (details.id === id) details.close();
  grid.drop(id);
}

function count() {
  const done = feed.ended ? "" : " so far";
  $("count").textContent = grid.size ? `${counted(grid.size, "image")}${done}` : "";
  $("more").hidden = feed.ended || !grid.size && !feed.text;
  $("more").textContent = feed.text ? "Search further back" : "Show more";
  $("empty").hidden = grid.size > 0 || !feed.ended;
  $("drop").classList.toggle("small", grid.size > 0 || Boolean(feed.status || feed.text));
  if (!$("empty").hidden) $("empty").replaceChildren(...nothing(feed));
  const moving = work.size && uploads.done;
  $("progress").hidden = uploads.done && !moving;
  if (!uploads.done) showProgress();
  else if (moving) {
    $("progress-words").textContent = `${counted(work.size, "image")} in work`;
    $("progress-bar").removeAttribute("value");
    $("stop").hidden = true;
  }
}

// ---- looking

let wake = () => {};
let lookedAtRecipe = 0;

function pause(time) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, time);
    wake = () => { clearTimeout(timer); resolve(); };
  });
}

async function look() {
  let changed = false;
  for (const image of await work.read()) {
    const known = grid.image(image.id);
    changed ||= known?.status !== image.status;
    if (known || image.key) put({ ...known, ...image }, true);
  }
  const { images, gap } = await feed.news();
  if (gap) return refill();
  for (const image of images.reverse()) {
    changed = true;
    if (grid.has(image.id) || work.has(image.id)) put(work.see(image), true);
    else if (image.status !== "deleted" || feed.status === "deleted") held.push(image);
  }
  if (grid.inSight) reveal();
  $("fresh").hidden = !held.length;
  $("fresh").textContent = `Show ${counted(held.length, "new image")}`;
  return changed;
}

function reveal() {
  for (const image of held.splice(0)) put(image, true);
  $("fresh").hidden = true;
}

/** Looks again and again, soon while something is going on, later where nothing answers. */
async function live() {
  let wait = QUICK;
  for (;;) {
    await pause(wait);
    if (document.hidden) await new Promise((resolve) => { document.addEventListener("visibilitychange", resolve, { once: true }); });
    const began = performance.now();
    try {
      const changed = await look();
      if (performance.now() - lookedAtRecipe > RECIPE_EVERY) await lookAtRecipe();
      calm();
      wait = changed ? QUICK : Math.min(work.size ? wait * 1.2 : QUIET, QUIET);
      wait = Math.max(wait, 3 * (performance.now() - began));
    } catch (problem) {
      trouble(problem);
      wait = Math.min(Math.max(wait, QUICK) * 2, SLOW);
    }
    count();
  }
}

async function lookAtRecipe() {
  lookedAtRecipe = performance.now();
  if (recipe && (await api.health()).recipe === recipe.hash) return;
  recipe = await api.recipe();
  details.recipe = recipe.hash;
}

/** Does what a person asked for, or says what is in its way; returns whether it was done. */
async function attempt(what) {
  let done = true;
  try {
    await what();
    calm();
  } catch (problem) {
    trouble(problem);
    done = false;
  }
  count();
  return done;
}

// ---- the list

async function refill() {
  held = [];
  feed.restart({ status: document.querySelector("input[name=status]:checked").value, text: $("search").value });
  const asked = new URLSearchParams(Object.entries({ status: feed.status, find: feed.text }).filter(([, value]) => value));
  history.replaceState(null, "", asked.size ? `?${asked}` : location.pathname);
  const first = await feed.more();
  if (!first) return;
  const going = feed.status || feed.text ? [] : [...local.values()].map(({ id }) => id);
  grid.clear(new Set(going));
  for (const image of first) put(work.see(image));
  count();
}

let filling = false;
const atEnd = new IntersectionObserver((entries) => { if (entries.at(-1).isIntersecting) more(); }, { rootMargin: "800px" });

async function more() {
  if (filling || feed.ended) return;
  filling = true;
  $("more").setAttribute("aria-busy", "true");
  const done = await attempt(async () => {
    for (const image of await feed.more() ?? []) if (!grid.has(image.id)) put(work.see(image));
  });
  $("more").removeAttribute("aria-busy");
  filling = false;
  if (!done) return;
  // The end may have been in sight all along, which is no event.
  atEnd.unobserve($("more"));
  atEnd.observe($("more"));
}

// ---- one image

function open(id) {
  return attempt(async () => {
    const known = grid.image(id);
    const fresh = performance.now() - known.asked < LINKS_FRESH ? known : work.see(await api.show(id));
    details.open({ ...known, ...fresh });
  });
}

const actions = {
  remove: (image) => attempt(async () => {
    await api.remove(image.id);
    work.follow(image.id, { deleting: true });
    details.close();
    put({ ...image, status: "deleting" });
    wake();
  }),
  reprocess: (image) => attempt(async () => {
    await api.reprocess(image.id);
    work.follow(image.id, { after: image.updated });
    put({ ...image, status: "queued" });
    say(`${named(image.key).name}: queued.`);
    wake();
  }),
  closed: (id) => grid.focus(id),
  step: (image, by) => {
    const next = grid.neighbour(image.id, by);
    if (next && !isLocal(grid.image(next))) open(next);
  },
};

// ---- uploads

let uploaded = 0;

function take(files, left) {
  if (left) say(`${counted(left, "file")} of the folder left out: no images.`);
  if (!files.length) return;
  if (feed.status || feed.text) {
    document.querySelector("input[name=status]").checked = true;
    $("search").value = "";
    attempt(refill).then(() => queue(files));
  } else {
    queue(files);
  }
}

function queue(files) {
  say(`${counted(files.length, "file")} to upload.`);
  scrollTo({ top: 0 });
  for (const upload of uploads.add(files)) {
    uploaded += 1;
    local.set(upload, { id: `local-${uploaded}`, preview: URL.createObjectURL(upload.file) });
    showUpload(upload);
  }
  uploads.start();
  count();
}

function showUpload(upload) {
  const here = local.get(upload);
  const common = { key: upload.key ?? upload.file.name, bytes: upload.file.size, preview: here.preview };
  if (upload.state === "stopped") {
    dismiss(upload);
  } else if (upload.state === "uploaded") {
    work.follow(upload.id);
    grid.rename(here.id, upload.id);
    local.delete(upload);
    put({ ...common, id: upload.id, status: "queued" }, true);
    wake();
  } else {
    const buttons = upload.state === "refused" ? [choices(upload)] : null;
    put({ ...common, id: here.id, status: upload.state, share: upload.share, problem: upload.problem, buttons }, true);
    if (upload.state === "refused") say(`${upload.file.name}: not uploaded. ${upload.problem.message}`);
  }
  count();
}

const choices = (upload) => element("p", { class: "buttons" },
  WORTH_A_TRY.includes(upload.problem.code) || upload.problem.status >= 500
    ? element("button", { type: "button", class: "small", onclick: () => uploads.again(upload) }, "Try again") : null,
  element("button", { type: "button", class: "small", onclick: () => dismiss(upload) }, "Dismiss"));

function dismiss(upload) {
  grid.drop(local.get(upload).id);
  local.delete(upload);
  count();
}

function showProgress() {
  const sent = uploads.all.filter(({ state }) => state !== "stopped");
  const total = sent.reduce((sum, { file }) => sum + file.size, 0);
  const bytes = sent.reduce((sum, { file, share }) => sum + file.size * share, 0);
  const ended = sent.filter(({ state }) => !["waiting", "uploading"].includes(state)).length;
  $("progress-words").textContent = `Uploading: ${ended} of ${counted(sent.length, "file")}, ${size(bytes)} of ${size(total)}`;
  $("progress-bar").value = total ? bytes / total : 0;
  $("stop").hidden = false;
}

// ---- the controls

function react() {
  listen(take);
  $("stop").onclick = () => { uploads.stop(); count(); };
  $("more").onclick = more;
  $("fresh").onclick = () => { reveal(); scrollTo({ top: 0 }); $("grid").querySelector("button")?.focus(); };
  $("show-recipe").onclick = () => attempt(async () => { await lookAtRecipe(); showRecipe(recipe); });
  for (const input of document.querySelectorAll("input[name=status]")) input.onchange = () => attempt(refill);
  let typing;
  $("search").oninput = () => { clearTimeout(typing); typing = setTimeout(() => attempt(refill), 250); };
  atEnd.observe($("more"));
  $("grid").addEventListener("error", ({ target }) => refresh(target), true);
  addEventListener("beforeunload", (event) => { if (!uploads.done) event.preventDefault(); });
}

/** A picture that does not load: its link has run out, if it ever worked. */
function refresh(picture) {
  const card = picture.closest(".card");
  if (!card || picture.src.startsWith("blob:")) return picture.remove();
  if (performance.now() - (card.asked ?? -LINKS_FRESH) < LINKS_FRESH) return;
  card.asked = performance.now();
  delete card.dataset.picture;
  attempt(async () => put({ ...grid.image(card.dataset.id), ...work.see(await api.show(card.dataset.id)) }));
}

async function begin() {
  details = new Details(actions, remedies);
  const asked = new URLSearchParams(location.search);
  $("search").value = asked.get("find") ?? "";
  const chosen = [...document.querySelectorAll("input[name=status]")].find(({ value }) => value === asked.get("status"));
  if (chosen) chosen.checked = true;
  react();
  await attempt(async () => {
    await api.enter();
    const told = await api.about();
    Object.assign(remedies, told.remedies);
    $("place").textContent = `Stack ${told.stack}, ${told.place}`;
    document.title = `imgpipe: ${told.stack}`;
    await Promise.all([refill(), lookAtRecipe()]);
  });
  live();
}

begin();
