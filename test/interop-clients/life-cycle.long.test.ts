// What takes a minute and more of real clients' lives: a server that is gone until the lease has run out.
// Source: RFC 2131 4.4.5 (a client stops using its address when the lease ends).

import { after, before, describe, test } from "node:test";
import { unmet } from "../../dev/lib/requirements.ts";
import { expire, LifeLab } from "./life.ts";
import { CLIENT_KINDS } from "./real-client.ts";

const skip = unmet("root", "ip", "busybox", "tcpdump");

describe("real clients that nobody answers any more", { skip, concurrency: true }, () => {
  let lab: LifeLab;
  before(async () => {
    lab = await LifeLab.start();
  });
  after(() => lab?.pair.stop());

  for (const { name, programs } of CLIENT_KINDS) {
    const claim = `${name}: gives its address up when the lease ends, as both members reckon`;
    test(claim, { skip: unmet(...programs) }, () => expire(lab, lab.client(name), ["a", "b"]));
  }
});
