import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import * as tls from "node:tls";
import { FaultError } from "../../../src/base/fault.ts";
import { linkIdentity } from "../../../src/base/link-identity.ts";
import type { EngineEvent } from "../../../src/dhcp/engine/event.ts";
import { LinkCertificates } from "../../../src/dhcp/host/link-certificates.ts";
import type { Distrust } from "../../../src/dhcp/host/link-distrust.ts";
import { TlsTransport } from "../../../src/dhcp/host/link-transport.ts";
import { readFrame } from "../../../src/dhcp/wire-failover/frame.ts";
import { REJECT_REASON } from "../../../src/dhcp/wire-failover/message.ts";
import { readMessage } from "../../../src/dhcp/wire-failover/read-message.ts";
import {
  type CertificateAndKey,
  issueLinkCertificate,
  makeLinkAuthority,
} from "../../../src/kube/link-certificates.ts";
import { A, B, bytesOf, createLink, DIALED } from "./test-link.ts";

const CAMPUS = "default/campus";
const VALIDITY = { now: new Date(), days: 2 };

let root = "";
let authority: CertificateAndKey;
let other: CertificateAndKey;
/** Of the same name as the trusted one, as an authority is that was followed by another. */
let former: CertificateAndKey;
before(async () => {
  root = mkdtempSync(join(tmpdir(), "leasepair-tls-"));
  authority = await makeLinkAuthority("test", VALIDITY);
  other = await makeLinkAuthority("another", VALIDITY);
  former = await makeLinkAuthority("test", VALIDITY);
});
after(() => rmSync(root, { recursive: true, force: true }));

async function writeCertificates(
  directory: string,
  identity: string,
  signer = authority,
  days = VALIDITY.days,
): Promise<string> {
  const { certificate, key } = await issueLinkCertificate(signer, identity, { ...VALIDITY, days });
  const files = { "tls.crt": certificate, "tls.key": key, "ca.crt": authority.certificate };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  return certificate;
}

const newDirectory = () => mkdtempSync(join(root, "member-"));

/** One end of a link; `identity` is what its certificate says, `partner` whom it expects. */
async function end(
  at: "a" | "b",
  port: number,
  identity: string,
  partner: string,
  signer?: CertificateAndKey,
  days?: number,
  handshakeMs = 5_000,
) {
  const directory = newDirectory();
  await writeCertificates(directory, identity, signer, days);
  const proofs: (Distrust | null)[] = [];
  const renewals: number[] = [];
  const transport = new TlsTransport({
    certificates: new LinkCertificates(directory, identity),
    partnerIdentity: partner,
    handshakeMs,
    onProof: (distrust) => proofs.push(distrust),
    onRenewed: (expiresAtMs) => renewals.push(expiresAtMs),
  });
  const [address, partnerAddress] = at === "a" ? [A, B] : [B, A];
  return { ...createLink(address, partnerAddress, { port, transport }), directory, proofs, renewals };
}

const ID_A = linkIdentity(CAMPUS, "a");
const ID_B = linkIdentity(CAMPUS, "b");

async function listenerAndDialer(identityB: string, signerB?: CertificateAndKey, days?: number) {
  const listener = await end("a", 0, ID_A, ID_B);
  await listener.link.listen();
  const dialer = await end("b", listener.link.port, identityB, ID_A, signerB, days);
  const stop = () => Promise.all([dialer.link.stop(), listener.link.stop()]);
  return { listener, dialer, stop };
}

/** Whoever was refused has heard why, as the one message of the connection. */
function assertTold(events: readonly EngineEvent[], reason: string, why: RegExp): void {
  const bytes = Buffer.concat(
    events.map((event) => (event.kind === "link-bytes" ? event.bytes : Buffer.of())),
  );
  const read = readFrame(bytes, 0);
  assert.ok(read.kind === "frame");
  assert.equal(read.bytesConsumed, bytes.length);
  const said = readMessage(read.frame);
  assert.ok(said.kind === "message" && said.message.type === "DISCONNECT");
  assert.equal(said.message.rejectReason, REJECT_REASON.invalidPartner);
  assert.ok(said.message.message?.startsWith(`${reason}: `));
  assert.match(said.message.message ?? "", why);
}

describe("the link over TLS", { concurrency: 4 }, () => {
  test("two members with certificates of one authority talk, in TLS 1.3", async () => {
    const { listener, dialer, stop } = await listenerAndDialer(ID_B);
    try {
      dialer.link.dial(DIALED);
      await listener.until(() => listener.events.length > 0);
      await dialer.until(() => dialer.events.length > 0);
      assert.deepEqual(dialer.events[0], { kind: "link-opened", connection: DIALED, dialed: true });
      dialer.link.send(DIALED, Buffer.from("hello"));
      await listener.until(() => bytesOf(listener.events) === "hello");
      listener.link.send(1, Buffer.from("last words"));
      listener.link.close(1);
      await dialer.until(() => dialer.events.at(-1)?.kind === "link-closed");
      assert.equal(bytesOf(dialer.events), "last words");
    } finally {
      await stop();
    }
  });

  // [what b shows, its certificate's identity, signer and days, what a says of it]
  const impostors = [
    [
      "the certificate of another relationship",
      [linkIdentity("default/branch", "b")],
      ["WrongIdentity", /speaks for URI:leasepair:.*branch\/b, not for URI:leasepair:.*campus\/b/],
    ],
    ["the certificate of its own partner", [ID_A], ["WrongIdentity", /speaks for URI:.*campus\/a, not for/]],
    [
      "a certificate of another authority",
      [ID_B, () => other],
      ["UnknownAuthority", /signed by CN=another, which is not among the trusted/],
    ],
    [
      "a certificate that a rotation revoked",
      [ID_B, () => former],
      ["CertificateRevoked", /earlier authority CN=test, which is not trusted any more/],
    ],
    [
      "an expired certificate",
      [ID_B, () => authority, -0.01],
      ["CertificateExpired", /has expired \(the certificate on 20/],
    ],
  ] as const;
  for (const [name, [identity, signer, days], [reason, message]] of impostors) {
    const judged = ({ proofs }: { proofs: readonly (Distrust | null)[] }) => {
      assert.equal(proofs.length, 1);
      assert.equal(proofs[0]?.reason, reason);
      assert.match(proofs[0].message, message);
    };
    test(`whoever dials with ${name} is not let in, and it is told why`, async () => {
      const { listener, dialer, stop } = await listenerAndDialer(identity, signer?.(), days);
      try {
        dialer.link.dial(DIALED);
        await dialer.until(() => dialer.events.some(({ kind }) => kind === "link-closed"));
        assert.deepEqual(listener.events, []);
        judged(listener);
        assert.deepEqual(dialer.proofs, [null], "the other end itself was believed");
        assertTold(dialer.events, reason, message);
      } finally {
        await stop();
      }
    });

    test(`whoever listens with ${name} is not spoken to, and it is told why`, async () => {
      const listener = await end("b", 0, identity, ID_A, signer?.(), days);
      await listener.link.listen();
      const dialer = await end("a", listener.link.port, ID_A, ID_B);
      try {
        dialer.link.dial(DIALED);
        await dialer.until(() => dialer.events.length > 0);
        const [event] = dialer.events;
        assert.match(event?.kind === "link-closed" ? event.reason : "", message);
        judged(dialer);
        await listener.until(() => listener.events.some(({ kind }) => kind === "link-closed"));
        assertTold(listener.events, reason, message);
      } finally {
        await Promise.all([dialer.link.stop(), listener.link.stop()]);
      }
    });
  }

  test("who has proven that it is the partner is distrusted no more; a partner that cannot be reached is not either", async () => {
    const { listener, dialer, stop } = await listenerAndDialer(ID_B, former);
    const directory = dialer.directory;
    dialer.link.dial(DIALED);
    await dialer.until(() => dialer.events.some(({ kind }) => kind === "link-closed"));
    await writeCertificates(directory, ID_B);
    dialer.link.renew();
    dialer.link.dial(DIALED + 1);
    await listener.until(() => listener.events.length > 0);
    assert.deepEqual([listener.proofs.length, listener.proofs.at(-1)], [2, null]);
    await stop();
    dialer.link.dial(DIALED + 2);
    await dialer.until(() =>
      dialer.events.some((event) => event.kind === "link-closed" && event.connection === DIALED + 2),
    );
    assert.equal(dialer.proofs.at(-1), null);
  });

  test("a listener that speaks in clear is told of by the dialer", async () => {
    const clear = createLink(A, B, { port: 0 });
    await clear.link.listen();
    const dialer = await end("b", clear.link.port, ID_B, ID_A);
    try {
      dialer.link.dial(DIALED);
      await clear.until(() => clear.events.length > 0);
      clear.link.send(1, Buffer.from("CONNECT".repeat(10)));
      await dialer.until(() => dialer.events.length > 0);
      assert.deepEqual(
        dialer.proofs.map((distrust) => distrust?.reason),
        ["ClearText"],
      );
    } finally {
      await Promise.all([dialer.link.stop(), clear.link.stop()]);
    }
  });

  const peers = [
    [
      "without a certificate",
      "NoCertificate",
      (port: number) =>
        tls.connect({ ...at(port), ca: authority.certificate, checkServerIdentity: () => undefined }),
    ],
    [
      "in TLS 1.2",
      "HandshakeBroken",
      (port: number) => tls.connect({ ...at(port), maxVersion: "TLSv1.2", rejectUnauthorized: false }),
    ],
    [
      "in clear",
      "ClearText",
      (port: number) => {
        const socket = connect(at(port));
        return socket.on("connect", () => socket.write("CONNECT".repeat(10)));
      },
    ],
  ] as const;
  for (const [name, reason, open] of peers) {
    test(`a peer that comes ${name} never becomes a connection`, async () => {
      const listener = await end("a", 0, ID_A, ID_B);
      await listener.link.listen();
      const socket = open(listener.link.port);
      try {
        socket.on("error", () => {});
        socket.resume();
        await new Promise((resolve) => socket.once("close", resolve));
        assert.deepEqual(listener.events, []);
        await listener.until(() => listener.proofs.length > 0);
        assert.equal(listener.proofs[0]?.reason, reason);
      } finally {
        socket.destroy();
        await listener.link.stop();
      }
    });
  }

  test("whoever connects and never finishes its handshake makes room for the next, and does not hold up the end", async () => {
    const { listener, dialer, stop } = await listenerAndDialer(ID_B);
    const mute = [];
    try {
      for (let i = 0; i < 20; i++) {
        const socket = connect(at(listener.link.port)).on("error", () => {});
        await once(socket, "connect");
        mute.push(socket);
      }
      dialer.link.dial(DIALED);
      await listener.until(() => listener.events.length > 0);
      await Promise.all(
        mute
          .slice(0, -3)
          .map((socket) => socket.closed || new Promise((resolve) => socket.resume().once("close", resolve))),
      );
      assert.deepEqual(
        mute.map((socket) => socket.closed),
        [...Array(17).fill(true), ...Array(3).fill(false)],
      );
    } finally {
      await stop();
      for (const socket of mute) socket.destroy();
    }
  });

  test("a handshake that stops half way ends in its time, and is told", async () => {
    const listener = await end("a", 0, ID_A, ID_B, undefined, undefined, 50);
    await listener.link.listen();
    const socket = connect(at(listener.link.port)).on("error", () => {});
    try {
      await once(socket, "connect");
      // The head of a ClientHello. Source: RFC 8446 4, 5.1.
      socket.write(Uint8Array.of(22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3));
      await once(socket.resume(), "close");
      await listener.until(() => listener.proofs.length > 0);
      assert.equal(listener.proofs[0]?.reason, "HandshakeBroken");
      assert.match(listener.proofs[0]?.message ?? "", /did not finish the TLS handshake in time/);
      assert.deepEqual(listener.events, []);
    } finally {
      socket.destroy();
      await listener.link.stop();
    }
  });

  test("new certificates count for the next connection, and the present one stays", async () => {
    const { listener, dialer, stop } = await listenerAndDialer(ID_B);
    try {
      dialer.link.dial(DIALED);
      await listener.until(() => listener.events.length > 0);
      const renewed = await writeCertificates(listener.directory, ID_A, authority, 1);
      listener.link.renew();
      assert.deepEqual(listener.renewals, [Date.parse(validTo(renewed))]);
      listener.link.renew();
      assert.equal(listener.renewals.length, 1, "unchanged files are not taken up again");
      const seen = await certificateShownAt(listener.link.port, dialer.directory);
      assert.equal(seen, renewed.trim());
      dialer.link.send(DIALED, Buffer.from("still here"));
      await listener.until(() => bytesOf(listener.events).includes("still here"));
    } finally {
      await stop();
    }
  });

  test("files that are half written or of another member change nothing", async () => {
    const { listener, dialer, stop } = await listenerAndDialer(ID_B);
    try {
      cpSync(join(dialer.directory, "tls.key"), join(listener.directory, "tls.key"));
      assert.throws(
        () => listener.link.renew(),
        faultOf(/tls\.crt: certificate, key and authority do not fit/),
      );
      cpSync(join(dialer.directory, "tls.crt"), join(listener.directory, "tls.crt"));
      assert.throws(() => listener.link.renew(), faultOf(/speaks for URI:.*campus\/b, not for this member/));
      rmSync(join(listener.directory, "ca.crt"));
      assert.throws(() => listener.link.renew(), faultOf(/ca\.crt: cannot be read \(ENOENT\)/));
      dialer.link.dial(DIALED);
      await listener.until(() => listener.events.length > 0);
    } finally {
      await stop();
    }
  });
});

function at(port: number) {
  return { host: "127.0.0.21", port, localAddress: "127.0.0.22" };
}

function validTo(certificate: string): string {
  return new X509Certificate(certificate).validTo;
}

function faultOf(message: RegExp) {
  return (error: unknown) =>
    error instanceof FaultError && error.code === "LINK_CERTIFICATE_UNUSABLE" && message.test(error.message);
}

/** PEM of what a listener shows. */
async function certificateShownAt(port: number, directory: string): Promise<string> {
  const files = new LinkCertificates(directory, ID_B).files;
  const socket = tls.connect({ ...at(port), ...files, checkServerIdentity: () => undefined });
  await once(socket, "secureConnect");
  const pem = socket.getPeerX509Certificate()!.toString().trim();
  socket.destroy();
  return pem;
}
