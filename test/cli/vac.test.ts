import { beforeAll, describe, expect, it } from 'vitest';
import { decode } from '../../src/vacquery/codec.js';
import { factoryView } from './status.js';
import { configOf, reportOf, runVac, type Said } from './vac-host.js';

/** The second and third of four are not there, and the last one has no address. */
const SHAPE = { factories: 4, slots: 4, machinetypes: 3, dead: [2], nameless: [3] };
const FILES = { 'vac.conf': configOf(SHAPE), 'bad.conf': '[settings]\nvac_spaec = x\n' };

const MISSING =
  /^vac: 2 of 4 factories did not answer within 5 s: wn02, wn03 \(its name was not resolved within 1\.5 s\)\n$/;

/** What vacd knows of a factory that it never heard. */
const SILENT = {
  way: null,
  signs: null,
  outcome: 'none',
  heardSecondsAgo: null,
  clockAheadSeconds: null,
  vacVersion: null,
  site: null,
  machinetypes: 0,
  machinetypesExpected: null,
  runningMachines: 0,
  runningProcessors: 0,
  runningHs06: 0,
  problems: [],
} as const;

describe('vac on a host with a configuration, but no vacd to ask', () => {
  const COMMANDS = {
    machines: ['machines', '--config', '@vac.conf'],
    some: ['machinetypes', '--config', '@vac.conf', 'wn00', 'WN01.example.com'],
    machinetype: ['machinetype', 'type-1', '--config', '@vac.conf'],
    noMachinetype: ['machinetype', 'type-x', 'wn00', '--config', '@vac.conf'],
    noMachinetypeJson: ['machinetype', 'type-x', 'wn00', '--json', '--config', '@vac.conf'],
    factories: ['factories', '--config', '@vac.conf'],
    shares: ['shares', '--config', '@vac.conf'],
    sharesCheck: ['shares', '--check', '--config', '@vac.conf'],
    sharesCheckJson: ['shares', '--check', '--json', '--config', '@vac.conf'],
    json: ['machines', '--json', 'wn01', '--config', '@vac.conf'],
    jsonOfAll: ['factories', '-J', '--config', '@vac.conf'],
    jsonOfType: ['machinetype', 'type-2', 'wn01', 'wn00', '--json', '--config', '@vac.conf'],
    patient: ['factories', 'wn02', '-t', '0.5', '--config', '@vac.conf'],
    unknown: ['factories', 'wn7', '--config', '@vac.conf'],
    otherSpace: ['factories', '--space', 'vac02.example.com', 'wn01.example.com', '-t', '0.3', '--config', '@vac.conf'],
    otherShares: ['shares', '--space', 'vac02.example.com', 'wn01.example.com', '-t', '0.3', '--config', '@vac.conf'],
    someShares: ['shares', 'wn01', '--config', '@vac.conf'],
    emptyOption: ['machines', '--space', ''],
    emptyArgument: ['stop', ''],
    tooPatient: ['machines', '--timeout', '1e9', '--config', '@vac.conf'],
    otherSpaceUnnamed: ['factories', '--space', 'vac02.example.com', '--config', '@vac.conf'],
    noConfig: ['machines'],
    badConfig: ['machines', '--config', '@bad.conf'],
    missingConfig: ['machines', '--config', '@missing.conf'],
    why: ['why', '--state-dir', '@state'],
    check: ['check', 'wn01', '--config', '@vac.conf'],
    checkLocal: ['check', '--state-dir', '@state'],
    checkUsage: ['check', '--heartbeat', 'soon'],
    checkUnknown: ['check', 'wn77', '--config', '@vac.conf'],
    checkUnknownJson: ['check', 'wn77', '-J', '--config', '@vac.conf'],
    checkUsageJson: ['--config', '@vac.conf', 'check', '--jsno', '--json'],
    checkJson: ['check', 'wn01', 'wn02', '--json', '--config', '@vac.conf'],
    checkLocalJson: ['check', '--json', '--state-dir', '@state'],
    checkUnreadable: ['sh', 'mkdir -p @odd/factory-error; vac check --state-dir @odd'],
    checkUnreachable: [
      'sh',
      'mkdir @loop; ln -s factory-heartbeat @loop/factory-heartbeat; vac check --state-dir @loop',
    ],
    checkConfig: ['check-config', '@vac.conf'],
    checkConfigOption: ['check-config', '--config', '@bad.conf'],
    checkConfigJson: ['check-config', '--json', '@vac.conf'],
    badConfigJson: ['check-config', '@bad.conf', '--json'],
    words: ['completion-words', 'factories', '--config', '@vac.conf'],
    noWords: ['completion-words', 'machines', '--state-dir', '@state'],
    badWords: ['completion-words', 'spells'],
    none: [],
    wrong: ['machnies'],
    helpOf: ['help', 'drain'],
    watch: ['watch', '--config', '@vac.conf'],
    piped: ['sh', 'vac machines --config @vac.conf wn00 wn01 | true; echo "$PIPESTATUS"'],
    full: ['sh', 'vac machines --config @vac.conf wn00 > /dev/full'],
    steering: ['sh', "vac machines --config @vac.conf $'\\e[31mwn00' \\u202e"],
    watchPiped: ['sh', 'vac watch --json --interval 5 --config @vac.conf | head -n 2; echo "$PIPESTATUS"'],
    watchEnded: [
      'sh',
      'exec 3< <(exec $VAC watch --json --interval 3000 --config @vac.conf wn00); read -r <&3; kill -TERM $!; wait $!; echo $?',
    ],
    process: ['sh', 'vac factories --config @vac.conf wn00 wn02 >/dev/null'],
  } as const;
  let said: Record<keyof typeof COMMANDS, Said>;

  beforeAll(async () => {
    // By turns on four hosts: many of these commands wait for factories that are not there.
    const names = Object.keys(COMMANDS) as (keyof typeof COMMANDS)[];
    const parts = [0, 1, 2, 3].map((part) => names.filter((_, index) => index % 4 === part));
    const all = await Promise.all(
      parts.map(async (part) => {
        const each = await runVac(
          { shape: SHAPE, files: FILES },
          part.map((name) => COMMANDS[name]),
        );
        return part.map((name, index) => [name, each[index]!] as const);
      }),
    );
    said = Object.fromEntries(all.flat()) as typeof said;
  });

  it.each([
    'machines',
    'machinetype',
    'factories',
    'shares',
    'sharesCheck',
  ] as const)('%s prints what there is, and says who is missing', (name) => {
    expect(said[name].stderr).toMatch(MISSING);
    expect(said[name].code).toBe(1);
    expect(said[name].stdout).toMatch(name.startsWith('shares') ? /2 of 4 factories/ : /^wn00/m);
  });

  it('no command takes longer than it may', () => {
    for (const name of ['machines', 'factories', 'shares'] as const) expect(said[name].tookMs).toBeLessThan(25_000);
  });

  it('asks only factories that are named, in full or by their first label', () => {
    expect(said.some).toMatchObject({ code: 0, stderr: '' });
    expect(said.some.stdout).toContain('on 2 of 2 factories');
    expect(said.unknown).toMatchObject({ code: 1, stdout: '' });
    expect(said.unknown.stderr).toBe('vac: "wn7" is no factory of space vac01.example.com: did you mean wn00?\n');
  });

  it('says which machinetypes there are, where one is not', () => {
    expect(said.noMachinetype).toMatchObject({ code: 1, stdout: '' });
    expect(said.noMachinetype.stderr).toBe(
      'vac: no factory has a machinetype type-x; there are type-0, type-1, type-2\n',
    );
  });

  it('says so, and ends with 1, for programs too', () => {
    expect(said.noMachinetypeJson).toMatchObject({ code: 1, stdout: '[]\n' });
    expect(said.noMachinetypeJson.stderr).toContain('no factory has a machinetype type-x');
    expect(said.sharesCheckJson).toMatchObject({ code: 1, stderr: expect.stringMatching(MISSING) });
    expect(JSON.parse(said.sharesCheckJson.stdout)).toHaveLength(6);
  });

  it('--json prints the messages of the wire, in order', () => {
    expect(said.json.code).toBe(0);
    const lines = said.json.stdout.trimEnd().split('\n');
    expect([lines[0], lines.at(-1)]).toEqual(['[', ']']);
    const messages = JSON.parse(said.json.stdout) as Record<string, unknown>[];
    expect(messages.map(({ machine }) => machine)).toEqual([0, 1, 2, 3].map((slot) => `wn01-0${slot}.example.com`));
    // Both spellings, and floats as floats: what a factory sent, byte for byte.
    expect(messages[0]).toMatchObject({ num_cpus: 8, num_processors: 8, daemon_version: expect.anything() });
    expect(lines[1]).toContain('"hs06": 84.0');
    for (const line of lines.slice(1, -1)) {
      expect(decode(Buffer.from(line.replace(/,$/, '')))).toMatchObject({ ok: true });
    }
  });

  it('--json tells what arrived although some did not answer', () => {
    expect(said.jsonOfAll.code).toBe(1);
    expect(said.jsonOfAll.stderr).toMatch(MISSING);
    expect(JSON.parse(said.jsonOfAll.stdout)).toHaveLength(2);
    const types = JSON.parse(said.jsonOfType.stdout) as Record<string, unknown>[];
    expect(types.map(({ factory, machinetype }) => [factory, machinetype])).toEqual([
      ['wn00.example.com', 'type-2'],
      ['wn01.example.com', 'type-2'],
    ]);
  });

  it('waits as long as it is told', () => {
    expect(said.patient.code).toBe(1);
    expect(said.patient.stderr).toContain('1 of 1 factory did not answer within 0.5 s: wn02');
    expect(said.patient.tookMs).toBeGreaterThan(450);
  });

  it('asks factories of another space by their names', () => {
    expect(said.otherSpace.stderr).toContain('1 of 1 factory did not answer within 0.3 s: wn01');
    expect(said.otherSpaceUnnamed.code).toBe(2);
    expect(said.otherSpaceUnnamed.stderr).toContain('the factories of space vac02.example.com are not known here');
  });

  it('says what to do where nothing tells which space is meant', () => {
    expect(said.noConfig).toMatchObject({ code: 1, stdout: '' });
    expect(said.noConfig.stderr).toMatch(
      /^vac: which space to ask is not known: .*no vacd runs there.*--config FILE.*\n$/,
    );
    expect(said.badConfig.stderr).toMatch(
      /^vac: @bad\.conf:1: \[settings\] vac_space: is required.*check-config says all that is wrong\n$/,
    );
    expect(said.missingConfig.stderr).toContain('@missing.conf: there is no such file');
    for (const name of ['badConfig', 'missingConfig'] as const) expect(said[name].code).toBe(1);
  });

  it('says that no vacd runs', () => {
    expect(said.why.code).toBe(1);
    expect(said.why.stderr).toBe(
      'vac: cannot ask vacd at @state/vacd.sock: no vacd runs there; start it, or name its state directory with --state-dir\n',
    );
  });

  it('check speaks and ends as plugins do', () => {
    // The factories of these tests sent their last heartbeat when they were written.
    expect(said.check.code).toBe(2);
    expect(said.check.stdout).toMatch(/^CRITICAL: wn01\.example\.com: .* \| slots=2/);
    expect(said.checkLocal.code).toBe(2);
    expect(said.checkUsage).toMatchObject({ code: 3, stderr: '' });
    expect(said.checkUsage.stdout).toBe('UNKNOWN: --heartbeat "soon": expected a number of seconds above 0\n');
    expect(said.checkUnknown).toMatchObject({ code: 3, stderr: '' });
    expect(said.checkUnknown.stdout).toMatch(/^UNKNOWN: "wn77" is no factory/);
  });

  it('check tells programs the same, and what it was made from', () => {
    expect(said.checkJson.code).toBe(2);
    expect(JSON.parse(said.checkJson.stdout)).toMatchObject({
      code: 2,
      status: 'CRITICAL',
      lines: expect.arrayContaining([expect.stringMatching(/^CRITICAL: 2 of 2 factories: .* \| factories=1/)]),
      space: 'vac01.example.com',
      factories: [
        { factory: 'wn01.example.com', outcome: 'complete' },
        { factory: 'wn02.example.com', outcome: 'none', problems: [{ severity: 'critical', text: 'no answer' }] },
      ],
    });
    expect(JSON.parse(said.checkLocalJson.stdout)).toMatchObject({
      code: 2,
      factoryHeartbeatAgeSeconds: null,
      counts: null,
    });
    for (const name of ['checkUnknownJson', 'checkUsageJson'] as const) {
      expect(said[name]).toMatchObject({ code: 3, stderr: '' });
      expect(JSON.parse(said[name].stdout)).toMatchObject({ code: 3, status: 'UNKNOWN' });
    }
  });

  it('check knows nothing where it may not look, and raises no alarm', () => {
    expect(said.checkUnreadable).toMatchObject({ code: 3, stderr: '' });
    expect(said.checkUnreadable.stdout).toMatch(/^UNKNOWN: @odd\/factory-error cannot be looked at: EISDIR/);
    expect(said.checkUnreachable).toMatchObject({ code: 3, stderr: '' });
    expect(said.checkUnreachable.stdout).toMatch(/^UNKNOWN: @loop\/factory-heartbeat cannot be looked at: ELOOP/);
  });

  it('check-config tells programs what is wrong, and where', () => {
    expect(said.checkConfigJson.code).toBe(0);
    expect(JSON.parse(said.checkConfigJson.stdout)).toMatchObject({
      code: 0,
      files: ['@vac.conf'],
      errors: [],
      space: 'vac01.example.com',
      machinetypes: [],
    });
    expect(said.badConfigJson.code).toBe(1);
    expect(JSON.parse(said.badConfigJson.stdout)).toMatchObject({
      code: 1,
      errors: expect.arrayContaining([
        expect.objectContaining({ file: '@bad.conf', line: 2, option: 'vac_spaec', message: expect.any(String) }),
      ]),
    });
  });

  it('watch --json prints a picture a line, until its reader or a signal ends it', () => {
    const lines = said.watchPiped.stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[2]).toBe('0');
    for (const line of lines.slice(0, 2)) {
      expect(JSON.parse(line)).toMatchObject({
        space: 'vac01.example.com',
        factories: [{ factory: 'wn00.example.com' }, { factory: 'wn01.example.com' }],
        missing: ['wn02.example.com', 'wn03.example.com'],
        local: null,
      });
      expect(JSON.parse(line).machinetypes).toHaveLength(6);
    }
    expect(said.watchPiped.stderr).toBe('');
    expect(said.watchEnded).toMatchObject({ code: 0, stdout: '0\n', stderr: '' });
  });

  it('shares are those of the factories that are named, of another space too', () => {
    expect(said.someShares).toMatchObject({ code: 0, stderr: '' });
    expect(said.someShares.stdout).toContain('1 of 1 factory');
    expect(said.otherShares.stderr).toContain('1 of 1 factory did not answer within 0.3 s: wn01');
  });

  it('says what is missing, or too much', () => {
    expect(said.emptyOption.stderr).toBe('vac: --space needs a value, SPACE; see vac machines --help\n');
    expect(said.emptyArgument.stderr).toBe('vac: stop: an argument is empty; is a variable not set?\n');
    expect(said.tooPatient.stderr).toBe('vac: --timeout "1e9": expected a number of seconds above 0, up to 3600\n');
    for (const name of ['emptyOption', 'emptyArgument', 'tooPatient'] as const) expect(said[name].code).toBe(2);
  });

  it('says back what was typed without what steers a terminal', () => {
    expect(said.steering.stderr).toMatch(/^vac: "\?\[31mwn00" is no factory of space/);
  });

  it('does not take a full disk for success', () => {
    expect(said.full.code).toBe(1);
    expect(said.full.stderr).toBe(
      'vac: the standard output cannot be written: ENOSPC: no space left on device, write\n',
    );
  });

  it('check-config takes files as arguments or by --config', () => {
    expect(said.checkConfig.code).toBe(0);
    expect(said.checkConfig.stdout).toContain('configuration is good');
    expect(said.checkConfigOption.code).toBe(1);
    expect(said.checkConfigOption.stdout).toContain('configuration is bad');
  });

  it('offers words to shells, or none, but never an error', () => {
    expect(said.words).toMatchObject({ code: 0, stdout: 'wn00\nwn01\nwn02\nwn03\n', stderr: '' });
    expect(said.noWords).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(said.badWords).toMatchObject({ code: 0, stdout: '', stderr: '' });
  });

  it('says what it can do, and what is wrong with a command line', () => {
    expect(said.none.code).toBe(2);
    expect(said.none.stdout).toContain('usage: vac COMMAND');
    expect(said.wrong).toMatchObject({ code: 2, stdout: '' });
    expect(said.wrong.stderr).toBe(
      'vac: there is no command "machnies": did you mean machines?; vac --help lists them\n',
    );
    expect(said.helpOf).toMatchObject({ code: 0, stderr: '' });
    expect(said.helpOf.stdout).toContain('usage: vac drain [REASON...] [OPTION...]');
    expect(said.watch).toMatchObject({ code: 1, stdout: '' });
    expect(said.watch.stderr).toContain('watch needs a terminal');
  });

  it('is a program like others: its exit code is its own, and a reader that has enough is no error', () => {
    expect(said.process.code).toBe(1);
    expect(said.process.stderr).toContain('1 of 2 factories did not answer within 5 s: wn02');
    expect(said.piped).toMatchObject({ code: 0, stdout: '0\n', stderr: '' });
  });
});

describe('vac on a host with a site’s configuration', () => {
  it('needs no options; a vacd that is named and not there is told of', async () => {
    const shape = { factories: 2 };
    const [plain, named] = await runVac({ shape, files: {}, siteConfig: configOf(shape) }, [
      ['machines'],
      ['machines', '--state-dir', '@state'],
    ]);
    expect(plain).toMatchObject({ code: 0, stderr: '' });
    expect(plain!.stdout).toContain('on 2 of 2 factories');
    expect(named).toMatchObject({ code: 0, stdout: plain!.stdout });
    expect(named!.stderr).toMatch(/no vacd runs there.*; asking the factories of \/run\/vac\.conf\n$/);
  });

  it('with mistakes in it, names one and what tells the others', async () => {
    const shape = { factories: 1 };
    const [said] = await runVac(
      { shape, files: {}, siteConfig: `${configOf(shape)}colour = red\nudp_timeout_seconds = x\n` },
      [['machines']],
    );
    expect(said!.code).toBe(1);
    expect(said!.stderr).toMatch(
      /which space to ask is not known: \/run\/vac\.conf:\d+: .*vac check-config says all that is wrong; and /,
    );
  });
});

describe('vac on a host whose configuration has a mistake in a machinetype', () => {
  it('asks the space all the same, and says so', async () => {
    const shape = { factories: 2 };
    const siteConfig = `${configOf(shape)}[machinetype a]\nmax_processors = x\n`;
    const [machines, named] = await runVac({ shape, files: { 'vac.conf': siteConfig }, siteConfig }, [
      ['machines'],
      ['machines', '--config', '@vac.conf'],
    ]);
    expect(machines!.code).toBe(0);
    expect(machines!.stdout).toContain('on 2 of 2 factories');
    expect(machines!.stderr).toMatch(/^vac: \/run\/vac\.conf:\d+: .*; asking the factories of its \[settings\]\n$/);
    expect(named).toMatchObject({ code: 1, stdout: '' });
  });
});

describe.concurrent('vac on a host whose vacd can be asked', () => {
  it('takes the space from there when its state directory is named', async () => {
    const space = reportOf(SHAPE, { factories: ['wn00.example.com', 'wn01.example.com'] });
    const [machines, both] = await runVac({ shape: SHAPE, files: FILES, space }, [
      ['machines', '--state-dir', '@state'],
      ['machines', '--state-dir', '@state', '--config', '@vac.conf'],
    ]);
    expect(machines).toMatchObject({ code: 0, stderr: '' });
    expect(machines!.stdout).toContain('on 2 of 2 factories');
    expect(both!.stderr).toMatch(MISSING);
  });

  it('knows this factory by the name that its vacd gives it, and the machinetypes that run', async () => {
    const shape = { factories: 1 };
    const space = reportOf(shape, { space: 'vac01.example.com', factory: 'WN00.example.com' });
    const config = '[settings]\nvac_space = vac01.example.com\n';
    const [alone, words] = await runVac({ shape, files: { 'vac.conf': config }, space }, [
      ['machines', '--state-dir', '@state', '--config', '@vac.conf'],
      ['completion-words', 'machinetypes', '--state-dir', '@state', '--config', '@missing.conf'],
    ]);
    expect(alone).toMatchObject({ code: 0, stderr: '' });
    expect(words!.stdout).toBe('prod\nuser\n');
  });

  it('offers shells no word that one of them, or vac, takes for more than a word', async () => {
    const shape = { factories: 1 };
    const hostile = ['$(reboot)', '`reboot`', '-rf', '--state-dir=x', 'a b', 'a;b', "a'b", 'a\\b', '~root', 'a*', ''];
    const shares = [...hostile, 'good-1'].map((machinetype) => ({ ...factoryView().shares[0]!, machinetype }));
    const [words] = await runVac({ shape, files: {}, space: reportOf(shape), status: { shares } }, [
      ['completion-words', 'machinetypes', '--state-dir', '@state', '--config', '@missing.conf'],
    ]);
    expect(words).toMatchObject({ code: 0, stdout: 'good-1\n', stderr: '' });
  });

  it('tells programs by which way, and how long ago, vacd here heard each factory', async () => {
    const heard = { ...SILENT, way: 'gossip', outcome: 'complete', heardSecondsAgo: 1.5 } as const;
    const shape = { factories: 3 };
    const space = reportOf(shape, { peers: [{ ...heard, factory: 'wn02.example.com' }] });
    const [said] = await runVac({ shape, files: FILES, space }, [['factories', '--json', '--state-dir', '@state']]);
    const told = (JSON.parse(said!.stdout) as Record<string, unknown>[]).map(
      ({ factory, news_way, news_age_seconds }) => ({ factory, news_way, news_age_seconds }),
    );
    expect(told).toEqual([
      { factory: 'wn00.example.com' },
      { factory: 'wn01.example.com' },
      { factory: 'wn02.example.com', news_way: 'gossip', news_age_seconds: 1.5 },
    ]);
  });

  it('waits only shortly for factories that do not answer vacd either, unless they are named', async () => {
    const peer = { ...SILENT, factory: 'wn02.example.com' };
    const shape = { ...SHAPE, factories: 3, nameless: [] };
    const ask = async (udpTimeoutSeconds: number, ...names: string[]) => {
      const space = reportOf(shape, { peers: [peer], udpTimeoutSeconds });
      return (await runVac({ shape, files: FILES, space }, [['factories', '--state-dir', '@state', ...names]]))[0];
    };
    const [all, named] = await Promise.all([ask(40), ask(6, 'wn01', 'wn02')]);
    expect(all!.tookMs).toBeLessThan(30_000);
    expect(all!.stderr).toContain('1 of 3 factories did not answer');
    expect(named!.tookMs).toBeGreaterThan(5900);
  });

  it('says that a vacd that does not speak VacQuery cannot answer', async () => {
    const space = reportOf({ factories: 1 }, { queryPort: null, udpTimeoutSeconds: 60 });
    const [said] = await runVac({ shape: { factories: 1, dead: [0] }, files: FILES, space }, [
      ['machines', '--state-dir', '@state'],
    ]);
    expect(said!.stderr).toContain('wn00 (the vacd here does not answer VacQuery now; its log says why)');
    expect(said!.tookMs).toBeLessThan(40_000);
  });
});

describe('vac on a terminal', () => {
  const SMALL = { factories: 2, machinetypes: 2 };
  /** On a terminal of its own, from when it shows $1; then $2 is pressed. What it wrote, and its exit code, come out. */
  const PRESS = `
    press() {
      coproc script -qefc "stty columns 80 rows 24; $VAC $3" /dev/null
      local in=\${COPROC[1]} out=\${COPROC[0]} pid=$COPROC_PID line
      while IFS= read -r line <&$out; do printf '%s\\n' "$line"; [[ $line == *"$1"* ]] && break; done
      printf "$2" >&$in
      cat <&$out
      wait $pid
      echo "code $?"
    }
  `;
  let said: Record<'q' | 'interrupt' | 'machines' | 'plain' | 'waiting', string>;

  beforeAll(async () => {
    const slow = { ...SMALL, dead: [1] };
    const files = { 'vac.conf': configOf(SMALL), 'slow.conf': configOf(slow) };
    const watch = 'watch --config @vac.conf --interval 1';
    const [q, interrupt, machines, plain] = await runVac({ shape: SMALL, files }, [
      ['sh', `${PRESS} press type-1 q '${watch}'`],
      ['sh', `${PRESS} press type-1 '\\003' '${watch}'`],
      ['sh', `${PRESS} press HS06 '' 'machines --config @vac.conf'`],
      ['sh', `${PRESS} press HS06 '' 'machines --no-colour --config @vac.conf'`],
    ]);
    const [waiting] = await runVac({ shape: slow, files }, [
      ['sh', `${PRESS} press wn00 '' 'factories --config @slow.conf'`],
    ]);
    said = Object.fromEntries(
      Object.entries({ q, interrupt, machines, plain, waiting }).map(([name, each]) => [
        name,
        each!.stdout.replaceAll('\u001b', 'ESC'),
      ]),
    ) as typeof said;
  });

  it.each(['q', 'interrupt'] as const)('watch shows the space until %s, and gives the terminal back', (key) => {
    expect(said[key]).toContain('vac01.example.com');
    expect(said[key]).toContain('every 1 s; q ends');
    expect(said[key]).toMatch(/ESC\[\?1049l\s*code 0\n$/);
  });

  it('has colours, unless told not to, and keeps to its width', () => {
    expect(said.machines).toContain('ESC[');
    expect(said.plain).not.toContain('ESC[');
    for (const line of said.plain.split(/\r?\n/)) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('says whom it waits for, and takes that away again', () => {
    expect(said.waiting).toContain('\rESC[K1 of 2 answered; waiting up to 5 s for wn01');
    expect(said.waiting).toMatch(/\rESC\[KESC.*FACTORY/);
  });
});
