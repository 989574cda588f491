/** From the files' contents to a `Config`, or to everything that is wrong with them. */
import { readMachinetype } from './machinetype.js';
import { readOvernight } from './overnight.js';
import { checkLocalOptions, isOfPipe, readVacuumPipe } from './pipe.js';
import { type Problem, problemAt } from './problem.js';
import { mergeSections, type RawSection } from './sections.js';
import { readSettings } from './settings.js';
import {
  type Config,
  type ConfigFile,
  deepFreeze,
  type LoadResult,
  type Origin,
  originKey,
  type Settings,
} from './types.js';

/**
 * Reads a configuration from the contents of its files, in their order. Pure; never throws. All errors are reported, not
 * only the first. Whether files and processors exist is not asked here: see `checkHostFacts`.
 */
export function loadConfig(files: readonly ConfigFile[], ctx: { readonly hostFqdn: string }): LoadResult {
  const { sections, errors, warnings } = mergeSections(files);
  const take = <T extends { errors: Problem[]; warnings: Problem[] }>(reading: T): T => {
    errors.push(...reading.errors);
    warnings.push(...reading.warnings);
    return reading;
  };
  const ofKind = (kind: RawSection['kind']) => [...sections.values()].filter((section) => section.kind === kind);
  const machinetypeSections = ofKind('machinetype');
  const pipeSections = ofKind('vacuum_pipe');

  const settingsSection = sections.get('settings') ?? emptySettings(files.at(-1)?.path ?? 'configuration');
  if (!sections.has('settings')) {
    errors.push(problemAt({ ...settingsSection, section: 'settings' }, 'this required section is missing'));
  }
  const { settings } = sections.has('settings')
    ? take(readSettings(settingsSection, ctx.hostFqdn))
    : readSettings(settingsSection, ctx.hostFqdn);

  const vacuumPipes = pipeSections.map((section) => take(readVacuumPipe(section, machinetypeSections)).pipe);
  const leftToPipe = (section: RawSection): boolean =>
    !section.options.has('root_image') && pipeSections.some((pipe) => isOfPipe(section.name, pipe.name));
  for (const section of machinetypeSections.filter(leftToPipe)) take(checkLocalOptions(section));
  const machinetypes = machinetypeSections
    .filter((section) => !leftToPipe(section))
    .map((section) => take(readMachinetype(section, settings)).machinetype);

  const overnightSection = sections.get('overnight');
  const overnight = overnightSection === undefined ? null : take(readOvernight(overnightSection, settings)).overnight;

  errors.push(...sharedNames(machinetypeSections, pipeSections));
  if (errors.length === 0 && ![...machinetypes, ...vacuumPipes].some(({ targetShare }) => targetShare > 0)) {
    const none = machinetypes.length + vacuumPipes.length === 0;
    const why = none ? 'there is no [machinetype NAME] section' : 'target_share is 0 in all machinetypes and pipes';
    warnings.push(problemAt({ ...settingsSection, section: null }, `no machine will ever start: ${why}`));
  }

  sortByPlace(errors, files);
  sortByPlace(warnings, files);
  if (errors.length > 0) return { ok: false, errors, warnings };
  const config: Config = {
    settings,
    machinetypes,
    vacuumPipes,
    overnight,
    files: files.map((file) => file.path),
    origins: originsOf(sections.values()),
  };
  return { ok: true, config: deepFreeze(config), warnings };
}

/**
 * The settings alone, for those who can do with them while a machinetype or a pipe is being mended. Null when they are
 * missing or bad, or a line stands where it cannot be told whether it belongs to them.
 */
export function loadSettings(files: readonly ConfigFile[], ctx: { readonly hostFqdn: string }): Settings | null {
  const { sections, errors } = mergeSections(files);
  const section = sections.get('settings');
  const isDoubtful = errors.some(({ section: title }) => title === null || title === 'settings');
  if (section === undefined || isDoubtful) return null;
  const read = readSettings(section, ctx.hostFqdn);
  return read.errors.length === 0 ? deepFreeze(read.settings) : null;
}

/** Stands in for a missing section, so that the other sections can be checked all the same. */
function emptySettings(file: string): RawSection {
  return { kind: 'settings', name: '', title: 'settings', file, line: null, options: new Map() };
}

/** A pipe and a machinetype of one name would share the directory `machinetypes/NAME`. */
function sharedNames(machinetypes: readonly RawSection[], pipes: readonly RawSection[]): Problem[] {
  return pipes
    .filter((pipe) => machinetypes.some((machinetype) => machinetype.name === pipe.name))
    .map((pipe) =>
      problemAt(
        { file: pipe.file, line: pipe.line, section: pipe.title },
        `there is also a [machinetype ${pipe.name}]; a machinetype and a pipe need different names`,
      ),
    );
}

function sortByPlace(problems: Problem[], files: readonly ConfigFile[]): void {
  const order = new Map(files.map((file, index) => [file.path, index]));
  const fileIndex = (problem: Problem): number => order.get(problem.file) ?? -1;
  problems.sort((a, b) => fileIndex(a) - fileIndex(b) || (a.line ?? 0) - (b.line ?? 0));
}

function originsOf(sections: Iterable<RawSection>): Record<string, Origin> {
  const origins: [string, Origin][] = [];
  for (const { title, options } of sections) {
    for (const [name, { file, line }] of options) {
      if (line !== null) origins.push([originKey(title, name), { file, line }]);
    }
  }
  return Object.fromEntries(origins);
}
