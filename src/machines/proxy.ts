/**
 * The X.509 proxy of a machine (SPEC 6), for the machinetypes with user_data_proxy: of x509cert.pem and x509key.pem in
 * the machinetype's directory (that of its vacuum pipe, if one made it), with the machinetype as its name, until the
 * machine's end. It goes into user_data and nowhere else.
 */

import { dirname, join } from 'node:path';
import type { MachinetypeConfig } from '../config/types.js';
import type { MachineRecord } from '../factory/types.js';
import { type Certificate, certificatesIn } from '../host/x509-certificate.js';
import { type Credential, type CredentialFiles, readCredential } from '../host/x509-credential.js';
import { checkProxy, makeProxy, newProxyKey, type ProxyKey, type ProxyOrder } from '../host/x509-proxy.js';
import type { StateLayout } from './layout.js';

type ProxyType = Pick<MachinetypeConfig, 'directoryName' | 'userDataProxy' | 'legacyProxy'>;

/** Where an administrator puts a machinetype's certificate and key. */
export function credentialFiles(layout: StateLayout, directoryName: string): CredentialFiles {
  const directory = dirname(layout.machinetypeFiles(directoryName));
  return { certificate: join(directory, 'x509cert.pem'), key: join(directory, 'x509key.pem') };
}

interface ProxyUnderWay {
  readonly credential: Credential;
  readonly key: Promise<ProxyKey>;
}

/** In two parts: the key, which takes a while, is made beside the steps that lie between them. */
export class MachineProxy {
  private underWay: ProxyUnderWay | null = null;
  private made: string | null = null;

  constructor(
    private readonly layout: StateLayout,
    private readonly type: ProxyType,
    private readonly record: Pick<MachineRecord, 'machinetype' | 'firstShutdownTimeSeconds'>,
  ) {}

  /**
   * Nothing for a type without proxies.
   *
   * @throws VacError `credential-unusable`, so that nothing is made of a machine that cannot have its proxy
   */
  async begin(): Promise<void> {
    if (!this.type.userDataProxy) return;
    const credential = await readCredential(credentialFiles(this.layout, this.type.directoryName));
    checkProxy(credential, this.order(), nowSeconds());
    const key = newProxyKey();
    // Whoever waits for it is told; if a step before that fails, nobody waits.
    key.catch(() => {});
    this.underWay = { credential, key };
  }

  /** Proxy, its key and the chain, as PEM; null for a type without proxies. @throws VacError `credential-unusable` */
  async pem(): Promise<string | null> {
    if (this.underWay === null) return null;
    const { credential, key } = this.underWay;
    this.made = await makeProxy(credential, this.order(), nowSeconds(), await key);
    return this.made;
  }

  /** Of the proxy that was made, the proxy first; none for a type without proxies. */
  certificates(): readonly Certificate[] {
    return this.made === null ? [] : certificatesIn(this.made);
  }

  private order(): ProxyOrder {
    return {
      legacy: this.type.legacyProxy,
      commonName: this.record.machinetype,
      endTimeSeconds: this.record.firstShutdownTimeSeconds,
    };
  }
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
