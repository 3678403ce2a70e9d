// The page: puts its parts together, and keeps looking at what the pipeline does.

import * as api from "./api.js";
import { makeCard, paint } from "./cards.js";
import { Details } from "./details.js";
import { $, element, say } from "./dom.js";
import { Feed } from "./feed.js";
import { showRecipe } from "./recipe.js";
import { Uploads, dropped, isImage } from "./uploads.js";
import { Work } from "./work.js";
import { STATUS, counted, named, size } from "./words.js";

const QUICK = 1000; // milliseconds between looks while something is in work
const QUIET = 4000;
const SLOW = 30000; // where the server or AWS does not answer
const RECIPE_EVERY = 30000;
const WORTH_A_TRY = ["unreachable", "upload_refused"];
const FRESH_LINK = 60000; // a picture that does not load is asked for once in so long

const grid = $("grid");
const cards = new Map(); // id -> { card, image }
const feed = new Feed();
const work = new Work();
const uploads = new Uploads(showUpload);
const local = new Map(); // upload -> { id, preview }: its card before the API has a name for it
let details;
let remedies = {};
let recipe = null;
let held = []; // what is new while somebody looks at what is further down

// ---- the grid

/** Shows an image where it stands, or else at one end of the grid. */
function put(image, top = false) {
  const known = cards.get(image.id);
  if (image.status === "deleted" && feed.status !== "deleted") return drop(image.id);
  const merged = known?.image.preview ? { preview: known.image.preview, ...image } : image;
  const card = known?.card ?? makeCard(() => open(card.dataset.id));
  cards.set(image.id, { card, image: merged });
  paint(card, merged, remedies);
  if (!known) top ? grid.prepend(card) : grid.append(card);
  if (known && known.image.status !== image.status && ["done", "failed"].includes(image.status)) {
    say(`${named(image.key).name}: ${STATUS[image.status].toLowerCase()}.`);
  }
  if (details.id === image.id) details.show(merged);
}

function drop(id) {
  const known = cards.get(id);
  if (!known) return;
  if (known.image.preview) URL.revokeObjectURL(known.image.preview);
  const next = known.card.nextElementSibling ?? known.card.previousElementSibling;
  const focused = known.card.contains(document.activeElement) || details.id === id;
  known.card.remove();
  cards.delete(id);
  if (details.id === id) details.close();
  if (focused) (next?.querySelector("button") ?? $("choose")).focus();
  say(`${named(known.image.key).name}: deleted.`);
}

function count() {
  const done = feed.ended ? "" : " so far";
  $("count").textContent = cards.size ? `${counted(cards.size, "image")}${done}` : "";
  $("more").hidden = feed.ended || !cards.size && !feed.text;
  $("more").textContent = feed.text ? "Search further back" : "Show more";
  $("empty").hidden = cards.size > 0 || !feed.ended;
  $("drop").classList.toggle("small", cards.size > 0 || Boolean(feed.status || feed.text));
  if (!$("empty").hidden) $("empty").replaceChildren(...nothing());
  const moving = work.size && uploads.done;
  $("progress").hidden = uploads.done && !moving;
  if (!uploads.done) showProgress();
  else if (moving) {
    $("progress-words").textContent = `${counted(work.size, "image")} in work`;
    $("progress-bar").removeAttribute("value");
    $("stop").hidden = true;
  }
}

function nothing() {
  if (feed.text) {
    const how = feed.prefix ? "Nothing lies under" : "No name contains";
    return [element("p", {}, `${how} “${feed.text}”${feed.status ? ` among the ${feed.status}` : ""}.`)];
  }
  if (feed.status === "failed") return [element("p", {}, "Nothing failed.")];
  if (feed.status) return [element("p", {}, `Nothing is ${feed.status}.`)];
  return [element("p", {}, "No image yet. Drop one: it is uploaded, and in a moment its renditions stand here."),
    element("p", { class: "quiet" }, "None at hand? ", element("code", {}, "imgpipe samples ./in"), " draws some.")];
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
    const known = cards.get(image.id);
    changed ||= known?.image.status !== image.status;
    if (known || image.key) put({ ...known?.image, ...image }, true);
  }
  const { images, gap } = await feed.news();
  if (gap) return refill();
  for (const image of images.reverse()) {
    changed = true;
    if (cards.has(image.id) || work.has(image.id)) put(work.see(image), true);
    else if (image.status !== "deleted" || feed.status === "deleted") held.push(image);
  }
  if (scrollY < grid.offsetTop || !cards.size) reveal();
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

function trouble(problem) {
  if (!(problem instanceof api.Problem)) throw problem;
  const words = [element("strong", {}, problem.message), " ", problem.remedy];
  if ($("trouble").dataset.said !== problem.message) $("trouble").replaceChildren(...words);
  $("trouble").dataset.said = problem.message;
  $("trouble").hidden = false;
}

function calm() {
  $("trouble").hidden = true;
  $("trouble").dataset.said = "";
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
  const going = uploads.all.filter((upload) => !upload.id && cards.has(local.get(upload)?.id)).map((upload) => local.get(upload).id);
  const kept = going.map((id) => [id, cards.get(id)]);
  cards.clear();
  grid.replaceChildren();
  for (const [id, known] of feed.status || feed.text ? [] : kept) {
    cards.set(id, known);
    grid.append(known.card);
  }
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
    for (const image of await feed.more() ?? []) if (!cards.has(image.id)) put(work.see(image));
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
    details.open(cards.get(id).image);
    // Links of the list may have run out meanwhile.
    const image = work.see(await api.show(id));
    if (details.id === id) details.open({ ...cards.get(id)?.image, ...image });
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
  closed: (id) => cards.get(id)?.card.querySelector("button").focus(),
  step: (image, by) => {
    const cardOf = cards.get(image.id)?.card;
    const next = by > 0 ? cardOf?.nextElementSibling : cardOf?.previousElementSibling;
    if (next && !next.querySelector("button").disabled) open(next.dataset.id);
  },
};

// ---- uploads

let uploaded = 0;

function take(files, left = 0) {
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
  const known = cards.get(here.id);
  if (upload.state === "stopped") {
    drop(here.id);
  } else if (upload.state === "uploaded") {
    work.follow(upload.id);
    cards.delete(here.id);
    if (known) cards.set(upload.id, { ...known, image: { ...common, id: upload.id } });
    put({ ...common, id: upload.id, status: "queued" }, true);
    local.delete(upload);
    wake();
  } else if (known || upload.state !== "uploading") {
    const buttons = upload.state === "refused" ? [choices(upload)] : null;
    put({ ...common, id: here.id, status: upload.state, share: upload.share, problem: upload.problem, buttons }, true);
    if (upload.state === "refused") say(`${upload.file.name}: not uploaded. ${upload.problem.message}`);
  }
  count();
}

const choices = (upload) => element("p", { class: "buttons" },
  WORTH_A_TRY.includes(upload.problem.code) || upload.problem.status >= 500
    ? element("button", { type: "button", class: "small", onclick: () => uploads.again(upload) }, "Try again") : null,
  element("button", { type: "button", class: "small", onclick: () => drop(local.get(upload).id) }, "Dismiss"));

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

function listen() {
  $("choose").onclick = () => $("files").click();
  $("choose-folder").onclick = () => $("folder").click();
  $("files").onchange = ({ target }) => { take([...target.files]); target.value = ""; };
  $("folder").onchange = ({ target }) => {
    const files = [...target.files];
    const images = files.filter(isImage);
    take(images, files.length - images.length);
    target.value = "";
  };
  $("stop").onclick = () => { uploads.stop(); count(); };
  $("more").onclick = more;
  $("fresh").onclick = () => { reveal(); scrollTo({ top: 0 }); grid.querySelector("button")?.focus(); };
  $("show-recipe").onclick = () => attempt(async () => { await lookAtRecipe(); showRecipe(recipe); });
  for (const input of document.querySelectorAll("input[name=status]")) input.onchange = () => attempt(refill);
  let typing;
  $("search").oninput = () => { clearTimeout(typing); typing = setTimeout(() => attempt(refill), 250); };
  atEnd.observe($("more"));

  const files = (event) => event.dataTransfer?.types.includes("Files");
  let inside = 0;
  addEventListener("dragenter", (event) => { if (files(event)) { inside += 1; $("veil").hidden = false; } });
  addEventListener("dragleave", (event) => { if (files(event)) { inside -= 1; $("veil").hidden = inside > 0; } });
  addEventListener("dragover", (event) => { if (files(event)) event.preventDefault(); });
  addEventListener("drop", async (event) => {
    if (!files(event)) return;
    event.preventDefault();
    inside = 0;
    $("veil").hidden = true;
    const found = await dropped(event.dataTransfer);
    take(found.files, found.left);
  });
  grid.addEventListener("error", ({ target }) => refresh(target), true);
  addEventListener("beforeunload", (event) => { if (!uploads.done) event.preventDefault(); });
}

/** A picture that does not load: its link has run out, if it ever worked. */
function refresh(picture) {
  const card = picture.closest(".card");
  if (!card || picture.src.startsWith("blob:")) return picture.remove();
  if (performance.now() - (card.asked ?? -FRESH_LINK) < FRESH_LINK) return;
  card.asked = performance.now();
  delete card.dataset.picture;
  attempt(async () => put({ ...cards.get(card.dataset.id)?.image, ...work.see(await api.show(card.dataset.id)) }));
}

async function begin() {
  details = new Details(actions, remedies);
  const asked = new URLSearchParams(location.search);
  $("search").value = asked.get("find") ?? "";
  const chosen = [...document.querySelectorAll("input[name=status]")].find(({ value }) => value === asked.get("status"));
  if (chosen) chosen.checked = true;
  listen();
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
