// One HTTP probe as a kubelet runs it: over and over, with a threshold for failures.
// Source: Kubernetes, "Configure Liveness, Readiness and Startup Probes".

import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import type { V1Probe } from "@kubernetes/client-node";

/** Until `stop`: true at every success, false at every failure from the threshold on. No probe succeeds once. */
export async function* probeResults(probe: V1Probe | undefined, address: string, stop: AbortSignal) {
  if (probe === undefined) {
    yield true;
    if (!stop.aborted) await once(stop, "abort");
    return;
  }
  const { httpGet, periodSeconds = 10, timeoutSeconds = 1, failureThreshold = 3 } = probe;
  const url = `http://${httpGet?.host ?? address}:${httpGet?.port}${httpGet?.path}`;
  let failures = 0;
  while (!stop.aborted) {
    const signal = AbortSignal.any([stop, AbortSignal.timeout(timeoutSeconds * 1000)]);
    const request = fetch(url, { signal, redirect: "manual", headers: { connection: "close" } });
    const answer = await request.then((found) => found.text().then(() => found.status)).catch(() => 503);
    const passed = answer < 400;
    failures = passed ? 0 : failures + 1;
    if (!stop.aborted && (passed || failures >= failureThreshold)) yield passed;
    await pause(periodSeconds * 1000, null, { signal: stop }).catch(() => {});
  }
}
