import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { substituteUserData, type UserDataValues } from '../../src/machines/user-data.js';
import { VALUES } from './user-data-values.js';

const fill = (template: string, changes: Partial<UserDataValues> = {}) =>
  substituteUserData(template, { ...VALUES, ...changes }).toString('utf8');

describe('substituteUserData', () => {
  it.each([
    ['space', 'vac01.example.com'],
    ['machinetype', 'prod'],
    ['vmtype', 'prod'],
    ['machine_hostname', 'factory1-03.example.com'],
    ['vm_hostname', 'factory1-03.example.com'],
    ['manager_version', 'Vac 0.1.0'],
    ['vmlm_version', 'Vac 0.1.0'],
    ['manager_hostname', 'factory1.example.com'],
    ['vmlm_hostname', 'factory1.example.com'],
    ['uuid', '0b5c7d8e-1f2a-4b3c-8d4e-5f60718293a4'],
    ['manager_uuid', '0b5c7d8e-1f2a-4b3c-8d4e-5f60718293a4'],
    ['machinefeatures_url', 'http://169.254.169.253/machinefeatures'],
    ['jobfeatures_url', 'http://169.254.169.253/jobfeatures'],
    ['joboutputs_url', 'http://169.254.169.253/joboutputs'],
    ['manager_machinefeatures_url', 'http://169.254.169.253/machinefeatures'],
    ['manager_jobfeatures_url', 'http://169.254.169.253/jobfeatures'],
    ['manager_joboutputs_url', 'http://169.254.169.253/joboutputs'],
    ['url', 'https://repo.example.org/user_data'],
    ['root_image_url', 'https://repo.example.org/image.iso'],
    ['option_queue', 'long'],
    ['file_queue', 'long'],
    ['option_x509_proxy', 'PROXY\n'],
    ['boot_files', 'H4sIAAAA'],
  ])('fills in %s', (name, value) => {
    expect(fill(`a ##user_data_${name}## b ##user_data_${name}####user_data_${name}##`)).toBe(
      `a ${value} b ${value}${value}`,
    );
  });

  it('removes patterns without a value', () => {
    const template =
      '# ##user_data___##,##user_data_##,##user_data_a,b##,##user_data_option_other##,##user_data_no_such##.';
    expect(fill(template)).toBe('# ,,,,.');
    expect(fill('<##user_data_url##|##user_data_root_image_url##>', { url: null, rootImageUrl: null })).toBe('<|>');
  });

  it('knows no names that JavaScript has on every object', () => {
    expect(fill('##user_data_constructor####user_data_option_constructor####user_data_option___proto__##')).toBe('');
  });

  it('leaves alone what is no pattern', () => {
    const text = '##user_data_Space## ##user_data_a-b## #user_data_space# ##user_data_space# ## $1 $& \\1';
    expect(fill(text)).toBe(text);
  });

  it('fills in what options and files bring, once, and removes what is left in them', () => {
    const options = {
      outer: '<##user_data_machine_hostname## ##user_data_option_inner## ##user_data_nothing##>',
      inner: '[##user_data_uuid##]',
    };
    expect(fill('##user_data_file_outer##', { options })).toBe('<factory1-03.example.com [] >');
    expect(fill('##user_data_option_self##', { options: { self: '(##user_data_option_self##)' } })).toBe('(())');
  });

  it('takes no value for a replacement pattern', () => {
    expect(fill('[##user_data_option_queue##]', { options: { queue: "$& $1 $$ $'" } })).toBe("[$& $1 $$ $']");
  });

  it("puts the machine's own proxy before an option of that name", () => {
    const template = '##user_data_option_x509_proxy##|##user_data_file_x509_proxy##';
    expect(fill(template)).toBe('PROXY\n|PROXY\n');
    expect(fill(template, { x509Proxy: 'OWN\n' })).toBe('OWN\n|OWN\n');
    expect(fill(template, { options: {}, x509Proxy: null })).toBe('|');
  });

  it('returns what is packed as it is', () => {
    const packed = Buffer.concat([gzipSync('#!/bin/sh\n'), Buffer.from('##user_data_space##')]);
    expect(substituteUserData(packed, VALUES)).toEqual(packed);
  });

  it('does what one replacement after the other would do, the options first', () => {
    const piece = fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(' ## ', ' # ', 'user_data_', ' ', '\n', 'x', '##user_data___##') },
      {
        weight: 3,
        arbitrary: fc
          .constantFrom('uuid', 'option_a', 'file_b', 'space', 'option_none')
          .map((name) => `##user_data_${name}##`),
      },
    );
    // Patterns that share their ## are no template's: which of them counts would depend on the order.
    const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(
        text,
        fc.constantFrom('##user_data_uuid##', 'A', ''),
        fc.constantFrom('##user_data_space##!', 'B'),
        (template, a, b) => {
          const replaced = (of: string, name: string, value: string) =>
            of.replaceAll(`##user_data_${name}##`, () => value);
          let expected = replaced(replaced(template, 'option_a', a), 'file_b', b);
          expected = replaced(replaced(expected, 'uuid', VALUES.uuid), 'space', VALUES.space);
          expected = expected.replace(/##user_data_[a-z0-9_,]*##/g, '');
          expect(fill(template, { options: { a, b } })).toBe(expected);
        },
      ),
    );
  });

  it('keeps every byte that is not part of a pattern, and those of files', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), fc.uint8Array(), (before, after, file) => {
        // A # would make other patterns of what stands beside it.
        const [head, tail] = [before, after].map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 0x23)));
        const template = Buffer.concat([head!, Buffer.from('##user_data_file_any##'), tail!]);
        const filled = substituteUserData(template, { ...VALUES, options: { any: Buffer.from(file) } });
        expect(filled).toEqual(Buffer.concat([head!, Buffer.from(file), tail!]));
      }),
    );
  });

  it('writes options as UTF-8 between text of any encoding', () => {
    const template = Buffer.concat([Buffer.from([0xe9]), Buffer.from('##user_data_option_queue##')]);
    const filled = substituteUserData(template, { ...VALUES, options: { queue: 'é€' } });
    expect(filled).toEqual(Buffer.concat([Buffer.from([0xe9]), Buffer.from('é€', 'utf8')]));
  });
});
