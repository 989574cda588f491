import { expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.js';
import { CONTEXT_WAYS } from '../../src/machines/context/index.js';

function load(lines: string, settings = '') {
  const text = `[settings]\nvac_space = vac01.example.com\nsyslog =\n${settings}\n[machinetype a]\nroot_image = /a.img\n${lines}\n`;
  const result = loadConfig([{ path: '/vac.conf', text }], { hostFqdn: 'node1.example.com' });
  const warnings = result.warnings.map(({ message }) => message);
  return result.ok
    ? { type: result.config.machinetypes[0]!, warnings, errors: [] }
    : { type: null, warnings, errors: result.errors.map(({ message }) => message) };
}
const contextOf = (lines: string) => load(lines).type?.context;

it('the ways of contextualization are what suits the model, or what is named', () => {
  expect(contextOf('machine_model = vm-raw')).toEqual(['metadata']);
  expect(contextOf('machine_model = cloud\ncontext =')).toEqual(['metadata']);
  for (const model of ['cernvm3', 'cernvm4'])
    expect(contextOf(`machine_model = ${model}`)).toEqual(['metadata', 'one']);
  const all = [...CONTEXT_WAYS.keys()];
  expect(contextOf(`context =\n  ${all.join('\n  ')}`)).toEqual(all);
});

it('a way that is not known is an error that names those that are', () => {
  const { errors } = load('context = metadata floppy');
  expect(errors.join()).toContain('one or several of metadata, configdrive, nocloud, nocloud-smbios, one');
});

it('early syslog without a receiver is told to have no effect', () => {
  expect(load('early_syslog = yes').warnings.join()).toContain('has no effect, because syslog is empty in [settings]');
  expect(load('early_syslog = no').warnings.join()).not.toContain('syslog');
});

it('the form of MJF is none unless one is named', () => {
  expect(load('').type?.mjfForm).toBeNull();
  expect(load('mjf_form = paths').type?.mjfForm).toBe('paths');
});

it('paths that nothing can be mounted at are warned of', () => {
  expect(load('mjf_form = paths', 'nfs = none').warnings.join()).toContain('nothing can be mounted with nfs = none');
  for (const [form, nfs] of [
    ['urls', 'none'],
    ['paths', 'auto'],
  ]) {
    expect(load(`mjf_form = ${form}`, `nfs = ${nfs}`).warnings.join()).not.toContain('nfs');
  }
});
