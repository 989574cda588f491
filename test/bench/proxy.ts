/** What an X.509 proxy costs, beside what the same takes with the command `openssl`. */

import { run } from '../../src/host/exec.js';
import { readCredential } from '../../src/host/x509-credential.js';
import { checkProxy, makeProxy, newProxyKey, type ProxyKey } from '../../src/host/x509-proxy.js';
import { TestAuthority } from '../host/test-authority.js';
import { type Figure, figure, mean } from './figure.js';

const KEYS = 30;

async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const beganMs = performance.now();
  await work();
  return performance.now() - beganMs;
}

export async function proxyFigures(): Promise<Figure[]> {
  const authority = await TestAuthority.create();
  try {
    const issued = await authority.issue('bench');
    const nowSeconds = Math.floor(Date.now() / 1000) + 60;
    const order = { legacy: false, commonName: 'bench', endTimeSeconds: nowSeconds + 86_400 };
    const [checks, keys, commandKeys, proxies]: number[][] = [[], [], [], []];
    let keyCpuMicroseconds = 0;
    let key: ProxyKey = await newProxyKey();
    for (let count = 0; count < KEYS; count += 1) {
      const credential = await readCredential(issued);
      checks!.push(await milliseconds(async () => checkProxy(await readCredential(issued), order, nowSeconds)));
      const cpu = process.cpuUsage();
      keys!.push(
        await milliseconds(async () => {
          key = await newProxyKey();
        }),
      );
      keyCpuMicroseconds += process.cpuUsage(cpu).user;
      const genpkey = ['genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'];
      commandKeys!.push(await milliseconds(() => run('openssl', genpkey)));
      proxies!.push(await milliseconds(() => makeProxy(credential, order, nowSeconds, key)));
    }
    const command = { value: Math.round(mean(commandKeys!)), what: 'command openssl genpkey' };
    return [
      figure('proxy: certificate and key read and checked', mean(checks!), 'ms'),
      figure('proxy: its key, made beside other steps', mean(keys!), 'ms', command),
      figure('proxy: its key, CPU', keyCpuMicroseconds / KEYS / 1000, 'ms'),
      figure('proxy: certificate made and signed', mean(proxies!), 'ms'),
    ];
  } finally {
    await authority.remove();
  }
}
