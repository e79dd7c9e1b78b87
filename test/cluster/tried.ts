// Looks that something else may be in the way of for the moment: a process that is being started, a file just being replaced.

/** What the look sees; what it fails with, where that is one more thing to be seen on the way. */
export function tried(look: () => string): string {
  try {
    return look();
  } catch (error) {
    return (error as Error).message;
  }
}
