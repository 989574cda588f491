/** The text format of Prometheus (version 0.0.4), read strictly: what its own parser would only warn of is an error here. */

export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly series: Series[];
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/s;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/;
const NUMBER = /^(?:[+-]?Inf|NaN|[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)$/;

/** @throws Error that names the line which is wrong */
export function parseExposition(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let family: Family | null = null;
  let help: { readonly name: string; readonly text: string } | null = null;
  for (const line of text.slice(0, -1).split('\n')) {
    const wrong = (what: string) => new Error(`${what}: ${line}`);
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (line === '') continue;
    if (line.startsWith('#') && keyword === undefined) throw wrong('neither HELP nor TYPE');
    if (keyword === 'HELP') {
      if (families.has(name)) throw wrong('a second HELP');
      if (/\\(?![\\n])/.test(rest)) throw wrong('a bad escape');
      help = { name, text: rest };
    } else if (keyword === 'TYPE') {
      if (help?.name !== name) throw wrong('TYPE without HELP just before');
      if (!['counter', 'gauge', 'histogram'].includes(rest)) throw wrong('an unknown type');
      family = { name, help: help.text, type: rest, series: [] };
      families.set(name, family);
    } else {
      const series = parseSample(line);
      const own = family !== null && namesOf(family).includes(series.name);
      if (family === null || !own) throw wrong('not of the family above');
      const key = `${series.name} ${JSON.stringify(Object.entries(series.labels).sort())}`;
      if (seen.has(key)) throw wrong('there twice');
      seen.add(key);
      family.series.push(series);
    }
  }
  for (const known of families.values()) if (known.type === 'histogram') checkHistogram(known);
  return families;
}

function namesOf({ name, type }: Family): string[] {
  return type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name];
}

function parseSample(line: string): Series {
  const [, name, labelText = '', number = ''] = SAMPLE.exec(line) ?? [];
  if (name === undefined || !NUMBER.test(number)) throw new Error(`no sample: ${line}`);
  const labels: Record<string, string> = {};
  let rest = labelText;
  while (rest !== '') {
    const [whole, label, value] = LABEL.exec(rest) ?? [];
    if (whole === undefined || label === undefined || label in labels) throw new Error(`bad labels: ${line}`);
    labels[label] = value!.replace(/\\(.)/gs, (_, char: string) => (char === 'n' ? '\n' : char));
    rest = rest.slice(whole.length);
  }
  return { name, labels, value: Number(number.replace('Inf', 'Infinity')) };
}

/** Buckets that grow, up to the count. */
function checkHistogram({ name, series }: Family): void {
  const groups = new Map<string, Series[]>();
  for (const one of series) {
    const { le: _, ...labels } = one.labels;
    const key = JSON.stringify(labels);
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  for (const [key, group] of groups) {
    const buckets = group.filter((one) => one.name === `${name}_bucket`);
    const counts = group.filter((one) => one.name === `${name}_count`);
    const sums = group.filter((one) => one.name === `${name}_sum`);
    const grows = buckets.every((one, index) => index === 0 || one.value >= buckets[index - 1]!.value);
    const isWhole = buckets.at(-1)?.labels.le === '+Inf' && buckets.at(-1)?.value === counts[0]?.value;
    if (!grows || !isWhole || counts.length !== 1 || sums.length !== 1) throw new Error(`bad histogram ${name} ${key}`);
  }
}

/** Values of one metric, by their labels as `a=x b=y`. */
export function valuesOf(families: ReadonlyMap<string, Family>, name: string): Record<string, number> {
  const family = families.get(name);
  if (family === undefined) throw new Error(`there is no metric ${name}`);
  return Object.fromEntries(
    family.series.map(({ labels, value }) => [
      Object.entries(labels)
        .map(([label, text]) => `${label}=${text}`)
        .join(' '),
      value,
    ]),
  );
}
