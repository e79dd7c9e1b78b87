// The engine's log: one JSON object per line on standard output, an event id each, what clients sent only as fields.
// Written in the background: a reader that stops reading, or a full disk behind it, costs log lines, never leases.

import { pino } from "pino";
import type { LogEntry } from "../engine/event.ts";
import { LogOutput } from "./log-output.ts";

export interface Logger {
  readonly log: (entry: LogEntry) => void;
  /** Lines that could not be written, since the start. */
  readonly lost: () => number;
  /** Writes out what is still buffered, at the end of the process. False when nobody takes it in time. */
  flush(): Promise<boolean>;
}

export interface LoggerOptions {
  readonly level: LogEntry["level"];
  /** Put into every line, such as relationship and member. */
  readonly fields: Readonly<Record<string, string>>;
}

const STANDARD_OUTPUT = 1;

export function createLogger(options: LoggerOptions): Logger {
  const output = new LogOutput({ fd: STANDARD_OUTPUT, onWorksAgain: (lost) => log(linesLost(lost)) });
  const writer = pino(
    {
      level: options.level,
      base: options.fields,
      messageKey: "message",
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    output,
  );
  const log = ({ level, event, message, fields }: LogEntry) => writer[level]({ event, ...fields }, message);
  process.on("exit", () => output.writeRest());
  return { log, lost: () => output.lost, flush: () => output.flush() };
}

function linesLost(lost: number): LogEntry {
  return {
    level: "warn",
    event: "log-lines-lost",
    message: "lines of this log could not be written and are missing before this one",
    fields: { lost },
  };
}
