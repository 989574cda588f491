/**
 * JSON as commands print it, on one line. People look at it on terminals too: characters that steer those, such as a
 * machine's last words may hold, are written as escapes, which mean the same to programs.
 */

/** `JSON.stringify` escapes those below a blank; U+009B begins a control sequence all the same. */
const STEERING = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** @param value of plain data */
export function jsonText(value: unknown): string {
  return JSON.stringify(value).replace(STEERING, escaped);
}

/** As one or two UTF-16 units, the only escapes that JSON has. */
function escaped(character: string): string {
  return Array.from(
    { length: character.length },
    (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`,
  ).join('');
}
