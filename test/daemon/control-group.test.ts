import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.js';
import type { Config } from '../../src/config/types.js';
import { controlGroupId } from '../../src/daemon/control-group.js';
import { VacError } from '../../src/errors.js';
import { TestLog } from './test-factory.js';

function configured(line: string): Config {
  const text = `[settings]\nvac_space = vac01.example.com\n${line}\n`;
  const result = loadConfig([{ path: '/etc/vac.conf', text }], { hostFqdn: 'wn1.example.com' });
  if (!result.ok) throw new Error(result.errors[0]!.message);
  return result.config;
}

describe('control_group', () => {
  const log = new TestLog();

  test('is its number on this host', async () => {
    expect(await controlGroupId(configured('control_group = root'), log.logger)).toBe(0);
    expect(await controlGroupId(configured('control_group = ops'), log.logger, async () => 4711)).toBe(4711);
  });

  test('is nobody when it is not given', async () => {
    expect(await controlGroupId(configured(''), log.logger)).toBeNull();
    expect(log.lines).toEqual([]);
  });

  test.each([
    ['nobody knows', async () => null, 'this host knows no group of that name; create it, or correct the name'],
    [
      'a directory service is silent about',
      async () => {
        throw new VacError('command-timeout', 'getent group ops did not end within 10 s and was killed');
      },
      'the host does not say whether there is such a group: getent group ops did not end',
    ],
  ])('that %s is named by file and line, and is nobody', async (_, lookUp, words) => {
    const said = new TestLog();
    expect(await controlGroupId(configured('control_group = ops'), said.logger, lookUp)).toBeNull();
    expect(said.lines).toHaveLength(1);
    expect(said.lines[0]).toContain(`error: /etc/vac.conf:3: [settings] control_group = "ops": ${words}`);
    expect(said.lines[0]).toContain('; only root may use vacd.sock');
  });
});
