// The receiver of Alertmanager's webhooks, inside the control plane's namespace: hands every alert on to its parent.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export interface Alert {
  readonly name: string;
  /** The label; empty for alerts of a whole relationship. */
  readonly member: string;
  readonly status: string;
}

interface Notification {
  readonly alerts: readonly { readonly status: string; readonly labels: Readonly<Record<string, string>> }[];
}

const server = createServer(async (request, response) => {
  const { alerts } = JSON.parse(await text(request)) as Notification;
  const heard = alerts.map(
    ({ status, labels }): Alert => ({
      name: labels["alertname"] ?? "",
      member: labels["member"] ?? "",
      status,
    }),
  );
  process.send?.(heard);
  response.end();
});
server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
process.on("disconnect", () => process.exit(0));
