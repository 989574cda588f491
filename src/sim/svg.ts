/** Shares over time as a drawing: for each policy a panel of what each type held, and dashed what it should have held. */

import type { Sample } from './measures.js';

export interface SharesPanel {
  readonly title: string;
  readonly types: readonly string[];
  readonly samples: readonly Sample[];
}

const WIDTH = 960;
const PANEL_HEIGHT = 300;
const MARGIN = { left: 50, right: 130, top: 36, bottom: 34 };
/** More points than pixels would show nothing more. */
const MAX_POINTS = 800;
/** Told apart by people who do not see all colours alike (Okabe and Ito), then again in other strokes. */
const COLOURS = [
  '#0072b2',
  '#e69f00',
  '#009e73',
  '#cc79a7',
  '#56b4e9',
  '#d55e00',
  '#8c6d31',
  '#000000',
  '#7570b3',
  '#666666',
];

export function sharesSvg(panels: readonly SharesPanel[]): string {
  const height = panels.length * PANEL_HEIGHT;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="11">`,
    `<rect width="${WIDTH}" height="${height}" fill="white"/>`,
    ...panels.flatMap((panel, index) => drawPanel(panel, index * PANEL_HEIGHT)),
    '</svg>',
    '',
  ].join('\n');
}

function drawPanel({ title, types, samples: all }: SharesPanel, offset: number): string[] {
  const samples = thinned(all, MAX_POINTS);
  const endSeconds = samples.at(-1)?.atSeconds ?? 1;
  const highest = Math.max(0.01, ...samples.flatMap(({ held, wanted }) => [...held, ...wanted]));
  const top = Math.ceil(highest * 20) / 20;
  const inner = { width: WIDTH - MARGIN.left - MARGIN.right, height: PANEL_HEIGHT - MARGIN.top - MARGIN.bottom };
  const x = (seconds: number) => MARGIN.left + (seconds / endSeconds) * inner.width;
  const y = (share: number) => offset + MARGIN.top + (1 - share / top) * inner.height;
  const lines = types.flatMap((name, type) => {
    const colour = COLOURS[type % COLOURS.length]!;
    const path = (of: (sample: Sample) => number) =>
      samples
        .map((sample, at) => `${at === 0 ? 'M' : 'L'}${x(sample.atSeconds).toFixed(1)} ${y(of(sample)).toFixed(1)}`)
        .join('');
    const last = samples.at(-1)?.held[type] ?? 0;
    return [
      `<path d="${path(({ wanted }) => wanted[type]!)}" fill="none" stroke="${colour}" stroke-width="1" stroke-dasharray="4 3" opacity="0.7"/>`,
      `<path d="${path(({ held }) => held[type]!)}" fill="none" stroke="${colour}" stroke-width="1.5"/>`,
      `<text x="${WIDTH - MARGIN.right + 8}" y="${(offset + MARGIN.top + 12 + type * 14).toFixed(1)}" fill="${colour}">${escaped(name)} ${(last * 100).toFixed(1)} %</text>`,
    ];
  });
  return [
    `<text x="${MARGIN.left}" y="${offset + 20}" font-size="13">${escaped(title)}</text>`,
    ...gridLines(endSeconds, top, x, y),
    ...lines,
  ];
}

function gridLines(
  endSeconds: number,
  top: number,
  x: (seconds: number) => number,
  y: (share: number) => number,
): string[] {
  const hours = endSeconds / 3600;
  const step = [0.1, 0.25, 0.5, 1, 2, 3, 6, 12, 24, 48, 168].find((hoursEach) => hours / hoursEach <= 12) ?? 720;
  const grid: string[] = [];
  for (let hour = 0; hour <= hours + 1e-9; hour += step) {
    const at = x(hour * 3600).toFixed(1);
    grid.push(
      `<line x1="${at}" y1="${y(0).toFixed(1)}" x2="${at}" y2="${y(top).toFixed(1)}" stroke="#eee"/>`,
      `<text x="${at}" y="${(y(0) + 15).toFixed(1)}" text-anchor="middle" fill="#555">${Number(hour.toFixed(2))} h</text>`,
    );
  }
  const shareStep = top > 0.5 ? 0.2 : top > 0.2 ? 0.1 : 0.05;
  for (let share = 0; share <= top + 1e-9; share += shareStep) {
    const at = y(share).toFixed(1);
    grid.push(
      `<line x1="${x(0).toFixed(1)}" y1="${at}" x2="${x(endSeconds).toFixed(1)}" y2="${at}" stroke="#ddd"/>`,
      `<text x="${MARGIN.left - 6}" y="${(Number(at) + 4).toFixed(1)}" text-anchor="end" fill="#555">${Math.round(share * 100)} %</text>`,
    );
  }
  return grid;
}

/** As many at most, from the first to the last. */
function thinned(samples: readonly Sample[], most: number): Sample[] {
  if (samples.length <= most) return [...samples];
  return Array.from({ length: most }, (_, at) => samples[Math.round((at * (samples.length - 1)) / (most - 1))]!);
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
