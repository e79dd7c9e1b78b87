// `leasepair crds`: the custom resource definitions of this release, ready for kubectl.

import type { Command } from "commander";

export function addCrdsCommand(program: Command): void {
  program
    .command("crds")
    .summary("print the custom resource definitions")
    .description("Prints the CustomResourceDefinitions of this release as YAML documents.")
    .addHelpText(
      "after",
      `
Example:
  leasepair crds | kubectl apply --server-side -f -

Exit codes: 0 printed; 2 wrong command line.`,
    )
    .action(async () => {
      const { stringify } = await import("yaml");
      const { allDefinitions } = await import("../api/crd.ts");
      const texts = allDefinitions().map(({ definition }) =>
        stringify(definition, { lineWidth: 120, aliasDuplicateObjects: false }),
      );
      process.stdout.write(texts.join("---\n"));
    });
}
