// Speaks to the server: the API of the stack under /api, and the way for uploads.

const KEPT = "imgpipe-token";
let token = null;

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
export async function enter() {
  const given = location.hash.slice(1);
  if (given) history.replaceState(null, "", location.pathname + location.search);
  if (given.startsWith("once.")) {
    const answer = await fetch("/enter", { method: "POST", body: given });
    if (!answer.ok) throw await problem(answer);
    token = (await answer.json()).token;
  } else {
    token = given || sessionStorage.getItem(KEPT) || "";
  }
  sessionStorage.setItem(KEPT, token);
}

async function problem(answer) {
  const told = await answer.json().catch(() => ({}));
  return new Problem(answer.status, told.code ?? "internal", told.detail ?? `The server answered ${answer.status}.`,
    told.remedy ?? "Try again in a moment.");
}

async function call(method, path, body) {
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) }).catch(() => { throw gone(); });
  if (!answer.ok) throw await problem(answer);
  return answer.json();
}

export const about = () => call("GET", "/about");
export const health = () => call("GET", "/api/health");
export const recipe = () => call("GET", "/api/recipe");
export const show = async (id) => dated(await call("GET", `/api/images/${id}`));
export const remove = (id) => call("DELETE", `/api/images/${id}`);
export const reprocess = (id) => call("POST", `/api/images/${id}/reprocess`);
export const offer = (file) => call("POST", "/api/images", { name: file.name, content_type: mediaType(file), size: file.size });

/** An image, with when its links were signed. */
const dated = (image) => ({ ...image, asked: performance.now() });

/** A page of settled images, newest first: {images, cursor}. */
export async function list(query) {
  const given = Object.entries(query).filter(([, value]) => value);
  const page = await call("GET", `/api/images?${new URLSearchParams(given)}`);
  return { ...page, images: page.images.map(dated) };
}

/** Sends `file` where `upload` ({fields}) allows; `progress` is called with the share that is sent. */
export function send(upload, file, progress, signal) {
  const form = new FormData();
  for (const [name, value] of Object.entries(upload.fields)) form.append(name, value);
  form.append("file", file);
  // fetch tells no progress of what it sends.
  const request = new XMLHttpRequest();
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.open("POST", "/upload");
    request.setRequestHeader("authorization", `Bearer ${token}`);
    request.upload.onprogress = (event) => progress(event.loaded / event.total);
    request.onerror = () => reject(gone());
    request.onabort = () => reject(signal.reason);
    request.onload = async () => {
      if (request.status === 204) resolve();
      else reject(await problem(new Response(request.response, { status: request.status })));
    };
    request.send(form);
  });
}

// What browsers give no type, by its name's end.
const TYPES = {
  avif: "image/avif", bmp: "image/bmp", gif: "image/gif", heic: "image/heic", heif: "image/heic", hif: "image/heic",
  jfif: "image/jpeg", jpe: "image/jpeg", jpeg: "image/jpeg", jpg: "image/jpeg", png: "image/png", tif: "image/tiff",
  tiff: "image/tiff", webp: "image/webp",
};

/** The content type to announce for a file. */
export function mediaType(file) {
  return file.type || TYPES[file.name.split(".").pop().toLowerCase()] || "application/octet-stream";
}
