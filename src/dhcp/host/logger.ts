// The engine's log: one JSON object per line on standard output, an event id each, what clients sent only as fields.
// Written in the background: a reader that stops reading costs log lines, never leases.

import { type DestinationStream, destination, pino } from "pino";
import type { LogEntry } from "../engine/event.ts";

export interface Logger {
  readonly log: (entry: LogEntry) => void;
  /** Writes out what is still buffered, at the end of the process. */
  flush(): void;
}

export interface LoggerOptions {
  readonly level: LogEntry["level"];
  /** Put into every line, such as relationship and member. */
  readonly fields: Readonly<Record<string, string>>;
  /** Where to, instead of standard output. */
  readonly stream?: DestinationStream & { flushSync?: () => void };
}

const BUFFERED_BYTES_MAX = 4 * 1024 * 1024;

export function createLogger(options: LoggerOptions): Logger {
  const stream = options.stream ?? destination({ dest: 1, sync: false, maxLength: BUFFERED_BYTES_MAX });
  const writer = pino(
    {
      level: options.level,
      base: options.fields,
      messageKey: "message",
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
  return {
    log: ({ level, event, message, fields }) => writer[level]({ event, ...fields }, message),
    flush: () => {
      try {
        stream.flushSync?.();
      } catch {
        // Standard output is gone; nobody is left to tell.
      }
    },
  };
}
