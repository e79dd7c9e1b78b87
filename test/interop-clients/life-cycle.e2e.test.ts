// Real clients of Debian's packages through their whole lives, against a pair of real engines.
// Source: RFC 2131 figure 5 (the client's states), 4.3.2 (the forms of REQUEST), 4.4.

import { after, before, describe, test } from "node:test";
import { unmet } from "../../dev/lib/requirements.ts";
import { LifeLab, live } from "./life.ts";
import { CLIENT_KINDS } from "./real-client.ts";

const skip = unmet("root", "ip", "busybox", "tcpdump");

describe("real clients, both members in NORMAL", { skip, concurrency: true }, () => {
  let lab: LifeLab;
  before(async () => {
    lab = await LifeLab.start();
  });
  after(() => lab?.pair.stop());

  for (const { name, programs } of CLIENT_KINDS) {
    const claim = `${name}: first lease, renew, rebind, roam, reboot, decline, release`;
    test(claim, { skip: unmet(...programs) }, () => live(lab, lab.client(name), ["a", "b"]));
  }
});
