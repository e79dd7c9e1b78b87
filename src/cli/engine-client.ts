// Asks a running engine on this machine, over the socket in its data directory.

import { existsSync } from "node:fs";
import { request } from "../dhcp/host/node-http.ts";
import { CommandError, EXIT } from "./command-error.ts";

const TIMEOUT_MS = 30_000;
const SOCKET_NAME = "engine.sock";

/** The body of the answer to `GET path`. Rejects with CommandError that says what to do. */
export function askEngine(dataDirectory: string, path: string): Promise<string> {
  return callEngine(dataDirectory, "GET", path);
}

/** The same of any method. What the engine must not do (409) ends in EXIT.refused. */
export function callEngine(dataDirectory: string, method: "GET" | "POST", path: string): Promise<string> {
  const socketPath = `${dataDirectory}/${SOCKET_NAME}`;
  return new Promise((resolve, reject) => {
    const fail = (message: string) => reject(new CommandError(EXIT.failed, message));
    if (!existsSync(socketPath)) {
      fail(
        `--data-dir ${dataDirectory}: no engine listens here (${SOCKET_NAME} is missing). Name the data directory of a ` +
          "running engine; to read a stopped engine's leases use `leasepair store dump`.",
      );
      return;
    }
    const call = request({ socketPath, method, path, timeout: TIMEOUT_MS }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        if (response.statusCode === 200) resolve(text);
        else if (response.statusCode === 409)
          reject(new CommandError(EXIT.refused, `refused: ${text.trim()}`));
        else fail(`the engine answered ${response.statusCode}: ${text.trim()}`);
      });
      response.on("error", (error) => fail(`the engine's answer broke off: ${error.message}`));
    });
    call.on("timeout", () => call.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
    call.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED") fail(`${socketPath}: the engine that made it is not running`);
      else if (error.code === "EACCES")
        fail(`${socketPath}: permission denied; run as the engine's user or as root`);
      else fail(`${socketPath}: ${error.message}`);
    });
    call.end();
  });
}
