import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MachineExports } from '../../src/host/nfs.js';
import {
  allotExportIds,
  EXPORT_IDS_PER_MACHINE,
  exportBlocks,
  ganeshaPaths,
  parseExportFile,
  parseShowExports,
  renderBusConfig,
  renderExportFile,
  renderGaneshaConfig,
} from '../../src/host/nfs-ganesha-files.js';

const MACHINE: MachineExports = {
  machineId: '1700000000_lhcb-prod_factory1-03.example.com',
  uuid: '3c1a7a52-9a4a-4a3e-8f7e-0c8f2f0f9b11',
  hostname: 'factory1-03.example.com',
  machinetype: 'lhcb-prod',
  clientIp: '169.254.169.3',
  directory: '/var/lib/vac/machines/1700000000_lhcb-prod_factory1-03.example.com',
};
const FILE = { firstExportId: 7, exports: MACHINE };
const OWNER = { uid: 4242, gid: 4343 };

describe('an export file', () => {
  const text = renderExportFile(FILE, OWNER);

  test('has each directory under its real path and that of the 2015 images', () => {
    const old = `/var/lib/vac/machines/factory1-03.example.com/lhcb-prod/${MACHINE.uuid}/shared`;
    expect(
      exportBlocks(FILE).map(({ exportId, path, pseudo, writable }) => [exportId, path, pseudo, writable]),
    ).toEqual([
      [7, `${MACHINE.directory}/shared/private/machinefeatures`, `${MACHINE.directory}/machinefeatures`, false],
      [8, `${MACHINE.directory}/shared/private/machinefeatures`, `${old}/machinefeatures`, false],
      [9, `${MACHINE.directory}/shared/private/jobfeatures`, `${MACHINE.directory}/jobfeatures`, false],
      [10, `${MACHINE.directory}/shared/private/jobfeatures`, `${old}/jobfeatures`, false],
      [11, `${MACHINE.directory}/shared/private/outputs/joboutputs`, `${MACHINE.directory}/joboutputs`, true],
      [12, `${MACHINE.directory}/shared/private/outputs/joboutputs`, `${old}/machineoutputs`, true],
    ]);
  });

  test('has nothing that can be written for a machine that has written its fill, and can be read back so', () => {
    const full = { ...FILE, exports: { ...MACHINE, joboutputsReadOnly: true as const } };
    const rendered = renderExportFile(full, OWNER);
    expect(rendered).not.toContain('Access_Type = RW');
    expect(parseExportFile(rendered)).toEqual(full);
  });

  test('gives nothing to anyone, and to the one address what it may have', () => {
    expect(text.match(/^ {2}Access_Type = None;$/gm)).toHaveLength(6);
    expect(text.match(/^ {4}Clients = 169\.254\.169\.3;$/gm)).toHaveLength(6);
    expect(text.match(/^ {4}Access_Type = RO;$/gm)).toHaveLength(4);
    expect(text.match(/^ {4}Access_Type = RW;$/gm)).toHaveLength(2);
    expect(text.match(/^ {4}Anonymous_Uid = 4242;\n {4}Anonymous_Gid = 4343;$/gm)).toHaveLength(6);
    expect(text).not.toMatch(/no_root_squash/i);
  });

  test('is read back as it was written', () => {
    expect(parseExportFile(text)).toEqual(FILE);
  });

  test.each([
    '',
    'EXPORT { Export_Id = 1; }',
    '# vacd {"firstExportId":1',
    '# vacd {}',
    '# vacd null',
  ])('that is torn or not ours (%j) is none', (other) => {
    expect(parseExportFile(other)).toBeNull();
  });
});

test('a cut at any place gives the whole file’s meaning or none', () => {
  const text = renderExportFile(FILE, OWNER);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: text.length }), (length) => {
      const parsed = parseExportFile(text.slice(0, length));
      if (parsed !== null) expect(parsed).toEqual(FILE);
    }),
  );
});

describe('Export_Ids', () => {
  test('are consecutive, fit in 16 bits, are never 0 and never in use, wherever the search begins', () => {
    const machines = fc.uniqueArray(fc.integer({ min: 0, max: 10_921 }), { maxLength: 300 });
    fc.assert(
      fc.property(machines, fc.integer({ min: 0, max: 65_535 }), (places, after) => {
        const used = new Set(
          places.flatMap((place) =>
            Array.from({ length: EXPORT_IDS_PER_MACHINE }, (_, index) => place * EXPORT_IDS_PER_MACHINE + 1 + index),
          ),
        );
        const first = allotExportIds(used, after)!;
        const ids = Array.from({ length: EXPORT_IDS_PER_MACHINE }, (_, index) => first + index);
        expect(ids.every((id) => id > 0 && id <= 0xffff && !used.has(id))).toBe(true);
      }),
    );
  });

  test('rest before they are used again', () => {
    expect(allotExportIds(new Set(), 0)).toBe(1);
    expect(allotExportIds(new Set(), 1)).toBe(7);
    expect(allotExportIds(new Set([8]), 1)).toBe(13);
    expect(allotExportIds(new Set(), 65_527)).toBe(1);
  });

  test('can run out', () => {
    expect(allotExportIds(new Set(Array.from({ length: 65_536 }, (_, id) => id)), 0)).toBeNull();
  });
});

test('ShowExports is read without the root of the pseudo file system', () => {
  const text = `method return time=1795246156.573724 sender=:1.3 -> destination=:1.5 serial=40 reply_serial=2
   struct {
      uint64 1795246121
   }
   array [
      struct {
         uint16 10
         string "/var/lib/vac/machines/a/machinefeatures"
         struct {
            struct {
               string "NFSv3"
               boolean true
            }
         }
      }
      struct {
         uint16 0
         string "/"
      }
   ]
`;
  expect(parseShowExports(text)).toEqual([{ exportId: 10, pseudo: '/var/lib/vac/machines/a/machinefeatures' }]);
});

describe('the configuration', () => {
  const paths = ganeshaPaths('/var/lib/vac');

  test('listens on the factory’s address alone and reads all export files', () => {
    const text = renderGaneshaConfig(paths, '169.254.169.254', true);
    expect(text).toContain('Bind_addr = 169.254.169.254;');
    expect(text).toContain('Protocols = 3,4;');
    expect(text).toContain('%dir "/var/lib/vac/nfs/exports"');
  });

  test('without rpcbind serves version 4 alone, by TCP alone', () => {
    const text = renderGaneshaConfig(paths, '169.254.169.254', false);
    expect(text).toContain('Protocols = 4;');
    expect(text).toContain('Enable_UDP = false;');
  });

  test('the bus is private and for root', () => {
    const text = renderBusConfig(paths);
    expect(text).toContain('<listen>unix:path=/var/lib/vac/nfs/bus</listen>');
    expect(text.indexOf('<deny user="*"/>')).toBeLessThan(text.indexOf('<allow user="root"/>'));
  });
});
