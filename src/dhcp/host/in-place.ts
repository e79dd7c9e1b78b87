// Whether the files that a process has open are still those that their names lead to. A directory that was deleted, replaced
// or mounted over takes every write and sync without an error, and nothing of it is there after a restart.

import * as fs from "node:fs";
import { FaultError } from "../../base/fault.ts";

export interface OpenFile {
  readonly path: string;
  readonly fd: number;
}

/** Calls back with DATA_DIRECTORY_GONE for the first file that is not in place. One after another: a medium that hangs holds up
 *  one thread. */
export function checkInPlace(files: readonly OpenFile[], done: (fault: FaultError | null) => void): void {
  const [file, ...others] = files;
  if (file === undefined) return done(null);
  fs.fstat(file.fd, (fstatError, open) => {
    if (fstatError !== null) return done(gone(file.path, fstatError));
    fs.stat(file.path, (error, named) => {
      if (error !== null) done(gone(file.path, error));
      else if (named.ino !== open.ino || named.dev !== open.dev) done(gone(file.path, null));
      else checkInPlace(others, done);
    });
  });
}

function gone(path: string, error: NodeJS.ErrnoException | null): FaultError {
  return new FaultError(
    "DATA_DIRECTORY_GONE",
    `${path} is no longer the file that is written to${error === null ? "" : ` (${error.code})`}: its directory was deleted, ` +
      "replaced or mounted over while in use. Put it back where it was and start again; with an empty directory this member takes " +
      "all leases from its partner.",
    error,
  );
}
