import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { compile } from "../../src/api/compile.ts";
import { formatManifestError, readManifests } from "../../src/api/manifests.ts";

const EXAMPLES = join(import.meta.dirname, "..", "..", "examples");

function errorsOf(text: string): string[] {
  return readManifests([{ file: "f.yaml", text }]).errors.map(formatManifestError);
}

const SCOPE = `apiVersion: leasepair.io/v1alpha1
kind: DHCPScope
metadata: {name: users}
spec:
  relationshipRef: {name: campus}
  subnet: 10.20.0.0/24
  ranges:
    - start: 10.20.0.100
      end: 10.20.0.199
`;

test("an error names file, line, object, field, value and what is allowed", () => {
  assert.deepEqual(errorsOf(`# a comment\n\n${SCOPE.replace("10.20.0.199", "10.20.1.199")}`), [
    'f.yaml:11: DHCPScope default/users: spec.ranges[0].end: "10.20.1.199": must be an address inside spec.subnet',
  ]);
});

test("a missing field is reported at the line of what should hold it", () => {
  assert.match(
    errorsOf(SCOPE.replace("  subnet: 10.20.0.0/24\n", ""))[0] ?? "",
    /^f\.yaml:4: .*spec\.subnet: is required/,
  );
});

const TEXT_CASES: readonly [string, string, RegExp[]][] = [
  ["an empty text holds nothing", "", []],
  ["comments and empty documents hold nothing", "# nothing\n---\n---\n# nothing\n", []],
  ["objects of other groups are passed over", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n", []],
  ["text that is no YAML", "a: [1\nb: 2", [/^f\.yaml:\d: not valid YAML: /]],
  ["a repeated key", `${SCOPE}  subnet: 10.30.0.0/24\n`, [/^f\.yaml:10: not valid YAML: .*unique/]],
  ["a scalar document", "hello", [/^f\.yaml:1: "hello": must be a Kubernetes object/]],
  ["a list of objects", "- a\n- b\n", [/must be a Kubernetes object/]],
  [
    "an object without apiVersion",
    SCOPE.split("\n").slice(1).join("\n"),
    [/^f\.yaml:1: .*apiVersion: is required/],
  ],
  [
    "the same object twice",
    `${SCOPE}---\n${SCOPE}`,
    [/^f\.yaml:11: DHCPScope default\/users: metadata\.name: .*already at f\.yaml:1/],
  ],
  ["nesting that exhausts the stack", `a: ${"[".repeat(10_000)}`, [/^f\.yaml:1: not valid YAML: /]],
  [
    "nesting deeper than any of our objects",
    `${SCOPE}  state: ${"[".repeat(40)}${"]".repeat(40)}\n`,
    [/nests deeper/],
  ],
  [
    "aliases that grow without end",
    `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c]\n`,
    [/not valid YAML: /],
  ],
];

for (const [claim, text, patterns] of TEXT_CASES) {
  test(`text: ${claim}`, () => {
    const errors = errorsOf(text);
    assert.equal(errors.length, patterns.length, errors.join("\n"));
    for (const [i, pattern] of patterns.entries()) assert.match(errors[i] ?? "", pattern);
  });
}

test("a bad document does not keep the good ones from being read", () => {
  const { objects, errors } = readManifests([
    { file: "bad.yaml", text: "kind: [" },
    { file: "good.yaml", text: SCOPE },
  ]);
  assert.equal(errors.length, 1);
  assert.deepEqual(
    objects.scopes.map(({ metadata }) => metadata.name),
    ["users"],
  );
});

test("the items of a list, as kubectl writes them, count like documents, with their own lines", () => {
  const list = (indented: string) => `apiVersion: v1\nkind: List\nitems:\n${indented}`;
  const item = (scope: string) => scope.replace(/^/gm, "    ").replace(/^ {4}/, "  - ").trimEnd();
  const two = [SCOPE, SCOPE.replace("users", "guests").replace("199", "1999")].map(item).join("\n");
  const { objects, errors } = readManifests([{ file: "f.yaml", text: `${list(two)}\n` }]);
  assert.deepEqual(
    objects.scopes.map(({ metadata }) => metadata.name),
    ["users"],
  );
  assert.match(
    errors.map(formatManifestError).join("\n"),
    /^f\.yaml:21: DHCPScope default\/guests: spec\.ranges\[0\]\.end: "10\.20\.0\.1999"/,
  );
});

test("both examples are good, compile without a rejection and differ in every address and interface", () => {
  const texts = ["load-balance.yaml", "hot-standby.yaml"].map((file) => ({
    file,
    text: readFileSync(join(EXAMPLES, file), "utf8"),
  }));
  const { objects, errors } = readManifests(texts);
  assert.deepEqual(errors, []);
  const results = objects.relationships.map(({ metadata }) =>
    compile(objects, metadata.namespace, metadata.name),
  );
  for (const result of results) {
    assert.equal(result.kind, "compiled");
    assert.deepEqual(result.rejected, []);
    assert.ok(result.config.scopes.every(({ lease }) => lease.defaultSeconds > result.config.mcltSeconds));
  }
  const members = objects.relationships.flatMap(({ spec }) => spec.members);
  assert.equal(new Set(members.map(({ address }) => address)).size, 4);
});
