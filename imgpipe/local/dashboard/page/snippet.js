// Writes the HTML by which a page of one's own shows an image in all sizes and formats that it has.

const RATIO = 0.02; // what rounding to whole pixels may change
const BEST_FIRST = ["avif", "webp", "png", "gif", "jpeg"];

/** Whether two pictures show the same part of an image. */
export const alike = (one, other) => Math.abs((one.width / one.height) / (other.width / other.height) - 1) < RATIO;

/** The markup for the renditions that show what `chosen` does, mark and all, each format up to its width at least; `base`
 * is where the destination bucket is served. */
export function snippet(image, chosen, base) {
  const fit = image.renditions.filter((made) => alike(made, chosen) && Boolean(made.watermark) === Boolean(chosen.watermark));
  const formats = BEST_FIRST.map((format) => byWidth(fit.filter((made) => made.format === format), chosen))
    .filter((made) => made.length && made.at(-1).width >= chosen.width);
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

/** One of each width, `chosen` before others, the narrowest first. */
function byWidth(made, chosen) {
  const widths = new Map(made.map((one) => [one.width, one]));
  if (made.includes(chosen)) widths.set(chosen.width, chosen);
  return [...widths.values()].sort((one, other) => one.width - other.width);
}

const sizes = (base, made) => made.map((one) => `${url(base, one)} ${one.width}w`).join(", ");

function url(base, { key }) {
  const path = key.split("/").map(encodeURIComponent).join("/");
  return `${base.replace(/\/+$/, "")}/${path}`.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
}
