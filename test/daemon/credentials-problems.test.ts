import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CredentialFact, credentialProblems } from '../../src/daemon/credentials-problems.js';

const DAY = 86_400;
/** 2026-11-21 12:00 UTC. */
const NOW = 1_795_262_400;

function fact(changes: Partial<CredentialFact> = {}): CredentialFact {
  return {
    machinetype: 'prod',
    file: 'x509cert.pem',
    path: '/t/prod/x509cert.pem',
    startTimeSeconds: NOW - 100 * DAY,
    endTimeSeconds: NOW + 265 * DAY,
    neededSeconds: DAY,
    problem: null,
    warnings: [],
    ...changes,
  };
}

const texts = (changes: Partial<CredentialFact>, nowSeconds = NOW) =>
  credentialProblems([fact(changes)], nowSeconds).map(({ kind, text }) => `${kind}: ${text}`);

describe('a certificate that proxies are made of', () => {
  test('is told of from 14 days before the last machine can start with it', () => {
    const { endTimeSeconds } = fact();
    expect(texts({}, endTimeSeconds! - 15 * DAY)).toEqual([]);
    expect(texts({}, endTimeSeconds! - 15 * DAY + 1)).toEqual([
      'ending: prod: /t/prod/x509cert.pem ends at 2027-08-13 12:00:00 UTC, and no machine starts after 2027-08-12 12:00:00 UTC; renew it',
    ]);
  });

  test('keeps machines from starting while they would outlast it, and when it has expired', () => {
    const { endTimeSeconds } = fact();
    expect(texts({}, endTimeSeconds! - DAY)[0]).toMatch(/^ending/);
    expect(texts({}, endTimeSeconds! - DAY + 1)).toEqual([
      'ended: prod: /t/prod/x509cert.pem ends at 2027-08-13 12:00:00 UTC, before a machine that starts now must (max_wallclock_seconds): none starts; renew it',
    ]);
    expect(texts({}, endTimeSeconds!)).toEqual([
      'ended: prod: /t/prod/x509cert.pem has expired, it ended at 2027-08-13 12:00:00 UTC: no machine starts; renew it',
    ]);
  });

  test('is told of when it is not valid yet, as after a step of the clock; and no more when that is put right', () => {
    const tooEarly = NOW - 200 * DAY;
    expect(texts({}, tooEarly)).toEqual([
      "unusable: prod: no machine starts: /t/prod/x509cert.pem is not valid before 2026-08-13 12:00:00 UTC; is this host's clock right?",
    ]);
    expect(texts({}, NOW + 1000 * DAY)[0]).toMatch(/^ended/);
    expect(texts({}, NOW)).toEqual([]);
  });

  test('that lives briefly is told of in the last quarter of its life', () => {
    const brief = { startTimeSeconds: NOW, endTimeSeconds: NOW + 8 * DAY };
    expect(texts(brief, NOW + 5 * DAY)).toEqual([]);
    expect(texts(brief, NOW + 5 * DAY + 1)[0]).toMatch(/^ending/);
  });

  test('that cannot be used is told of with the reason, whatever its time', () => {
    const unreadable = { startTimeSeconds: null, endTimeSeconds: null, problem: '/t/prod/x509cert.pem is garbage' };
    expect(texts(unreadable)).toEqual(['unusable: prod: no machine starts: /t/prod/x509cert.pem is garbage']);
  });

  test('that works, but not as it should, is told of last', () => {
    expect(
      texts({ warnings: ['chmod 600 it'], endTimeSeconds: NOW + 3 * DAY }).map((text) => text.split(':')[0]),
    ).toEqual(['ending', 'careless']);
  });
});

describe('a certificate in a file of user_data', () => {
  const file = { file: 'user_data_file_hostcert', path: '/etc/grid-security/hostcert.pem', neededSeconds: 0 };

  test('is told of ahead of its end, and goes to machines all the same after it', () => {
    const endTimeSeconds = NOW + 14 * DAY;
    expect(texts({ ...file, endTimeSeconds })).toEqual([]);
    expect(texts({ ...file, endTimeSeconds }, NOW + 1)).toEqual([
      'ending: prod: /etc/grid-security/hostcert.pem (user_data_file_hostcert) ends at 2026-12-05 12:00:00 UTC; renew it',
    ]);
    expect(texts({ ...file, endTimeSeconds }, endTimeSeconds)).toEqual([
      'ended: prod: /etc/grid-security/hostcert.pem (user_data_file_hostcert) has expired, it ended at 2026-12-05 12:00:00 UTC: machines get it all the same; renew it',
    ]);
  });
});

test('machinetypes that share a certificate share a line; the worst lines come first', () => {
  const shared = fact({ endTimeSeconds: NOW + 5 * DAY });
  const problems = credentialProblems(
    [
      fact({ machinetype: 'c', path: '/c', warnings: ['/c is open'] }),
      { ...shared, machinetype: 'a' },
      { ...shared, machinetype: 'b' },
      fact({ machinetype: 'd', path: '/d', problem: '/d is missing' }),
    ],
    NOW,
  );
  expect(problems.map(({ kind, text }) => `${kind} ${text.split(': ')[0]}`)).toEqual([
    'unusable d',
    'ending a, b',
    'careless c',
  ]);
});

test('at any time there is at most one verdict, and it never gets better by waiting', () => {
  const rank: Record<string, number> = { ending: 1, ended: 2 };
  fc.assert(
    fc.property(
      fc.integer({ min: 60, max: 4000 * DAY }),
      fc.integer({ min: 0, max: 30 * DAY }),
      fc.integer({ min: 0, max: 5000 * DAY }),
      fc.integer({ min: 0, max: 100 * DAY }),
      (life, neededSeconds, after, wait) => {
        const made = fact({ startTimeSeconds: NOW, endTimeSeconds: NOW + life, neededSeconds });
        const [early, late] = [after, after + wait].map((passed) => {
          const problems = credentialProblems([made], NOW + passed);
          expect(problems.length).toBeLessThanOrEqual(1);
          return rank[problems[0]?.kind ?? ''] ?? 0;
        });
        expect(late).toBeGreaterThanOrEqual(early!);
        // What is over has been told of.
        if (after >= life) expect(early).toBe(2);
      },
    ),
  );
});
