// Calls against a scripted server: what goes over the wire, what comes back as KubeError, what is repeated and when.

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { KubeClient } from "../../src/kube/client.ts";
import { ConnectionPool } from "../../src/kube/connection.ts";
import { isConflict, KubeError } from "../../src/kube/kube-error.ts";
import { systemTiming } from "../../src/kube/timing.ts";
import { FakeTiming, keepLog, settle, until } from "./fake-timing.ts";
import {
  clientFor,
  kubeConfigFor,
  listOf,
  type ScriptedApi,
  sendJson,
  sendStatus,
  startScriptedApi,
  WIDGET,
  widget,
} from "./scripted-api.ts";

const ONE = "/apis/example.io/v1/namespaces/lab/widgets/one";

let api: ScriptedApi;
let timing: FakeTiming;
let client: KubeClient;
const kept = keepLog();

beforeEach(async () => {
  api = await startScriptedApi();
  timing = new FakeTiming();
  kept.lines.length = 0;
  client = clientFor(api, timing, kept.log);
});

afterEach(async () => {
  await client.close();
  await api.close();
});

/** The KubeError a call ends in. */
async function failureOf(call: Promise<unknown>): Promise<KubeError> {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof KubeError, `not a KubeError: ${error}`);
    return error;
  }
  assert.fail("the call succeeded");
}

describe("reads", () => {
  it("lists page by page and says of each item what it is", async () => {
    api.script((request, response) => {
      const page = request.query.get("continue");
      if (page === null) sendJson(response, 200, listOf("7", [widget("one", "1")], "next"));
      else sendJson(response, 200, listOf("7", [widget("two", "2")]));
    });
    const list = await client.list(WIDGET, "lab", { labelSelector: "a=b" });
    assert.equal(list.resourceVersion, "7");
    assert.deepEqual(
      list.items.map((item) => [item.kind, item.apiVersion, item.metadata.name]),
      [
        ["Widget", "example.io/v1", "one"],
        ["Widget", "example.io/v1", "two"],
      ],
    );
    assert.deepEqual(
      api.requests.map((request) => request.query.toString()),
      ["limit=500&labelSelector=a%3Db", "limit=500&continue=next&labelSelector=a%3Db"],
    );
  });

  it("lists again from the start when a continue token expires, at last in one piece", async () => {
    api.script((request, response) => {
      if (request.query.has("continue")) sendStatus(response, 410, "Expired", "token too old");
      else if (request.query.has("limit")) sendJson(response, 200, listOf("7", [widget("one", "1")], "next"));
      else sendJson(response, 200, listOf("9", [widget("one", "1"), widget("two", "2")]));
    });
    const list = await client.list(WIDGET, null);
    assert.equal(list.resourceVersion, "9");
    assert.equal(list.items.length, 2);
    assert.equal(api.requests.length, 5);
  });

  it("finds null where get fails with NotFound", async () => {
    api.script((_request, response) => sendStatus(response, 404, "NotFound", "widgets one not found"));
    assert.equal(await client.find(WIDGET, "lab", "one"), null);
    const error = await failureOf(client.get(WIDGET, "lab", "one"));
    assert.equal(error.status, 404);
    assert.equal(error.reason, "NotFound");
  });

  it("takes a quorum read as proof only when its Audit-Id comes back", async () => {
    api.script((request, response) => {
      sendJson(response, 200, widget("one", "1"), { "audit-id": String(request.headers["audit-id"]) });
    });
    await client.getQuorum(WIDGET, "lab", "one");
    const [sent] = api.requests;
    assert.match(String(sent?.headers["audit-id"]), /^[0-9a-f-]{36}$/);
    assert.equal(sent?.query.has("resourceVersion"), false);

    for (const id of ["another", ""]) {
      api.script((_request, response) =>
        sendJson(response, 200, widget("one", "1"), id === "" ? {} : { "audit-id": id }),
      );
      const error = await failureOf(client.getQuorum(WIDGET, "lab", "one"));
      assert.equal(error.reason, "BadResponse");
    }
  });

  it("never repeats a quorum read, so that the time it was sent is the time it proves", async () => {
    api.script((_request, response) => sendStatus(response, 503, "ServiceUnavailable", "later"));
    await failureOf(client.getQuorum(WIDGET, "lab", "one"));
    assert.equal(api.requests.length, 1);
  });

  it("refuses answers that are not what was asked for", async () => {
    for (const body of ["<html>", "[]", '{"kind":"Widget"}']) {
      api.script((_request, response) => response.writeHead(200).end(body));
      assert.equal((await failureOf(client.get(WIDGET, "lab", "one"))).reason, "BadResponse", body);
    }
    api.script((_request, response) =>
      sendJson(response, 200, { items: [{}], metadata: { resourceVersion: "1" } }),
    );
    assert.equal((await failureOf(client.list(WIDGET, "lab"))).reason, "BadResponse");
  });
});

describe("writes", () => {
  beforeEach(() => api.script((_request, response) => sendJson(response, 200, widget("one", "2"))));

  it("applies with the apply media type, the field manager and force", async () => {
    await client.apply(
      WIDGET,
      { metadata: { namespace: "lab", name: "one" }, spec: { size: 1 } },
      { fieldManager: "me" },
    );
    const [sent] = api.requests;
    assert.equal(sent?.method, "PATCH");
    assert.equal(sent?.path, ONE);
    assert.equal(sent?.headers["content-type"], "application/apply-patch+yaml");
    assert.equal(sent?.query.toString(), "fieldManager=me&force=true");
    assert.deepEqual(sent?.body, {
      apiVersion: "example.io/v1",
      kind: "Widget",
      metadata: { namespace: "lab", name: "one" },
      spec: { size: 1 },
    });
  });

  it("patches status by merge on the subresource", async () => {
    await client.patchStatus(WIDGET, { namespace: "lab", name: "one" }, { status: { state: "Normal" } });
    const [sent] = api.requests;
    assert.equal(sent?.path, `${ONE}/status`);
    assert.equal(sent?.headers["content-type"], "application/merge-patch+json");
    assert.deepEqual(sent?.body, { status: { state: "Normal" } });
  });

  it("deletes with preconditions and propagation, and takes NotFound for done", async () => {
    const options = {
      uid: "u",
      resourceVersion: "3",
      propagation: "Foreground",
      gracePeriodSeconds: 0,
    } as const;
    assert.equal(await client.delete(WIDGET, "lab", "one", options), true);
    assert.deepEqual(api.requests[0]?.body, {
      apiVersion: "v1",
      kind: "DeleteOptions",
      preconditions: { uid: "u", resourceVersion: "3" },
      propagationPolicy: "Foreground",
      gracePeriodSeconds: 0,
    });
    api.script((_request, response) => sendStatus(response, 404, "NotFound", "gone"));
    assert.equal(await client.delete(WIDGET, "lab", "one"), false);
  });

  it("names the field of every fault of a rejected object", async () => {
    const details = {
      causes: [
        { reason: "FieldValueInvalid", message: "must be inside the subnet", field: "spec.ranges[0].end" },
      ],
    };
    api.script((_request, response) =>
      sendStatus(response, 422, "Invalid", "Widget is invalid", { details }),
    );
    const error = await failureOf(client.create(WIDGET, widget("one", "")));
    assert.equal(error.reason, "Invalid");
    assert.deepEqual(error.causes, [
      { reason: "FieldValueInvalid", message: "must be inside the subnet", field: "spec.ranges[0].end" },
    ]);
  });

  it("does not repeat a conflict: the caller must read again", async () => {
    api.script((_request, response) => sendStatus(response, 409, "Conflict", "the object has been modified"));
    const error = await failureOf(client.replace(WIDGET, widget("one", "1")));
    assert.ok(isConflict(error));
    assert.equal(api.requests.length, 1);
  });

  it("logs a warning of the API server once", async () => {
    const warning = '299 - "unknown field spec.colour"';
    api.script((_request, response) => sendJson(response, 200, widget("one", "2"), { warning }));
    for (let call = 0; call < 3; call += 1) await client.create(WIDGET, widget("one", ""));
    assert.equal(kept.lines.filter((line) => line.event === "kube-api-warning").length, 1);
  });
});

describe("repetition", () => {
  it("waits as long as Retry-After says, also for a create, because 429 means that nothing was done", async () => {
    api.script((_request, response) => {
      if (api.requests.length > 1) sendJson(response, 201, widget("one", "1"));
      else sendStatus(response, 429, "TooManyRequests", "slow down", { headers: { "retry-after": "3" } });
    });
    const call = client.create(WIDGET, widget("one", ""));
    await until("the pause", () => timing.nextInMs !== null && timing.nextInMs < 5_000);
    await timing.advance(2_900);
    assert.equal(api.requests.length, 1, "asked again too early");
    await timing.advance(1_000);
    await call;
    assert.equal(api.requests.length, 2);
  });

  it("hands a longer Retry-After to the caller instead of holding it up", async () => {
    api.script((_request, response) =>
      sendStatus(response, 429, "TooManyRequests", "slow down", { headers: { "retry-after": "60" } }),
    );
    const error = await failureOf(client.get(WIDGET, "lab", "one"));
    assert.equal(error.retryAfterSeconds, 60);
    assert.equal(api.requests.length, 1);
  });

  it("repeats a read three times at most", async () => {
    api.script((_request, response) => sendStatus(response, 503, "ServiceUnavailable", "not yet"));
    const call = failureOf(client.get(WIDGET, "lab", "one"));
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      await until(`attempt ${attempt}`, () => api.requests.length === attempt);
      if (attempt < 3) await timing.fireNext("the pause", 5_000);
    }
    assert.equal((await call).status, 503);
    assert.equal(api.requests.length, 3);
  });

  for (const [what, cut] of [
    ["before the answer", "head"],
    ["in the middle of the answer", "body"],
  ] as const) {
    it(`repeats a read, but not a create, when the connection breaks ${what}`, async () => {
      api.script((request, response) => {
        if (request.method === "GET" && api.requests.length > 1)
          return sendJson(response, 200, widget("one", "1"));
        if (cut === "body") response.writeHead(200, { "content-length": "1000" }).write('{"metadata":');
        setImmediate(() => response.socket?.destroy());
      });
      const read = client.get(WIDGET, "lab", "one");
      await timing.fireNext("the pause", 5_000);
      await read;
      assert.equal(api.requests.length, 2);

      const error = await failureOf(client.create(WIDGET, widget("one", "")));
      assert.equal(error.reason, "Unreachable");
      assert.equal(error.sent, true);
      assert.equal(api.requests.length, 3);
    });
  }

  it("repeats a create when no connection was made", async () => {
    const { url } = api;
    await api.close();
    const unreachable = new KubeClient({
      pool: new ConnectionPool(() => kubeConfigFor(url)),
      timing,
      log: kept.log,
    });
    const call = failureOf(unreachable.create(WIDGET, widget("one", "")));
    await timing.fireNext("the first pause", 5_000);
    await timing.fireNext("the second pause", 5_000);
    const error = await call;
    assert.equal(error.sent, false);
    await unreachable.close();
    api = await startScriptedApi();
  });

  it("gives up after the time limit and takes only its own socket with it", async () => {
    api.script(() => {});
    const call = failureOf(client.get(WIDGET, "lab", "one", { timeoutMs: 2_000, attempts: 1 }));
    await until("the request", () => api.requests.length === 1);
    await timing.advance(2_000);
    assert.equal((await call).reason, "RequestTimeout");
    await until("the socket to close", () => api.connections.open.size === 0);
  });

  it("ends at once when the caller gives up, also during a pause", async () => {
    api.script((_request, response) => sendStatus(response, 503, "ServiceUnavailable", "not yet"));
    const giveUp = new AbortController();
    const call = failureOf(client.get(WIDGET, "lab", "one", { signal: giveUp.signal }));
    await until("the pause", () => timing.nextInMs !== null && timing.nextInMs < 5_000);
    giveUp.abort();
    assert.equal((await call).status, 503);
    assert.equal(timing.pending, 0);
    assert.equal(
      (await failureOf(client.get(WIDGET, "lab", "one", { signal: giveUp.signal }))).reason,
      "Aborted",
    );
    assert.equal(api.requests.length, 1);
  });
});

describe("credentials and connections", () => {
  it("reads the configuration anew after one 401, and fails at the second", async () => {
    const tokens = ["old", "new", "newest"];
    let loads = 0;
    const pool = new ConnectionPool(() => kubeConfigFor(api.url, tokens[loads++]));
    const own = new KubeClient({ pool, timing, log: kept.log });
    api.script((request, response) => {
      if (request.headers["authorization"] === "Bearer new") sendJson(response, 200, widget("one", "1"));
      else sendStatus(response, 401, "Unauthorized", "Unauthorized");
    });
    await own.create(WIDGET, widget("one", ""));
    assert.equal(loads, 2);
    await own.get(WIDGET, "lab", "one");
    assert.equal(loads, 2, "a good token is kept");

    api.script((_request, response) => sendStatus(response, 401, "Unauthorized", "Unauthorized"));
    assert.equal((await failureOf(own.get(WIDGET, "lab", "one"))).status, 401);
    assert.equal(loads, 3);
    await own.close();
  });

  it("says what is wrong with its settings instead of trying for ever", async () => {
    const pool = new ConnectionPool(() => {
      throw new Error("cannot read /nowhere");
    });
    const own = new KubeClient({ pool, timing, log: kept.log });
    const error = await failureOf(own.get(WIDGET, "lab", "one"));
    assert.equal(error.reason, "BadConfiguration");
    assert.match(error.message, /nowhere/);
    await own.close();
  });

  it("uses a connection or two for a hundred calls in a row, and no more for more rounds of the same", async () => {
    api.script((_request, response) => sendJson(response, 200, widget("one", "1")));
    const own = clientFor(api, systemTiming, kept.log);
    for (let call = 0; call < 100; call += 1) await own.get(WIDGET, "lab", "one");
    // Two, because the pool lets a socket rest for one turn of the event loop before it uses it again.
    assert.ok(api.connections.accepted <= 2, `${api.connections.accepted} connections for calls in a row`);
    for (let round = 0; round < 50; round += 1) {
      await Promise.all([1, 2, 3, 4].map(() => own.get(WIDGET, "lab", "one")));
    }
    assert.ok(
      api.connections.accepted <= 8,
      `${api.connections.accepted} connections for four calls at a time`,
    );
    await own.close();
    await until("all sockets to close", () => api.connections.open.size === 0);
  });

  it("leaves no timer behind", async () => {
    api.script((_request, response) => sendJson(response, 200, widget("one", "1")));
    await client.get(WIDGET, "lab", "one");
    await settle();
    assert.equal(timing.pending, 0);
  });
});
