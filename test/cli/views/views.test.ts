/** What holds for every view, whatever factories and machines say: hostile text neither steers the terminal nor its lines. */

import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { factoriesView } from '../../../src/cli/views/factories.js';
import { machinesView } from '../../../src/cli/views/machines.js';
import { machinetypesView, machinetypeView } from '../../../src/cli/views/machinetypes.js';
import { sharesView } from '../../../src/cli/views/shares.js';
import { sharesCheck } from '../../../src/cli/views/shares-check.js';
import { type PollViewOptions, widthOf } from '../../../src/cli/views/text.js';
import type { PeerAnswer } from '../../../src/vacquery/index.js';
import type { FactoryStatus, MachineStatus, MachinetypeStatus, Status } from '../../../src/vacquery/messages.js';
import { statusArbitrary } from '../../vacquery/arbitraries.js';
import { answer, hostileText, VIEW } from './space.js';

/** Any status of one kind, its free texts as they were before any codec made them harmless. */
function statuses<S extends Status>(kind: S['message_type'], texts: readonly (keyof S)[]): fc.Arbitrary<S> {
  const plain = statusArbitrary.filter((status) => status.message_type === kind) as unknown as fc.Arbitrary<S>;
  return fc
    .tuple(plain, fc.array(hostileText, { minLength: texts.length, maxLength: texts.length }))
    .map(([status, words]) => ({ ...status, ...Object.fromEntries(texts.map((key, index) => [key, words[index]])) }));
}

function answers<S extends Status>(status: fc.Arbitrary<S>): fc.Arbitrary<PeerAnswer<S>[]> {
  const outcome = fc.constantFrom('complete' as const, 'partial' as const, 'none' as const);
  const one = fc
    .tuple(fc.array(status, { maxLength: 4 }), outcome, fc.constantFrom('wn1', 'wn2', 'wn10.example.org'))
    .map(([received, how, name]) => answer(name, how === 'none' ? [] : received, { outcome: how }));
  return fc.array(one, { maxLength: 4 });
}

const view: fc.Arbitrary<PollViewOptions> = fc.record({
  columns: fc.oneof(fc.integer({ min: 1, max: 160 }), fc.constantFrom(80, 120, Number.POSITIVE_INFINITY)),
  nowSeconds: fc.constant(VIEW.nowSeconds),
  nowMs: fc.constant(VIEW.nowMs),
  colour: fc.boolean(),
});

const machines = answers(statuses<MachineStatus>('machine_status', ['shutdown_message', 'machine_model', 'fqan']));
const types = answers(
  statuses<MachinetypeStatus>('machinetype_status', ['shutdown_message', 'machinegroup', 'fqan', 'shutdown_machine']),
);
const factories = answers(statuses<FactoryStatus>('factory_status', ['vac_version', 'kernel_version', 'os_issue']));

const VIEWS: Readonly<Record<string, fc.Arbitrary<(options: PollViewOptions) => readonly string[]>>> = {
  machines: machines.map((of) => (options) => machinesView(of, options)),
  'machines, all slots': machines.map((of) => (options) => machinesView(of, { ...options, all: true })),
  machinetypes: types.map((of) => (options) => machinetypesView(of, options)),
  'machinetype NAME': types.map((of) => (options) => {
    const name = of.flatMap(({ statuses }) => statuses.map(({ status }) => status.machinetype))[0] ?? '';
    return machinetypeView(name, of, options) ?? [];
  }),
  factories: factories.map((of) => (options) => factoriesView(of, { ...options, order: 'disk' })),
  shares: types.map((of) => (options) => sharesView(of, options)),
  'shares --check': types.map((of) => (options) => sharesCheck(of, options).lines),
};

describe.each(Object.entries(VIEWS))('vac %s', (_, shown) => {
  test('stays within its columns, and says nothing but lines of text', () => {
    fc.assert(
      fc.property(shown, view, (lines, options) => {
        for (const line of lines(options)) {
          const text = stripVTControlCharacters(line);
          expect(widthOf(text)).toBeLessThanOrEqual(options.columns);
          expect(text).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]| $/u);
        }
      }),
    );
  });

  test('has the same text with colours and without, and no escape sequence but its own colours', () => {
    fc.assert(
      fc.property(shown, view, (lines, options) => {
        const coloured = lines({ ...options, colour: true }).join('\n');
        const plain = lines({ ...options, colour: false }).join('\n');
        // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
        expect(coloured.replace(/\u001b\[(?:1|2|22|31|32|33|36|39)m/g, '')).toBe(plain);
      }),
    );
  });
});
