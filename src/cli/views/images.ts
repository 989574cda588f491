/** `vac images`: the images that this host has by URL. */

import type { ImageList, ListedImage } from '../../host/images/list.js';
import { type Column, table } from './table.js';
import { counted, duration, line, percent, secondsBetween, size, UNKNOWN, type ViewOptions, wrapped } from './text.js';

/** A table, and below it what is wrong with some of them, and what older copies take. */
export function imagesView({ images, older }: ImageList, view: ViewOptions): string[] {
  const age = (timeSeconds: number | null) =>
    timeSeconds === null ? UNKNOWN : duration(secondsBetween(timeSeconds, view.nowSeconds));
  const columns: Column<ListedImage>[] = [
    { title: 'IMAGE', text: ({ url }) => url, min: 20 },
    { title: 'SIZE', text: ({ bytes }) => size(bytes), align: 'right' },
    { title: 'FETCHED', text: ({ fetchedTimeSeconds }) => age(fetchedTimeSeconds), align: 'right', drop: 3 },
    { title: 'CHECKED', text: ({ checkedTimeSeconds }) => age(checkedTimeSeconds), align: 'right', drop: 2 },
    { title: 'STATE', text: stateText, style: ({ state }) => (state === 'fresh' ? null : 'yellow') },
    { title: 'MACHINES', text: ({ machines }) => String(machines), align: 'right' },
    { title: 'BY', text: ({ checkedBy }) => checkedBy ?? '', drop: 4 },
  ];
  const troubles = images.filter(({ trouble }) => trouble !== null);
  return [
    ...(images.length === 0 ? [line('no images by URL are here', view)] : table(images, columns, view)),
    ...troubles.flatMap(({ trouble }) => wrapped(`${age(trouble!.timeSeconds)} ago: ${trouble!.message}`, view)),
    ...(older.copies === 0
      ? []
      : [
          line(
            `${counted(older.machines, 'machine')} on ${counted(older.copies, 'older copy', 'older copies')} (${size(older.bytes)})`,
            view,
          ),
        ]),
  ];
}

function stateText({ state, part }: ListedImage): string {
  if (part === null || (state !== 'fetching' && state !== 'broken')) return state;
  const how = part.totalBytes === null ? size(part.bytes) : percent(part.bytes / part.totalBytes);
  return state === 'fetching' ? `fetching ${how}` : `broken off at ${how}`;
}
