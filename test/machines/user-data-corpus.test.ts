/** Templates of the kinds that experiments use (SPEC 12), filled in as a whole. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { substituteUserData } from '../../src/machines/user-data.js';
import { VALUES } from './user-data-values.js';

const PROXIES = 'http://squid1.example.com:3128|http://squid2.example.com:3128;DIRECT';

function filled(name: string): string {
  const template = readFileSync(new URL(`data/${name}`, import.meta.url));
  const hostcert = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
  const options = { cvmfs_proxy: PROXIES, queue: 'long', hostcert };
  return substituteUserData(template, { ...VALUES, options, x509Proxy: 'PROXY\n' }).toString();
}

describe('the templates of the corpus', () => {
  it.each(['multipart-ucernvm.txt', 'amiconfig.sh', 'cloud-config.yaml', 'include.txt'])('%s', (name) => {
    expect(filled(name)).toMatchSnapshot();
    expect(filled(name)).not.toMatch(/##user_data_[a-z0-9_,]*##/);
  });

  it('keep compound proxies and comments', () => {
    expect(filled('multipart-ucernvm.txt')).toContain(`cvmfs_http_proxy='${PROXIES}'\n`);
    expect(filled('multipart-ucernvm.txt')).toContain('##user_data_option_NAME## or, as here, \n');
    expect(filled('amiconfig.sh')).toContain('# Left to the image: \n');
  });
});
