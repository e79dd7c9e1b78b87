// Doors from this machine's loopback into the cluster's network. Runs inside one of its namespaces; each door's listening
// socket comes from the parent, which opened it outside. A message says where what comes in there goes on to.

import { connect, type Server, type Socket } from "node:net";

export interface DoorMessage {
  readonly host: string;
  readonly port: number;
}

process.on("message", (message, server) => {
  const { host, port } = message as DoorMessage;
  (server as Server).on("connection", (outside: Socket) => {
    const inside = connect({ host, port });
    outside.pipe(inside).pipe(outside);
    outside.on("error", () => inside.destroy());
    inside.on("error", () => outside.destroy());
  });
});
// The parent is gone.
process.on("disconnect", () => process.exit(0));
