import { spawnSync } from "node:child_process";
import { PeerLab } from "./lab.ts";
import { ownManifests, keaConfiguration, dhcpdConfiguration } from "./configuration.ts";
const lab = new PeerLab();
try {
  await lab.start({ manifests: ownManifests("172.31.11.2", "172.31.12.2"), kea: keaConfiguration, dhcpd: dhcpdConfiguration });
  const t = performance.now();
  const run = spawnSync("ip", ["netns", "exec", lab.relayNamespace, process.execPath, "test/differential/driver.ts", process.argv[2] ?? "1", process.argv[3] ?? "300"], { encoding: "utf8", maxBuffer: 1 << 28 });
  console.error(run.stderr, run.status, Math.round(performance.now() - t), "ms");
  if (run.status === 0) {
    const r = JSON.parse(run.stdout);
    console.log(r.exchanges, r.messages, r.answers, "strays", r.strays, JSON.stringify(r.counts));
    for (const u of r.unlisted) console.log(u.count, u.peer, u.type, "|", u.what, "|", u.field, "| ours", u.ours.slice(0, 100), "| theirs", u.theirs.slice(0, 100));
    if (process.argv[4]) for (const u of r.unlisted.slice(0, 8)) console.log(u.peer, u.field, u.step);
  }
  if (process.argv[5]) console.log(lab.log(process.argv[5]).slice(-6000));
} catch (e) { console.log(String(e).slice(-4000)); }
await lab.stop();
