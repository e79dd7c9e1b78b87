// Every event that the source can log has a page in docs/events/, and every page belongs to an event: whoever reads a
// line of the log at night finds what it means. The ids are read from the source text, so that one cannot be forgotten.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

const ROOT = join(import.meta.dirname, "../..");
const PAGES = join(ROOT, "docs/events");
const ID = /^[a-z][a-z0-9]*(-[a-z0-9]+)+$|^[a-z]{5,}$/;

interface Found {
  readonly ids: ReadonlySet<string>;
  /** Places where an event is logged whose id cannot be read from the text. */
  readonly unreadable: readonly string[];
}

/** The ids in a file's text: `event: "id"` in an entry, and the second argument of a helper `log(level, "id", ...)`. */
function findEvents(name: string, text: string): Found {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const ids = new Set<string>();
  const unreadable: string[] = [];
  const take = (value: string, context: string) => {
    const quoted = [...value.matchAll(/"([^"]*)"/g)].map(([, id = ""]) => id);
    for (const id of quoted) ids.add(id);
    if (quoted.length === 0) unreadable.push(`${name}: ${context.replace(/\s+/g, " ").slice(0, 80)}`);
  };
  // An object that is a log entry: it has a level and an event. Types say `string`, and are no entries.
  for (const [entry] of code.matchAll(/\blevel\b[^{}]*?\bevent:[^,{}]*/g)) {
    const value = entry.slice(entry.lastIndexOf("event:") + "event:".length).trim();
    if (!/^string\b/.test(value)) take(value, entry);
  }
  // A call of a helper that takes level and id. Its own definition has parameters with types there.
  for (const [call, id = ""] of code.matchAll(
    /\blog\(\s*(?:"(?:debug|info|warn|error)"|level|[^,()"]*\?[^,()]*),\s*([^,)]*)/g,
  )) {
    take(id, call);
  }
  return { ids, unreadable };
}

function sourceFiles(): readonly string[] {
  return readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .sort();
}

function eventsOfSource(): Found {
  const ids = new Set<string>();
  const unreadable: string[] = [];
  for (const name of sourceFiles()) {
    const found = findEvents(name, readFileSync(join(ROOT, "src", name), "utf8"));
    for (const id of found.ids) ids.add(id);
    unreadable.push(...found.unreadable);
  }
  return { ids, unreadable };
}

function pages(): readonly string[] {
  return readdirSync(PAGES)
    .filter((name) => name.endsWith(".md") && name !== "README.md")
    .map((name) => name.slice(0, -".md".length))
    .sort();
}

describe("reading the ids from the source", () => {
  const cases: readonly { readonly what: string; readonly code: string; readonly ids: readonly string[] }[] =
    [
      {
        what: "an entry on several lines",
        code: 'log({\n  level: "warn",\n  event: "a-b",\n  message });',
        ids: ["a-b"],
      },
      { what: "an entry with a computed level", code: 'log({ level, event: "a-b", message })', ids: ["a-b"] },
      { what: "a helper's call", code: 'turn.log("info", "a-b", `x`)', ids: ["a-b"] },
      {
        what: "a call on several lines",
        code: 'this.#log(\n  "error",\n  "a-b",\n  "text", {})',
        ids: ["a-b"],
      },
      { what: "a call with a computed level", code: 'this.#log(level, "a-b", "text", {})', ids: ["a-b"] },
      {
        what: "an id out of two",
        code: 'log({ level: "info", event: up ? "a-b" : "a-c", message })',
        ids: ["a-b", "a-c"],
      },
      { what: "comments", code: '// log("info", "a-b")\n/* event: "a-c" */', ids: [] },
      { what: "other things called event", code: 'const x = { kind: "event", event: input };', ids: [] },
    ];
  for (const { what, code, ids } of cases) {
    test(what, () => {
      const found = findEvents("x.ts", code);
      assert.deepEqual([...found.ids], ids);
      assert.deepEqual(found.unreadable, []);
    });
  }

  test("an id that is no text in place is reported, not passed over", () => {
    assert.equal(findEvents("x.ts", 'log({ level: "info", event: ids[3], message })').unreadable.length, 1);
    assert.equal(findEvents("x.ts", 'turn.log("info", name, "text")').unreadable.length, 1);
  });
});

describe("docs/events", () => {
  const { ids, unreadable } = eventsOfSource();

  test("the ids of all events can be read from the source", () => {
    assert.deepEqual(unreadable, []);
    assert.ok(ids.size > 40, `only ${ids.size} ids were found: the reading is broken`);
    assert.deepEqual(
      [...ids].filter((id) => !ID.test(id)),
      [],
      "ids are lower-case words with hyphens",
    );
  });

  test("every event has a page", () => {
    const known = new Set(pages());
    const missing = [...ids].filter((id) => !known.has(id)).sort();
    assert.deepEqual(missing, [], "write docs/events/ID.md and a line in docs/events/README.md");
  });

  test("every page belongs to an event", () => {
    const orphans = pages().filter((id) => !ids.has(id));
    assert.deepEqual(orphans, [], "nothing logs these any more: remove the page and its line in the table");
  });

  test("the index has every page, once, with the level that the page says", () => {
    const index = readFileSync(join(PAGES, "README.md"), "utf8");
    const rows = [...index.matchAll(/^\| \[([a-z0-9-]+)\]\(([a-z0-9-]+)\.md\) \| ([^|]+) \|/gm)];
    assert.deepEqual(rows.map(([, id = ""]) => id).sort(), pages());
    for (const [, id = "", target, level = ""] of rows) {
      assert.equal(target, id);
      assert.ok(readFileSync(join(PAGES, `${id}.md`), "utf8").includes(`**Level:** ${level}.`), id);
    }
  });

  for (const id of pages()) {
    test(`the page of ${id} says what it means, why it comes and what to do`, () => {
      const text = readFileSync(join(PAGES, `${id}.md`), "utf8");
      assert.ok(text.startsWith(`# ${id}\n`));
      for (const part of ["**Level:**", "**Logged by:**", "**Cause.**", "**What to do.**"])
        assert.ok(text.includes(part), `${part} is missing`);
      for (const [, target = ""] of text.matchAll(/\]\(([a-z0-9-]+)\.md\)/g)) {
        assert.ok(pages().includes(target), `there is no page ${target}`);
      }
    });
  }
});
