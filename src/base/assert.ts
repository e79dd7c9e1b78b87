// Assertions for our own bugs. They stay on in production: a broken invariant must stop the engine, not hand out leases.

/** Thrown by `assert` alone: the program is wrong, not its input. Never caught except by a process's main. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/** Throws InvariantError when `condition` is false. `claim` says what should have been true. */
export function assert(condition: boolean, claim: string): asserts condition {
  if (!condition) throw new InvariantError(claim);
}
