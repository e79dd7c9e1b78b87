// The scenarios of the witness rule, scripted: each once gave one address to two clients in a draft of the rule.
// Source: docs/protocol/witness.md; the numbers are those of the rule's own list.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NORMAL, PARTNER_DOWN, RECOVER_DONE } from "./ledger.ts";
import { P, Q, Scene } from "./scene.ts";

const MCLT = 300;

describe("scenario", () => {
  it("1, shrinking renewal: an answer that got lost leaves the longer lease standing", () => {
    const scene = new Scene().begin();
    const client = scene.clientsReach(P).client();
    scene.bound(client).pass(200);
    scene.api.setReach(P, false);
    scene.api.setReach(Q, false);
    scene.apart();
    // The renewal is heard, its shorter answer is not.
    const path = scene.run.toClients[0]?.[P];
    assert.ok(path !== undefined);
    path.open = false;
    scene.pass(MCLT * 4);
    scene.api.setReach(P, true);
    scene.healLink().clientsReach(P, Q);
    const other = scene.client();
    scene
      .bothNormal()
      .bound(other)
      .pass(MCLT * 3);
  });

  it("2, long holder: what a holder gave before it left is known or waited for", () => {
    const scene = new Scene().begin();
    scene.apart();
    assert.ok(scene.api.grantNow(Q));
    scene.until("Q holds", () => scene.state(Q) === PARTNER_DOWN);
    const client = scene.clientsReach(Q).client();
    scene.bound(client).healLink();
    scene.until("P recovered", () => scene.state(P) === RECOVER_DONE || scene.state(P) === NORMAL);
    scene.cutLink().pass(10);
    scene.api.grantNow(P);
    scene.clientsReach(P);
    const others = [scene.client(), scene.client(), scene.client()];
    scene.pass(MCLT * 6);
    assert.ok(others.some((one) => one.grants > 0));
    scene
      .healLink()
      .clientsReach(P, Q)
      .bothNormal(MCLT * 6);
  });

  it("3, old RECOVER-DONE: one that was reached on an older connection is void", () => {
    const scene = new Scene().begin();
    scene.apart();
    assert.ok(scene.api.grantNow(Q));
    scene.until("Q holds", () => scene.state(Q) === PARTNER_DOWN);
    scene.healLink().until("P is done", () => scene.state(P) === RECOVER_DONE, 120, 1);
    scene.cutLink().clientsReach(Q);
    const clients = [scene.client(), scene.client(), scene.client(), scene.client()];
    scene.pass(MCLT * 4);
    assert.ok(
      clients.every((one) => one.grants > 0),
      "Q takes all addresses",
    );
    scene.healLink().clientsReach(P, Q).bothNormal();
    scene.client();
    scene.pass(MCLT * 3);
  });

  it("4, transfer: the new holder waits before it gives even its own free addresses", () => {
    const scene = new Scene().begin();
    scene.apart();
    assert.ok(scene.api.grantNow(Q));
    scene.until("Q holds", () => scene.state(Q) === PARTNER_DOWN).clientsReach(Q);
    const first = [scene.client(), scene.client(), scene.client(), scene.client()];
    scene.pass(MCLT * 4);
    assert.ok(first.every((one) => one.grants > 0));
    scene.run.nodes[Q].crash(true);
    scene.api.takeFromDead(true);
    scene.until("P holds", () => scene.state(P) === PARTNER_DOWN).clientsReach(P);
    const late = scene.client();
    scene.pass(MCLT - 30);
    assert.equal(late.grants, 0, "under hold nobody new is served");
    scene.pass(MCLT * 6);
    scene.run.nodes[Q].start();
    scene
      .healLink()
      .clientsReach(P, Q)
      .bothNormal(MCLT * 8);
  });

  it("6, stamp race: no proof is given once the entry is stamped", () => {
    const scene = new Scene().begin();
    for (let i = 0; i < 20; i++) {
      scene.apart();
      assert.ok(scene.api.grantNow(Q));
      // The link heals and is cut again while the entry is on its way to the disk.
      scene
        .pass(0.3 + i * 0.1)
        .healLink()
        .pass(0.2 + i * 0.05);
      scene.cutLink().pass(5);
      const client = scene.client();
      scene.pass(60);
      client.silence();
      scene.healLink().bothNormal(MCLT * 4);
    }
  });

  it("8, restored witness: who knows more raises the alarm and believes nothing", () => {
    const scene = new Scene().begin();
    scene.apart();
    assert.ok(scene.api.grantNow(Q));
    scene.until("Q holds", () => scene.state(Q) === PARTNER_DOWN);
    scene.api.restore();
    scene.pass(10);
    assert.ok((scene.run.logged.get("witness-fell-back") ?? 0) > 0);
    assert.equal(scene.state(Q), PARTNER_DOWN);
  });

  it("11, superseded: a holder that lost power and then its grant renews nothing under a new one before its wait", () => {
    const scene = new Scene().begin();
    scene.apart();
    assert.ok(scene.api.grantNow(Q));
    scene.until("Q holds", () => scene.state(Q) === PARTNER_DOWN).clientsReach(Q);
    const client = scene.client();
    scene.bound(client);
    scene.run.nodes[Q].crash(true);
    scene.api.takeFromDead(false);
    scene.clientsReach(P);
    const others = [scene.client(), scene.client(), scene.client(), scene.client()];
    scene.pass(MCLT * 8);
    assert.ok(others.some((one) => one.grants > 0));
    scene.run.nodes[Q].start();
    scene.pass(10);
    scene.api.grantNow(Q);
    scene.clientsReach(Q).pass(MCLT);
    scene
      .clientsReach(P, Q)
      .healLink()
      .bothNormal(MCLT * 8);
  });

  it("12, late grant: written as the link heals, it is declined and cleared", () => {
    const scene = new Scene().begin();
    scene.apart();
    scene.api.setReach(P, false);
    scene.api.setReach(Q, false);
    assert.ok(scene.api.grantNow(P));
    scene.healLink().until("NORMAL", () => scene.state(P) === NORMAL && scene.state(Q) === NORMAL);
    scene.api.setReach(P, true);
    scene.api.setReach(Q, true);
    scene.bothNormal(60);
    assert.ok((scene.run.logged.get("grant-declined") ?? 0) > 0);
    assert.equal(scene.state(P), NORMAL);
  });
});
