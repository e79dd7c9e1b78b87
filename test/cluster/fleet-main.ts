// The process of the clients, inside the relay's namespace. Its parent (fleet.ts) tells it what to do and asks how it went.
// Argument: FleetOptions as JSON.

import { FleetClients, type FleetOptions } from "./fleet-clients.ts";

export type FleetMessage =
  | { readonly kind: "add"; readonly count: number }
  | { readonly kind: "welcome"; readonly everyMs: number }
  | { readonly kind: "restart" }
  | { readonly kind: "silence"; readonly server: string }
  | { readonly kind: "addresses" }
  | { readonly kind: "report" };

const fleet = new FleetClients(JSON.parse(process.argv[2] ?? "{}") as FleetOptions);
await fleet.start();
process.on("message", (message: FleetMessage) => {
  if (message.kind === "add") fleet.add(message.count);
  if (message.kind === "restart") fleet.restart();
  if (message.kind === "welcome") fleet.welcome(message.everyMs);
  if (message.kind === "silence") process.send?.(fleet.silence(message.server));
  if (message.kind === "addresses") process.send?.(fleet.addresses());
  if (message.kind === "report") process.send?.(fleet.report());
});
process.on("disconnect", () => process.exit(0));
process.send?.("ready");
