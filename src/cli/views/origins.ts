/** `vac machinetypes --origin`: the options of each machinetype of this host, and where each came from. */

import type { MachinetypeOrigins, OptionWithOrigin } from '../../config/machinetype-origins.js';
import { type Column, table } from './table.js';
import { line, type ViewOptions } from './text.js';

const COLUMNS: readonly Column<OptionWithOrigin>[] = [
  { title: '  OPTION', text: ({ option }) => `  ${option}`, style: styleOf },
  { title: 'VALUE', text: ({ value }) => value.replace(/\s*\n\s*/g, ' / '), style: styleOf, min: 16 },
  { title: 'FROM', text: ({ origin }) => originText(origin), style: styleOf, min: 24 },
];

function styleOf({ origin }: OptionWithOrigin): 'dim' | null {
  return origin.from === 'default' ? 'dim' : null;
}

/** `/etc/vac.conf:12`, `https://x.example/pipe, entry prod`, `default`. */
export function originText(origin: OptionWithOrigin['origin']): string {
  switch (origin.from) {
    case 'file':
      return origin.line === null ? origin.file : `${origin.file}:${origin.line}`;
    case 'pipe':
      return `${origin.url}, entry ${origin.suffix}`;
    case 'default':
      return 'default';
  }
}

/** @param defaults whether options that nobody gives are shown, too */
export function originsView(types: readonly MachinetypeOrigins[], defaults: boolean, view: ViewOptions): string[] {
  return types.flatMap(({ machinetype, pipe, options }, index) => {
    const shown = options.filter(({ origin }) => defaults || origin.from !== 'default');
    const left = options.length - shown.length;
    const of = pipe === null ? '' : `, of the vacuum pipe ${pipe}`;
    const rest = left === 0 ? '' : `; ${left} options have their defaults`;
    return [
      ...(index === 0 ? [] : ['']),
      line(`${machinetype}${of}${rest}`, view, 'bold'),
      ...table(shown, COLUMNS, view),
    ];
  });
}
