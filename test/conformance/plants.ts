// For each test that is said to hold a sentence of an RFC: one way to break the sentence in the source. A test that does not
// fail on it holds nothing. Each `find` stands exactly once in its file.

export interface Plant {
  /** Title of the test that must fail. */
  readonly title: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

function plant(file: string, find: string, replace: string, ...titles: readonly string[]): readonly Plant[] {
  return titles.map((title) => ({ title, file: `src/${file}`, find, replace }));
}

const SERVER = "dhcp/server/";
const WIRE = "dhcp/wire/";

export const PLANTS: readonly Plant[] = [
  plant(
    `${SERVER}reply-options.ts`,
    "if (subnet !== undefined && view.config.supportsSubnetSelection) {",
    "options.has(82) && echoed.push({ code: 82, value: new Uint8Array(1) });\n  if (subnet !== undefined && view.config.supportsSubnetSelection) {",
    "2.2: the whole option comes back in every reply, unknown sub-options and all",
  ),
  plant(
    `${SERVER}reply.ts`,
    "relayInformation: request.relayInformation,\n    },\n    {\n      datagramBytesMax: uint16Option",
    "relayInformation: null,\n    },\n    {\n      datagramBytesMax: uint16Option",
    "2.2: a unicast message may carry the option or not: both are served, and only what came goes back",
  ),
  plant(
    `${WIRE}option-layout.ts`,
    "omitted.push(OPTION.RELAY_AGENT_INFORMATION);",
    "",
    "2.2: an option that finds no room is left out whole, the reply goes out, and that is counted",
  ),
  plant(
    `${WIRE}option-layout.ts`,
    "out.bytes.set(relay.bytes.subarray(0, relay.used), out.used);",
    "out.bytes.copyWithin(relay.used, 0, out.used);\n  out.bytes.set(relay.bytes.subarray(0, relay.used), 0);",
    "RFC 3046 section 2.2: option 82 is the last option, outside of the client's limit and of overload",
  ),
  plant(
    `${WIRE}message.ts`,
    "export const FLAG_BROADCAST = 0x8000;",
    "export const FLAG_BROADCAST = 0xc000;",
    "2: flag bits other than broadcast change nothing",
  ),
  plant(
    `${SERVER}hostname.ts`,
    '.map((label) => label.replaceAll(/[^a-z0-9-]/g, "").replaceAll(/^-+|-+$/g, ""))',
    "",
    "2: trailing NULs of the client's texts are taken off and never needed, and none are sent",
    "host names are reduced to letters, digits, hyphens and dots",
  ),
  plant(
    `${SERVER}request.ts`,
    "if (!mayGive(view, request, chosen)) return dropped(",
    'if (view.authority.service === "All") return dropped("conflict-check" as never);\n  if (!mayGive(view, request, chosen)) return dropped(',
    "3.1 and 3.2: a REQUEST is answered in the same step, without a look at whether the address is in use",
  ),
  plant(
    `${SERVER}grant.ts`,
    "relayInformation: request.relayInformation?.slice() ?? (sameGeneration ? base.relayInformation : null),",
    "relayInformation: null,",
    "3.1 and 3.2: the circuit and remote id of a lease are kept with it, for reports",
  ),
  plant(
    `${SERVER}request.ts`,
    'if (record?.status === "ACTIVE" && !isSameClient(record, client)) return "held-by-another";',
    "",
    "3.1 step 4: a server that cannot satisfy the request answers with a NAK",
    "4.3.2: an address that is not the client's is refused in each of the four forms",
  ),
  plant(
    `${SERVER}inform.ts`,
    "const { message, arrival, client } = request;",
    'const { message, arrival, client } = request;\n  if (view.leases.get(message.clientAddress)?.status === "ACTIVE") return dropped("no-subnet");\n  view.authority.mayAllocate(null as never, client, request.now);',
    "3.4: INFORM neither allocates, nor looks for a binding, nor changes one",
  ),
  plant(
    `${SERVER}inform.ts`,
    "const scope = selection === null ? null : scopeIn(selection.network, message.clientAddress);",
    "const scope = selection?.scope ?? null;\n  void scopeIn;",
    "INFORM of an address on another network, or of none, is not answered",
  ),
  plant(
    "api/option-lengths.ts",
    "if (fits) return null;",
    "if (fits || byteLength > 0) return null;",
    "3.5 to 8.21: a value whose length the option does not allow cannot be configured",
  ),
  plant(
    "api/option-values.ts",
    "parts.push(addressBytes(parsed));",
    "parts.unshift(addressBytes(parsed));",
    "3.5 to 8.21: addresses are sent in the order in which they are configured, the most preferred first",
  ),
  plant(
    `${SERVER}subnet-select.ts`,
    "if (relay?.linkSelection != null) return selected(config, scopeOfAddress(config, relay.linkSelection));",
    "",
    "3: the address is of the named subnet or of another one on its link, and of no other, even when those are full",
    "RFC 3527: link selection goes before subnet selection",
  ),
  plant(
    `${SERVER}reply-route.ts`,
    'return { kind: "unicast", to: message.relayAddress, port, interface: null };',
    'return { kind: "unicast", to: relay?.linkSelection ?? message.relayAddress, port, interface: null };',
    "3: the reply goes where it would go without the sub-option",
  ),
  plant(
    `${SERVER}client-request.ts`,
    "if (view.config.ownAddresses.has(identifier)) return true;",
    "if (view.config.member.address === identifier) return true;",
    "4.1: a server with several addresses accepts any of them as identifying it",
  ),
  plant(
    `${SERVER}reply-route.ts`,
    "if ((message.flags & FLAG_BROADCAST) !== 0 || !isEthernet || yourAddress === 0) {",
    "if ((message.flags & FLAG_BROADCAST) === 0 || !isEthernet || yourAddress === 0) {",
    "4.1: giaddr and ciaddr zero, broadcast bit clear: to the hardware address and yiaddr",
    "4.1: giaddr and ciaddr zero, broadcast bit set: OFFER and ACK are broadcast",
  ),
  plant(
    `${SERVER}reply-route.ts`,
    'if (arrival.kind === "local") return { kind: "broadcast", interface: arrival.interface };\n  return message.clientAddress',
    "return message.clientAddress",
    "4.1: giaddr zero: a NAK is broadcast in all cases, ciaddr or not, flag or not",
  ),
  plant(
    `${WIRE}option-layout.ts`,
    "if (overload !== 0) out.put(OPTION.OVERLOAD, Uint8Array.of(overload));",
    "",
    "4.1: options that extend into 'file' and 'sname' are announced by 'option overload'",
  ),
  plant(
    `${WIRE}option-layout.ts`,
    "field[buffer.used] = OPTION.END;",
    "",
    "4.1: overloaded fields begin with an option and end with 'end' and padding",
  ),
  plant(
    `${WIRE}option-layout.ts`,
    "out.bytes[out.bytes.length - 1] = OPTION.END;",
    "",
    "4.1: the options area starts with the magic cookie and its last option is 'end'",
  ),
  plant(
    `${SERVER}handle-datagram.ts`,
    "serverIdentifier: information?.serverIdentifierOverride ?? view.config.member.address,",
    "serverIdentifier: view.config.partner.address,",
    "4.1: the server identifier is an address of this server",
    "RFC 5107: option 54 says what the relay wants it to say, and is honoured coming back",
  ),
  plant(
    `${SERVER}reply-route.ts`,
    "const port = bySourcePort && arrival.sourcePort !== 0 ? arrival.sourcePort : SERVER_PORT;",
    "const port = CLIENT_PORT;\n  void bySourcePort;\n  void arrival;",
    "4.1: with giaddr set, every return message goes to giaddr on the server port",
    "RFC 8357: a relay that sends sub-option 19 is answered on its source port",
  ),
  plant(
    "dhcp/lease/binding.ts",
    "if (client.clientIdentifier !== null) return",
    "if (client.clientIdentifier !== null && client.clientIdentifier[0] === 1000) return",
    "4.2: the client identifier is the key when sent, else the hardware address",
    "9.14: client identifiers are opaque: any bytes tell two clients apart, and nothing else about them matters",
  ),
  plant(
    `${SERVER}reply.ts`,
    "{ ...replyHeader(request), flags, sname: unused, file: unused, options, relayInformation },",
    "{\n      ...replyHeader(request),\n      yourAddress: address,\n      flags,\n      sname: unused,\n      file: unused,\n      options: [...options, { code: 51, value: uint32Value(60) }],\n      relayInformation,\n    },",
    "4.3.1 table 3: a NAK holds no lease time, no parameters, and does not use 'file' and 'sname'",
    "4.3.1 table 3: fields of OFFER, ACK and NAK",
  ),
  plant(
    `${SERVER}reply-options.ts`,
    "{ code: OPTION.LEASE_TIME as number, value: uint32Value(term.leaseSeconds) }",
    "{ code: OPTION.REQUESTED_ADDRESS as number, value: uint32Value(term.leaseSeconds) }",
    "4.3.1 table 3: message type, server identifier and lease time MUST be there, requested address MUST NOT",
  ),
  plant(
    `${SERVER}offers.ts`,
    "return offer !== undefined && offer.client !== client;",
    'return offer === null && client === "";',
    "4.3.1: an offered address is not reused before the client responds",
  ),
  plant(
    `${SERVER}offers.ts`,
    "if (now - oldest.heldSince < OFFER_HOLD_MS) return;",
    "if (now - oldest.heldSince < 2 * OFFER_HOLD_MS) return;",
    "an offer is held for its client for the hold time, to the millisecond",
  ),
  plant(
    `${SERVER}reply-options.ts`,
    "const sent = [...codes].filter((code) => available.has(code));",
    "const sent = [...codes];\n  for (const code of codes) available.set(code, available.get(code) ?? new Uint8Array(1));",
    "4.3.1: each requested parameter is included only once, and none that cannot be provided",
    "the parameter request list decides what is sent and in which order; each option once",
  ),
  plant(
    `${SERVER}subnet-select.ts`,
    "if (message.relayAddress !== 0) return selected(config, scopeOfRelay(config, message.relayAddress));",
    "",
    "4.3.1: else a new address of the subnet of giaddr, or of the receiving interface",
  ),
  plant(
    `${SERVER}allocate.ts`,
    "    previousAddress(view, request, network) ??\n",
    "",
    "4.3.1: else its previous address, when that is free",
    "4.3.1: the client's current address is offered when it has a binding",
  ),
  plant(
    `${SERVER}allocate.ts`,
    "    requestedAddress(view, request, network) ??\n",
    "",
    "4.3.1: else the requested address, when it is valid and free",
  ),
  plant(
    `${SERVER}reply-options.ts`,
    "    ...scope.options,\n    ...(reservation?.options ?? []),",
    "    ...(reservation?.options ?? []),\n    ...scope.options,",
    "4.3.1: parameters of this client (a reservation) go before those of its subnet",
    "a reservation's options go before the class's",
  ),
  plant(
    `${SERVER}reply.ts`,
    "const options = [...identifying(request, type), ...leaseOptions(scope, term)];",
    'const options = [...identifying(request, type), ...leaseOptions(scope, term)];\n  if (type === "ACK") options.push({ code: 12, value: new Uint8Array(3) });',
    "4.3.1: the ACK holds the same parameters as the OFFER",
  ),
  plant(
    `${SERVER}reply.ts`,
    "const flags = message.relayAddress === 0 ? message.flags : message.flags | FLAG_BROADCAST;",
    "const flags = message.flags;\n  void FLAG_BROADCAST;",
    "4.3.2 INIT-REBOOT: a NAK is broadcast on the segment; through a relay its broadcast bit is set",
  ),
  plant(
    `${SERVER}request.ts`,
    'if (!isKnown(request, chosen)) return dropped("unknown-lease");',
    'if (!isKnown(request, chosen)) return nak(view, request, address, "cannot-satisfy");',
    "4.3.2 INIT-REBOOT: a server without a record of the client MUST remain silent",
    "4.3.2 INIT-REBOOT: no NAK because an address is the partner's, or unknown while the client's lease is elsewhere",
  ),
  plant(
    `${SERVER}request.ts`,
    'if (scope === null) return refuse(view, request, { scope: selection.scope, address }, "wrong-network");',
    'if (scope === null) return dropped("no-subnet");',
    "4.3.2 INIT-REBOOT: an address of the wrong network is refused, local or relayed",
    "4.3.2 REBINDING: ciaddr is checked: on the wrong network it is refused",
  ),
  plant(
    `${SERVER}grant.ts`,
    'status: "ABANDONED",\n    client: null,',
    'status: "FREE",\n    client: null,',
    "4.3.3: a declined address is marked as not available and given to nobody",
  ),
  plant(
    "dhcp/engine/clients.ts",
    "      tellDeclined(engine, turn, outcome.binding);\n",
    "",
    "4.3.3: a declined address is reported",
  ),
  plant(
    `${SERVER}grant.ts`,
    'status: "RELEASED", lastTransactionAt: now, statusSince: now };',
    'status: "RELEASED", client: null, lastTransactionAt: now, statusSince: now };',
    "4.3.4: a released address is marked as not allocated, and the client's record is kept for it",
  ),
  plant(
    `${SERVER}reply.ts`,
    "const header = { ...replyHeader(request), clientAddress };",
    "const header = { ...replyHeader(request), clientAddress, yourAddress: clientAddress };",
    "4.3.5: INFORM is answered by an ACK to ciaddr without lease time and without yiaddr",
  ),
  plant(
    `${SERVER}reply-options.ts`,
    "let renewSeconds = configuredRenew ?? Math.floor(leaseSeconds * 0.5);",
    "let renewSeconds = configuredRenew ?? Math.floor(leaseSeconds * 0.6);",
    "4.4.5: T1 is half and T2 seven eighths of the lease",
  ),
  plant(
    `${SERVER}reply-options.ts`,
    "return renewSeconds > 0 && renewSeconds < rebindSeconds && rebindSeconds < leaseSeconds",
    "return renewSeconds >= 0 && rebindSeconds <= leaseSeconds",
    "T1 < T2 < lease for every lease, configured or not, and none where there is no room",
  ),
  plant(
    `${WIRE}option-layout.ts`,
    "if (!maySplit || !placeSplit(code, value, buffers)) omitted.push(code);",
    "if (!placeSplit(code, value, buffers)) omitted.push(code);\n    void maySplit;",
    "4: an option of at most 255 bytes is split only for a client that is known to join, else left out whole",
  ),
  plant(
    `${WIRE}option-layout.ts`,
    "buffer.put(code, value.subarray(at, at + length));",
    "buffer.put(code, value.subarray(value.length - at - length, value.length - at));",
    "6: the portions of a split option are of one code, in order, add up to it, and cross no field's end",
  ),
  plant(
    `${WIRE}option-layout.ts`,
    "request.maySplit || value.length > PORTION_BYTES_MAX;",
    "value.length <= PORTION_BYTES_MAX;",
    "4: an option over 255 bytes is sent split, and read back whole",
  ),
  plant(
    `${WIRE}option-layout.ts`,
    "new OutputField(request.fileIsFree ? 127 : 0);",
    "new OutputField(127);",
    "5: header fields in use for themselves are no part of the buffer",
  ),
  plant(
    `${WIRE}options.ts`,
    "else portions.push(portion);",
    "else portions.unshift(portion);",
    "7: a client's option in several portions counts as one, in the order of its portions, whichever option it is",
    "RFC 3396 section 7: repeated options are joined over options, file and sname in that order",
  ),
  plant(
    `${WIRE}options.ts`,
    "if (length === undefined || at + length > field.length) return false;",
    "if (length === undefined) return false;",
    "an overloaded field whose option runs past it is malformed",
  ),
  plant(
    `${SERVER}reply-options.ts`,
    "const echoed: OptionValue[] = [];",
    "const echoed: OptionValue[] = [];\n  for (const code of [43, 60]) if (options.has(code)) echoed.push({ code, value: new Uint8Array(1) });",
    "8.4 and 9.13: vendor specific information and vendor class of a client change nothing by themselves",
  ),
  plant(
    "api/option-values.ts",
    "parts.push(Uint8Array.of(option.code, value.length), value);",
    "parts.push(Uint8Array.of(99, 130, 83, 99), Uint8Array.of(option.code, value.length), value);",
    "8.4: configured vendor specific information is sent as its sub-options, without a magic cookie",
  ),
  plant(
    `${SERVER}reply-options.ts`,
    "return maskBeforeRouters(sent).map(",
    "return maskBeforeRouters(sent.sort((a, b) => a - b)).map(",
    "9.8: options come in the order of the client's list",
  ),
  plant(
    `${SERVER}reply-options.ts`,
    "codes.indexOf(OPTION.SUBNET_MASK) < routersAt) return codes;",
    "codes.length > 0) return codes;",
    "RFC 2132 section 3.3: the subnet mask goes before the routers",
  ),
  plant(
    `${SERVER}reservations.ts`,
    "return place === null ? null : reservations.forPlace(place);",
    "return place === null || reservations.size >= 0 ? null : reservations.forPlace(place);",
    "RFC 3046 section 2: circuit, remote and subscriber id of option 82 each reserve an address for a place",
  ),
  plant(
    `${SERVER}reply-options.ts`,
    "    codes.delete(OPTION.ROUTERS);\n",
    "",
    "RFC 3442: routers and static routes are left out for a client that asks for classless routes",
  ),
  plant(
    `${SERVER}reply-options.ts`,
    "if (value !== undefined && hasValidLength(code, value.length)) echoed.push({ code, value });",
    "if (value !== undefined) echoed.push({ code, value });\n    void hasValidLength;",
    "RFC 4578 section 2.1: an architecture, interface or machine identifier of a wrong length is not sent back",
  ),
  plant(
    `${SERVER}reply-options.ts`,
    "OPTION.CLIENT_NDI, OPTION.CLIENT_MACHINE_ID] as const;",
    "OPTION.CLIENT_NDI] as const;",
    "RFC 4578 sections 2.1 to 2.3: architecture, interface and machine identifier stand in every reply to the client",
  ),
  plant(
    `${SERVER}client-fqdn.ts`,
    "NO_UPDATES | overridden | (flags & WIRE_FORMAT)",
    "NO_UPDATES | flags",
    "RFC 4702 section 2.1: reserved flag bits are ignored and sent as zero, and the client's O bit is not copied",
    "RFC 4702 section 4: E is copied, S is never set, O tells that S was overridden, N that no update is made",
  ),
  plant(
    `${SERVER}client-fqdn.ts`,
    "const RCODE = 255;",
    "const RCODE = 0;",
    "RFC 4702 section 2.2: both RCODE fields are 255, whatever the client sent",
  ),
  plant(
    `${SERVER}client-fqdn.ts`,
    "if (partial === null || domain === null) return sent;",
    "if (partial === null || domain === null) return encode(String(sent), isWire) ?? sent;",
    "RFC 4702 section 4: the name comes back in the client's encoding, unaltered when it is complete",
  ),
  plant(
    `${SERVER}client-fqdn.ts`,
    "const partial = isWire ? partialWireName(sent) : partialText(sent);",
    "const partial = isWire ? null : partialText(sent);\n  void partialWireName;",
    "RFC 4702 section 4: a partial name is completed by the scope's domain, a reservation's name replaces it",
  ),
  plant(
    `${SERVER}hostname.ts`,
    "if (cleaned !== null) return cleaned;",
    "if (cleaned !== null && !options.has(OPTION.HOST_NAME)) return cleaned;",
    "RFC 4702 section 4: of option 81 and the host name option the first one counts",
  ),
  plant(
    `${SERVER}reply-options.ts`,
    "echoed.push({ code: OPTION.CLIENT_IDENTIFIER, value: clientIdentifier });",
    "echoed.push({ code: OPTION.CLIENT_IDENTIFIER, value: clientIdentifier.slice(1) });",
    "RFC 6842: the client identifier comes back unaltered in OFFER, ACK and NAK, and only when sent",
  ),
  plant(
    `${WIRE}relay-agent.ts`,
    "remoteId: subOptions.get(RELAY_SUBOPTION.REMOTE_ID) ?? null,",
    "remoteId: subOptions.get(RELAY_SUBOPTION.REMOTE_ID)?.filter((byte) => byte < 255) ?? null,",
    "circuit, remote and subscriber id are taken as opaque bytes",
  ),
  plant(
    `${SERVER}classes.ts`,
    "const INDEXES = new WeakMap<ServerConfig, ClassIndex>();",
    "const INDEXES = { get: (_: ServerConfig): ClassIndex => ({ classes: [], scopes: new Map() }), set() {} } as {\n  get(config: ServerConfig): ClassIndex | undefined;\n  set(config: ServerConfig, index: ClassIndex): void;\n};",
    "a class sets options, boot fields and lease time; a client outside gets the scope's",
  ),
  plant(
    `${SERVER}probe.ts`,
    "if (probes === undefined || !scope.config.policy.addressProbe) return false;",
    "if (probes === undefined || scope.config.enabled) return false;",
    "3.1: an address is looked for on the wire before it is offered where the scope asks for it, and nowhere else",
    "an address that answers is quarantined and counted, and the client gets another one",
  ),
  plant(
    `${SERVER}limits.ts`,
    'return view.limits.leases.countOf(circuit) + offers >= cap ? "circuit-leases" : null;',
    'return view.limits.leases.countOf(circuit) + offers < 0 ? "circuit-leases" : null;\n  void cap;',
    "random hardware addresses from one port cannot drain a scope when leases per circuit are capped",
  ),
].flat();
