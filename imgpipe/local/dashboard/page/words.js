// How the page says numbers, names and times: as the command line does.

const UNITS = ["kB", "MB", "GB", "TB"];
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** Bytes in decimal units: 999 bytes, 319 kB, 2.0 MB. */
export function size(count) {
  if (count < 1000) return count === 1 ? "1 byte" : `${count} bytes`;
  let value = count;
  let unit = -1;
  do {
    value /= 1000;
    unit += 1;
  } while (value >= 999.5 && unit < UNITS.length - 1);
  return `${value < 9.95 ? value.toFixed(1) : whole.format(Math.round(value))} ${UNITS[unit]}`;
}

/** A number with its noun: 1 image, 2,004 images. */
export const counted = (count, noun) => `${whole.format(count)} ${noun}${count === 1 ? "" : "s"}`;

/** Pixels: 1600 × 1200. */
export const pixels = ({ width, height }) => `${width} × ${height}`;

/** How much smaller, or larger, `after` bytes are than `before`: ["−84 %", "less"]. */
export function saving(before, after) {
  if (!before || !after) return ["", "same"];
  const percent = (after / before - 1) * 100;
  if (Math.abs(percent) < 0.5) return ["±0 %", "same"];
  if (percent > 0) return [`+${whole.format(percent)} %`, "larger"];
  return [`−${percent < -99 ? Math.min(-percent, 99.9).toFixed(1) : Math.round(-percent)} %`, "less"];
}

/** The last part of a key, and the folder before it; the page's own uploads lie in folders that tell nothing. */
export function named(key) {
  const cut = key.lastIndexOf("/") + 1;
  const folder = key.slice(0, cut);
  return { name: key.slice(cut) || key, folder: /^[0-9a-f]{32}\/$/.test(folder) ? "" : folder };
}

/** An RFC 3339 time as the reader's own clock has it. */
export const moment = (time) =>
  new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });

export const STATUS = {
  waiting: "Waiting to be sent",
  uploading: "Uploading",
  queued: "Queued",
  processing: "Processing",
  deleting: "Deleting",
  done: "Done",
  failed: "Failed",
  deleted: "Deleted",
  refused: "Not uploaded",
};
