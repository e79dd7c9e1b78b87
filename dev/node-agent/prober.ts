// HTTP probes as a kubelet runs them: startup first, then liveness and readiness, with thresholds.
// Source: Kubernetes, "Configure Liveness, Readiness and Startup Probes".

import type { Container, Probe } from "./container.ts";

export interface ProbeOutcome {
  onStarted(): void;
  onReady(ready: boolean): void;
  /** The container has to be restarted. */
  onFailed(why: string): void;
}

const PROBES = ["startupProbe", "livenessProbe", "readinessProbe"] as const;

/** Probes one run of a container until the signal says stop. */
export function startProbing(
  container: Container,
  address: string,
  outcome: ProbeOutcome,
  stop: AbortSignal,
): void {
  for (const name of PROBES) {
    if (container[name] && !container[name].httpGet)
      throw new Error(`${container.name}.${name}: only httpGet works here`);
  }
  const { startupProbe, livenessProbe, readinessProbe } = container;
  const afterStart = () => {
    outcome.onStarted();
    if (readinessProbe === undefined) outcome.onReady(true);
    else void loop(container, readinessProbe, address, stop, (passed) => outcome.onReady(passed));
    if (livenessProbe === undefined) return;
    void loop(
      container,
      livenessProbe,
      address,
      stop,
      (passed) => passed || outcome.onFailed("liveness probe failed"),
    );
  };
  if (startupProbe === undefined) return afterStart();
  const first = new AbortController();
  void loop(container, startupProbe, address, AbortSignal.any([stop, first.signal]), (passed) => {
    first.abort();
    if (passed) afterStart();
    else outcome.onFailed("startup probe failed");
  });
}

/** Calls back whenever as many results in a row as the threshold asks for agree. */
async function loop(
  container: Container,
  probe: Probe,
  address: string,
  stop: AbortSignal,
  verdict: (passed: boolean) => void,
): Promise<void> {
  const { httpGet, initialDelaySeconds = 0, periodSeconds = 10, timeoutSeconds = 1 } = probe;
  const { failureThreshold = 3, successThreshold = 1 } = probe;
  const named = container.ports?.find((port) => port.name === httpGet?.port)?.containerPort;
  const url = `http://${httpGet?.host ?? address}:${named ?? httpGet?.port}${httpGet?.path ?? "/"}`;
  let run = 0;
  let last: boolean | null = null;
  await pause(initialDelaySeconds * 1000, stop);
  while (!stop.aborted) {
    const passed = await ask(url, AbortSignal.any([stop, AbortSignal.timeout(timeoutSeconds * 1000)]));
    if (stop.aborted) return;
    run = passed === last ? run + 1 : 1;
    last = passed;
    if (run >= (passed ? successThreshold : failureThreshold)) verdict(passed);
    await pause(periodSeconds * 1000, stop);
  }
}

async function ask(url: string, signal: AbortSignal): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal, redirect: "manual", headers: { connection: "close" } });
    await answer.arrayBuffer();
    return answer.status >= 200 && answer.status < 400;
  } catch {
    return false;
  }
}

/** Ends early when stopped. */
function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (stop.aborted) return done();
    const end = () => {
      clearTimeout(timer);
      stop.removeEventListener("abort", end);
      done();
    };
    const timer = setTimeout(end, ms);
    stop.addEventListener("abort", end);
  });
}
