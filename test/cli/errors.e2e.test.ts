import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { campusYaml } from "../dhcp/host/campus.ts";
import { runCli } from "./run-cli.ts";

let directory = "";
before(() => {
  directory = mkdtempSync(join(tmpdir(), "leasepair-cli-"));
  mkdirSync(join(directory, "good"));
  writeFileSync(join(directory, "good", "campus.yaml"), campusYaml());
  mkdirSync(join(directory, "bad"));
  writeFileSync(join(directory, "bad", "campus.yaml"), campusYaml().replace("subnet:", "subnett:"));
  mkdirSync(join(directory, "away"));
  writeFileSync(
    join(directory, "away", "campus.yaml"),
    campusYaml({ addresses: ["192.0.2.251", "192.0.2.252"] }),
  );
  writeFileSync(join(directory, "broken.kubeconfig"), "kind: [\n");
  const cluster = { name: "c", cluster: { server: "https://127.0.0.1:1", "insecure-skip-tls-verify": true } };
  const nowhere = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [cluster],
    users: [{ name: "u", user: { token: "t" } }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    "current-context": "x",
  };
  writeFileSync(join(directory, "nowhere.kubeconfig"), JSON.stringify(nowhere));
  mkdirSync(join(directory, "damaged", "leases"), { recursive: true });
  writeFileSync(join(directory, "damaged", "leases", "segment-0000000001.log"), "nonsense");
});
after(() => rmSync(directory, { recursive: true, force: true }));

interface Case {
  readonly name: string;
  /** DIR stands for the directory with the manifests, DATA for a data directory of this case. */
  readonly args: string;
  readonly code: number;
  readonly stderr: RegExp;
}

const ENGINE = "engine --relationship default/campus --member a --data-dir DATA";

const CONTROLLER = "controller --image leasepair:dev --kubeconfig DIR/nowhere.kubeconfig";

const CASES: readonly Case[] = [
  ...(
    [
      ["are no JSON", "tolerate", "is no JSON; give JSON such as"],
      ["are no list", '{"key":"a"}', "is no list"],
      ["have an unknown field", '[{"name":"a"}]', "item 0 has no field name"],
      ["tolerate everything", '[{"operator":"Exists"}]', "item 0 has no key: by that the engine would stay"],
      ["have a value for Exists", '[{"key":"a","operator":"Exists","value":"b"}]', "item 0 has a value"],
      ["have an unknown effect", '[{"key":"a"},{"key":"a","effect":"Never"}]', "item 1 has an effect"],
      ["have seconds for another effect", '[{"key":"a","tolerationSeconds":9}]', "only the effect NoExecute"],
    ] as const
  ).map(([what, json, message]) => ({
    name: `engine tolerations that ${what}`,
    args: `${CONTROLLER} --engine-tolerations ${json}`,
    code: 2,
    stderr: new RegExp(message),
  })),
  { name: "an unknown command", args: "serve", code: 2, stderr: /unknown command 'serve'/ },
  { name: "an unknown flag", args: "version --long", code: 2, stderr: /unknown option '--long'/ },
  { name: "a missing flag", args: "engine", code: 2, stderr: /required option '--relationship/ },
  {
    name: "a relationship without namespace",
    args: "engine --relationship campus --member a --data-dir DIR",
    code: 2,
    stderr: /--relationship campus: must be NAMESPACE\/NAME/,
  },
  {
    name: "a member's name that cannot be one",
    args: "engine --relationship default/campus --member A! --data-dir DIR",
    code: 2,
    stderr: /--member A!/,
  },
  {
    name: "a port that is none",
    args: `${ENGINE} --dhcp-port 70000`,
    code: 2,
    stderr: /--dhcp-port 70000: must be/,
  },
  {
    name: "a manifests directory that is not there",
    args: `${ENGINE} --manifests DIR/nope`,
    code: 2,
    stderr: /--manifests .*nope: there is no such directory/,
  },
  {
    name: "a manifests file in place of a directory",
    args: `${ENGINE} --manifests DIR/good/campus.yaml`,
    code: 2,
    stderr: /is a file; name the directory/,
  },
  {
    name: "two sources of objects",
    args: `${ENGINE} --manifests DIR/good --kubeconfig DIR/good/campus.yaml`,
    code: 2,
    stderr: /--manifests and --kubeconfig: give one/,
  },
  {
    name: "a failover link of which nobody said how to secure it",
    args: `${ENGINE} --manifests DIR/good --dhcp-port 11067`,
    code: 1,
    stderr: /failover link needs certificates.*leasepair certs.*--link-certificates DIR.*--clear-link/,
  },
  {
    name: "a link both secured and in clear",
    args: `${ENGINE} --manifests DIR/good --link-certificates DIR --clear-link`,
    code: 2,
    stderr: /--link-certificates and --clear-link: give one/,
  },
  {
    name: "a link in clear where the API is there to secure it",
    args: `${ENGINE} --clear-link`,
    code: 2,
    stderr: /--clear-link: only with --manifests/,
  },
  {
    name: "a directory without certificates",
    args: `${ENGINE} --manifests DIR/good --dhcp-port 11067 --link-certificates DIR/good`,
    code: 1,
    stderr: /good\/tls\.crt: cannot be read \(ENOENT\); make them with `leasepair certs`/,
  },
  {
    name: "a log level that is none",
    args: `${ENGINE} --log-level loud`,
    code: 2,
    stderr: /debug, info, warn, error/,
  },
  {
    name: "manifests with a mistake",
    args: `${ENGINE} --manifests DIR/bad --dhcp-port 11067`,
    code: 1,
    stderr: /bad\/campus\.yaml:16: DHCPScope default\/users: spec\.subnet: is required.*and 1 more/,
  },
  {
    name: "a member that the relationship does not have",
    args: "engine --relationship default/campus --member c --data-dir DATA --manifests DIR/good --dhcp-port 11067",
    code: 1,
    stderr: /members a and b, none is called c/,
  },
  {
    name: "a relationship that is not in the manifests",
    args: "engine --relationship default/other --member a --data-dir DATA --manifests DIR/good --dhcp-port 11067",
    code: 1,
    stderr:
      /\/good: there is no FailoverRelationship default\/other in this directory; it has default\/campus\./,
  },
  {
    name: "an address that this machine does not have",
    args: `${ENGINE} --manifests DIR/away --dhcp-port 11067`,
    code: 1,
    stderr: /no interface of this machine has the address 192\.0\.2\.251.*127\.0\.0\.1/,
  },
  {
    name: "a kubeconfig that is not there",
    args: "status --kubeconfig DIR/nope",
    code: 2,
    stderr: /--kubeconfig .*nope: there is no such file/,
  },
  { name: "no kubeconfig at all", args: "status", code: 2, stderr: /kubeconfig/ },
  {
    name: "a data directory that is empty text",
    args: "engine --relationship default/campus --member a --data-dir=",
    code: 2,
    stderr: /--data-dir: is empty/,
  },
  {
    name: "a file in place of a data directory",
    args: "engine --relationship default/campus --member a --data-dir DIR/good/campus.yaml",
    code: 2,
    stderr: /--data-dir .*campus\.yaml: is a file; name a directory/,
  },
  {
    name: "a directory in place of a kubeconfig",
    args: "status --kubeconfig DIR/good",
    code: 2,
    stderr: /--kubeconfig .*good: is a directory; name a file/,
  },
  {
    name: "a kubeconfig that is not YAML",
    args: "status --kubeconfig DIR/broken.kubeconfig",
    code: 2,
    stderr: /^leasepair status: error: cannot read .*broken\.kubeconfig: [^\n]+\n$/,
  },
  {
    name: "a kubeconfig that leads nowhere",
    args: "status --kubeconfig DIR/nowhere.kubeconfig",
    code: 1,
    stderr: /the Kubernetes API cannot be reached: .*ECONNREFUSED 127\.0\.0\.1:1\..*status --local/,
  },
  {
    name: "a data directory without --local",
    args: "status --data-dir DIR",
    code: 2,
    stderr: /--data-dir: asks a running engine, which needs --local/,
  },
  {
    name: "leases of a directory that is not there",
    args: "leases --data-dir DIR/nope",
    code: 2,
    stderr: /--data-dir .*nope: there is no such directory/,
  },
  {
    name: "local status without data directory",
    args: "status --local",
    code: 2,
    stderr: /--local: needs --data-dir/,
  },
  {
    name: "leases where no engine runs",
    args: "leases --data-dir DIR",
    code: 1,
    stderr: /no engine listens here.*store dump/,
  },
  {
    name: "an output format that is none",
    args: "leases --data-dir DIR -o xml",
    code: 2,
    stderr: /--output xml/,
  },
  {
    name: "a store that is not there",
    args: "store dump --data-dir DIR/good",
    code: 2,
    stderr: /there is no lease store here/,
  },
  {
    name: "a store that is damaged",
    args: "store verify --data-dir DIR/damaged",
    code: 3,
    stderr: /leasepair store verify: error: .*Keep a copy/,
  },
];

describe("a mistake is told in one line with its flag or file, and an exit code", { concurrency: 2 }, () => {
  for (const { name, args, code, stderr } of CASES) {
    test(name, async () => {
      const data = join(directory, `data-${name.replaceAll(" ", "-")}`);
      const words = args.replaceAll("DATA", data).replaceAll("DIR", directory).split(" ");
      const run = await runCli(words);
      assert.match(run.stderr, stderr);
      assert.equal(run.code, code, run.stderr);
      assert.doesNotMatch(run.stderr, /\n\s+at /, "no stack trace");
    });
  }
});

describe("help", { concurrency: 2 }, () => {
  const commands = [
    "",
    "engine",
    "controller",
    "status",
    "leases",
    "store",
    "store dump",
    "store verify",
    "certs",
    "crds",
  ];
  for (const command of commands) {
    test(`leasepair ${command} --help explains itself`, async () => {
      const run = await runCli([...command.split(" ").filter((word) => word !== ""), "--help"]);
      assert.equal(run.code, 0);
      assert.match(run.stdout, /^Usage: leasepair/);
      if (command !== "store") assert.match(run.stdout, /Exit codes: 0/);
    });
  }
});

test("crds prints every definition as YAML", async () => {
  const run = await runCli(["crds"]);
  assert.equal(run.code, 0);
  assert.equal(run.stdout.match(/^kind: CustomResourceDefinition$/gm)?.length, 5);
});

test("version names the release", async () => {
  assert.match((await runCli(["version"])).stdout, /^leasepair \d+\.\d+\.\d+ \(node /);
});
