/** The two steps of a creation in which it is decided what the machine will learn of itself: user_data, and context disks. */

import { readFile } from 'node:fs/promises';
import { writeFileAtomic } from '../host/files.js';
import { VERSION } from '../version.js';
import { bootFilesPart, earlySyslogFiles, packBootFiles } from './boot-files.js';
import { type MjfPlaces, machineFacts, mjfPlaces } from './context/facts.js';
import { checkUserDataFits, contextWays, makeContextDisks } from './context/index.js';
import type { Creation } from './create.js';
import { loadUserData } from './user-data-template.js';

/** Writes `user_data` into the machine's directory, where the machinetype has any. */
export async function makeUserData({ tools, layout, record, type, settings, proxy }: Creation): Promise<void> {
  const places = mjfPlaces(type.mjfForm, 'urls');
  const bootFiles = earlySyslogFiles(settings.syslog, type.earlySyslog ?? 'udp');
  const values = {
    space: settings.vacSpace,
    machinetype: record.machinetype,
    hostname: record.hostname,
    managerVersion: `Vac ${VERSION}`,
    managerHostname: tools.factory,
    uuid: record.uuid,
    machinefeaturesUrl: places.machinefeatures,
    jobfeaturesUrl: places.jobfeatures,
    joboutputsUrl: places.joboutputs,
    bootFiles: packBootFiles(bootFiles).toString('base64'),
    x509Proxy: await proxy.pem(),
  };
  const part = type.earlySyslog !== null && settings.syslog !== null ? bootFilesPart(bootFiles) : null;
  const data = await loadUserData(type, layout.machinetypeFiles(type.directoryName), values, part);
  checkUserDataFits(type.name, contextWays(type), data);
  // Readable by root alone: user_data may carry the experiment's secrets.
  if (data !== null) await writeFileAtomic(userDataPath({ layout, record }), data, { mode: 0o600 });
}

/** Makes the context disks that the machinetype asks for. */
export async function makeContext(creation: Creation, mounts: MjfPlaces | null): Promise<void> {
  const { tools, layout, record, type } = creation;
  const { factory } = tools;
  const ways = contextWays(type).filter(({ disk }) => disk !== undefined);
  if (ways.length === 0) return;
  await makeContextDisks(layout, record, ways, {
    facts: machineFacts(record, { factory, rootPublicKey: tools.rootPublicKey(), mounts }),
    userData: await readIfThere(userDataPath(creation)),
    places: mjfPlaces(type.mjfForm, 'paths'),
  });
}

async function readIfThere(path: string): Promise<Buffer | null> {
  return readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
}

function userDataPath({ layout, record }: Pick<Creation, 'layout' | 'record'>): string {
  return layout.inMachine(record.id, 'user_data');
}
