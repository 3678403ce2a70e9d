// Speaks to the server: the API of the stack under /api, and the way for uploads.

const KEPT = "imgpipe-token";
let token = "";

/** What went wrong, as the API's problem documents say it (RFC 9457), with what to do about it. */
export class Problem extends Error {
  constructor(status, code, detail, remedy) {
    super(detail);
    Object.assign(this, { status, code, remedy });
  }
}

const gone = () => new Problem(0, "unreachable", "imgpipe does not answer: it has ended, or is busy.",
  "If it has ended, start it again and open the link that it prints.");

/** Takes the token out of the link, so that no history or shoulder sees it, and keeps it for this tab. */
export function enter() {
  const given = location.hash.slice(1);
  if (given) history.replaceState(null, "", location.pathname + location.search);
  try {
    token = given || sessionStorage.getItem(KEPT) || "";
    sessionStorage.setItem(KEPT, token);
  } catch {
    token = given; // a browser that keeps nothing asks for the link at every reload
  }
}

/** The document of an answer. Throws a Problem: the one that it tells, or that it cannot be read. */
function read(status, text) {
  let told = null;
  try { told = JSON.parse(text); } catch { /* cut short, or of something else than imgpipe */ }
  if (told && status < 400) return told;
  throw new Problem(status < 400 ? 502 : status, told?.code ?? "internal",
    told?.detail ?? `The server's answer (${status}) cannot be read.`, told?.remedy ?? "Try again in a moment.");
}

async function answer(method, path, { body, signal } = {}) {
  const headers = { authorization: `Bearer ${token}` };
  try {
    const got = await fetch(path, { method, headers, signal, body: body && JSON.stringify(body) });
    return { status: got.status, date: Date.parse(got.headers.get("date")), text: await got.text() };
  } catch {
    throw signal?.aborted ? signal.reason : gone();
  }
}

async function call(method, path, given) {
  const { status, text } = await answer(method, path, given);
  return read(status, text);
}

export const about = () => call("GET", "/about");
export const health = () => call("GET", "/api/health");
export const recipe = () => call("GET", "/api/recipe");
export const show = async (id) => dated(await call("GET", `/api/images/${id}`));
export const remove = (id) => call("DELETE", `/api/images/${id}`);
export const reprocess = (id) => call("POST", `/api/images/${id}/reprocess`);
export const offer = (file) =>
  call("POST", "/api/images", { body: { name: file.name, content_type: mediaType(file), size: file.size } });

/** Whether an image lies there. */
export const exists = (id) => show(id).then(() => true, (problem) => {
  if (problem.status !== 404) throw problem;
  return false;
});

/** An image, with when its links were signed. */
const dated = (image) => ({ ...image, asked: performance.now() });

/** A page of settled images, newest first: {images, cursor}, and `at`, when it was asked for by AWS's clock (ms). */
export async function list(query, signal) {
  const given = Object.entries(query).filter(([, value]) => value);
  const began = performance.now();
  const { status, text, date } = await answer("GET", `/api/images?${new URLSearchParams(given)}`, { signal });
  const { images, cursor } = read(status, text);
  return { images: images.map(dated), cursor, at: (date || Date.now()) - (performance.now() - began) };
}

/** Sends `file` where `upload` ({fields}) allows; `progress` is called with the share that is sent. */
export function send(upload, file, progress, signal) {
  const form = new FormData();
  for (const [name, value] of Object.entries(upload.fields)) form.append(name, value);
  form.append("file", file);
  // fetch tells no progress of what it sends.
  const request = new XMLHttpRequest();
  const abort = () => request.abort();
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    signal.addEventListener("abort", abort);
    request.onloadend = () => signal.removeEventListener("abort", abort);
    request.open("POST", "/upload");
    request.setRequestHeader("authorization", `Bearer ${token}`);
    request.upload.onprogress = (event) => progress(event.loaded / event.total);
    request.onerror = async () => reject(await lost(file));
    request.onabort = () => reject(signal.reason);
    request.onload = () => {
      if (request.status === 204) return resolve();
      try { read(request.status, request.responseText); } catch (problem) { reject(problem); }
    };
    request.send(form);
  });
}

/** Why nothing came of sending: a file that was changed or taken away since it was chosen cannot be sent. */
const lost = (file) => file.slice(0, 1).arrayBuffer().then(gone, () =>
  new Problem(400, "unreadable", "The file cannot be read any more.", "Choose it again."));

// By a name's end: browsers give no type for some, and types of their own for others.
const TYPES = {
  avif: "image/avif", bmp: "image/bmp", gif: "image/gif", heic: "image/heic", heif: "image/heic", hif: "image/heic",
  jfif: "image/jpeg", jpe: "image/jpeg", jpeg: "image/jpeg", jpg: "image/jpeg", png: "image/png", tif: "image/tiff",
  tiff: "image/tiff", webp: "image/webp",
};

/** The content type to announce for a file. */
export function mediaType(file) {
  const end = file.name.split(".").pop().toLowerCase();
  return Object.hasOwn(TYPES, end) ? TYPES[end] : file.type || "application/octet-stream";
}
