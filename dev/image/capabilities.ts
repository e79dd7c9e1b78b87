// File capabilities as Linux keeps them in the attribute security.capability.
// Source: capabilities(7), linux/capability.h (struct vfs_cap_data, revision 2).

/** The numbers of the capabilities the engine needs. */
const NUMBERS = { NET_BIND_SERVICE: 10, NET_RAW: 13 } as const;
const REVISION_2 = 0x02000000;

/** Permitted, not effective: a container that is given fewer may still run the program, which takes up what it got
 *  (src/dhcp/host/libc.ts). An effective bit would make the kernel refuse to run it at all. */
export function permittedCapabilities(...names: readonly (keyof typeof NUMBERS)[]): Buffer {
  const permitted = names.reduce((mask, name) => mask | (1 << NUMBERS[name]), 0);
  const value = Buffer.alloc(20);
  value.writeUInt32LE(REVISION_2, 0);
  value.writeUInt32LE(permitted, 4);
  return value;
}
