/** The vacuum pipes of a configuration by the copies that the vacd on this host keeps of their documents. */

import type { PipeDocument } from '../config/pipe-document.js';
import { type PipeExpansion, withPipes } from '../config/pipe-expand.js';
import type { Config } from '../config/types.js';
import { pipesDirectory, readPipeCopy } from '../daemon/pipe-copies.js';

export interface PipesHere {
  /** With the machinetypes of the pipes whose copy is there. */
  readonly config: Config;
  /** Of these pipes. */
  readonly expansions: ReadonlyMap<string, PipeExpansion>;
  /** When the server of each of them last gave or confirmed the copy (Unix seconds). */
  readonly checkedTimesSeconds: ReadonlyMap<string, number>;
  /** Why there is none of the others. */
  readonly missing: ReadonlyMap<string, string>;
}

/** Never rejects. */
export async function pipesHere(config: Config, stateDir: string): Promise<PipesHere> {
  const documents = new Map<string, PipeDocument>();
  const checkedTimesSeconds = new Map<string, number>();
  const missing = new Map<string, string>();
  for (const pipe of config.vacuumPipes) {
    const { copy, problem } = await readPipeCopy(pipesDirectory(stateDir), pipe);
    if (copy === null) {
      missing.set(pipe.prefix, problem ?? 'no vacd here has fetched its document yet');
    } else {
      documents.set(pipe.prefix, copy.document);
      checkedTimesSeconds.set(pipe.prefix, copy.checkedTimeSeconds);
    }
  }
  return { ...withPipes(config, documents), checkedTimesSeconds, missing };
}
