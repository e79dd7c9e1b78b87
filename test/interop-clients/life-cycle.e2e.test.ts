// Real clients of Debian's packages through their whole lives, against a pair of real engines, and against one whose partner
// is gone. Source: RFC 2131 figure 5 (the client's states), 4.3.2 (the forms of REQUEST), 4.4.

import { after, before, describe, test } from "node:test";
import { unmet } from "../../dev/lib/requirements.ts";
import { LifeLab, live } from "./life.ts";
import { CLIENT_KINDS } from "./real-client.ts";

const skip = unmet("root", "ip", "busybox", "tcpdump");
const LIFE = "first lease, renew, rebind, roam, reboot, decline, release";

describe("real clients, both members in NORMAL", { skip, concurrency: true }, () => {
  let lab: LifeLab;
  before(async () => {
    lab = await LifeLab.start();
  });
  after(() => lab?.pair.stop());

  for (const { name, programs } of CLIENT_KINDS) {
    test(`${name}: ${LIFE}`, { skip: unmet(...programs) }, () => live(lab, lab.client(name), ["a", "b"]));
  }
});

describe("real clients, the partner in COMMUNICATIONS-INTERRUPTED", { skip, concurrency: true }, () => {
  let lab: LifeLab;
  before(async () => {
    lab = await LifeLab.start();
    await lab.pair.endEngine("b", "SIGKILL");
    await lab.pair.untilLogged("a", /"to":"COMMUNICATIONS-INTERRUPTED"/);
  });
  after(() => lab?.pair.stop());

  for (const { name, programs } of CLIENT_KINDS) {
    test(`${name}: ${LIFE}`, { skip: unmet(...programs) }, () => live(lab, lab.client(name), ["a"]));
  }
});
