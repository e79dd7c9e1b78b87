// Whatever somebody writes into an option, the error names the option, shows the value and says what is allowed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { optionsSchema } from "../../src/api/dhcp-options.ts";
import { showValue, valueAt } from "../../src/api/field-error.ts";
import { parseDHCPScope } from "../../src/api/parse.ts";

const WRONG: readonly unknown[] = [
  ...["\u0001", "", -1, 1.5, true, {}, ["not an address"], [1], [{}], [null], null],
  ...["x".repeat(600), 99_999_999_999, [{ destination: "10.0.0.1/8", router: "10.0.0.1" }]],
  ...[[{ code: 224, type: "uint8", value: "256" }], [{ code: 0, type: "hex", value: "0" }]],
  [{ enterprise: -1, options: [] }],
];

function errorsOf(option: string, value: unknown) {
  const object = {
    apiVersion: "leasepair.io/v1alpha1",
    kind: "DHCPScope",
    metadata: { name: "users", namespace: "default" },
    spec: {
      relationshipRef: { name: "campus" },
      subnet: "10.20.0.0/24",
      ranges: [{ start: "10.20.0.100", end: "10.20.0.199" }],
      options: { [option]: value },
    },
  };
  const result = parseDHCPScope(object);
  return { object, errors: result.kind === "ok" ? null : result.errors };
}

test("an option that does not exist is named", () => {
  const { errors } = errorsOf("router", ["10.20.0.1"]);
  assert.match(JSON.stringify(errors), /spec\.options\.router\b/);
});

for (const option of Object.keys(optionsSchema.shape)) {
  test(`${option}: a wrong value is told with its place, itself and the allowed form`, () => {
    let refused = 0;
    for (const value of WRONG) {
      const { object, errors } = errorsOf(option, value);
      if (errors === null) continue;
      refused += 1;
      assert.ok(errors.length > 0);
      for (const { field, message } of errors) {
        assert.ok(field.startsWith(`spec.options.${option}`), `${field}: ${message}`);
        // A field that is not there has no value to show, but the fields that are.
        if (message.startsWith("unknown field: the fields here are ")) continue;
        const path = field.split(/[.[\]]+/).filter(Boolean);
        const written = valueAt(object, path);
        if (written === undefined)
          assert.match(message, /is required|unknown|remove/, `${field}: ${message}`);
        else assert.ok(message.startsWith(`${showValue(written)}: `), `${field}: ${message}`);
        assert.match(
          message,
          /must (be|have|not)|is required|remove|set it there|give/,
          `${field}: ${message}`,
        );
      }
    }
    assert.ok(refused > WRONG.length / 2, "most of these values are wrong for it");
  });
}
