// What a test needs of the machine, as the reason to skip it: `test("...", { skip: unmet("root", "strace") }, ...)`.

import { hasProgram, isRoot } from "./debian-packages.ts";

/** False when everything is there, else the reason to skip: "root" is the user, other names are programs. */
export function unmet(...needs: readonly string[]): string | false {
  const missing = needs.filter((need) => (need === "root" ? !isRoot() : !hasProgram(need)));
  if (missing.length === 0) return false;
  return `needs ${missing.join(", ")}`;
}
