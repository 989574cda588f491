/** All files' sections merged into one set, under the names of today: file order, later values win, old spellings. */
import { type IniDocument, parseIni } from './ini.js';
import { nearest } from './nearest.js';
import type { SectionKind } from './options.js';
import { type Place, type Problem, problemAt, quoted } from './problem.js';
import { resolveName } from './spelling.js';
import type { ConfigFile } from './types.js';

/** An option as text, and where it was set. */
export interface RawOption {
  readonly value: string;
  readonly file: string;
  readonly line: number | null;
}

/** One section of all files together, its options by their names of the table (checked to be known). */
export interface RawSection {
  readonly kind: SectionKind;
  /** NAME of `[machinetype NAME]`, PREFIX of `[vacuum_pipe PREFIX]`; empty for settings and overnight. */
  readonly name: string;
  /** As between brackets, e.g. `machinetype lhcb-prod`. */
  readonly title: string;
  /** Where its last header is. */
  readonly file: string;
  readonly line: number | null;
  readonly options: Map<string, RawOption>;
}

export interface MergedSections {
  /** By title. */
  readonly sections: ReadonlyMap<string, RawSection>;
  readonly errors: Problem[];
  readonly warnings: Problem[];
}

/** ConfigParser's section whose options are defaults for all others. */
const DEFAULT_SECTION = 'DEFAULT';

const NAMED_KINDS: Readonly<Record<string, 'machinetype' | 'vacuum_pipe'>> = {
  machinetype: 'machinetype',
  vmtype: 'machinetype',
  vacuum_pipe: 'vacuum_pipe',
};

/** Sections of the predecessor's first versions, and what replaced them. */
const RETIRED_SECTIONS: Readonly<Record<string, string>> = {
  targetshares: 'is no longer read; set target_share in each [machinetype NAME]',
  factories: 'is no longer read; list the factories in the option factories of [settings]',
};

export function mergeSections(files: readonly ConfigFile[]): MergedSections {
  const merged: Merge = { sections: new Map(), defaults: new Map(), errors: [], warnings: [] };
  for (const file of files) {
    const document = parseIni(file.text);
    for (const error of document.errors) {
      merged.errors.push(
        problemAt({ file: file.path, line: error.line }, `the line ${quoted(error.text)} ${error.message}`),
      );
    }
    mergeDocument(merged, file.path, document);
  }
  applyDefaults(merged);
  return merged;
}

interface Merge extends MergedSections {
  readonly sections: Map<string, RawSection>;
  readonly defaults: Map<string, RawOption>;
}

function mergeDocument(merged: Merge, file: string, document: IniDocument): void {
  const options: { section: RawSection | null; header: string; name: string; option: RawOption & { line: number } }[] =
    [];
  for (const [header, content] of document.sections) {
    const section = header === DEFAULT_SECTION ? null : openSection(merged, { file, line: content.line }, header);
    if (section === undefined) continue;
    for (const [name, { value, line }] of content.options) {
      options.push({ section, header, name, option: { value, file, line } });
    }
  }
  // In the order of the lines, so that of an old and a new spelling the later one wins too.
  options.sort((a, b) => a.option.line - b.option.line);
  for (const { section, header, name, option } of options) {
    if (section === null) merged.defaults.set(name, option);
    else setOption(merged, section, header, name, option);
  }
}

/** Finds or makes the section for a header; undefined (and an error) when there is no such section. */
function openSection(merged: Merge, place: Place, header: string): RawSection | undefined {
  const at = { ...place, section: header };
  const [word = '', ...rest] = header.split(/\s+/);
  const name = rest.join(' ');
  const kind =
    header === 'settings' || header === 'overnight'
      ? header
      : Object.hasOwn(NAMED_KINDS, word)
        ? NAMED_KINDS[word]
        : undefined;
  if (kind === undefined) {
    merged.errors.push(problemAt(at, unknownSectionMessage(header, word, name)));
    return undefined;
  }
  if (kind !== 'settings' && kind !== 'overnight' && !/^[a-z0-9-]+$/.test(name)) {
    merged.errors.push(
      problemAt(at, `the section needs a name of letters a-z, digits and "-", as in [${word} my-name]`),
    );
    return undefined;
  }
  const title = kind === 'settings' || kind === 'overnight' ? kind : `${kind} ${name}`;
  if (word === 'vmtype') merged.warnings.push(problemAt(at, `[vmtype …] is deprecated; write [${title}]`));
  const known = merged.sections.get(title);
  const section: RawSection = {
    kind,
    name,
    title,
    file: place.file,
    line: place.line,
    options: known?.options ?? new Map(),
  };
  merged.sections.set(title, section);
  return section;
}

function unknownSectionMessage(header: string, word: string, name: string): string {
  if (Object.hasOwn(RETIRED_SECTIONS, header)) return `this section ${RETIRED_SECTIONS[header]}`;
  const suggestion = nearest(word.toLowerCase(), ['settings', 'machinetype', 'vacuum_pipe', 'overnight']);
  const isNameless = suggestion === 'settings' || suggestion === 'overnight' || suggestion === null;
  const meant = isNameless ? suggestion : `${suggestion} ${name || 'NAME'}`;
  const known = 'the sections are [settings], [machinetype NAME], [vacuum_pipe PREFIX] and [overnight]';
  return `unknown section; ${meant === null ? known : `did you mean [${meant}]?`}`;
}

function setOption(merged: Merge, section: RawSection, header: string, name: string, option: RawOption): void {
  const place: Place = { file: option.file, line: option.line, section: header, option: name };
  const spelling = resolveName(section.kind, name);
  switch (spelling.kind) {
    case 'known':
      section.options.set(name, option);
      return;
    case 'old':
      for (const modern of spelling.names) section.options.set(modern, option);
      merged.warnings.push(problemAt(place, `is deprecated; write ${spelling.names.join(' and ')}`));
      return;
    case 'retired':
      merged.warnings.push(problemAt(place, spelling.advice));
      return;
    case 'badPattern':
      merged.errors.push(
        problemAt(place, `what follows ${spelling.prefix} must be of letters a-z, digits and "_", and not empty`),
      );
      return;
    case 'unknown': {
      const meant =
        spelling.suggestion === null ? 'see vac.conf(5) for all options' : `did you mean ${spelling.suggestion}?`;
      merged.errors.push(problemAt(place, `unknown option; ${meant}`));
      return;
    }
  }
}

/** Options of `[DEFAULT]` hold in each section that knows them and does not set them itself. */
function applyDefaults(merged: Merge): void {
  for (const [name, option] of merged.defaults) {
    const place: Place = { file: option.file, line: option.line, section: DEFAULT_SECTION, option: name };
    const modern = (kind: SectionKind): readonly string[] => {
      const spelling = resolveName(kind, name);
      return spelling.kind === 'known' ? [name] : spelling.kind === 'old' ? spelling.names : [];
    };
    for (const section of merged.sections.values()) {
      const unset = modern(section.kind).filter((candidate) => !section.options.has(candidate));
      for (const candidate of unset) section.options.set(candidate, option);
    }
    const kinds = ['settings', 'machinetype', 'vacuum_pipe', 'overnight'] as const;
    const names = new Set(kinds.flatMap(modern));
    if (names.size === 0) {
      merged.errors.push(problemAt(place, 'unknown option; no section has it, see vac.conf(5)'));
    } else if (!names.has(name)) {
      merged.warnings.push(problemAt(place, `is deprecated; write ${[...names].join(' and ')}`));
    }
  }
}
