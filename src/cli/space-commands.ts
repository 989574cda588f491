/** The commands that ask the factories of a space, and print what they answer as text or as it is on the wire. */

import { VacError } from '../errors.js';
import type { MachinetypeStatus, QueryType, Status, StatusOf } from '../vacquery/index.js';
import { type Answers, type AskerOptions, askSpace } from './ask-space.js';
import { chooseFactories } from './choose-factories.js';
import type { Io } from './io.js';
import { machinetypeOriginsCommand } from './origin-command.js';
import type { CommandLine } from './parse.js';
import { type SpaceFacts, type SpaceRequest, spaceFacts } from './space-facts.js';
import { unanswered } from './unanswered.js';
import { type FactoryOrder, factoriesView } from './views/factories.js';
import { machinesView } from './views/machines.js';
import { machinetypesView, machinetypeView } from './views/machinetypes.js';
import { sharesView } from './views/shares.js';
import { sharesCheck } from './views/shares-check.js';
import { naturally } from './views/text.js';
import { Waiting } from './waiting.js';
import { wireMessages } from './wire.js';

/** Nobody waits longer; and timers of the runtime end at 24 days. */
const MAX_TIMEOUT_SECONDS = 3600;

/** Of a command that has the options for asking. */
export function spaceRequest(line: CommandLine): SpaceRequest {
  return {
    configPaths: line.texts('config'),
    stateDir: line.text('state-dir')!,
    stateDirGiven: line.has('state-dir'),
    space: line.text('space')?.toLowerCase(),
    timeoutSeconds: line.positiveNumber('timeout', 'seconds', MAX_TIMEOUT_SECONDS),
  };
}

/** @param named on the command line; these are waited for in full */
export function askerOptions(facts: SpaceFacts, named: readonly string[]): AskerOptions {
  const { space, ownFactory, ownPort, timeoutSeconds, signer, silent } = facts;
  return {
    space,
    ownFactory,
    ownPort,
    timeoutSeconds,
    signer,
    factories: chooseFactories(named, facts),
    ...(named.length === 0 ? { silent } : {}),
  };
}

export async function machines(line: CommandLine, io: Io): Promise<number> {
  const asked = await ask('machines_query', line, line.positionals, io);
  if (line.has('json')) return printWire(asked, io, ({ machine }) => machine);
  io.print(machinesView(asked.answers, { ...io.view(), all: line.has('all') }));
  return ended(asked, io);
}

export async function factories(line: CommandLine, io: Io): Promise<number> {
  const asked = await ask('factory_query', line, line.positionals, io);
  const { news, hints } = asked.facts;
  if (line.has('json')) return printWire(asked, io, ({ factory }) => factory, undefined, news);
  io.print(
    factoriesView(asked.answers, {
      ...io.view(),
      news,
      hints,
      nowMs: asked.nowMs,
      unaskable: asked.problems,
      order: line.text('sort') as FactoryOrder,
      problemsOnly: line.has('problems'),
    }),
  );
  return ended(asked, io);
}

export async function machinetypes(line: CommandLine, io: Io): Promise<number> {
  if (line.has('origin')) return machinetypeOriginsCommand(line, io, undefined, line.positionals);
  const asked = await ask('machinetypes_query', line, line.positionals, io);
  if (line.has('json')) return printWire(asked, io, ({ machinetype }) => machinetype);
  io.print(machinetypesView(asked.answers, { ...io.view(), configured: asked.facts.configured }));
  return ended(asked, io);
}

export async function machinetype(line: CommandLine, io: Io): Promise<number> {
  const [name, ...named] = line.positionals as [string, ...string[]];
  if (line.has('origin')) return machinetypeOriginsCommand(line, io, name, named);
  const asked = await ask('machinetypes_query', line, named, io);
  const has = ({ machinetype }: MachinetypeStatus): boolean => machinetype === name;
  const lines = machinetypeView(name, asked.answers, { ...io.view(), configured: asked.facts.configured });
  let code: number;
  if (line.has('json')) {
    code = printWire(asked, io, ({ factory }) => factory, has);
  } else {
    io.print(lines ?? []);
    code = ended(asked, io);
  }
  if (lines !== null) return code;
  const heard = asked.answers.flatMap(({ statuses }) => statuses.map(({ status }) => status.machinetype));
  const known = [...new Set(heard)].sort(naturally).join(', ');
  throw new VacError(
    'no-such-thing',
    `no factory has a machinetype ${name}${known === '' ? '' : `; there are ${known}`}`,
  );
}

export async function shares(line: CommandLine, io: Io): Promise<number> {
  const asked = await ask('machinetypes_query', line, line.positionals, io);
  if (line.has('check')) {
    const { lines, differs } = sharesCheck(asked.answers, io.view());
    if (!line.has('json')) io.print(lines);
    const code = line.has('json') ? printWire(asked, io, ({ machinetype }) => machinetype) : ended(asked, io);
    return differs ? 1 : code;
  }
  if (line.has('json')) return printWire(asked, io, ({ machinetype }) => machinetype);
  io.print(sharesView(asked.answers, { ...io.view(), configured: asked.facts.configured }));
  return ended(asked, io);
}

interface Asked<S extends Status> extends Answers<S> {
  readonly facts: SpaceFacts;
}

async function ask<Q extends QueryType>(
  query: Q,
  line: CommandLine,
  named: readonly string[],
  io: Io,
): Promise<Asked<StatusOf<Q>>> {
  const facts = await spaceFacts(spaceRequest(line), (text) => io.complain(text));
  const options = askerOptions(facts, named);
  const waiting = new Waiting(options, io);
  try {
    return { ...(await askSpace(query, { ...options, onAnswer: waiting.answered })), facts };
  } finally {
    waiting.end();
  }
}

/** Says, below what was printed, who is missing from it; the exit code. */
function ended(asked: Asked<Status>, io: Io): number {
  const missing = unanswered(asked, asked.facts.timeoutSeconds);
  if (missing === null) return 0;
  io.complain(missing);
  return 1;
}

/** The messages as they are on the wire: one JSON array, a message a line. */
function printWire<S extends Status>(
  asked: Asked<S>,
  io: Io,
  nameOf: (status: S) => string,
  wanted: (status: S) => boolean = () => true,
  news: SpaceFacts['news'] = new Map(),
): number {
  const messages = wireMessages(asked.answers, nameOf, wanted, news);
  io.print(messages.length === 0 ? ['[]'] : ['[', messages.join(',\n'), ']']);
  return ended(asked, io);
}
