// Falsifies one lease in a stopped member's store, by the store's own means, so that a test can see the demo notice it.

import { randomInt } from "node:crypto";
import { join } from "node:path";
import { after, seconds } from "../../src/base/units.ts";
import { FileDisk } from "../../src/dhcp/host/files.ts";
import { verifyStore } from "../../src/dhcp/store/dump.ts";
import { openStore } from "../../src/dhcp/store/store.ts";

/** Lets one ACTIVE lease end an hour later in the store below `dataDirectory`. */
export async function alterOneRecord(dataDirectory: string): Promise<void> {
  const disk = new FileDisk(join(dataDirectory, "leases"));
  const verdict = verifyStore(disk);
  if (verdict.kind !== "sound") throw new Error(`the store in ${dataDirectory} is ${verdict.kind}`);
  const { relationship, relationshipUid, member } = verdict.summary;
  const opened = openStore({
    disk,
    relationship,
    relationshipUid,
    member,
    random: { uint32: () => randomInt(2 ** 32) },
    log: () => {},
  });
  if (opened.kind !== "opened")
    throw new Error(`the store in ${dataDirectory} cannot be opened: ${opened.kind}`);
  for (const record of opened.records) {
    if (record.kind !== "binding" || record.binding.status !== "ACTIVE") continue;
    const binding = { ...record.binding, expiresAt: after(record.binding.expiresAt, seconds(3600)) };
    opened.store.append({ kind: "binding", binding });
    await new Promise<void>((resolve, reject) => {
      opened.store.flush((fault) => (fault === null ? resolve() : reject(fault)));
    });
    await new Promise<void>((resolve) => disk.close(resolve));
    return;
  }
  throw new Error(`the store in ${dataDirectory} has no lease to alter`);
}
