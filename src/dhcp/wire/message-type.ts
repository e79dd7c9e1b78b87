// The DHCP message types (value of option 53) and who sends them.
// Source: RFC 2132 9.6, RFC 3203, RFC 4388 6.1, RFC 6926 6.2, RFC 7724 5.2.

export const MESSAGE_TYPE_CODE = {
  DISCOVER: 1,
  OFFER: 2,
  REQUEST: 3,
  DECLINE: 4,
  ACK: 5,
  NAK: 6,
  RELEASE: 7,
  INFORM: 8,
  FORCERENEW: 9,
  LEASEQUERY: 10,
  LEASEUNASSIGNED: 11,
  LEASEUNKNOWN: 12,
  LEASEACTIVE: 13,
  BULKLEASEQUERY: 14,
  LEASEQUERYDONE: 15,
  ACTIVELEASEQUERY: 16,
  LEASEQUERYSTATUS: 17,
  TLS: 18,
} as const;

export type MessageType = keyof typeof MESSAGE_TYPE_CODE;

const NAME_BY_CODE: ReadonlyMap<number, MessageType> = new Map(
  Object.entries(MESSAGE_TYPE_CODE).map(([name, code]) => [code, name as MessageType]),
);

/** The name of a code, or null when nobody has assigned it. */
export function messageTypeOf(code: number): MessageType | null {
  return NAME_BY_CODE.get(code) ?? null;
}
