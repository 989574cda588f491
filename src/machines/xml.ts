/** A small XML writer, so that documents for libvirt read as what they are and every value is escaped. */

export type XmlChild = string | Xml | null | readonly (string | Xml | null)[];

export interface Xml {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly children: readonly (string | Xml)[];
}

/** An element; children that are null are left out, strings are text. */
export function xml(
  name: string,
  attributes: Readonly<Record<string, string | number>> = {},
  ...children: XmlChild[]
): Xml {
  return { name, attributes, children: children.flat().filter((child): child is string | Xml => child !== null) };
}

/** The document as indented text. */
export function renderXml(element: Xml, indent = ''): string {
  const attributes = Object.entries(element.attributes)
    .map(([key, value]) => ` ${key}='${escapeXml(String(value))}'`)
    .join('');
  const open = `${indent}<${element.name}${attributes}`;
  if (element.children.length === 0) return `${open}/>\n`;
  if (element.children.every((child) => typeof child === 'string')) {
    return `${open}>${element.children.map((text) => escapeXml(text as string)).join('')}</${element.name}>\n`;
  }
  const inner = element.children
    .map((child) => (typeof child === 'string' ? `${indent}  ${escapeXml(child)}\n` : renderXml(child, `${indent}  `)))
    .join('');
  return `${open}>\n${inner}${indent}</${element.name}>\n`;
}

function escapeXml(text: string): string {
  // Characters that XML 1.0 cannot hold even as references are dropped; libvirt would refuse the document.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is to be removed
  const clean = text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '');
  return clean.replace(
    /[&<>'"]/g,
    (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', "'": '&apos;', '"': '&quot;' })[c]!,
  );
}
