/** Lists in pieces, so that no message is larger than the channel between vacd and its child takes. */

/** Machinetypes of a whole space that are told of: names of them come from others, without end if those are hostile. */
export const MAX_NEWS = 5_000;
/** Of JSON; well below the channel's own limit (guard/frames.ts), beside which there are some more fields. */
const PAGE_BYTES = 100_000;

/** The list's items in order, none left out, in pages of about so many bytes; one empty page of an empty list. */
export function* pages<T>(items: readonly T[], maxBytes = PAGE_BYTES): Generator<readonly T[]> {
  let page: T[] = [];
  let bytes = 0;
  for (const item of items) {
    const itemBytes = Buffer.byteLength(JSON.stringify(item)) + 1;
    if (page.length > 0 && bytes + itemBytes > maxBytes) {
      yield page;
      page = [];
      bytes = 0;
    }
    page.push(item);
    bytes += itemBytes;
  }
  yield page;
}
