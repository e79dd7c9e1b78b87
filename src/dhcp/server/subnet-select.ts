// On which network a client is, and so which scopes may serve it.
// Source: RFC 3527 3 (link selection first), RFC 3011 4 (subnet selection next), RFC 2131 4.3.1 (giaddr, else the
// receiving interface). A subnet named by relay or client that is not served means silence, never another subnet.

import { type Ipv4, prefixContains } from "../../base/ipv4.ts";
import type { Arrival } from "../ports.ts";
import type { DhcpMessage } from "../wire/message.ts";
import { OPTION } from "../wire/option-table.ts";
import { addressOption } from "../wire/options.ts";
import type { RelayInformation } from "../wire/relay-agent.ts";
import { networkOf, type ServerConfig, type ServerScope, scopeOfAddress } from "./prepare-config.ts";

export interface SubnetSelection {
  /** The scope that the selecting address names. */
  readonly scope: ServerScope;
  /** All scopes on that wire, `scope` first. */
  readonly network: readonly ServerScope[];
  /** True when ciaddr alone decided: a client that renews by unicast from behind routers. Then "wrong network" cannot
   *  be concluded, because nothing but the client says where it is. */
  readonly byClientAddress: boolean;
}

/** The network of the client; null when it is not served. */
export function selectSubnet(
  config: ServerConfig,
  message: DhcpMessage,
  relay: RelayInformation | null,
  arrival: Arrival,
): SubnetSelection | null {
  if (relay?.linkSelection != null) return selected(config, scopeOfAddress(config, relay.linkSelection));
  if (config.supportsSubnetSelection && message.options.has(OPTION.SUBNET_SELECTION)) {
    const subnet = addressOption(message.options, OPTION.SUBNET_SELECTION);
    const scope = subnet === null ? null : scopeOfAddress(config, subnet);
    return selected(config, scope?.config.policy.subnetSelection === true ? scope : null);
  }
  if (message.relayAddress !== 0) return selected(config, scopeOfRelay(config, message.relayAddress));
  if (arrival.kind === "routed") return selectedByClientAddress(config, message.clientAddress);
  return selectLocal(config, arrival);
}

function scopeOfRelay(config: ServerConfig, relayAddress: Ipv4): ServerScope | null {
  return config.scopeByRelay.get(relayAddress) ?? scopeOfAddress(config, relayAddress);
}

/** All scopes that the receiving interface has an address in are on its wire. The message was broadcast there, so ciaddr
 *  says nothing about where the client is: one that moved and rebinds still names its old network. */
function selectLocal(
  config: ServerConfig,
  arrival: Arrival & { readonly kind: "local" },
): SubnetSelection | null {
  const network: ServerScope[] = [];
  for (const { address } of arrival.addresses) {
    const scope = scopeOfAddress(config, address);
    if (scope === null) continue;
    for (const member of networkOf(config, scope)) if (!network.includes(member)) network.push(member);
  }
  const scope = network[0];
  return scope === undefined ? null : { scope, network, byClientAddress: false };
}

function selectedByClientAddress(config: ServerConfig, clientAddress: Ipv4): SubnetSelection | null {
  const selection = clientAddress === 0 ? null : selected(config, scopeOfAddress(config, clientAddress));
  return selection === null ? null : { ...selection, byClientAddress: true };
}

function selected(config: ServerConfig, scope: ServerScope | null): SubnetSelection | null {
  if (scope === null) return null;
  return { scope, network: networkOf(config, scope), byClientAddress: false };
}

/** The scope of the network whose subnet contains the address; null when the address belongs to another network. */
export function scopeIn(network: readonly ServerScope[], address: Ipv4): ServerScope | null {
  return network.find((scope) => prefixContains(scope.config.subnet, address)) ?? null;
}
