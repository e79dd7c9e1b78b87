// What a decision rested on is not so any more: thrown as the conflict that it is, so that the queue looks again.

import { KubeError } from "../kube/kube-error.ts";

/** `message`: what has changed. */
export function outdated(message: string): KubeError {
  return new KubeError({ status: 409, reason: "Conflict", message });
}
