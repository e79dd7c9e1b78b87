// A partner may ask for everything as often as it likes: the records are searched once for all requests that come together.

import assert from "node:assert/strict";
import { test } from "node:test";
import { unixSeconds } from "../../../src/base/units.ts";
import { writeMessage } from "../../../src/dhcp/wire-failover/write-message.ts";
import { Pair, START } from "./pair.ts";

test("a flood of UPDREQALL searches the records once, and the last request is answered", () => {
  const pair = new Pair().startBoth().untilNormal();
  pair.lease("020000000001");
  const runner = pair.a.runner!;
  const { engine } = runner;
  const connection = engine.session!.connection.id;
  let searches = 0;
  const bindings = engine.leases.bindings.bind(engine.leases);
  engine.leases.bindings = () => {
    searches += 1;
    return bindings();
  };
  const flood = Array.from({ length: 1_000 }, (_, i) =>
    writeMessage({ type: "UPDREQALL" }, unixSeconds(START), 5_000 + i),
  );
  runner.deliver({ kind: "link-bytes", connection, bytes: Buffer.concat(flood) });
  runner.endTurn();
  assert.equal(searches, 1);
  pair.until("the last one is answered", () => engine.session?.partnerUpdated === true);
});
