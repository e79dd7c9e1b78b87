// `leasepair engine`: one DHCP server of a pair.

import type { Command } from "commander";
import type { LinkSecurity } from "../dhcp/host/engine-outlets.ts";
import {
  dataDirectoryArgument,
  directoryArgument,
  logLevelArgument,
  memberArgument,
  optionalFileArgument,
  portArgument,
  relationshipArgument,
} from "./arguments.ts";
import { usageError } from "./command-error.ts";

interface EngineFlags {
  relationship: string;
  member: string;
  dataDir: string;
  manifests?: string;
  kubeconfig?: string;
  dhcpPort?: string;
  linkCertificates?: string;
  clearLink?: true;
  adoptStore?: string;
  logLevel: string;
}

const HELP = `
Examples:
  leasepair engine --relationship default/campus --member a --data-dir /var/lib/leasepair \\
    --link-certificates /etc/leasepair/link
  leasepair engine --manifests /etc/leasepair --relationship default/campus --member a --data-dir ./data-a \\
    --link-certificates /etc/leasepair/link
  leasepair engine --manifests examples --relationship default/campus --member b --data-dir ./data-b \\
    --dhcp-port 1067 --clear-link

The failover link to another Leasepair member is TLS 1.3 with a certificate on both sides (make them with
\`leasepair certs\`), or in clear with --clear-link. A partner of the dialect ISC speaks in clear only.

Needs the capability NET_BIND_SERVICE for ports below 1024 and NET_RAW to serve local interfaces. No privileges are
needed with --dhcp-port 1067, \`spec.link.port\` of 1024 or above, and relays only.
Logs JSON lines to standard output. SIGTERM, Ctrl-C or the end of its terminal (SIGHUP) stops it in order.

Exit codes: 0 stopped in order; 1 failed (disk, address, port, capability, configuration); 2 wrong command line;
3 refused (the data directory is another member's, in use, or of a newer release); 70 a bug in leasepair.`;

export function addEngineCommand(program: Command): void {
  program
    .command("engine")
    .summary("run one DHCP server of a pair")
    .description(
      "Runs one DHCP server of a pair until it is stopped. It reads its objects from the Kubernetes API, or from a " +
        "directory of the same manifests, keeps its leases in the data directory, and serves on when the API is away.",
    )
    .requiredOption("--relationship <namespace/name>", "the FailoverRelationship it belongs to")
    .requiredOption("--member <name>", "which of the relationship's two members it is")
    .requiredOption(
      "--data-dir <dir>",
      "where it keeps its leases; its own, on a disk that outlives restarts",
    )
    .option(
      "--manifests <dir>",
      "read *.yaml, *.yml and *.json files there instead of the API; changes are followed",
    )
    .option(
      "--kubeconfig <file>",
      "how to reach the API (default: $KUBECONFIG, ~/.kube/config, or the pod's account)",
    )
    .option(
      "--link-certificates <dir>",
      "secure the failover link by TLS with tls.crt, tls.key and ca.crt there; changes are followed",
    )
    .option("--clear-link", "with --manifests: leave the failover link unencrypted and unauthenticated")
    .option("--adopt-store <uid>", "go on with the store of a deleted relationship of this UID")
    .option("--dhcp-port <port>", "serve DHCP on this port instead of 67 and answer to the sender's port")
    .option("--log-level <level>", "debug, info, warn or error", "info")
    .addHelpText("after", HELP)
    .action(async (flags: EngineFlags) => {
      const { namespace, name } = relationshipArgument(flags.relationship);
      if (flags.manifests !== undefined && flags.kubeconfig !== undefined) {
        throw usageError(
          "--manifests and --kubeconfig: give one, the engine reads its objects from one place",
        );
      }
      if (flags.clearLink === true && flags.manifests === undefined) {
        throw usageError(
          "--clear-link: only with --manifests; with the API the controller hands out certificates, give --link-certificates",
        );
      }
      if (flags.linkCertificates !== undefined && flags.clearLink === true) {
        throw usageError("--link-certificates and --clear-link: give one, the link is either secured or not");
      }
      const options = {
        namespace,
        relationship: name,
        member: memberArgument(flags.member),
        dataDirectory: dataDirectoryArgument(flags.dataDir),
        manifests: flags.manifests === undefined ? null : directoryArgument("--manifests", flags.manifests),
        kubeconfig: optionalFileArgument("--kubeconfig", flags.kubeconfig),
        dhcpPort: flags.dhcpPort === undefined ? null : portArgument("--dhcp-port", flags.dhcpPort),
        linkSecurity: linkSecurity(flags),
        adoptStore: flags.adoptStore ?? null,
        logLevel: logLevelArgument(flags.logLevel),
      };
      const { boundMemory } = await import("../dhcp/host/memory.ts");
      boundMemory();
      const { engineProcess } = await import("../dhcp/main.ts");
      await engineProcess(options);
    });
}

function linkSecurity({ linkCertificates, clearLink }: EngineFlags): LinkSecurity {
  if (clearLink === true) return { kind: "Clear" };
  if (linkCertificates === undefined) return { kind: "Unsaid" };
  return { kind: "TLS", directory: directoryArgument("--link-certificates", linkCertificates) };
}
