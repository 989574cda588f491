/** Documents for libvirt, held against libvirt itself: its in-memory driver validates and parses as the real ones do. */

import { type Connection, LibvirtError, open } from 'libvirt';

export async function onTestDriver<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await open('test:///default');
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

/** What libvirt's schema has against a domain; null when it is valid, even where this driver cannot make one. */
export function domainSchemaProblem(document: string): Promise<string | null> {
  return onTestDriver(async (connection) => {
    try {
      await connection.defineDomain(document, { validate: true });
      return null;
    } catch (error) {
      if (!(error instanceof LibvirtError)) throw error;
      return error.codeName === 'VIR_ERR_XML_INVALID_SCHEMA' ? error.message : null;
    }
  });
}
