// The dialog about one image: before and after, what was made of it, and what can be done with it.

import { Problem } from "./api.js";
import { told } from "./cards.js";
import { compare } from "./compare.js";
import { $, copyButton, element } from "./dom.js";
import { snippet } from "./snippet.js";
import { trouble } from "./trouble.js";
import { STATUS, counted, moment, named, pixels, saving, size } from "./words.js";

const KEPT_BASE = "imgpipe-base";

export class Details {
  #dialog = $("details");
  #image = null;
  #drawn = "";
  #preset = null;
  #links = new Map(); // name -> the element that leads there

  /** `actions`: remove(image) and reprocess(image), which may fail with a Problem; step(image, by) for the neighbours,
   * closed(id); `remedies` by code. */
  constructor(actions, remedies) {
    this.actions = actions;
    this.remedies = remedies;
    this.#dialog.addEventListener("close", () => {
      const { id } = this.#image;
      this.#image = null;
      this.actions.closed(id);
    });
  }

  get id() {
    return this.#image?.id;
  }

  /** When the links were signed that it shows. */
  get asked() {
    return this.#image?.asked;
  }

  open(image) {
    this.#drawn = "";
    this.show(image);
    if (!this.#dialog.open) this.#dialog.showModal();
  }

  close() {
    this.#dialog.close();
  }

  /** Draws `image`, unless that is how it is drawn already: a comparison under a hand must not jump. */
  show(image) {
    const state = `${image.id} ${image.status} ${image.updated} ${image.recipe === this.recipe}`;
    this.#image = image;
    if (state === this.#drawn) return this.#relink(image);
    const focused = document.activeElement?.id;
    this.#drawn = state;
    const made = image.renditions ?? [];
    const chosen = made.find(({ preset }) => preset === this.#preset) ?? made[0];
    this.#dialog.replaceChildren(
      this.#head(image),
      element("div", { class: "scroll" },
        image.error ? this.#failure(image) : null,
        chosen ? this.#stage(image, chosen) : null,
        chosen ? this.#files(image) : null,
        chosen ? this.#markup(image, chosen) : null,
        this.#facts(image)),
      this.#actions(image));
    if (focused) $(focused)?.focus();
  }

  /** Links are signed anew in every answer. */
  #relink(image) {
    for (const made of image.renditions ?? []) this.#links.get(made.preset)?.setAttribute("href", made.url);
    if (image.url) this.#links.get("")?.setAttribute("href", image.url);
  }

  #head(image) {
    const { name, folder } = named(image.key);
    const step = (label, sign, by) => element("button", {
      type: "button", id: `details-${label}`, "aria-label": `${label} image`, onclick: () => this.actions.step(image, by),
    }, sign);
    return element("header", {},
      element("h2", { id: "details-name" }, folder && element("span", {}, folder), name),
      element("span", { class: "state", "data-status": image.status }, STATUS[image.status]),
      step("previous", "‹", -1), step("next", "›", 1),
      element("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => this.close() }, "×"));
  }

  #failure(image) {
    const { code, message, remedy } = told(image, this.remedies);
    return element("div", { class: "failure" },
      element("p", {}, element("strong", {}, code.replaceAll("_", " ")), " ", message),
      element("p", {}, element("b", {}, "What to do: "), remedy));
  }

  #stage(image, chosen) {
    const stage = element("div", { class: "stage" }, compare(image, chosen));
    const choices = image.renditions.map((made) => element("label", {},
      element("input", {
        type: "radio", name: "preset", value: made.preset, checked: made === chosen,
        onchange: () => {
          this.#preset = made.preset;
          stage.replaceChildren(compare(image, made));
          $("markup").replaceWith(this.#markup(image, made));
        },
      }), element("span", {}, made.preset)));
    const presets = element("fieldset", {}, element("legend", { class: "unseen" }, "Preset"), choices);
    return element("section", { "aria-label": "Before and after" }, image.renditions.length > 1 ? presets : null, stage);
  }

  #files(image) {
    this.#links.clear();
    const file = (name, made, notes) => {
      const link = element("a", { href: made.url, target: "_blank", rel: "noopener", "aria-label": `Open ${name}` }, "Open");
      this.#links.set(made === image ? "" : made.preset, link);
      const [words, sort] = made === image ? ["", ""] : saving(image.bytes, made.bytes);
      return element("li", {},
        element("b", {}, name),
        element("span", {}, pixels(made)),
        element("span", {}, `${size(made.bytes)} ${made.format.toUpperCase()}`),
        element("span", { class: sort }, words),
        element("span", { class: "quiet" }, notes.map((note) => note.replaceAll("_", " ")).join(", ")),
        element("span", { class: "ways" },
          link,
          copyButton("Copy link", `to ${name}`, () => link.href)));
    };
    const made = image.renditions.map((one) => file(one.preset, one, [one.watermark && "marked", ...(one.notes ?? [])].filter(Boolean)));
    return element("section", { "aria-label": "Files" },
      element("ul", { class: "files" }, image.url ? file("source", image, []) : null, made),
      element("p", { class: "quiet" }, "A link works for 15 minutes, for whoever has it."));
  }

  #markup(image, chosen) {
    const base = element("input", {
      type: "url", id: "base", placeholder: "https://images.example.com", value: localStorage.getItem(KEPT_BASE) ?? "",
      autocomplete: "off", spellcheck: "false",
    });
    const code = element("code");
    const write = () => { code.textContent = snippet(image, chosen, base.value.trim()); };
    base.addEventListener("input", () => { localStorage.setItem(KEPT_BASE, base.value.trim()); write(); });
    write();
    return element("details", { id: "markup", open: $("markup")?.open ?? false },
      element("summary", {}, "HTML for your page"),
      element("label", { class: "base" }, "Where the renditions are served", base),
      element("pre", { tabindex: 0 }, code),
      copyButton("Copy", "the HTML", () => code.textContent));
  }

  #facts(image) {
    const spent = image.milliseconds;
    const facts = [
      ["Key", element("code", {}, image.key)],
      ["Arrived", image.modified && moment(image.modified)],
      ["Made", image.status === "done" && spent &&
        `${moment(image.updated)}, in ${spent.total} ms: read ${spent.read}, render ${spent.render}, store ${spent.store}`],
      ["Recipe", image.recipe && `${image.recipe}${image.recipe === this.recipe ? "" : ", which is not the deployed one: reprocess it"}`],
    ].filter(([, value]) => value);
    return element("dl", { class: "about" },
      facts.map(([term, value]) => element("div", {}, element("dt", {}, term), element("dd", {}, value))));
  }

  /** `problem` is why the last action failed. */
  #actions(image, problem = null) {
    const busy = !["done", "failed"].includes(image.status);
    const footer = element("footer");
    const again = element("button", {
      type: "button", id: "reprocess", disabled: busy, onclick: () => this.#act(footer, image, "reprocess"),
    }, "Reprocess");
    const remove = element("button", {
      type: "button", id: "remove", class: "danger", disabled: image.status === "deleted" || image.status === "deleting",
      onclick: () => this.#confirm(footer, image),
    }, "Delete…");
    const copyKey = copyButton("Copy key", `the key ${image.key}`, () => image.key);
    const why = problem && element("p", { class: "failure", role: "alert" },
      element("strong", {}, problem.message), " ", problem.remedy);
    footer.append(...(why ? [why] : []), again, copyKey, remove);
    return footer;
  }

  /** Has an action done once, and says what is in its way where it was asked for. */
  async #act(footer, image, action) {
    for (const button of footer.querySelectorAll("button")) button.disabled = true;
    try {
      await this.actions[action](image);
    } catch (problem) {
      if (!(problem instanceof Problem) || !this.#dialog.open || !footer.isConnected) return trouble("asked", problem);
      footer.replaceWith(this.#actions(image, problem));
      $(action).focus();
    }
  }

  #confirm(footer, image) {
    const count = image.renditions?.length ?? 0;
    const keep = element("button", {
      type: "button", id: "keep", onclick: () => {
        footer.replaceWith(this.#actions(image));
        $("remove").focus();
      },
    }, "Keep it");
    footer.replaceChildren(
      element("p", { id: "question" },
        `Delete the source${count ? ` and its ${counted(count, "rendition")}` : ""}? It cannot be undone here.`),
      keep,
      element("button", {
        type: "button", id: "delete-it", class: "danger main", "aria-describedby": "question",
        onclick: () => this.#act(footer, image, "remove"),
      }, "Delete it"));
    keep.focus();
  }
}
