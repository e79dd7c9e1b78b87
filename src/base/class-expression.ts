// The language of client classes: a CEL expression over one client's message, compiled once, with a bounded cost.
// Source: CEL, github.com/google/cel-spec. Only functions whose cost is linear are let in, so a request costs the same
// whatever clients send: no regular expressions, no nested macros, nothing that lets text grow. Evaluation never throws.

import { type ASTNode, Environment } from "@marcbachmann/cel-js";
import { toHex } from "./bytes.ts";

export const CLASS_EXPRESSION_LENGTH_MAX = 1024;
/** Steps of one evaluation at most, counted on the expression as written; a step is well below a microsecond. */
export const CLASS_EXPRESSION_STEPS_MAX = 2_000;
/** Entries of a list variable. Further ones are not looked at. */
export const CLASS_LIST_MAX = 16;

/** What a class can see of a client's message. Text is one character per byte (ISO 8859-1); "" where the client or relay
 *  sent nothing. */
export interface ClassSubject {
  /** Such as DISCOVER. */
  readonly messageType: string;
  readonly hardwareType: number;
  /** Lower case with colons. */
  readonly hardwareAddress: string;
  /** Option 61 as hex. */
  readonly clientIdentifier: string;
  /** giaddr in dotted decimal, 0.0.0.0 for a client of a local segment. */
  readonly relayAddress: string;
  /** Option 60. */
  readonly vendorClass: string;
  /** Option 77: its entries, or the whole where it has none. At most CLASS_LIST_MAX. */
  readonly userClasses: readonly string[];
  /** Sub-options of option 82. */
  readonly circuitId: Uint8Array | null;
  readonly remoteId: Uint8Array | null;
  readonly subscriberId: Uint8Array | null;
  readonly options: ReadonlyMap<number, Uint8Array>;
}

export interface ClassExpression {
  /** "error" when the expression has no value for this client, such as a division by zero: it matches nobody then. */
  evaluate(subject: ClassSubject): boolean | "error";
}

export type ClassExpressionCompiled =
  | { readonly kind: "ok"; readonly expression: ClassExpression }
  /** `position` counts characters from 1; null when the expression as a whole is meant. */
  | { readonly kind: "invalid"; readonly position: number | null; readonly message: string };

/** Options that clients send, by the name used in expressions. Source: IANA, RFC 2132, 3004, 3046, 4578, 4702. */
export const CLASS_OPTION_CODES: ReadonlyMap<string, number> = new Map([
  ["host-name", 12],
  ["requested-address", 50],
  ["lease-time", 51],
  ["message-type", 53],
  ["server-identifier", 54],
  ["parameter-request-list", 55],
  ["max-message-size", 57],
  ["vendor-class-identifier", 60],
  ["client-identifier", 61],
  ["user-class", 77],
  ["rapid-commit", 80],
  ["client-fqdn", 81],
  ["relay-agent-information", 82],
  ["client-architecture", 93],
  ["client-network-interface", 94],
  ["client-machine-identifier", 97],
  ["ipv6-only-preferred", 108],
  ["subnet-selection", 118],
  ["vendor-class", 124],
  ["vendor-specific-information", 125],
]);

/** The `options` variable. */
class ClientOptions {
  readonly #values: ReadonlyMap<number, Uint8Array>;

  constructor(values: ReadonlyMap<number, Uint8Array>) {
    this.#values = values;
  }

  get(key: bigint | string): Uint8Array | null {
    const code = typeof key === "string" ? CLASS_OPTION_CODES.get(key) : Number(key);
    return (code === undefined ? undefined : this.#values.get(code)) ?? null;
  }
}

const OPTION_METHODS: readonly (readonly [
  name: string,
  type: string,
  read: (value: Uint8Array | null) => unknown,
])[] = [
  ["has", "bool", (value) => value !== null],
  ["text", "string", classText],
  ["hex", "string", (value) => (value === null ? "" : toHex(value))],
  ["number", "int", numberOf],
];
const MACROS: ReadonlySet<string> = new Set(["all", "exists", "exists_one"]);
const METHODS: ReadonlySet<string> = new Set([
  ...[
    "startsWith",
    "endsWith",
    "contains",
    "size",
    "lowerAscii",
    "upperAscii",
    "trim",
    "substring",
    "indexOf",
  ],
  ...OPTION_METHODS.map(([name]) => name),
  ...MACROS,
]);
const FUNCTIONS: ReadonlySet<string> = new Set(["size", "int", "string"]);

const ENVIRONMENT = newEnvironment();

function newEnvironment(): Environment {
  const limits = {
    maxAstNodes: 400,
    maxDepth: 32,
    maxListElements: 128,
    maxMapEntries: 128,
    maxCallArguments: 4,
  };
  const environment = new Environment({ limits }).registerType("ClientOptions", {
    ctor: ClientOptions,
    fields: {},
  });
  for (const name of ["messageType", "hardwareAddress", "clientIdentifier", "relayAddress", "vendorClass"]) {
    environment.registerVariable(name, "string");
  }
  for (const name of ["circuitId", "remoteId", "subscriberId"]) {
    environment.registerVariable(name, "string").registerVariable(`${name}Hex`, "string");
  }
  environment.registerVariable("hardwareType", "int").registerVariable("userClasses", "list<string>");
  environment.registerVariable("options", "ClientOptions");
  for (const [name, type, read] of OPTION_METHODS) {
    for (const key of ["int", "string"]) {
      const signature = `ClientOptions.${name}(${key}): ${type}`;
      const handler = (options: ClientOptions, code: bigint | string) => read(options.get(code));
      environment.registerFunction(signature, handler, { async: false });
    }
  }
  return environment;
}

/** Bytes as text, one character each, without the NUL that some clients end it with. */
export function classText(value: Uint8Array | null): string {
  return value === null ? "" : Buffer.from(value).toString("latin1").replace(/\0+$/, "");
}

/** One to four bytes in network order; 0 for anything else. */
function numberOf(value: Uint8Array | null): bigint {
  if (value === null || value.length > 4) return 0n;
  return value.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
}

/** Compiles an expression, or says what is wrong with it and where. Never throws. */
export function compileClassExpression(text: string): ClassExpressionCompiled {
  if (text.length > CLASS_EXPRESSION_LENGTH_MAX) {
    const message = `must have at most ${CLASS_EXPRESSION_LENGTH_MAX} characters`;
    return { kind: "invalid", position: null, message };
  }
  try {
    const checked = ENVIRONMENT.check(text);
    if (!checked.valid) return complaintOf(checked.error);
    const program = ENVIRONMENT.parse(text);
    const refusal = refusalOf(program.ast, false);
    if (refusal !== null) return refusal;
    if (checked.type !== "bool") {
      const message = `must be true or false, but the expression gives ${checked.type}`;
      return { kind: "invalid", position: null, message };
    }
    if (stepsOf(program.ast) > CLASS_EXPRESSION_STEPS_MAX) {
      const message = `takes more than ${CLASS_EXPRESSION_STEPS_MAX} steps; use shorter lists or several classes`;
      return { kind: "invalid", position: null, message };
    }
    return { kind: "ok", expression: { evaluate: (subject) => evaluate(program, subject) } };
  } catch (error) {
    return complaintOf(error);
  }
}

function evaluate(
  program: (context: Record<string, unknown>) => unknown,
  subject: ClassSubject,
): boolean | "error" {
  try {
    const value = program(contextOf(subject));
    return typeof value === "boolean" ? value : "error";
  } catch {
    return "error";
  }
}

function contextOf(subject: ClassSubject): Record<string, unknown> {
  const { circuitId, remoteId, subscriberId, options, hardwareType, userClasses } = subject;
  const hex = (value: Uint8Array | null) => (value === null ? "" : toHex(value));
  return {
    ...subject,
    hardwareType: BigInt(hardwareType),
    userClasses: userClasses.slice(0, CLASS_LIST_MAX),
    circuitId: classText(circuitId),
    circuitIdHex: hex(circuitId),
    remoteId: classText(remoteId),
    remoteIdHex: hex(remoteId),
    subscriberId: classText(subscriberId),
    subscriberIdHex: hex(subscriberId),
    options: new ClientOptions(options),
  };
}

type Complaint = ClassExpressionCompiled & { readonly kind: "invalid" };

function complaintOf(error: unknown): Complaint {
  const { summary, range } = (error ?? {}) as { summary?: string; range?: { start: number } };
  const message = summary ?? (error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error));
  return { kind: "invalid", position: range === undefined ? null : range.start + 1, message };
}

function complaint(node: ASTNode, message: string): Complaint {
  return { kind: "invalid", position: node.range.start + 1, message };
}

/** What the grammar allows but this language does not; null when all is well. */
function refusalOf(node: ASTNode, inMacro: boolean): Complaint | null {
  const refusal = callRefusal(node, inMacro);
  if (refusal !== null) return refusal;
  const isMacro = node.op === "rcall" && MACROS.has(node.args[0]);
  for (const child of childrenOf(node)) {
    const below = refusalOf(child, inMacro || isMacro);
    if (below !== null) return below;
  }
  return null;
}

function callRefusal(node: ASTNode, inMacro: boolean): Complaint | null {
  if (node.op !== "call" && node.op !== "rcall") return null;
  const name = node.args[0];
  if (!(node.op === "call" ? FUNCTIONS : METHODS).has(name)) {
    const available = [...(node.op === "call" ? FUNCTIONS : METHODS)].join(", ");
    return complaint(node, `${name} is not available in client classes; there are ${available}`);
  }
  if (node.op === "call") return null;
  const [, receiver, args] = node.args;
  if (MACROS.has(name)) {
    if (inMacro) return complaint(node, `${name} cannot stand inside another all, exists or exists_one`);
    const isBounded = receiver.op === "list" || (receiver.op === "id" && receiver.args === "userClasses");
    return isBounded ? null : complaint(node, `${name} works on userClasses or on a list written out`);
  }
  if (receiver.op === "id" && receiver.args === "options") return optionRefusal(args[0] ?? node);
  return null;
}

function optionRefusal(node: ASTNode): Complaint | null {
  const key = node.op === "value" ? node.args : null;
  if (typeof key === "bigint" && key >= 1n && key <= 254n) return null;
  if (typeof key === "string" && CLASS_OPTION_CODES.has(key)) return null;
  const names = [...CLASS_OPTION_CODES.keys()].join(", ");
  return complaint(node, `an option is written as its code, 1 to 254, or as one of the names ${names}`);
}

/** Nodes evaluated at most: a macro's body counts once per entry. */
function stepsOf(node: ASTNode): number {
  if (node.op === "rcall" && MACROS.has(node.args[0])) {
    const [, receiver, args] = node.args;
    const entries = receiver.op === "list" ? receiver.args.length : CLASS_LIST_MAX;
    return 1 + stepsOf(receiver) + entries * args.reduce((sum, arg) => sum + stepsOf(arg), 0);
  }
  return childrenOf(node).reduce((sum, child) => sum + stepsOf(child), 1);
}

function childrenOf(node: ASTNode): ASTNode[] {
  return nodesIn(node.args);
}

function nodesIn(value: unknown): ASTNode[] {
  if (Array.isArray(value)) return value.flatMap(nodesIn);
  const isNode = typeof value === "object" && value !== null && "op" in value && "range" in value;
  return isNode ? [value as ASTNode] : [];
}
