import fc from 'fast-check';
import { XMLParser } from 'fast-xml-parser';
import { describe, expect, it } from 'vitest';
import { renderXml, xml } from '../../src/machines/xml.js';

describe('renderXml', () => {
  it('indents elements, and keeps text with its element', () => {
    expect(renderXml(xml('a', {}, xml('b', { n: 1, s: 'two' }, 'text'), xml('c')))).toBe(
      "<a>\n  <b n='1' s='two'>text</b>\n  <c/>\n</a>\n",
    );
  });

  it('leaves out children that are null, and takes lists of children apart', () => {
    expect(renderXml(xml('a', {}, null, [xml('b'), null, xml('c')]))).toBe('<a>\n  <b/>\n  <c/>\n</a>\n');
    expect(renderXml(xml('a', {}, null))).toBe('<a/>\n');
  });

  it('escapes what would end a value or begin an element', () => {
    expect(renderXml(xml('a', { q: `'"<&>` }, `'"<&>]]>`))).toBe(
      "<a q='&apos;&quot;&lt;&amp;&gt;'>&apos;&quot;&lt;&amp;&gt;]]&gt;</a>\n",
    );
  });

  it('drops control characters, which XML cannot hold', () => {
    expect(renderXml(xml('a', {}, 'be\u0000ll\u0007\u001b'))).toBe('<a>bell</a>\n');
  });

  it('gives back any printable value that goes in, in attributes and in text', () => {
    const parser = new XMLParser({
      ignoreAttributes: false,
      attributeNamePrefix: '',
      parseTagValue: false,
      parseAttributeValue: false,
      trimValues: false,
    });
    const printable = fc.string({ unit: 'grapheme-ascii', minLength: 1 });
    fc.assert(
      fc.property(printable, printable, (attribute, text) => {
        const { a } = parser.parse(renderXml(xml('a', { v: attribute }, text))) as { a: Record<string, string> };
        expect(a).toEqual({ v: attribute, '#text': text });
      }),
    );
  });
});
