/** Manual pages in roff (man(7)): the few requests that the pages need, and text that cannot be taken for requests. */

/** Text as roff prints it literally: no escapes, no requests, and minus signs that can be copied. */
export function roff(text: string): string {
  return text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replace(/^['.]/, '\\&$&');
}

/** A line in bold, its quotation marks and all. */
export function bold(text: string): string {
  return `.B "${roff(text).replaceAll('"', '\\(dq')}"`;
}

export function section(title: string): string {
  return `.SH "${roff(title)}"`;
}

export function subsection(title: string): string {
  return `.SS "${roff(title)}"`;
}

/** Paragraphs, the first right below a heading. */
export function paragraphs(texts: readonly string[]): string[] {
  return texts.flatMap((text, index) => (index === 0 ? [roff(text)] : ['.PP', roff(text)]));
}

/** A list of terms in bold, each with what it means below it. */
export function termList(entries: readonly (readonly [term: string, meaning: string])[]): string[] {
  return entries.flatMap(([term, meaning]) => ['.TP', bold(term), roff(meaning)]);
}
