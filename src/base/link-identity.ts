// Who a certificate of the failover link speaks for: one member of one relationship, as a URI in subjectAltName.
// Being signed by the right authority is not enough: the same authority may sign for many pairs.
// Decided in docs/adr/0008-link-identity.md.

/** `leasepair://NAMESPACE/NAME/MEMBER`. `relationship` is "NAMESPACE/NAME"; all parts are DNS labels. */
export function linkIdentity(relationship: string, member: string): string {
  return `leasepair://${relationship}/${member}`;
}
