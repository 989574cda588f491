import { expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.js';
import { formatProblem, type Problem } from '../../src/config/problem.js';

function load(lines: string) {
  const text = `[settings]\nvac_space = vac01.example.com\n${lines}\n[machinetype a]\nroot_image = /a.img\n`;
  const result = loadConfig([{ path: '/vac.conf', text }], { hostFqdn: 'node1.example.com' });
  const messages = (problems: readonly Problem[]) => problems.map(formatProblem).join('\n');
  return {
    forward: result.ok ? result.config.settings.syslogForward : undefined,
    warnings: messages(result.warnings),
    errors: result.ok ? '' : messages(result.errors),
  };
}

it('is where and how the collector is reached', () => {
  expect(load('').forward).toBeNull();
  for (const protocol of ['tcp', 'tls', 'relp', 'relps']) {
    expect(load(`syslog_forward = ${protocol}://Logs.example.com:6514`).forward).toEqual({
      collector: { protocol, host: 'logs.example.com', port: 6514 },
      caPath: null,
      certPath: null,
      keyPath: null,
      peer: null,
      maxMegabytes: 1000,
    });
  }
  expect(load('syslog_forward = tls://[2001:db8::1]:6514').forward?.collector.host).toBe('2001:db8::1');
});

it.each([
  'logs.example.com:514',
  'udp://logs.example.com:514',
  'tcp://logs.example.com',
  'tcp://logs.example.com:0',
  'relp://logs.example.com:2514/x',
])('%s is refused, at its line', (value) => {
  expect(load(`syslog_forward = ${value}`).errors).toContain(
    `/vac.conf:3: [settings] syslog_forward = "${value}": expected tcp://HOST:PORT, tls://HOST:PORT`,
  );
});

it('options of TLS need TLS, and a key its certificate', () => {
  expect(load('syslog_forward = relp://h.example:1\nsyslog_forward_ca = /ca.pem').errors).toContain(
    'is of TLS, and syslog_forward is relp://…: write tls:// or relps://',
  );
  expect(load('syslog_forward = relps://h.example:1\nsyslog_forward_ca = /ca.pem').errors).toBe('');
  expect(load('syslog_forward = tls://h.example:1\nsyslog_forward_key = /key.pem').errors).toContain(
    'is the key of no certificate',
  );
});

it('what has no effect is told', () => {
  expect(load('syslog_forward_ca = /ca.pem').warnings).toContain('has no effect without syslog_forward');
  expect(load('syslog =\nsyslog_forward = tcp://h.example:1').warnings).toContain('no lines are received');
});
