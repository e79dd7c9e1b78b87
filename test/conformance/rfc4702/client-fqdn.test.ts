// RFC 4702: the Client FQDN option in replies of a server that updates no DNS.

import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../../../src/base/bytes.ts";
import { OPTION } from "../../../src/dhcp/wire/option-table.ts";
import {
  asReply,
  clientMessage,
  hex,
  local,
  MAC_1,
  optionHex,
  reservation,
  twoScopes,
  World,
} from "../../dhcp/server/world.ts";

const DOMAIN = { code: OPTION.DOMAIN_NAME, hex: toHex(Buffer.from("example.org")) };
const text = (name: string) => toHex(Buffer.from(name));
/** Labels without the root's. */
const wire = (...labels: string[]) =>
  labels.map((label) => text(String.fromCharCode(label.length) + label)).join("");

/** Option 81 of the OFFER to a client that sent it, or null. */
function answered(sent: string | null, first = {}): string | null {
  const options = sent === null ? [] : [{ code: OPTION.CLIENT_FQDN, value: hex(sent) }];
  const world = new World(twoScopes(first));
  return optionHex(asReply(world.send(clientMessage({ type: "DISCOVER", options }), local())).message, 81);
}

const flagsOf = (sent: string) => Number.parseInt(answered(sent)!.slice(0, 2), 16);

test("RFC 4702 section 4: E is copied, S is never set, O tells that S was overridden, N that no update is made", () => {
  const [S, O, E, N] = [1, 2, 4, 8];
  for (const [client, server] of [
    [0, N],
    [S, N | O],
    [N, N],
    [E, N | E],
    [E | S, N | E | O],
    [E | N, N | E],
    [E | N | S, N | E | O],
  ] as const) {
    const name = (client & E) !== 0 ? `${wire("lab", "example", "org")}00` : text("lab.example.org");
    assert.equal(flagsOf(`${Buffer.of(client).toString("hex")}0000${name}`), server, `flags ${client}`);
  }
});

test("RFC 4702 section 2.1: reserved flag bits are ignored and sent as zero, and the client's O bit is not copied", () => {
  assert.equal(flagsOf(`f20000${text("lab.example.org")}`), 8);
});

test("RFC 4702 section 2.2: both RCODE fields are 255, whatever the client sent", () => {
  assert.equal(answered(`000102${text("lab.example.org")}`)?.slice(2, 6), "ffff");
});

test("RFC 4702 section 4: the name comes back in the client's encoding, unaltered when it is complete", () => {
  const complete = `${wire("lab", "example", "org")}00`;
  assert.equal(answered(`040000${complete}`, { options: [DOMAIN] })?.slice(6), complete);
  assert.equal(
    answered(`000000${text("lab.example.org")}`, { options: [DOMAIN] })?.slice(6),
    text("lab.example.org"),
  );
  assert.equal(answered(`040000${wire("lab")}`)?.slice(6), wire("lab"), "no domain configured");
  assert.equal(answered("040000")?.slice(6), "", "no name at all");
});

test("RFC 4702 section 4: a partial name is completed by the scope's domain, a reservation's name replaces it", () => {
  const first = { options: [DOMAIN] };
  const complete = `${wire("lab", "example", "org")}00`;
  assert.equal(answered(`040000${wire("lab")}`, first)?.slice(6), complete);
  assert.equal(answered(`000000${text("lab")}`, first)?.slice(6), text("lab.example.org"));
  const reserved = { ...first, reservations: [reservation("10.0.0.15", MAC_1, { hostname: "printer" })] };
  assert.equal(
    answered(`040000${wire("lab")}`, reserved)?.slice(6),
    `${wire("printer", "example", "org")}00`,
  );
});

test("RFC 4702 section 3.1: a client that sends no whole option 81 gets none", () => {
  assert.equal(answered(null), null);
  assert.equal(answered("0400"), null);
});

test("RFC 4702 section 4: of option 81 and the host name option the first one counts", () => {
  const world = new World();
  const options = [
    { code: OPTION.HOST_NAME, value: hex(text("other")) },
    { code: OPTION.CLIENT_FQDN, value: hex(`000000${text("lab.example.org")}`) },
  ];
  const request = { type: "REQUEST", requested: "10.0.0.12", server: "192.0.2.1", options } as const;
  assert.equal(
    asReply(world.send(clientMessage(request), local())).binding?.next.hostname,
    "lab.example.org",
  );
});
