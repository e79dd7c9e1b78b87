// The certificates of the pair's link as a test on the cluster sees and changes them: in the Secrets, and in the pods that have
// them mounted.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Cluster } from "../../dev/cluster/cluster.ts";
import type { NodeNumber } from "../../dev/cluster/network.ts";
import { eventually } from "../../dev/demo/teller.ts";
import { linkIdentity } from "../../src/base/link-identity.ts";
import { AUTHORITY_DAYS, LEAF_DAYS } from "../../src/controller/decide/link.ts";
import { readCertificates } from "../../src/controller/link-place.ts";
import {
  type CertificateAndKey,
  issueLinkCertificate,
  makeLinkAuthority,
} from "../../src/kube/link-certificates.ts";
import { freshReplicas } from "./controllers.ts";
import { podOf } from "./faults.ts";
import { condition, MEMBERS, type MemberName, PAIR, states } from "./pair-objects.ts";
import type { RunningPair } from "./running-pair.ts";
import { tried } from "./tried.ts";

const RELATIONSHIP = `default/${PAIR}`;
export const AUTHORITY = `${PAIR}-link-authority`;
export const DAY_MS = 86_400_000;
/** A kubelet takes up to two minutes, the engine two seconds. */
const TAKEN_MS = 150_000;
const ENGINE_MS = 3_000;
/** The controller looks at the Secrets every four minutes or so, the guide says five at most; a new leader looks at once. */
const SIGNED_MS = 330_000;
const APART_MS = 30_000;
const SECURE_MS = 60_000;

export type Data = Readonly<Record<string, string>>;

export function secretOf(member: MemberName): string {
  return `${PAIR}-${member}-link`;
}

/** A Secret's data as text; empty when there is none. */
export function secretData(cluster: Cluster, name: string): Data {
  const data = (cluster.get("secret", name)?.["data"] ?? {}) as Data;
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64").toString()]),
  );
}

/** What time does to a member's certificate: as the controller's present authority would have signed it `agoMs` ago. */
export async function age(cluster: Cluster, member: MemberName, agoMs: number): Promise<void> {
  const { "ca.crt": certificate = "", "ca.key": key = "" } = secretData(cluster, AUTHORITY);
  patch(cluster, secretOf(member), await leaf({ certificate, key }, member, agoMs));
}

/** What time does to all of them: an authority of that age, and what it signed today. */
export async function ageAuthority(cluster: Cluster, agoMs: number): Promise<void> {
  const made = await makeLinkAuthority(RELATIONSHIP, { now: ago(agoMs), days: AUTHORITY_DAYS });
  const leaves = await Promise.all(MEMBERS.map((member) => leaf(made, member, 0)));
  patch(cluster, AUTHORITY, { "ca.crt": made.certificate, "ca.key": made.key });
  for (const [index, member] of MEMBERS.entries())
    patch(cluster, secretOf(member), { ...leaves[index], "ca.crt": made.certificate });
}

async function leaf(signer: CertificateAndKey, member: MemberName, agoMs: number): Promise<Data> {
  const identity = linkIdentity(RELATIONSHIP, member);
  const made = await issueLinkCertificate(signer, identity, { now: ago(agoMs), days: LEAF_DAYS });
  return { "tls.crt": made.certificate, "tls.key": made.key };
}

function ago(ms: number): Date {
  return new Date(Date.now() - ms);
}

function patch(cluster: Cluster, name: string, data: Data): void {
  cluster.kubectl("patch", "secret", name, "--type=merge", "--patch", JSON.stringify({ stringData: data }));
}

/** Waits until the engine of this member uses what its Secret has. */
export async function taken(cluster: Cluster, member: MemberName): Promise<void> {
  const node = (MEMBERS.indexOf(member) + 1) as NodeNumber;
  const uid = cluster.kubectl("get", "pod", podOf(node), "--output", "jsonpath={.metadata.uid}");
  const mounted = `/var/lib/kubelet/pods/${uid}/volumes/kubernetes.io~secret/link`;
  const look = () => {
    const wanted = secretData(cluster, secretOf(member));
    // The kubelet puts a new folder in the old one's place: whoever is on the way through the old one finds nothing.
    const read = (file: string) => tried(() => cluster.node(node).exec("cat", join(mounted, file)));
    return ["tls.crt", "ca.crt"].every((file) => read(file) === wanted[file]);
  };
  await eventually(`the new files in the pod of ${member}`, TAKEN_MS, look, (seen) => seen);
  await pause(ENGINE_MS);
}

/** How many authorities each member's Secret trusts, once the present one has signed for it: "1 1". */
export function trusts(cluster: Cluster): string {
  const { "ca.crt": authority = "" } = secretData(cluster, AUTHORITY);
  const key = readCertificates(authority)[0]?.publicKey;
  return MEMBERS.map((member) => {
    const { "ca.crt": trusted = "", "tls.crt": own = "" } = secretData(cluster, secretOf(member));
    const isSigned = key !== undefined && readCertificates(own)[0]?.verify(key) === true;
    return isSigned ? readCertificates(trusted).length : 0;
  }).join(" ");
}

/** Breaks the link, and waits until it has been made anew, with what each engine has by now. */
export async function reconnect({ cluster, disturb }: RunningPair): Promise<void> {
  const look = () => states(cluster);
  const apart = "CommunicationsInterrupted CommunicationsInterrupted";
  cluster.network.cable(1, "lan1", "down", false);
  await eventually("both interrupted", APART_MS, look, (seen) => seen === apart);
  cluster.network.cable(1, "lan1", "up", false);
  await disturb.settle();
  const secure = () => condition(cluster, "LinkSecure");
  await eventually("the link is secure", SECURE_MS, secure, (seen) => seen === "True MutualTLS");
}

/** Deletes the link's authority and waits until both engines have certificates of another one; shows b one of before, and breaks the
 *  link. Unless `isHurried`, controller and kubelets find it out by themselves. */
export async function revokeAll(pair: RunningPair, isHurried: boolean): Promise<void> {
  const { cluster } = pair;
  const before = secretData(cluster, secretOf("a"));
  cluster.kubectl("delete", "secret", AUTHORITY);
  if (isHurried) freshReplicas(cluster);
  const look = () => trusts(cluster);
  await eventually("both signed for by another authority", SIGNED_MS, look, (seen) => seen === "1 1");
  for (const member of MEMBERS) {
    if (isHurried) hurry(cluster, member);
    await taken(cluster, member);
  }
  assert.match(knockAsA(cluster, before), /CertificateRevoked/);
  await reconnect(pair);
}

/** Has the kubelet look at the pod at once, and with it at the Secret: any change of the pod does that. */
export function hurry(cluster: Cluster, member: MemberName): void {
  const node = (MEMBERS.indexOf(member) + 1) as NodeNumber;
  cluster.kubectl("annotate", "pod", podOf(node), "--overwrite", `leasepair.test/hurry=${Date.now()}`);
}

/** Prints what the other end says until it hangs up; its standard input has the terms of tls.connect(). */
const KNOCK = `
  require("node:tls")
    .connect(JSON.parse(require("node:fs").readFileSync(0)))
    .on("data", (said) => process.stdout.write(said))
    .on("error", (error) => process.stdout.write(error.message))
    .setTimeout(10_000, function () { this.destroy(); });`;

/** What b's engine answers somebody at a's address who has these files. */
function knockAsA(cluster: Cluster, { "tls.crt": cert, "tls.key": key }: Data): string {
  const [ofA, ofB] = ["10.30.0.11", "10.30.0.12"];
  const terms = { host: ofB, port: 647, localAddress: ofA, cert, key, rejectUnauthorized: false };
  const enter = [`--net=/run/netns/${cluster.network.namespace("n1")}`, "--", process.execPath];
  const input = JSON.stringify(terms);
  return spawnSync("nsenter", [...enter, "--eval", KNOCK], { encoding: "latin1", input }).stdout;
}
