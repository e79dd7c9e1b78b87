// The scenarios of the witness rule, scripted: each once gave one address to two clients in a draft of the rule.
// Source: docs/protocol/witness.md; the numbers are those of the rule's own list.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BACKUP, EXPIRED, FREE, NORMAL, PARTNER_DOWN, RECOVER_DONE } from "./ledger.ts";
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

  it("5, empty store consents: who has lost its records agrees to no lease's end before its hold is over", () => {
    const scene = new Scene().begin();
    const client = scene.clientsReach(P).client();
    scene.bound(client).pass(30).apart();
    // Renewed while apart: Q knows of the first lease only, and P will soon know of none.
    const before = scene.expiresAt(P, client);
    scene.until("renewed", () => scene.expiresAt(P, client) > before + MCLT / 3, MCLT * 4);
    client.silence();
    scene.replaceDisk(P).healLink().clientsReach(P, Q);
    const others = [scene.client(), scene.client(), scene.client(), scene.client()];
    scene.until("the others are served", () => others.every((one) => one.holding), MCLT * 12);
    assert.ok(!client.holding, "they wait for the address");
    scene.bothNormal().agreed();
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

  it("7, replaced member: a new store proves nothing while a grant of the old one is open", () => {
    const scene = new Scene().begin();
    const client = scene.clientsReach(P).client();
    scene.bound(client).apart();
    assert.ok(scene.api.grantNow(Q));
    scene.until("Q holds", () => scene.state(Q) === PARTNER_DOWN);
    const old = scene.run.nodes[Q].copyOfStore();
    const oldStore = scene.run.nodes[Q].store;
    scene
      .replaceDisk(Q)
      .healLink()
      .pass(MCLT * 0.8);
    assert.equal(scene.api.storeListed(Q), oldStore);
    assert.notEqual(scene.state(P), NORMAL, "P does not take up with the new store");
    // Meanwhile the old one has gone on somewhere, and takes over by its grant.
    scene.cutLink();
    scene.run.nodes[Q].crash(false);
    scene.run.nodes[Q].restoreStore(old);
    scene.run.nodes[Q].start();
    scene.clientsReach(P, Q);
    const others = [scene.client(), scene.client(), scene.client()];
    scene.until("all are served", () => others.every((one) => one.holding), MCLT * 12);
    scene
      .healLink()
      .bothNormal(MCLT * 8)
      .agreed();
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

  it("9, crossing balance: an address given and given back, both answers lost, is one member's in the end", () => {
    const scene = new Scene({ primaryPercent: 90 }, { linkDelayMsMax: 300 }).begin().agreed();
    let crossed = 0;
    const gives = (): boolean => scene.addresses().some((address) => scene.status(P, address) === BACKUP);
    for (let i = 0; i < 10; i++) {
      scene.configure({ primaryPercent: 10 });
      // No answer of Q arrives any more. Told of the old share, Q gives back what it has just got.
      scene.until("P gives", gives, 30, 1);
      scene.run.link.blocked[Q] = true;
      scene.configure({ primaryPercent: 90 }).pass(1);
      if (scene.addresses().some((address) => isCrossing(scene, address))) crossed++;
      scene.cutLink().pass(5).healLink().bothNormal().agreed();
      scene.until("balanced", () => !gives());
    }
    assert.ok(crossed > 0, "the case was reached");
  });

  it("10, livelock: an ended lease of one client and an unsent one of another are settled", () => {
    const scene = new Scene().begin();
    const client = scene.clientsReach(Q).client();
    scene.bound(client).pass(30).apart();
    client.silence();
    assert.ok(scene.api.grantNow(P));
    scene.until("P holds", () => scene.state(P) === PARTNER_DOWN).clientsReach(P);
    const others = [scene.client(), scene.client(), scene.client(), scene.client()];
    scene.until("P gives all addresses", () => others.every((one) => one.holding), MCLT * 12);
    assert.equal(scene.status(Q, client.address), EXPIRED, "Q waits for P's word that the lease is over");
    scene.healLink().clientsReach(P, Q).bothNormal().agreed();
    for (const one of others) assert.ok(scene.isActiveAt(Q, one), scene.describe(one));
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

  it("a change of the primary that one member alone has in force: the free addresses stay whose they are", () => {
    const scene = new Scene().begin().agreed();
    scene.configure({ primary: "b" }, P).pass(5);
    // Q changes at once, for P holds it already; that Q holds it too P never hears.
    scene.run.link.blocked[Q] = true;
    scene.configure({ primary: "b" }, Q).pass(1);
    scene.apart();
    const waits = scene.run.nodes.map((node) => node.report()?.pendingRevision !== null);
    assert.deepEqual(waits, [true, false], "it waits at P and is in force at Q");
    const clients = [scene.client(), scene.client(), scene.client(), scene.client()];
    scene.pass(MCLT);
    assert.ok(clients.every((one) => one.grants > 0));
    scene.healLink().bothNormal().agreed();
  });

  it("a word without API, then power lost: who acted on it alone is left only for a partner that knows all of it", () => {
    const scene = new Scene().begin();
    const client = scene.clientsReach(Q).client();
    scene.bound(client).pass(30);
    scene.api.setReach(P, false);
    scene.api.setReach(Q, false);
    scene.apart();
    scene.run.nodes[Q].crash(true);
    client.silence();
    scene.pass(60).declareLocally(P).clientsReach(P);
    const others = [scene.client(), scene.client(), scene.client(), scene.client()];
    scene.until("P gives all addresses", () => others.every((one) => one.holding), MCLT * 8);
    scene.run.nodes[P].crash(true);
    scene.pass(20).run.nodes[P].start();
    scene.api.setReach(P, true);
    scene.pass(20);
    assert.equal(scene.state(P), PARTNER_DOWN, "nobody was granted anything since");
    // Q's clock is in doubt: it holds the lease of before for a running one, and its client asks for that.
    scene.clientsReach(P, Q).run.nodes[Q].start();
    client.restart();
    scene
      .healLink()
      .bothNormal(MCLT * 8)
      .pass(MCLT);
    assert.ok(!client.holding);
  });
});

/** P has given it and Q, which had taken it, has given it back; neither knows the other's answer. */
function isCrossing(scene: Scene, address: number): boolean {
  return (
    scene.status(P, address) === BACKUP &&
    scene.status(Q, address) === FREE &&
    scene.wasRecently(Q, address, BACKUP)
  );
}
