// docs/protocol/states.md and its drawing, made from the tables that the engine runs on.

import {
  mayEnterPartnerDown,
  onLinkLost,
  onPartnerState,
  onShutDown,
  onStopInOrder,
  onUpdatesReceived,
  onWaitOver,
  SETTLED_STATES,
  type SettledState,
  stateAfterRestart,
} from "../../src/dhcp/failover/transition.ts";
import type { Fencing } from "../../src/dhcp/lease/durable-record.ts";

const SHORT: Readonly<Record<SettledState, string>> = {
  NORMAL: "N",
  "COMMUNICATIONS-INTERRUPTED": "CI",
  "PARTNER-DOWN": "PD",
  "POTENTIAL-CONFLICT": "PC",
  "RESOLUTION-INTERRUPTED": "RI",
  "CONFLICT-DONE": "CD",
  RECOVER: "R",
  "RECOVER-WAIT": "RW",
  "RECOVER-DONE": "RD",
  PAUSED: "P",
  SHUTDOWN: "S",
};

type NextState = SettledState | null;

/** What each event other than the partner's STATE leads to; two states where the primary's and the secondary's differ. */
function after(event: (typeof EVENTS)[number], state: SettledState, fencing: Fencing): readonly NextState[] {
  switch (event) {
    case "link lost":
      return [onLinkLost(state)];
    case "UPDDONE":
      return [onUpdatesReceived(state, "primary", fencing), onUpdatesReceived(state, "secondary", fencing)];
    case "wait over":
      return [onWaitOver(state)];
    case "grant":
      return [mayEnterPartnerDown(state) ? "PARTNER-DOWN" : null];
    case "shut down":
      return [onShutDown(state, fencing)];
    case "stop in order":
      return [onStopInOrder(state)];
    case "start again":
      return [stateAfterRestart(state) === state ? null : stateAfterRestart(state)];
    default:
      return event satisfies never;
  }
}

const EVENTS = [
  "link lost",
  "UPDDONE",
  "wait over",
  "grant",
  "shut down",
  "stop in order",
  "start again",
] as const;

/** "=" stays; two rule sets that differ are shown as "None / Witness". */
function cell(texts: readonly [string, string]): string {
  return texts[0] === texts[1] ? texts[0] : `${texts[0]} / ${texts[1]}`;
}

function short(state: SettledState | null): string {
  return state === null ? "=" : SHORT[state];
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  return [row(heading), row(heading.map(() => "---")), ...rows.map(row)].join("\n");
}

const INTRODUCTION = `# The states of a member, as a table

Made by \`npm run crds\` from \`src/dhcp/failover/transition.ts\`, the table that the engine runs on; do not edit.
What each state means and serves is in the failover draft (section 9); departures are listed in [draft-errata.md](draft-errata.md).

![The states and what leads from one to another](states.svg)

${SETTLED_STATES.map((state) => `${SHORT[state]} ${state}`).join(", ")}. STARTUP is none of them: a process that starts shows it,
keeps what it was before, and leaves it at its partner's first STATE or after 5 seconds, by the column "start again".
"=" stays. Where the rules of fencing \`None\` and \`Witness\` differ, both are shown: None / Witness.`;

const ON_HEARING = `## Hearing the partner's state

Rows: this member's state. Columns: what the partner says. Beyond the table: NORMAL is entered only when both hold the same shape of
the pools; PARTNER-DOWN is left only for a partner that was given everything on this connection (W7); a RECOVER-DONE that was reached on an
older connection goes back to RECOVER on hearing PARTNER-DOWN.`;

const ON_EVENTS = `## Other events

"UPDDONE" answers this member's own request; the first state is the primary's where the two differ. "grant": the witness's, or with fencing None a
human's word; never with the link up. "wait over": MCLT after the last moment that nobody remembers. "shut down": a human's word that this member will be away
for long; none under Witness, where the partner would wait for a grant.`;

/** What each state does on hearing each state of the partner. */
function hearingTable(): string {
  const rows = SETTLED_STATES.map((me) => [
    SHORT[me],
    ...SETTLED_STATES.map((partner) =>
      cell([short(onPartnerState(me, partner, "None")), short(onPartnerState(me, partner, "Witness"))]),
    ),
  ]);
  return table(["", ...SETTLED_STATES.map((state) => SHORT[state])], rows);
}

function eventTable(): string {
  const rows = SETTLED_STATES.map((me) => [
    SHORT[me],
    ...EVENTS.map((event) => {
      const text = (fencing: Fencing) => [...new Set(after(event, me, fencing).map(short))].join(" or ");
      return cell([text("None"), text("Witness")]);
    }),
  ]);
  return table(["", ...EVENTS], rows);
}

/** The page. */
export function statesPage(): string {
  return `${[INTRODUCTION, ON_HEARING, hearingTable(), ON_EVENTS, eventTable()].join("\n\n")}\n`;
}

type Cause = "the partner's state" | "link lost" | "updates or wait done" | "grant" | "stop and start";

const COLOUR: Readonly<Record<Cause, string>> = {
  "the partner's state": "#2563eb",
  "link lost": "#6b7280",
  "updates or wait done": "#15803d",
  grant: "#b91c1c",
  "stop and start": "#a16207",
};

interface Edge {
  readonly from: SettledState;
  readonly to: SettledState;
  readonly cause: Cause;
  readonly texts: string[];
}

function edges(): readonly Edge[] {
  const found = new Map<string, Edge>();
  const add = (from: SettledState, to: SettledState | null, cause: Cause, text: string) => {
    if (to === null || to === from) return;
    const key = `${from} ${to} ${cause}`;
    const edge = found.get(key) ?? { from, to, cause, texts: [] };
    if (!edge.texts.includes(text)) edge.texts.push(text);
    found.set(key, edge);
  };
  for (const me of SETTLED_STATES) {
    for (const fencing of ["None", "Witness"] as const) {
      for (const partner of SETTLED_STATES) {
        add(me, onPartnerState(me, partner, fencing), "the partner's state", `${partner} (${fencing})`);
      }
      for (const role of ["primary", "secondary"] as const) {
        const next = onUpdatesReceived(me, role, fencing);
        add(me, next, "updates or wait done", `UPDDONE, ${role} (${fencing})`);
      }
      add(me, mayEnterPartnerDown(me) ? "PARTNER-DOWN" : null, "grant", fencing);
    }
    add(me, onLinkLost(me), "link lost", "link lost");
    add(me, onWaitOver(me), "updates or wait done", "wait over");
    add(me, onShutDown(me, "None"), "stop and start", "shut down (None)");
    add(me, onStopInOrder(me), "stop and start", "stop in order");
    add(me, stateAfterRestart(me), "stop and start", "start again");
  }
  return [...found.values()];
}

/** Centres, in a drawing of 1120 by 640. */
const PLACE: Readonly<Record<SettledState, readonly [number, number]>> = {
  NORMAL: [560, 90],
  "COMMUNICATIONS-INTERRUPTED": [560, 330],
  "PARTNER-DOWN": [170, 330],
  "POTENTIAL-CONFLICT": [930, 330],
  "RESOLUTION-INTERRUPTED": [930, 520],
  "CONFLICT-DONE": [930, 90],
  RECOVER: [170, 520],
  "RECOVER-WAIT": [370, 590],
  "RECOVER-DONE": [170, 90],
  PAUSED: [560, 520],
  SHUTDOWN: [700, 590],
};
const BOX = { width: 206, height: 34 } as const;

/** Where the line from a box's centre towards `to` leaves the box. */
function border(from: readonly [number, number], to: readonly [number, number]): readonly [number, number] {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const scale = Math.min(
    dx === 0 ? Number.POSITIVE_INFINITY : BOX.width / 2 / Math.abs(dx),
    dy === 0 ? Number.POSITIVE_INFINITY : BOX.height / 2 / Math.abs(dy),
  );
  return [from[0] + dx * scale, from[1] + dy * scale];
}

function drawEdge({ from, to, cause, texts }: Edge): string {
  const [start, end] = [PLACE[from], PLACE[to]];
  const bend = 0.1 + 0.07 * Object.keys(COLOUR).indexOf(cause);
  // To the right of the way: there and back never lie on each other.
  const middle = [
    (start[0] + end[0]) / 2 - (end[1] - start[1]) * bend,
    (start[1] + end[1]) / 2 + (end[0] - start[0]) * bend,
  ] as const;
  const points = [border(start, middle), middle, border(end, middle)].map((p) => p.map(Math.round).join(" "));
  const colour = COLOUR[cause];
  const marker = Object.keys(COLOUR).indexOf(cause);
  const title = `${from} to ${to}: ${cause}: ${texts.join(", ")}`;
  return `<path d="M ${points[0]} Q ${points[1]} ${points[2]}" fill="none" stroke="${colour}" stroke-width="1.5" marker-end="url(#arrow${marker})"><title>${title}</title></path>`;
}

function drawState(state: SettledState): string {
  const [x, y] = PLACE[state];
  const corner = `x="${x - BOX.width / 2}" y="${y - BOX.height / 2}"`;
  return [
    `<rect ${corner} width="${BOX.width}" height="${BOX.height}" rx="6" fill="#ffffff" stroke="#111827"/>`,
    `<text x="${x}" y="${y + 4}" text-anchor="middle">${state}</text>`,
  ].join("\n");
}

/** The drawing: a box for each state, an arrow for each way and cause; what exactly leads there is the arrow's title. */
export function statesDrawing(): string {
  const colours = Object.entries(COLOUR);
  const arrows = colours.map(
    ([, colour], i) =>
      `<marker id="arrow${i}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M 0 0 L 8 4 L 0 8 z" fill="${colour}"/></marker>`,
  );
  const legend = colours.map(
    ([cause, colour], i) =>
      `<line x1="${30 + i * 215}" y1="24" x2="${60 + i * 215}" y2="24" stroke="${colour}" stroke-width="2"/><text x="${66 + i * 215}" y="28">${cause}</text>`,
  );
  return `${[
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1120 640" font-family="sans-serif" font-size="11">',
    "<title>The states of a failover member</title>",
    '<rect width="1120" height="640" fill="#f9fafb"/>',
    `<defs>${arrows.join("")}</defs>`,
    ...legend,
    ...edges().map(drawEdge),
    ...SETTLED_STATES.map(drawState),
    "</svg>",
  ].join("\n")}\n`;
}
