// Which nodes can use a volume: the terms are alternatives, the expressions of a term must all hold.

import assert from "node:assert/strict";
import { test } from "node:test";
import { admitsNode } from "../../src/controller/node-affinity.ts";

const NODE = {
  metadata: { name: "node-1", labels: { "kubernetes.io/hostname": "host-1", zone: "eu-1", cores: "8" } },
};
const expression = (key: string, operator: string, ...values: string[]) => ({ key, operator, values });
const labels = (...matchExpressions: object[]) => ({ matchExpressions });
const HOST = expression("kubernetes.io/hostname", "In", "host-1");
const OTHER_HOST = expression("kubernetes.io/hostname", "In", "host-2", "host-3");

const CASES: readonly (readonly [string, object[], boolean])[] = [
  ["its label", [labels(HOST)], true],
  ["another's label", [labels(OTHER_HOST)], false],
  ["one of two terms", [labels(OTHER_HOST), labels(HOST)], true],
  ["both expressions of a term", [labels(HOST, expression("zone", "In", "eu-2"))], false],
  ["a label it lacks", [labels(expression("disk", "In", "ssd"))], false],
  ["not another's", [labels(expression("zone", "NotIn", "eu-2"))], true],
  ["not its own", [labels(expression("zone", "NotIn", "eu-1"))], false],
  ["there, and not there", [labels(expression("zone", "Exists"), expression("disk", "DoesNotExist"))], true],
  ["more than", [labels(expression("cores", "Gt", "4"))], true],
  ["less than", [labels(expression("cores", "Lt", "8"))], false],
  ["its name", [{ matchFields: [expression("metadata.name", "In", "node-1")] }], true],
  ["another's name", [{ matchFields: [expression("metadata.name", "In", "host-1")] }], false],
  ["an empty term", [{}], false],
  ["no term", [], false],
];

for (const [what, nodeSelectorTerms, expected] of CASES) {
  test(`a volume for ${what}: ${expected ? "usable" : "not usable"}`, () => {
    assert.equal(admitsNode({ required: { nodeSelectorTerms } }, NODE), expected);
  });
}
