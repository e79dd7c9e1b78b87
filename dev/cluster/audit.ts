// What the API server's audit log says: every change that anybody asked for, with who asked and what became of it.

import { readFileSync } from "node:fs";

/** Handed to the API server. */
export const AUDIT_POLICY = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived"],
  rules: [{ level: "Metadata", verbs: ["create", "update", "patch", "delete", "deletecollection"] }],
};

export interface Write {
  /** Date.now() */
  readonly at: number;
  readonly user: string;
  /** Of a service account, the pod that used it; empty for others. */
  readonly pod: string;
  readonly verb: string;
  /** With its subresource: failoverrelationships/status. */
  readonly resource: string;
  readonly name: string;
  /** HTTP status. */
  readonly code: number;
}

interface AuditLine {
  readonly stageTimestamp: string;
  readonly verb: string;
  readonly user: { readonly username: string; readonly extra?: Readonly<Record<string, readonly string[]>> };
  readonly objectRef?: { readonly resource: string; readonly subresource?: string; readonly name?: string };
  readonly responseStatus?: { readonly code?: number };
}

/** Every change asked for since the API server's first start, the oldest first. */
export function readAuditLog(file: string): readonly Write[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => asWrite(JSON.parse(line) as AuditLine));
}

function asWrite({ stageTimestamp, verb, user, objectRef, responseStatus }: AuditLine): Write {
  const { resource = "", subresource, name = "" } = objectRef ?? {};
  return {
    at: Date.parse(stageTimestamp),
    user: user.username,
    pod: user.extra?.["authentication.kubernetes.io/pod-name"]?.[0] ?? "",
    verb,
    resource: subresource === undefined ? resource : `${resource}/${subresource}`,
    name,
    code: responseStatus?.code ?? 0,
  };
}
