/**
 * What must be known before a space can be asked: its name, its factories, which of them is this host, how long to wait.
 *
 * From the options first; else from the configuration, as vacd reads it, or from the socket of the vacd here, which
 * tells what is in force. With a state directory named and no configuration the socket comes first: then another vacd
 * than the site's is meant, such as the demo's.
 */

import { formatProblem, loadConfig, loadSettings, readConfigFiles } from '../config/index.js';
import type { Config, Settings } from '../config/types.js';
import { askDaemon } from '../daemon/control.js';
import { hostFqdn } from '../daemon/entry.js';
import type { SpaceReport } from '../daemon/space-report.js';
import { VacError } from '../errors.js';
import type { ShareOf } from '../factory/shares.js';
import { type NewsWay, type QuerySigner, VACQUERY_PORT } from '../vacquery/index.js';
import { configProblemLine, deniedFile } from './config-problem.js';
import { pipesHere } from './pipes-here.js';
import { type KeySettings, querySigner } from './query-signer.js';

/** What the command line says of it. */
export interface SpaceRequest {
  /** Undefined: those of the site. */
  readonly configPaths: readonly string[] | undefined;
  readonly stateDir: string;
  /** False: it is the default. */
  readonly stateDirGiven: boolean;
  readonly space?: string | undefined;
  readonly timeoutSeconds?: number | undefined;
}

export interface SpaceFacts {
  readonly space: string;
  /** Where `factories` and `ownSpace` are from, for messages. */
  readonly source: string;
  /** FQDNs of the factories of `ownSpace`, this host's among them if it is one. */
  readonly factories: readonly string[];
  /** The space that `factories` are of; null when nothing is known of any. */
  readonly ownSpace: string | null;
  /** What the vacd on this host calls itself, or would. */
  readonly ownFactory: string;
  /** UDP port on which the vacd here answers; null: it said that it does not. */
  readonly ownPort: number | null;
  readonly timeoutSeconds: number;
  /** The configuration's machinetypes; null when it was not read. */
  readonly configured: readonly ShareOf[] | null;
  /** Null: nothing is signed, or the keys cannot be read. */
  readonly signer: QuerySigner | null;
  /** How the vacd here hears the others, by their names; empty where it does not tell. */
  readonly news: ReadonlyMap<string, FactoryNews>;
  /** What the vacd here calls wrong with itself as a member of the space, or what to do next; a sentence each. */
  readonly hints: readonly string[];
  /** Factories that do not answer the vacd here either: not worth waiting for. */
  readonly silent: ReadonlySet<string>;
}

/** How a factory's latest news came to the vacd here. */
export interface FactoryNews {
  readonly way: NewsWay;
  readonly ageSeconds: number;
  /** Whether it signs; null: not known, or there are no keys. */
  readonly signs: boolean | null;
}

/** udp_timeout_seconds where nobody says (SPEC 2). */
const DEFAULT_TIMEOUT_SECONDS = 10;
/** The daemon answers in milliseconds, or hangs: then the configuration has to do. */
const DAEMON_MS = 5_000;

/** Of the vacd with this state directory. */
export function socketPath(stateDir: string): string {
  return `${stateDir}/vacd.sock`;
}

/**
 * @param note for what an administrator should know although it goes on, a line each
 * @throws VacError `config-bad` for files that were named and are bad; `space-unknown` when no source tells the space
 */
export async function spaceFacts(request: SpaceRequest, note: (text: string) => void): Promise<SpaceFacts> {
  const { configPaths, stateDir, stateDirGiven } = request;
  const daemon = await askForSpace(socketPath(stateDir));
  const ownFactory = 'problem' in daemon ? hostFqdn() : daemon.report.factory.toLowerCase();
  const report = 'problem' in daemon ? null : daemon.report;
  const daemonFirst = stateDirGiven && configPaths === undefined;
  const read = daemonFirst && report !== null ? null : await readConfiguration(configPaths, ownFactory);
  if (configPaths !== undefined && read !== null && read.config === null)
    throw new VacError('config-bad', read.problem);

  const config = read?.config ?? null;
  if (config !== null && daemonFirst && 'problem' in daemon) {
    note(`${daemon.problem}; asking the factories of ${config.files.join(' ')}`);
  }
  if (read !== null && read.config === null && report !== null && !read.isMissing) {
    note(`${read.problem}; asking the factories that vacd here knows`);
  }
  // A machinetype that is being mended keeps nobody from looking at the space.
  const settings = config?.settings ?? (report === null ? (read?.settings ?? null) : null);
  if (config === null && settings !== null) note(`${read!.problem}; asking the factories of its [settings]`);
  const known =
    settings !== null
      ? { space: settings.vacSpace, factories: settings.factories, source: 'the configuration' }
      : report !== null
        ? { space: report.space, factories: report.factories, source: 'the vacd here' }
        : null;
  const space = request.space ?? known?.space;
  if (space === undefined) {
    const tried = [read?.problem, 'problem' in daemon ? daemon.problem : null].filter((text) => text).join('; and ');
    throw new VacError(
      'space-unknown',
      `which space to ask is not known: ${tried}. Name a configuration with --config FILE, or a space and its factories: --space SPACE FACTORY...`,
    );
  }
  const isOwnSpace = known !== null && space === known.space;
  const keys = isOwnSpace ? keysOf(settings, report) : null;
  const told = isOwnSpace ? report : null;
  return {
    space,
    source: known?.source ?? 'the options',
    // A factory on its own need not name itself.
    factories: known === null ? [] : known.factories.length === 0 ? [ownFactory] : known.factories,
    ownSpace: known?.space ?? null,
    ownFactory,
    ownPort: report === null ? VACQUERY_PORT : report.queryPort,
    timeoutSeconds:
      request.timeoutSeconds ?? settings?.udpTimeoutSeconds ?? report?.udpTimeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS,
    configured: config === null || space !== config.settings.vacSpace ? null : await machinetypesOf(config, stateDir),
    signer: keys === null ? null : await querySigner(keys, ownFactory, note),
    news: newsOf(told),
    hints: told === null ? [] : [...told.problems, ...(told.hint === null ? [] : [told.hint])],
    silent: new Set(report?.peers.filter(({ outcome }) => outcome === 'none').map(({ factory }) => factory) ?? []),
  };
}

/** With those of vacuum pipes; null when these are not all known here: their shares would be missing. */
async function machinetypesOf(config: Config, stateDir: string): Promise<readonly ShareOf[] | null> {
  const { config: all, missing } = await pipesHere(config, stateDir);
  return missing.size === 0 ? all.machinetypes : null;
}

function keysOf(settings: Settings | null, report: SpaceReport | null): KeySettings | null {
  if (settings === null) return report?.keys ?? null;
  return settings.spaceKeyFile === null ? null : { file: settings.spaceKeyFile, mode: settings.spaceKeyMode };
}

function newsOf(report: SpaceReport | null): ReadonlyMap<string, FactoryNews> {
  return new Map(
    (report?.peers ?? []).flatMap(({ factory, way, heardSecondsAgo, signs }) =>
      way === null || heardSecondsAgo === null ? [] : [[factory, { way, ageSeconds: heardSecondsAgo, signs }]],
    ),
  );
}

async function askForSpace(path: string): Promise<{ report: SpaceReport } | { problem: string }> {
  let timer: NodeJS.Timeout | undefined;
  const hangs = new Promise<{ problem: string }>((resolve) => {
    timer = setTimeout(() => resolve({ problem: `vacd at ${path} does not answer` }), DAEMON_MS);
  });
  const asked = askDaemon(path, { command: 'space' }).then(
    (reply) =>
      reply.ok && reply.space !== undefined
        ? { report: reply.space }
        : { problem: `vacd at ${path} does not tell its space${reply.ok ? '' : `: ${reply.error}`}` },
    (error: Error) => ({ problem: error.message }),
  );
  try {
    return await Promise.race([asked, hangs]);
  } finally {
    clearTimeout(timer);
  }
}

interface Read {
  /** Null: there is none that can be used. */
  readonly config: Config | null;
  /** Of a configuration that is bad elsewhere, too. */
  readonly settings: Settings | null;
  /** Why there is none; else empty. */
  readonly problem: string;
  /** There is no file at all. */
  readonly isMissing: boolean;
}

async function readConfiguration(paths: readonly string[] | undefined, ownFactory: string): Promise<Read> {
  const { files, errors } = await (paths === undefined ? readConfigFiles() : readConfigFiles(paths, 'error'));
  if (files.length === 0 && paths === undefined) {
    const denied = deniedFile(errors);
    const problem = denied === undefined ? 'there is no configuration' : formatProblem(denied);
    return { config: null, settings: null, problem, isMissing: denied === undefined };
  }
  const loaded = errors.length > 0 ? null : loadConfig(files, { hostFqdn: ownFactory });
  if (loaded?.ok) return { config: loaded.config, settings: loaded.config.settings, problem: '', isMissing: false };
  return {
    config: null,
    settings: errors.length > 0 ? null : loadSettings(files, { hostFqdn: ownFactory }),
    problem: configProblemLine([...errors, ...(loaded?.errors ?? [])]),
    isMissing: false,
  };
}
