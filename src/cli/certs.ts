// `leasepair certs`: the certificates of a failover link that no controller looks after.

import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { memberArgument, numberArgument, relationshipArgument } from "./arguments.ts";
import { CommandError, EXIT } from "./command-error.ts";

interface CertsFlags {
  readonly relationship: string;
  readonly member: readonly string[];
  readonly out: string;
  readonly days: string;
}

const AUTHORITY_DAYS = 3650;
const AUTHORITY = "authority";

export function addCertsCommand(program: Command): void {
  program
    .command("certs")
    .summary("make the certificates of a failover link")
    .description(
      "Makes an authority and one certificate per member for the failover link of a pair that runs without the " +
        "Kubernetes API. Run again, it keeps the authority and renews the members' certificates.",
    )
    .requiredOption("--relationship <namespace/name>", "the FailoverRelationship whose link it is")
    .requiredOption("--member <name...>", "the members to make certificates for")
    .requiredOption("--out <dir>", "where to write: one directory per member, and one for the authority")
    .option("--days <days>", "how long the members' certificates are good, 1 to 3650", "365")
    .addHelpText(
      "after",
      `
Example:
  leasepair certs --relationship default/campus --member a b --out ./link
  scp -r ./link/a host-a:/etc/leasepair/link        # then: leasepair engine --link-certificates /etc/leasepair/link

Writes DIR/authority/{ca.crt,ca.key} and DIR/MEMBER/{tls.crt,tls.key,ca.crt}. Keep ca.key off the members' hosts: whoever
has it can be either member. Running engines take up files that change by themselves.

Exit codes: 0 written; 1 could not be written; 2 wrong command line.`,
    )
    .action(async (flags: CertsFlags) => {
      const { namespace, name } = relationshipArgument(flags.relationship);
      const relationship = `${namespace}/${name}`;
      const members = flags.member.map(memberArgument);
      const validity = { now: new Date(), days: numberArgument("--days", flags.days, 1, AUTHORITY_DAYS) };
      const { linkIdentity } = await import("../base/link-identity.ts");
      const { issueLinkCertificate } = await import("../kube/link-certificates.ts");
      const out = resolve(flags.out);
      const authority = await authorityIn(join(out, AUTHORITY), relationship, validity.now);
      for (const member of members) {
        const made = await issueLinkCertificate(
          authority,
          linkIdentity(relationship, member),
          validity,
        ).catch((error: unknown) => {
          const problem = `${join(out, AUTHORITY)}: cannot sign with this authority (${(error as Error).message})`;
          throw new CommandError(EXIT.failed, `${problem}; move it away to have a new one made`);
        });
        const directory = join(out, member);
        write(directory, {
          "ca.crt": authority.certificate,
          "tls.key": made.key,
          "tls.crt": made.certificate,
        });
        process.stdout.write(`${directory}: ${linkIdentity(relationship, member)}\n`);
      }
    });
}

/** The authority that is there, or a new one. */
async function authorityIn(directory: string, relationship: string, now: Date) {
  const paths = [join(directory, "ca.crt"), join(directory, "ca.key")] as const;
  const [certificate, key] = paths;
  const there = paths.filter((path) => existsSync(path));
  if (there.length === 1) {
    const missing = paths.find((path) => path !== there[0]);
    throw new CommandError(
      EXIT.failed,
      `${missing}: is missing; put it back, or move ${there[0]} away to have a new authority made`,
    );
  }
  if (there.length === 2) {
    return { certificate: readFileSync(certificate, "utf8"), key: readFileSync(key, "utf8") };
  }
  const { makeLinkAuthority } = await import("../kube/link-certificates.ts");
  const name = `leasepair link authority of ${relationship}`;
  const made = await makeLinkAuthority(name, { now, days: AUTHORITY_DAYS });
  write(directory, { "ca.key": made.key, "ca.crt": made.certificate });
  return made;
}

/** Each file whole or not at all; keys for their owner alone. */
function write(directory: string, files: Readonly<Record<string, string>>): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const [name, text] of Object.entries(files)) {
      const path = join(directory, name);
      writeFileSync(`${path}.new`, text, { mode: name.endsWith(".key") ? 0o600 : 0o644 });
      renameSync(`${path}.new`, path);
    }
  } catch (error) {
    throw new CommandError(EXIT.failed, `${directory}: cannot be written (${(error as Error).message})`);
  }
}
