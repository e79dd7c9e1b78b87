// The real API server beside what stands in for it elsewhere: the contract suite of the embedded API passes against it, and
// it judges the corpus of manifests as the schemas in src/api do.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parseAllDocuments, type Tags } from "yaml";
import { Cluster } from "../../dev/cluster/cluster.ts";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { eventually } from "../../dev/demo/teller.ts";
import { KINDS } from "../../src/api/kinds.ts";
import { corpusCases } from "../api/corpus.ts";
import { tried } from "./tried.ts";

const ROOT = join(import.meta.dirname, "..", "..");

const DRY_RUN = "dryRun=All&fieldValidation=Strict";

interface Verdict {
  readonly status: number;
  readonly message: string;
  readonly fields: readonly string[];
}

interface Manifest {
  readonly kind: string;
  readonly apiVersion: string;
  readonly metadata?: { readonly namespace?: string; readonly name?: string };
  readonly status?: object;
}

function collectionOf({ kind, apiVersion, metadata }: Manifest): string {
  const plural = KINDS.find((one) => one.kind === kind)?.plural ?? "unknown";
  return `/apis/${apiVersion}/namespaces/${metadata?.namespace ?? "default"}/${plural}`;
}

/** Creates as a dry run, as `kubectl create --dry-run=server --validate=strict` does. */
class Judge {
  readonly #server: URL;
  readonly #credentials: { ca: Buffer; cert: Buffer; key: Buffer };

  constructor(kubeConfigFile: string) {
    const config = JSON.parse(readFileSync(kubeConfigFile, "utf8"));
    const decode = (text: string) => Buffer.from(text, "base64");
    const { cluster } = config.clusters[0];
    const { user } = config.users[0];
    this.#server = new URL(cluster.server);
    this.#credentials = {
      ca: decode(cluster["certificate-authority-data"]),
      cert: decode(user["client-certificate-data"]),
      key: decode(user["client-key-data"]),
    };
  }

  /** The verdict on the object; on its status, which nobody can create, by a change of an object that exists. */
  async judge(object: Manifest): Promise<Verdict> {
    const collection = collectionOf(object);
    const verdict = await this.#ask("POST", collection, object);
    const { status, metadata } = object;
    if (status === undefined || verdict.status !== 201) return verdict;
    const { name, namespace } = metadata ?? {};
    await this.#ask("POST", collection, { ...object, metadata: { name, namespace } }, "");
    const path = `${collection}/${name}`;
    const patched = await this.#ask("PATCH", `${path}/status`, { status });
    await this.#ask("DELETE", path, null, "");
    return patched.status === 200 ? verdict : patched;
  }

  async #ask(method: string, path: string, body: object | null, query = DRY_RUN): Promise<Verdict> {
    const asked = request(new URL(`${path}?${query}`, this.#server), {
      method,
      headers: {
        "Content-Type": method === "PATCH" ? "application/merge-patch+json" : "application/json",
      },
      ...this.#credentials,
    });
    asked.end(body === null ? undefined : JSON.stringify(body));
    const [response] = await once(asked, "response");
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString("utf8");
    // Of a kind that it does not know it speaks in plain words.
    const said = text.startsWith("{") ? JSON.parse(text) : { message: text };
    const causes = (said.details?.causes ?? []) as { field?: string }[];
    return {
      status: response.statusCode,
      message: said.message ?? "",
      fields: causes.map(({ field = "" }) => field),
    };
  }
}

describe("the real API server", { skip: clusterUnmet(), timeout: 400_000 }, () => {
  let cluster: Cluster;
  let judge: Judge;
  before(async () => {
    cluster = await Cluster.start({ say: (line) => console.log(line) });
    cluster.apply(join(ROOT, "crds"));
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=120s");
    // An API server that has accepted a definition serves it a moment later.
    const kinds = KINDS.map(({ plural }) => plural).join(",");
    const served = () => tried(() => cluster.kubectl("get", kinds, "--output", "name"));
    await eventually("every kind to be served", 60_000, served, (said) => said === "");
    for (const namespace of corpusNamespaces()) {
      if (namespace !== "default") cluster.kubectl("create", "namespace", namespace);
    }
    judge = new Judge(cluster.kubeConfigFile);
  });
  after(() => cluster?.stop());

  it("keeps the contract that src/kube relies on, as the embedded API does", async () => {
    const { NODE_TEST_CONTEXT: _, ...outside } = process.env;
    const env = { ...outside, LEASEPAIR_CONTRACT_KUBECONFIG: cluster.kubeConfigFile };
    const child = spawn(process.execPath, [join(ROOT, "test/kube/contract.test.ts")], { env });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said += chunk));
    const [code] = await once(child, "close");
    assert.equal(code, 0, said);
    assert.match(said, /^# pass [1-9]|^ℹ pass [1-9]/m);
  });

  it("accepts every good manifest of the corpus", async () => {
    const refused: string[] = [];
    for (const { name, text } of [...corpusCases("good"), ...corpusCases("refused")]) {
      for (const object of objectsIn(text)) {
        const { status, message } = await judge.judge(object);
        if (status !== 201) refused.push(`${name}: ${status} ${message}`);
      }
    }
    assert.deepEqual(refused, []);
  });

  it("refuses every bad one, and names the same field", async () => {
    const wrong: string[] = [];
    for (const { name, text, expected } of corpusCases("bad")) {
      const verdicts: Verdict[] = [];
      for (const object of objectsIn(text)) verdicts.push(await judge.judge(object));
      const refusal = verdicts.find(({ status }) => status !== 201);
      if (refusal === undefined) wrong.push(`${name}: accepted`);
      else if (!namesField(refusal, expected["field"] ?? ""))
        wrong.push(`${name}: ${expected["field"]}: ${refusal.message}`);
    }
    assert.deepEqual(wrong, []);
  });
});

function corpusNamespaces(): ReadonlySet<string> {
  const all = (["good", "refused", "bad"] as const)
    .flatMap(corpusCases)
    .flatMap(({ text }) => objectsIn(text));
  return new Set(all.map(({ metadata }) => metadata?.namespace ?? "default"));
}

function objectsIn(text: string) {
  // As kubectl reads it: YAML 1.1, for which `on` is a boolean, without numbers to the base of 60 and instants.
  const customTags = (tags: Tags) =>
    tags.filter(
      (tag) =>
        typeof tag === "string" ||
        (!("format" in tag && tag.format === "TIME") && !tag.tag.endsWith(":timestamp")),
    );
  return parseAllDocuments(text, { version: "1.1", customTags }).flatMap((document) => {
    const object = document.toJS();
    return object === null || typeof object !== "object" ? [] : [object];
  });
}

/** The server names the field, or one that holds it: a rule across a list is reported at the list. */
function namesField({ status, fields, message }: Verdict, field: string): boolean {
  // Of a kind or version that it does not know it says no more than that.
  if (status === 404) return /^(kind|apiVersion)$/.test(field);
  const holds = (outer: string) =>
    outer !== "" && (field === outer || (/^[.[]/.test(field.slice(outer.length)) && field.startsWith(outer)));
  return fields.some(holds) || message.includes(field);
}
