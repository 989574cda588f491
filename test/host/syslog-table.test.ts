import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type LoggedMachine, parseMachineTable, renderMachineTable, UNKNOWN } from '../../src/host/syslog-table.js';

const word = fc.stringMatching(/^[a-z0-9._-]{1,20}$/);
const machine = fc.record<LoggedMachine>({ id: word, uuid: word, machinetype: word, hostname: word });
const OWN = '169.254.169.254';

test('a table is read back as it was written', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.ipV4(), machine), fc.boolean(), (machines, isFull) => {
      delete machines[OWN];
      const full = new Set(isFull ? [UNKNOWN, ...Object.values(machines).map(({ id }) => id)] : []);
      const table = { machines: new Map(Object.entries(machines)), full };
      const read = parseMachineTable(renderMachineTable(table, OWN).text);
      expect(read).toEqual(table);
    }),
  );
});

test('equal tables have equal texts and names, whatever their order; others have others', () => {
  const a: LoggedMachine = { id: '1_a_h-1', uuid: 'u1', machinetype: 'a', hostname: 'h-1' };
  const b: LoggedMachine = { id: '2_b_h-2', uuid: 'u2', machinetype: 'b', hostname: 'h-2' };
  const of = (...entries: [string, LoggedMachine][]) =>
    renderMachineTable({ machines: new Map(entries), full: new Set() }, OWN);
  expect(of(['1', a], ['2', b])).toEqual(of(['2', b], ['1', a]));
  expect(of(['1', a]).name).not.toBe(of(['1', b]).name);
  expect(renderMachineTable({ machines: new Map([['1', a]]), full: new Set([a.id]) }, OWN).name).not.toBe(
    of(['1', a]).name,
  );
});

test('the entry of our own address is the table’s name', () => {
  const { text, name } = renderMachineTable({ machines: new Map(), full: new Set() }, OWN);
  expect(JSON.parse(text)).toEqual({
    version: 1,
    nomatch: 'unknown - - - kept',
    type: 'string',
    table: [{ index: OWN, value: `${name} ` }],
  });
});

test.each([
  '',
  '{',
  'null',
  '{"table": 1}',
  '{"table": [{"index": "1", "value": "x"}]}',
])('%j is an empty table', (text) => {
  expect(parseMachineTable(text).machines).toEqual(new Map());
});
