/** The log: pino, as plain lines for people or as JSON for machines. */

import pino from 'pino';

export type Logger = pino.Logger;
export type LogFormat = 'text' | 'json';

/** A line as a person reads it: time, level where it is not plain information, message. */
export function formatLine(line: string): string {
  const { time, level, msg } = JSON.parse(line) as { time: number; level: number; msg: string };
  const clock = new Date(time).toISOString().replace('T', ' ').slice(0, 19);
  const word = level >= 50 ? 'ERROR ' : level >= 40 ? 'warning: ' : '';
  return `${clock} ${word}${msg}`;
}

/** @param write gets each line without its end */
export function createLogger(format: LogFormat, write: (line: string) => void): Logger {
  const stream = {
    write: (line: string) => write(format === 'json' ? line.trimEnd() : formatLine(line)),
  };
  return pino({ base: null }, stream);
}
