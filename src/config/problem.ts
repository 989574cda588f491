/** What is wrong, or doubtful, in a configuration, and where. */
export interface Problem {
  readonly file: string;
  /** From 1; null when no line is to blame, such as for a missing file. */
  readonly line: number | null;
  /** Section as written between the brackets, e.g. `machinetype lhcb-prod`. */
  readonly section: string | null;
  readonly option: string | null;
  /** The value as given in the file. */
  readonly given: string | null;
  /** What was wanted instead, e.g. `a whole number from 1 to 1024`; null when `message` is not about one value. */
  readonly expected: string | null;
  /** A sentence that says what is wrong and what to do, without the place. */
  readonly message: string;
}

/** A place in the configuration, as far as known. */
export type Place = Pick<Problem, 'file' | 'line'> & Partial<Pick<Problem, 'section' | 'option' | 'given'>>;

/** A problem at a place; `expected` where a value should have been another. */
export function problemAt(place: Place, message: string, expected: string | null = null): Problem {
  const { file, line, section = null, option = null, given = null } = place;
  return { file, line, section, option, given, expected, message };
}

/** Long texts are cut here: the line number leads to the rest. */
const GIVEN_MAX_CHARACTERS = 80;

/**
 * One line for one problem, e.g.
 * `/etc/vac.conf:12: [machinetype lhcb-prod] max_processors = "eigth": expected a whole number from 1 to 1024`.
 */
export function formatProblem(problem: Problem): string {
  const place = problem.line === null ? problem.file : `${problem.file}:${problem.line}`;
  const section = problem.section === null ? '' : `[${oneLine(problem.section)}] `;
  const given = problem.given === null ? '' : ` = ${quoted(problem.given)}`;
  const option = problem.option === null ? '' : `${oneLine(problem.option)}${given}: `;
  return `${place}: ${section}${option}${problem.message}`;
}

/** Text of a file as a message shows it: on one line, and not too long. */
export function quoted(text: string): string {
  const shortened = text.length <= GIVEN_MAX_CHARACTERS ? text : `${text.slice(0, GIVEN_MAX_CHARACTERS)}…`;
  return `"${oneLine(shortened)}"`;
}

/** Control characters (and line separators) as escapes: a value must not forge log lines or colours. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, (char) =>
    char === '\n' ? '\\n' : `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}
