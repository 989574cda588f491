import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { describe, expect, it } from 'vitest';
import { sharesSvg } from '../../src/sim/svg.js';

const samples = Array.from({ length: 2_000 }, (_, at) => ({
  atSeconds: at * 60,
  held: [0.6 - at / 10_000, 0.1],
  wanted: [0.5, 0.1],
  settled: true,
}));

describe('the drawing of shares', () => {
  const text = sharesSvg([
    { title: 'ours', types: ['prod', 'a<b&c'], samples },
    { title: 'predecessor', types: ['prod', 'a<b&c'], samples: samples.slice(0, 2) },
  ]);

  it('is XML, names and all', () => {
    expect(XMLValidator.validate(text)).toBe(true);
    expect(text).toContain('a&lt;b&amp;c');
  });

  it('has two lines for each type and policy, with as many points as can be seen', () => {
    const { svg } = new XMLParser({ ignoreAttributes: false }).parse(text) as { svg: { path: { '@_d': string }[] } };
    expect(svg.path).toHaveLength(8);
    for (const { '@_d': path } of svg.path) expect(path).toMatch(/^M[\d.]+ [\d.]+(L[\d.]+ [\d.]+){1,799}$/);
  });

  it('of nothing is a drawing, too', () => {
    expect(XMLValidator.validate(sharesSvg([{ title: 'ours', types: ['a'], samples: [] }]))).toBe(true);
  });
});
