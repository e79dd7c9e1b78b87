// What two servers of different make say of one address, and where they differ.

export interface Lease {
  readonly status: string;
  /** Lower-case hex of the last client. */
  readonly hardwareAddress: string | null;
  /** Unix seconds; 0 when none. */
  readonly expiresAt: number;
  /** As our engine knows it. */
  readonly hostname?: string | null;
}

/** Free addresses without a record are the primary's. */
const FRESH: Lease = { status: "FREE", hardwareAddress: null, expiresAt: 0 };

/** The addresses on which the two sides are not of one mind, in words. Of a free address only the owner counts. */
export function differences(
  addresses: readonly string[],
  one: ReadonlyMap<string, Lease>,
  two: ReadonlyMap<string, Lease>,
): readonly string[] {
  return addresses.flatMap((address) => {
    const a = one.get(address) ?? FRESH;
    const b = two.get(address) ?? FRESH;
    const isSame =
      a.status === b.status &&
      (a.status !== "ACTIVE" || (a.hardwareAddress === b.hardwareAddress && a.expiresAt === b.expiresAt));
    return isSame ? [] : [`${address}: ${JSON.stringify(a)} against ${JSON.stringify(b)}`];
  });
}
