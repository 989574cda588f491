/** A machine of the trail as a security officer reads it at three in the morning: who, when, what, and what to do next. */

import type { TraceAnswer, TracedMachine } from '../../trail/query.js';
import type { FileTrail } from '../../trail/record.js';
import type { Verification } from '../../trail/verify.js';
import { saySpan, sayTime } from '../time.js';
import { counted, harmless, type ViewOptions, wrapped } from './text.js';

const LABEL_COLUMNS = 12;
const MAX_FLOWS = 10;
const MAX_FILES = 12;
const MAX_OTHERS = 20;

export function traceView(answer: TraceAnswer, view: ViewOptions): string[] {
  const [first, ...others] = answer.machines;
  if (first === undefined) return nobody(answer, view);
  const lines = machineLines(first, view);
  if (others.length > 0) {
    lines.push('', `${others.length} other${others.length === 1 ? '' : 's'} fit as well:`);
    lines.push(...others.slice(0, MAX_OTHERS).map((machine) => `  ${brief(machine, view)}`));
    if (others.length > MAX_OTHERS) lines.push(`  and ${others.length - MAX_OTHERS} more`);
  }
  lines.push(...doubts(answer).flatMap((text) => wrapped(text, view)));
  lines.push('', ...whatNext(first));
  return lines.map((text) => harmless(text));
}

export function verifyView({ records, first, last, digest, problems }: Verification): string[] {
  if (first === null && problems.length === 0) {
    return ['The trail has no records: no machine has been made here, or the trail was taken away'];
  }
  const range = first === null ? 'there is none' : `numbers ${first} to ${last}`;
  const state = problems.length === 0 ? 'whole: none was changed, none is missing' : 'DAMAGED:';
  return [
    `${records} records, ${range}: ${state}`,
    ...problems.map((problem) => `  ${harmless(problem)}`),
    ...(digest === null ? [] : [`digest of the last: ${digest} (vacd logs these; compare with the central log)`]),
  ];
}

function machineLines(machine: TracedMachine, view: ViewOptions): string[] {
  const { about, ended, notes, flows } = machine;
  const { machine: record, provenance } = about;
  const { nowSeconds } = view;
  const rows: [string, string][] = [
    ['machine', `${record.hostname}  (slot ${record.slot}, ${machine.isHeld ? 'IN QUARANTINE' : state(machine)})`],
    ['uuid', record.uuid],
    ['address', `${record.ip}  ${record.mac}${natText(machine)}`],
    [
      'type',
      `${record.machinetype}, ${counted(record.processors, 'processor')}, ${record.memoryMiB} MiB, ${record.machineModel}`,
    ],
  ];
  const group = [provenance?.machinegroup, record.accountingFqan].filter((text) => text !== null && text !== undefined);
  if (group.length > 0) rows.push(['for', [...new Set(group)].join(', ')]);
  if (provenance !== null) {
    rows.push(['factory', `${provenance.factory}, space ${provenance.space}, vacd ${provenance.vacVersion}`]);
    if (provenance.pipe !== null) rows.push(['pipe', `${provenance.pipe.prefix}  ${provenance.pipe.url ?? ''}`]);
  }
  rows.push(['created', sayTime(record.createdTimeSeconds)]);
  if (machine.startedTimeSeconds !== null) rows.push(['started', sayTime(machine.startedTimeSeconds)]);
  if (ended?.stopTimeSeconds) rows.push(['told to stop', sayTime(ended.stopTimeSeconds)]);
  if (ended !== null) {
    const ran = ended.end.timeSeconds - (ended.startedTimeSeconds ?? ended.end.timeSeconds);
    rows.push([
      'ended',
      `${sayTime(ended.end.timeSeconds)}, after ${saySpan(ran)}, ${Math.round(ended.end.cpuSeconds)} s of CPU`,
    ]);
    rows.push(['how', `"${ended.end.message ?? 'no message'}" (${ended.end.reason})`]);
  } else if (machine.directory !== null) rows.push(['age', saySpan(nowSeconds - record.createdTimeSeconds)]);
  if (provenance?.image) {
    const { source, sha256, signer, fetchedTimeSeconds } = provenance.image;
    rows.push(['image', source], ['', `sha256 ${sha256 ?? 'not known'}`]);
    if (signer !== null) rows.push(['', `signed by ${signer}`]);
    if (fetchedTimeSeconds !== null) rows.push(['', `fetched ${sayTime(fetchedTimeSeconds)}`]);
  }
  if (provenance?.userData) {
    const { source, sha256, bytes, fetchedTimeSeconds } = provenance.userData;
    rows.push(['user_data', `${source ?? 'made by the factory'}  (${bytes} bytes, ${sayTime(fetchedTimeSeconds)})`]);
    rows.push(['', `sha256 ${sha256}`]);
  }
  for (const { subject, serial, endTimeSeconds } of provenance?.certificates ?? []) {
    rows.push(['certificate', `${subject}  serial ${serial}, until ${sayTime(endTimeSeconds)}`]);
  }
  const noLog = ended?.left.log
    ? `gone (syslog_days); ${fileText(ended.left.log)}`
    : 'none: it has sent no syslog here';
  rows.push(['log', machine.log ?? noLog]);
  rows.push(['directory', machine.directory ?? 'gone (machines_dir_days)']);
  for (const [index, file] of (ended?.left.files ?? []).slice(0, MAX_FILES).entries()) {
    rows.push([index === 0 ? 'outputs' : '', fileText(file)]);
  }
  const hidden = (ended?.left.notListed ?? 0) + Math.max(0, (ended?.left.files.length ?? 0) - MAX_FILES);
  if (hidden > 0) rows.push(['', `and ${hidden} more`]);
  for (const name of ended?.left.accounting ?? []) rows.push(['accounting', `apel-archive/${name}`]);
  for (const note of notes) rows.push([note.what, `${sayTime(note.timeSeconds)} by ${note.who}: ${note.text}`]);
  for (const [index, flow] of flows.slice(0, MAX_FLOWS).entries()) {
    const { event, protocol, fromPort, to, toPort, as, asPort, timeSeconds } = flow;
    const text = `${sayTime(Math.floor(timeSeconds))} ${event} ${protocol} :${fromPort} > ${to}:${toPort} as ${as}:${asPort}`;
    rows.push([index === 0 ? 'connections' : '', text]);
  }
  if (flows.length > MAX_FLOWS) rows.push(['', `and ${flows.length - MAX_FLOWS} more (--json has all)`]);
  return rows.map(([label, text]) => `${label.padEnd(LABEL_COLUMNS)}  ${text}`.trimEnd());
}

function state({ ended, directory, startedTimeSeconds }: TracedMachine): string {
  if (ended !== null) return 'ended';
  if (directory === null) return 'its end is not known';
  return startedTimeSeconds === null ? 'being made' : 'runs';
}

function natText({ about: { provenance } }: TracedMachine): string {
  const nat = provenance?.nat;
  return nat ? `, to the outside as ${nat.address ?? 'any address'} by ${nat.device}` : '';
}

function fileText({ name, bytes, sha256 }: FileTrail): string {
  return `${name}  ${bytes} bytes${sha256 === null ? '' : `  sha256 ${sha256}`}`;
}

function brief(machine: TracedMachine, { nowSeconds }: ViewOptions): string {
  const { about, ended } = machine;
  const { hostname, machinetype, uuid, createdTimeSeconds } = about.machine;
  const until = ended === null ? `now (${saySpan(nowSeconds - createdTimeSeconds)})` : sayTime(ended.end.timeSeconds);
  return `${hostname}  ${machinetype}  ${uuid}  ${sayTime(createdTimeSeconds)} to ${until}`;
}

/** What may make the answer wrong. */
function doubts({ flows, gaps, isCut, machines }: TraceAnswer): string[] {
  const texts: string[] = [];
  if (flows === 'no-log') {
    texts.push('There is no log of connections (flow_log is none), so --port and --to could not be looked up.');
  }
  if (flows === 'asked' && machines.every((machine) => machine.flows.length === 0)) {
    texts.push(
      'The log of connections has no such connection that began within two minutes of that time, so --port and --to did not narrow this down. One that was there for longer is found by the time when it began, or without --at.',
    );
  }
  if (isCut) texts.push('More connections fit than are looked at, the earliest were: give --at.');
  for (const { timeSeconds, count, why } of gaps.slice(0, 3)) {
    const what = count < 0 ? 'some' : String(count);
    texts.push(`The log of connections left out ${what} until ${sayTime(Math.floor(timeSeconds))}: ${why}.`);
  }
  return texts.length > 0 ? ['', ...texts] : [];
}

function whatNext({ about, ended, isHeld, log, directory }: TracedMachine): string[] {
  const name = about.machine.hostname.split('.')[0]!;
  const lines = ['What next:'];
  if (isHeld) lines.push(`  vac release ${name} [--destroy]   lets it go on, or ends it`);
  else if (ended === null && directory !== null) {
    lines.push(`  vac quarantine ${name} --by YOU REASON   cuts its network, halts it, keeps memory and disks`);
  } else if (directory !== null) {
    lines.push(`  vac quarantine ${about.id} --by YOU REASON   keeps its logs and outputs, which would be removed`);
  }
  if (log !== null) lines.push(`  vac logs ${ended === null ? name : about.id}   what it logged, kept outside of it`);
  lines.push('  vac trace --verify   whether this trail is as it was written');
  return lines;
}

function nobody({ before, after, flows }: TraceAnswer, view: ViewOptions): string[] {
  const lines = ['No machine of this host fits that.'];
  if (before !== null) lines.push(`  before: ${brief(before, view)}`);
  if (after !== null) lines.push(`  after:  ${brief(after, view)}`);
  if (before === null && after === null) {
    lines.push('  Is it this host? Each host has the trail of its own machines; and is the time in the right zone?');
  }
  return [...lines, ...doubts({ flows, gaps: [], isCut: false, machines: [], before: null, after: null })].map((text) =>
    harmless(text),
  );
}
