// Where a relationship's members keep their lease stores: in a directory of their node, or each in a PersistentVolumeClaim of
// its own. What becomes of them when the relationship goes: docs/adr/0012 and 0014.

import { z } from "zod";
import { choice, DNS_SUBDOMAIN_PATTERN, text } from "./fields.ts";
import { type Rule, rule, transitionRule, unless } from "./rule.ts";

/** Binary units only: what the API server writes back unchanged. */
const SIZE_PATTERN = /^[1-9][0-9]{0,5}(Mi|Gi|Ti)$/;
const MEBIBYTES = { Mi: 1, Gi: 1024, Ti: 1024 * 1024 };

export const CLAIM_SIZE_DEFAULT = "1Gi";

const claimSchema = z
  .strictObject({
    storageClassName: text({
      description:
        'Name of the StorageClass. Unset: the cluster\'s default one. "": none, only a PersistentVolume without a class is bound.',
      form: "the name of a StorageClass, or empty",
      pattern: new RegExp(`^$|${DNS_SUBDOMAIN_PATTERN.source}`),
      lengthMin: 0,
      lengthMax: 253,
    }).optional(),
    size: text({
      description: "Size of each member's volume; it may grow where the StorageClass allows expansion.",
      form: "a size in Mi, Gi or Ti, such as 1Gi",
      pattern: SIZE_PATTERN,
      lengthMax: 8,
    }).default(CLAIM_SIZE_DEFAULT),
    accessMode: choice(
      ["ReadWriteOncePod", "ReadWriteOnce"],
      "ReadWriteOncePod: Kubernetes lets one pod use the volume, whatever happens; it takes a CSI driver, or a PersistentVolume that offers it. ReadWriteOnce: one node.",
    ).default("ReadWriteOncePod"),
  })
  .meta({
    description:
      "The claims, one for each member; for type PersistentVolumeClaim, and for that type only. {} takes the defaults.",
  });

export const storageSchema = z
  .strictObject({
    type: choice(
      ["HostPath", "PersistentVolumeClaim"],
      "Where each member keeps its lease store: HostPath, a directory of its node; PersistentVolumeClaim, a volume of its own, which a member that changes its node takes along where the volume can follow. Changed by restarts, one member at a time: each begins an empty store and fetches all leases from its partner.",
    ).default("HostPath"),
    persistentVolumeClaim: claimSchema.optional(),
    retain: z.boolean().default(true).meta({
      description:
        "Whether the lease stores stay, on the nodes or in their claims, when the relationship is deleted. False: they are removed then, and clients that still hold a lease are forgotten; what follows begins with nothing.",
    }),
    adoptFrom: text({
      description:
        "UID of a deleted relationship whose lease stores, on the same nodes or in claims of the same namespace, this one goes on with; read at creation only. Unset: a relationship of the same name that was deleted is followed by itself.",
      form: "a UID, such as 0b5d1c9a-6f0e-4c39-8a53-5f2d9b7c1e42",
      pattern: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
      lengthMax: 36,
    }).optional(),
  })
  .prefault({})
  .meta({ description: "The members' lease stores." });

type Storage = z.output<typeof storageSchema>;
type Claim = NonNullable<Storage["persistentVolumeClaim"]>;

const CEL_SAME_CLASS =
  "has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)";
/** Kubernetes changes neither in a claim that exists. */
const FIXED =
  "cannot be changed: a claim keeps it. Set storage.type to HostPath, wait for Ready, delete both claims, and set the type back";

export const STORAGE_RULES: readonly Rule[] = [
  rule<Storage>({
    at: "spec.storage",
    // The API server judges the block's own default, too, in which nothing stands yet.
    cel: "(has(self.type) && self.type == 'PersistentVolumeClaim') == has(self.persistentVolumeClaim)",
    message: "must be set for type PersistentVolumeClaim, and for that type only; {} takes the defaults",
    fieldPath: ".persistentVolumeClaim",
    check: ({ type, persistentVolumeClaim }) =>
      unless(
        (type === "PersistentVolumeClaim") === (persistentVolumeClaim !== undefined),
        "persistentVolumeClaim",
      ),
  }),
  transitionRule<Claim>({
    at: "spec.storage.persistentVolumeClaim",
    cel: CEL_SAME_CLASS,
    message: FIXED,
    fieldPath: ".storageClassName",
    check: (claim, before) => unless(claim.storageClassName === before.storageClassName, "storageClassName"),
  }),
  transitionRule<Claim>({
    at: "spec.storage.persistentVolumeClaim",
    cel: "self.accessMode == oldSelf.accessMode",
    message: FIXED,
    fieldPath: ".accessMode",
    check: (claim, before) => unless(claim.accessMode === before.accessMode, "accessMode"),
  }),
  transitionRule<Claim>({
    at: "spec.storage.persistentVolumeClaim",
    cel: "quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0",
    message: "cannot be smaller than before: a volume does not shrink",
    fieldPath: ".size",
    check: (claim, before) => unless(mebibytes(claim.size) >= mebibytes(before.size), "size"),
  }),
];

/** `size` as its schema allows it. */
function mebibytes(size: string): number {
  return Number(size.slice(0, -2)) * MEBIBYTES[size.slice(-2) as keyof typeof MEBIBYTES];
}
