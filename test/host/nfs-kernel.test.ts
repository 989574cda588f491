import { describe, expect, test } from 'vitest';
import type { MachineExports } from '../../src/host/nfs.js';
import { exportFsid, listMachines, parseExportfs, planAdd, planRemove } from '../../src/host/nfs-kernel.js';

const ID = '1700000000_lhcb-prod_factory1-03.example.com';
const MACHINE: MachineExports = {
  machineId: ID,
  uuid: '3c1a7a52-9a4a-4a3e-8f7e-0c8f2f0f9b11',
  hostname: 'factory1-03.example.com',
  machinetype: 'lhcb-prod',
  clientIp: '169.254.169.3',
  directory: `/var/lib/vac/machines/${ID}`,
};

/** As `exportfs -v` of nfs-utils 2.6 prints: long paths on a line of their own, defaults spelled out. */
const OPTIONS = 'sync,wdelay,hide,no_fsid,anonuid=65534,anongid=65534,sec=sys,secure,root_squash,all_squash';
const EXPORTFS_V = `/srv          \t192.0.2.0/24(rw,${OPTIONS})
/home         \t<world>(ro,${OPTIONS})
/var/lib/vac/machines/${ID}/shared/private/machinefeatures
\t\t169.254.169.3(ro,${OPTIONS})
/var/lib/vac/machines/${ID}/shared/private/jobfeatures
\t\t169.254.169.3(ro,${OPTIONS})
/var/lib/vac/machines/${ID}/shared/private/outputs/joboutputs
\t\t169.254.169.3(rw,${OPTIONS})
/var/lib/vac/machines/1700000005_atlas_factory1-04.example.com/shared/private/outputs/joboutputs
\t\t169.254.169.4(rw,${OPTIONS})
/srv/shared/joboutputs
\t\t192.0.2.7(rw,${OPTIONS})
`;

describe('exporting a machine', () => {
  const commands = planAdd(MACHINE, { uid: 4242, gid: 4343 });

  test('each directory for its address alone, only outputs writable', () => {
    expect(commands.map(({ args }) => args.at(-1))).toEqual([
      `169.254.169.3:/var/lib/vac/machines/${ID}/shared/private/machinefeatures`,
      `169.254.169.3:/var/lib/vac/machines/${ID}/shared/private/jobfeatures`,
      `169.254.169.3:/var/lib/vac/machines/${ID}/shared/private/outputs/joboutputs`,
    ]);
    expect(commands.map(({ args }) => args[1]!.split(',')[0])).toEqual(['ro', 'ro', 'rw']);
  });

  test('none is writable for a machine that has written its fill', () => {
    const full = planAdd({ ...MACHINE, joboutputsReadOnly: true }, { uid: 4242, gid: 4343 });
    expect(full.map(({ args }) => args[1]!.split(',')[0])).toEqual(['ro', 'ro', 'ro']);
    expect(full.map(({ args }) => args.at(-1))).toEqual(commands.map(({ args }) => args.at(-1)));
  });

  test('every user is squashed, and handles are checked to lie below the directory', () => {
    for (const { command, args } of commands) {
      expect(command).toBe('exportfs');
      expect(args[0]).toBe('-o');
      const options = args[1]!.split(',');
      expect(options).toEqual(
        expect.arrayContaining(['root_squash', 'all_squash', 'anonuid=4242', 'anongid=4343', 'subtree_check', 'sync']),
      );
    }
  });

  test('the fsid is stable, a UUID by form, and differs between directories and machines', () => {
    const ids = [
      exportFsid('a', 'machinefeatures'),
      exportFsid('a', 'jobfeatures'),
      exportFsid('b', 'machinefeatures'),
      exportFsid('b', 'jobfeatures'),
    ];
    expect(new Set(ids).size).toBe(4);
    expect(exportFsid('a', 'jobfeatures')).toBe(ids[1]);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  });
});

describe('exportfs -v', () => {
  const there = parseExportfs(EXPORTFS_V);

  test('is read in both its forms', () => {
    expect(there).toHaveLength(7);
    expect(there[0]).toMatchObject({ path: '/srv', client: '192.0.2.0/24' });
    expect(there[1]).toMatchObject({ path: '/home', client: '<world>' });
    expect(there[4]!.options.slice(0, 2)).toEqual(['rw', 'sync']);
    expect(parseExportfs('')).toEqual([]);
  });

  test('tells the machines that are exported completely, and leaves the site’s own exports alone', () => {
    expect(listMachines(there)).toEqual(new Set([ID]));
  });

  test('knows machines that a version before exported by their plain directories', () => {
    const paths = ['machinefeatures', 'jobfeatures', 'joboutputs'].map((name) => `/var/lib/vac/machines/${ID}/${name}`);
    const former = paths.map((path) => ({ path, client: '169.254.169.3', options: [] }));
    expect(listMachines(former)).toEqual(new Set([ID]));
    expect(planRemove(ID, former).map(({ args }) => args)).toEqual(
      paths.map((path) => ['-u', `169.254.169.3:${path}`]),
    );
  });

  test('tells what to remove, of a machine exported in part too', () => {
    expect(planRemove('1700000005_atlas_factory1-04.example.com', there)).toEqual([
      {
        command: 'exportfs',
        args: [
          '-u',
          '169.254.169.4:/var/lib/vac/machines/1700000005_atlas_factory1-04.example.com/shared/private/outputs/joboutputs',
        ],
      },
    ]);
    expect(planRemove(ID, there)).toHaveLength(3);
    expect(planRemove('shared', there)).toEqual([]);
    expect(planRemove('1700000009_other_factory1-09.example.com', there)).toEqual([]);
  });
});
