/**
 * Looks after the certificates that machines are given: reads them every minute (they are few and small), so that a
 * renewed one is known at once, and tells the log of what is wrong with them once a day. Status, `vac check` and metrics
 * read what is found in the Memory.
 */

import { isAbsolute, join } from 'node:path';
import type { MachinetypeConfig } from '../config/types.js';
import { VacError } from '../errors.js';
import type { Certificate } from '../host/x509-certificate.js';
import { firstToEnd, readCertificates, readCredential } from '../host/x509-credential.js';
import { checkProxyForm } from '../host/x509-proxy.js';
import type { StateLayout } from '../machines/layout.js';
import { credentialFiles } from '../machines/proxy.js';
import { type CredentialFact, type CredentialProblem, credentialProblems } from './credentials-problems.js';
import type { Logger } from './log.js';
import type { Memory } from './memory.js';

export interface CredentialsParts {
  readonly memory: Memory;
  readonly layout: StateLayout;
  readonly log: Logger;
}

const LOOK_MS = 60_000;
const TELL_AGAIN_MS = 24 * 3_600_000;

export class Credentials {
  private timer: NodeJS.Timeout | null = null;
  private underWay: Promise<void> | null = null;
  /** When each problem was last told of, on the monotonic clock. */
  private readonly told = new Map<string, { readonly path: string; readonly atMs: number }>();

  constructor(private readonly parts: CredentialsParts) {}

  start(): void {
    this.timer ??= setInterval(() => void this.look(), LOOK_MS).unref();
    void this.look();
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  /** Never rejects. While a slow disk holds up one look, all further ones are that one. */
  look(): Promise<void> {
    this.underWay ??= this.lookNow().finally(() => {
      this.underWay = null;
    });
    return this.underWay;
  }

  private async lookNow(): Promise<void> {
    const { memory, layout, log } = this.parts;
    try {
      // Types that never start (SPEC 2) need none.
      const types = memory.config.machinetypes.filter(({ targetShare }) => targetShare > 0);
      memory.credentials = (await Promise.all(types.map((type) => factsOf(type, layout)))).flat();
      this.tell(credentialProblems(memory.credentials, Math.floor(Date.now() / 1000)), performance.now());
    } catch (error) {
      log.error(`certificates cannot be looked at: ${(error as Error).message}`);
    }
  }

  private tell(problems: readonly CredentialProblem[], nowMs: number): void {
    const { log } = this.parts;
    const present = new Set<string>();
    for (const { kind, path, machinetypes, text } of problems) {
      const key = `${kind} ${path} ${machinetypes.join(' ')}`;
      present.add(key);
      const toldAtMs = this.told.get(key)?.atMs;
      if (toldAtMs !== undefined && nowMs < toldAtMs + TELL_AGAIN_MS) continue;
      log.warn(text);
      this.told.set(key, { path, atMs: nowMs });
    }
    for (const [key, { path }] of this.told) {
      if (present.has(key)) continue;
      this.told.delete(key);
      if (!problems.some((problem) => problem.path === path)) log.info(`${path} is in order again`);
    }
  }
}

/** What a type's machines are given: the certificate of their proxies, and those in files of their user_data. */
async function factsOf(type: MachinetypeConfig, layout: StateLayout): Promise<CredentialFact[]> {
  const facts: CredentialFact[] = [];
  if (type.userDataProxy) facts.push(await proxyFact(type, layout));
  for (const [name, file] of Object.entries(type.userDataFiles)) {
    const path = isAbsolute(file) ? file : join(layout.machinetypeFiles(type.directoryName), file);
    const chain = await readCertificates(path).catch(() => null);
    // Most files hold none. One that begins with an authority's is a list of those whom machines trust.
    if (chain === null || chain[0].kind === 'authority') continue;
    facts.push({ ...told(type, `user_data_file_${name}`, path), ...times(firstToEnd(chain)) });
  }
  return facts;
}

async function proxyFact(type: MachinetypeConfig, layout: StateLayout): Promise<CredentialFact> {
  const files = credentialFiles(layout, type.directoryName);
  const fact = { ...told(type, 'x509cert.pem', files.certificate), neededSeconds: type.maxWallclockSeconds };
  try {
    const credential = await readCredential(files);
    const known = { ...fact, ...times(firstToEnd(credential.chain)), warnings: credential.warnings };
    return { ...known, problem: problemOf(() => checkProxyForm(credential, type.legacyProxy)) };
  } catch (error) {
    if (!(error instanceof VacError)) throw error;
    return { ...fact, problem: error.message };
  }
}

function problemOf(check: () => void): string | null {
  try {
    check();
    return null;
  } catch (error) {
    if (!(error instanceof VacError)) throw error;
    return error.message;
  }
}

function told({ name: machinetype }: MachinetypeConfig, file: string, path: string): CredentialFact {
  const unknown = { startTimeSeconds: null, endTimeSeconds: null };
  return { machinetype, file, path, ...unknown, neededSeconds: 0, problem: null, warnings: [] };
}

function times({ startTimeSeconds, endTimeSeconds }: Certificate) {
  return { startTimeSeconds, endTimeSeconds };
}
