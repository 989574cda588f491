/** Sizes and progress of images, in words. */

const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB'];

/** Decimal units: `1.2 GB`. */
export function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : Number(value.toPrecision(2))} ${UNITS[unit]}`;
}

/** `42 % of 1.2 GB`, or what is here where the whole is not known. */
export function progressText(bytes: number, totalBytes: number | null): string {
  if (totalBytes === null) return `${sizeText(bytes)} so far`;
  return `${Math.floor((100 * bytes) / Math.max(1, totalBytes))} % of ${sizeText(totalBytes)}`;
}
