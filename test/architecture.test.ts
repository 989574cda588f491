/** The arrows of the house run down only (DESIGN "Layout"): who may import whom, and that the version is one. */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { VERSION } from '../src/version.js';

const ROOT = resolve(import.meta.dirname, '..');
const SRC = join(ROOT, 'src');

interface Import {
  /** Path below src/, or the module's name as written. */
  readonly target: string;
  /** Gone after compilation. */
  readonly typeOnly: boolean;
}

/** `import … from 'x'`, `export … from 'x'`, `import 'x'` and `import('x')`; group 1: the keyword `type`, 2 or 3 or 4: x. */
const IMPORTS =
  /^\s*(?:import|export)\s+(type\s+)?(?:[\w*{][^'";]*?)from\s*'([^']+)'|^\s*import\s*'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/gm;

function importsOf(file: string, text: string): Import[] {
  return [...text.matchAll(IMPORTS)].map((match) => {
    const name = match[2] ?? match[3] ?? match[4]!;
    const target = name.startsWith('.')
      ? relative(SRC, resolve(SRC, dirname(file), name.replace(/\.js$/, '.ts')))
      : name;
    return { target, typeOnly: match[1] !== undefined };
  });
}

const FILES = new Map(
  readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => [file, importsOf(file, readFileSync(join(SRC, file), 'utf8'))]),
);

/** Imports of the files below a directory that match, as `file → target`. */
function found(directory: string, wrong: (imported: Import) => boolean): string[] {
  return [...FILES]
    .filter(([file]) => file.startsWith(`${directory}/`))
    .flatMap(([file, imports]) => imports.filter(wrong).map(({ target }) => `${file} → ${target}`));
}

const below = (target: string, directories: readonly string[]) =>
  directories.some((directory) => target.startsWith(`${directory}/`));

describe('the scan itself', () => {
  it('sees every way to import', () => {
    const text = [
      "import { a } from './a.js';",
      "import type { B } from '../b.js';",
      "import {\n  c,\n  type D,\n} from 'node:fs';",
      "import './effect.js';",
      "export * from './e.js';",
      "export { f } from './f.js';",
      "export type { G } from './g.js';",
      "const h = await import('./h.js');",
      "import i, { j } from 'pino';",
      "import * as k from 'zod';",
      "export const from = 'not-an-import';",
    ].join('\n');
    expect(importsOf('dir/file.ts', text)).toEqual([
      { target: 'dir/a.ts', typeOnly: false },
      { target: 'b.ts', typeOnly: true },
      { target: 'node:fs', typeOnly: false },
      { target: 'dir/effect.ts', typeOnly: false },
      { target: 'dir/e.ts', typeOnly: false },
      { target: 'dir/f.ts', typeOnly: false },
      { target: 'dir/g.ts', typeOnly: true },
      { target: 'dir/h.ts', typeOnly: false },
      { target: 'pino', typeOnly: false },
      { target: 'zod', typeOnly: false },
    ]);
  });

  it('finds the files of each layer, and resolves what they import', () => {
    for (const layer of ['config', 'factory', 'machines', 'host', 'daemon', 'accounting', 'metadata', 'guard', 'cli']) {
      expect(
        found(layer, () => true),
        layer,
      ).not.toEqual([]);
    }
    const missing = [...FILES.keys()].flatMap((file) =>
      FILES.get(file)!.flatMap(({ target }) =>
        target.endsWith('.ts') && !FILES.has(target) ? [`${file} → ${target}`] : [],
      ),
    );
    expect(missing).toEqual([]);
  });
});

describe('imports', () => {
  it('of the pure core are its own files, and types of the configuration', () => {
    const allowed = ({ target, typeOnly }: Import) =>
      below(target, ['factory']) || (typeOnly && target === 'config/types.ts');
    expect(found('factory', (imported) => !allowed(imported))).toEqual([]);
  });

  it('of the protocol are its own files; only sockets and hashes belong to the host', () => {
    // The view of a space is told in the words of the decision, which are types alone.
    const allowed = ({ target }: Import) => below(target, ['vacquery']) || target === 'factory/types.ts';
    const pure = found('vacquery', (imported) => !allowed(imported)).filter(
      (line) => !/^vacquery\/(dgram|cookies|auth-node)\.ts/.test(line),
    );
    expect(pure).toEqual([]);
  });

  it.each([
    ['config', ['factory', 'vacquery', 'machines', 'host', 'accounting', 'metadata', 'guard', 'daemon', 'cli', 'sim']],
    ['machines', ['daemon', 'cli', 'metadata', 'guard', 'sim']],
    ['host', ['daemon', 'cli', 'metadata', 'guard', 'accounting', 'sim']],
    ['accounting', ['daemon', 'cli', 'metadata', 'guard', 'sim']],
    ['guard', ['daemon', 'cli', 'metadata', 'accounting', 'machines', 'sim']],
    ['metadata', ['daemon', 'cli', 'accounting', 'sim']],
    ['metrics', ['daemon', 'machines', 'metadata', 'accounting', 'cli', 'sim', 'space']],
    ['space', ['daemon', 'machines', 'metadata', 'accounting', 'cli', 'sim']],
    ['daemon', ['cli', 'sim']],
    ['sim', ['cli', 'daemon', 'host', 'metadata']],
  ])('of %s are not from %j', (layer, forbidden) => {
    expect(found(layer, ({ target }) => below(target, forbidden))).toEqual([]);
  });

  it('of no layer are entry points', () => {
    const entries = ['vacd.ts', 'vacd-guard.ts', 'vac.ts', 'start.ts'];
    expect(
      [...FILES].flatMap(([file, imports]) =>
        imports.filter(({ target }) => entries.includes(target)).map(({ target }) => `${file} → ${target}`),
      ),
    ).toEqual([]);
  });

  it('of the child without root are few, and none comes late: it may not be able to read them any more', () => {
    const files = new Set(['vacd-guard.ts']);
    for (const file of files) {
      for (const { target, typeOnly } of FILES.get(file)!) if (!typeOnly && FILES.has(target)) files.add(target);
    }
    const outside = [...files].flatMap((file) => FILES.get(file)!.filter(({ target }) => !FILES.has(target)));
    expect(outside.filter(({ target, typeOnly }) => !typeOnly && !target.startsWith('node:'))).toEqual([]);
    // The entry itself loads what it was told to before root is gone.
    const late = [...files]
      .slice(1)
      .filter((file) => /\bawait import\(|\bcreateRequire\b/.test(readFileSync(join(SRC, file), 'utf8')));
    expect(late).toEqual([]);
    expect([...files]).toContain('metadata/server.ts');
  });

  // machines/ and host/ use each other's files; as long as no chain of values closes, each can be read by itself.
  it('form no cycle among files, types aside', () => {
    expect(cycle()).toEqual([]);
  });
});

/** The files of one cycle of imports that remain after compilation; empty when there is none. */
function cycle(): string[] {
  const done = new Set<string>();
  const search = (file: string, path: readonly string[]): string[] => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return [];
    for (const { target, typeOnly } of FILES.get(file) ?? []) {
      if (typeOnly || !FILES.has(target)) continue;
      const closed = search(target, [...path, file]);
      if (closed.length > 0) return closed;
    }
    done.add(file);
    return [];
  };
  for (const file of FILES.keys()) {
    const closed = search(file, []);
    if (closed.length > 0) return closed;
  }
  return [];
}

it('the version in the code is that of package.json', () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  expect(VERSION).toBe(version);
});
