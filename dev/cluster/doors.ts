// Opens doors (see door.ts) from 127.0.0.1 to addresses of the cluster, so that tests, kubectl and a browser outside of
// its namespaces reach what is inside.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import type { DoorMessage } from "./door.ts";

export class Doors {
  readonly #child: ChildProcess;
  readonly #open = new Map<string, number>();

  /** Doors that lead out of them into `namespace`. */
  constructor(namespace: string) {
    const words = [
      `--net=/run/netns/${namespace}`,
      "--",
      process.execPath,
      join(import.meta.dirname, "door.ts"),
    ];
    this.#child = spawn("nsenter", words, { detached: true, stdio: ["ignore", "ignore", "inherit", "ipc"] });
    this.#child.unref();
    this.#child.channel?.unref();
  }

  /** The port on 127.0.0.1 that leads to `host:port`; the same one each time. */
  async to(host: string, port: number): Promise<number> {
    const name = `${host}:${port}`;
    const open = this.#open.get(name);
    if (open !== undefined) return open;
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const outside = (server.address() as AddressInfo).port;
    this.#open.set(name, outside);
    const message: DoorMessage = { host, port };
    await new Promise<void>((resolve, reject) => {
      this.#child.send(message, server, (error) => (error === null ? resolve() : reject(error)));
    });
    server.close();
    return outside;
  }
}
