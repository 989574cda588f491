/**
 * Watches the configuration files and reports each change of what they say: a good one as a `Config`, a bad one as its
 * errors, once. The last good configuration is the caller's to keep: nothing is reported in its place. A change that
 * says nothing new (a comment, a line moved) is not reported, except that it ends a bad one.
 *
 * Two ways find changes: `fs.watch` on the directories (at once, but blind behind symbolic links and on some file
 * systems), and a cheap look at time, size and inode every few seconds. Both only lead to reading the files again.
 */
import { createHash } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { sameConfig } from './changes.js';
import { loadConfig } from './load.js';
import type { Problem } from './problem.js';
import { DEFAULT_CONFIG_PATHS, filesOf, readConfigFiles } from './read.js';
import type { Config, ConfigFile, LoadResult } from './types.js';

export interface WatchOptions {
  /** Files and directories, as for `readConfigFiles`. */
  readonly paths?: readonly string[];
  readonly hostFqdn: string;
  /** What the caller has loaded already; it is not reported again. */
  readonly inForce?: Config;
  /** What else must hold, such as on this host: a configuration with these errors is bad too. */
  readonly check?: (config: Config) => readonly Problem[];
  /** Called for the first configuration too, unless it is the one in force. */
  readonly onChange: (config: Config, warnings: readonly Problem[]) => void;
  /** Called once for each bad content; the configuration in force stays as it is. */
  readonly onBad: (errors: readonly Problem[]) => void;
  /** Called when a bad content was reported and the files say again what is in force: the last one given to `onChange`. */
  readonly onGoodAgain?: () => void;
  readonly pollMilliseconds?: number;
  /** How long after a sign of change the files are read: an editor makes several changes in a row. */
  readonly debounceMilliseconds?: number;
}

export interface ConfigWatch {
  /** Stops watching; nothing is reported after it. */
  close(): void;
  /** Reads the files now. Reports as any change does, if the contents are new, and returns what it found in any case. */
  reloadNow(): Promise<LoadResult>;
}

const POLL_MILLISECONDS = 10_000;
const DEBOUNCE_MILLISECONDS = 250;

/**
 * Starts watching, beginning with a first reading, which is reported like a change. Timers and watchers do not keep the
 * process alive. Never throws, nor do its promises reject, unless a callback throws.
 */
export function watchConfig(options: WatchOptions): ConfigWatch {
  const { paths = DEFAULT_CONFIG_PATHS, pollMilliseconds = POLL_MILLISECONDS } = options;
  const { debounceMilliseconds = DEBOUNCE_MILLISECONDS } = options;
  let closed = false;
  let watchers: FSWatcher[] = [];
  let debounce: NodeJS.Timeout | undefined;
  let seenTraces = '';
  let reportedContent: string | null = null;
  let inForce = options.inForce ?? null;
  let badReported = false;
  /** Readings follow one another, so that an older one is never reported after a newer one. */
  let lastReading: Promise<unknown> = Promise.resolve();

  const closeWatchers = (): void => {
    for (const watcher of watchers) watcher.close();
    watchers = [];
  };

  const soon = (): void => {
    if (closed) return;
    clearTimeout(debounce);
    debounce = setTimeout(() => void reloadNow(), debounceMilliseconds).unref();
  };

  const report = (result: LoadResult): void => {
    const wasBad = badReported;
    badReported = !result.ok;
    if (!result.ok) {
      options.onBad(result.errors);
    } else if (inForce === null || !sameConfig(result.config, inForce)) {
      inForce = result.config;
      options.onChange(result.config, result.warnings);
    } else if (wasBad) {
      options.onGoodAgain?.();
    }
  };

  const load = (files: readonly ConfigFile[]): LoadResult => {
    const result = loadConfig(files, { hostFqdn: options.hostFqdn });
    if (!result.ok || options.check === undefined) return result;
    const errors = options.check(result.config);
    return errors.length === 0 ? result : { ok: false, errors, warnings: result.warnings };
  };

  const read = async (): Promise<LoadResult> => {
    // New watchers each time: a directory may have come, gone, or been replaced. Before reading, so no change is missed.
    closeWatchers();
    if (!closed) watchers = openWatchers(paths, soon);
    const before = await traces(paths);
    const { files, errors } = await readConfigFiles(paths);
    const result: LoadResult = errors.length > 0 ? { ok: false, errors, warnings: [] } : load(files);
    if ((await traces(paths)) !== before) {
      soon(); // written while it was read: what was read may be half of it
      return result;
    }
    seenTraces = before;
    const content = digest(files, errors);
    if (!closed && content !== reportedContent) {
      reportedContent = content;
      report(result);
    }
    return result;
  };

  const reloadNow = (): Promise<LoadResult> => {
    const reading = lastReading.then(read);
    lastReading = reading.catch(() => undefined);
    return reading;
  };

  const poll = setInterval(async () => {
    if ((await traces(paths)) !== seenTraces) soon();
  }, pollMilliseconds).unref();

  void reloadNow();
  return {
    close: () => {
      closed = true;
      clearInterval(poll);
      clearTimeout(debounce);
      closeWatchers();
    },
    reloadNow,
  };
}

/** Watches each path's own directory for the path's name, and the paths themselves: directories for what is in them. */
function openWatchers(paths: readonly string[], onSign: () => void): FSWatcher[] {
  const opened: FSWatcher[] = [];
  const open = (directory: string, concerns: (name: string) => boolean): void => {
    try {
      const watcher = watch(directory, { persistent: false }, (_event, name) => {
        if (name === null || concerns(name)) onSign();
      });
      watcher.on('error', onSign);
      opened.push(watcher);
    } catch {
      // Not there, not a directory, or no more watches to be had: polling covers it.
    }
  };
  for (const directory of new Set(paths.map((path) => dirname(path)))) {
    const names = paths.filter((path) => dirname(path) === directory).map((path) => basename(path));
    open(directory, (name) => names.includes(name));
  }
  for (const path of paths) open(path, (name) => name.endsWith('.conf') || name === basename(path));
  return opened;
}

/** What stat(2) says of all the files: differs when any may have changed. */
async function traces(paths: readonly string[]): Promise<string> {
  const files = (await Promise.all(paths.map((path) => filesOf(path).catch(() => [path])))).flat();
  const lines = files.map(async (file) => {
    const stats = await stat(file, { bigint: true }).catch(() => null);
    return stats === null ? `${file} -` : `${file} ${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`;
  });
  return (await Promise.all(lines)).join('\n');
}

function digest(files: readonly ConfigFile[], errors: readonly Problem[]): string {
  const hash = createHash('sha256');
  for (const { path, text } of files) hash.update(`${path.length} ${path} ${text.length} `).update(text);
  return hash.update(JSON.stringify(errors)).digest('hex');
}
