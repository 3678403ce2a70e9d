// Writes the HTML by which a page of one's own shows an image in all sizes and formats that it has.

const ALIKE = 0.02;
const BEST_FIRST = ["avif", "webp", "png", "gif", "jpeg"];

/** The markup for the renditions that show the same crop as `chosen`; `base` is where the destination bucket is served. */
export function snippet(image, chosen, base) {
  const ratio = chosen.width / chosen.height;
  const alike = image.renditions.filter((made) => Math.abs(made.width / made.height / ratio - 1) < ALIKE);
  const formats = BEST_FIRST.map((format) => alike.filter((made) => made.format === format)
    .sort((one, other) => one.width - other.width)).filter((made) => made.length);
  const last = formats.at(-1);
  const largest = last.at(-1);
  const lines = [
    `src="${url(base, largest)}"`,
    ...(last.length > 1 ? [`srcset="${sizes(base, last)}"`, 'sizes="100vw"'] : []),
    `width="${largest.width}" height="${largest.height}" alt="" loading="lazy"`,
  ];
  if (formats.length === 1) return `<img ${lines.join("\n     ")}>`;
  const sources = formats.slice(0, -1).map((made) => `  <source type="image/${made[0].format}"\n          ${
    made.length > 1 ? `srcset="${sizes(base, made)}" sizes="100vw"` : `srcset="${url(base, made[0])}"`}>\n`);
  return `<picture>\n${sources.join("")}  <img ${lines.join("\n       ")}>\n</picture>`;
}

const sizes = (base, made) => made.map((one) => `${url(base, one)} ${one.width}w`).join(", ");

function url(base, { key }) {
  const path = key.split("/").map(encodeURIComponent).join("/");
  return `${base.replace(/\/+$/, "")}/${path}`.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
}
