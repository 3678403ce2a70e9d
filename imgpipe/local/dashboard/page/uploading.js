// Uploads what a person gives, and shows it: each file has a card from the moment it was let go.

import { $, eachFrame, element, say } from "./dom.js";
import { Uploads } from "./uploads.js";
import { counted, size } from "./words.js";

export class Uploading {
  #uploads = new Uploads((upload) => this.#show(upload));
  #cards = new Map(); // upload -> { id, preview }: its card before the API has a name for it
  #given = 0;

  /** `uploaded()` is called when there is something to follow. */
  constructor(list, work, uploaded) {
    this.list = list;
    this.work = work;
    this.uploaded = uploaded;
    this.count = eachFrame(() => this.#count());
    $("stop").onclick = () => this.#uploads.stop();
    $("again").onclick = () => { for (const upload of this.#refused) this.#uploads.again(upload); };
  }

  get done() {
    return this.#uploads.done;
  }

  /** What is not uploaded, as it is shown, the newest first. */
  get images() {
    return [...this.#cards.keys()].map((upload) => this.#image(upload)).reverse();
  }

  take(files) {
    say(`${counted(files.length, "file")} to upload.`);
    for (const upload of this.#uploads.add(files)) {
      this.#given += 1;
      this.#cards.set(upload, { id: `local-${this.#given}`, preview: URL.createObjectURL(upload.file) });
      this.#show(upload);
    }
    this.#uploads.start();
  }

  get #refused() {
    return [...this.#cards.keys()].filter(({ state }) => state === "refused");
  }

  #show(upload) {
    if (upload.state === "stopped") {
      this.#dismiss(upload);
    } else if (upload.state === "uploaded") {
      const { id, preview } = this.#cards.get(upload);
      this.list.grid.rename(id, upload.id);
      this.#cards.delete(upload);
      const { key, file } = upload;
      this.list.put(this.work.follow({ id: upload.id, key, bytes: file.size, preview, status: "queued" }), true);
      this.uploaded();
    } else {
      this.list.put(this.#image(upload), true);
      if (upload.state === "refused") say(`${upload.file.name}: not uploaded. ${upload.problem.message}`);
    }
    this.count();
  }

  #image(upload) {
    const { file, state, share, problem } = upload;
    const buttons = state === "refused" ? [this.#choices(upload)] : null;
    return { ...this.#cards.get(upload), local: true, key: file.name, bytes: file.size, status: state, share, problem, buttons };
  }

  #choices(upload) {
    const button = (label, react) => element("button", {
      type: "button", class: "small", "aria-label": `${label}: ${upload.file.name}`, onclick: react,
    }, label);
    return element("p", { class: "buttons" },
      upload.problem.code === "upload_refused" || upload.problem.status >= 500
        ? button("Try again", () => this.#uploads.again(upload)) : null,
      button("Dismiss", () => this.#dismiss(upload)));
  }

  #dismiss(upload) {
    const { id, preview } = this.#cards.get(upload);
    URL.revokeObjectURL(preview);
    this.#cards.delete(upload);
    this.list.drop(id);
    this.count();
  }

  #count() {
    const { done, resting, files, bytes, uploaded, sent } = this.#uploads;
    const refused = this.#refused.length;
    $("progress").hidden = done && !this.work.size && refused < 2;
    $("progress-bar").hidden = done && !this.work.size;
    $("stop").hidden = done;
    $("again").hidden = refused < 2;
    if (!done) {
      $("progress-bar").value = bytes ? sent / bytes : 0;
      $("progress-words").textContent = resting
        ? `Uploaded ${uploaded} of ${counted(files, "file")}, trying again soon: ${resting.message}`
        : `Uploading: ${uploaded} of ${counted(files, "file")}, ${size(Math.round(sent))} of ${size(bytes)}`;
    } else {
      $("progress-bar").removeAttribute("value");
      $("progress-words").textContent = this.work.size
        ? `${counted(this.work.size, "image")} in work` : `${counted(refused, "file")} not uploaded`;
    }
  }
}
