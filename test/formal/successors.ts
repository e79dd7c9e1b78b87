// What may follow a state: a list that is filled by the rules and used again for the next state, without allocating.

import { State } from "./state.ts";

/** The event that leads to a state; e, a, c: engine, address, client, or what the name says; -1 = not used. */
export interface Step {
  name: string;
  e: number;
  a: number;
  c: number;
}

export class Successors {
  count = 0;
  private readonly states: State[] = [];
  private readonly steps: Step[] = [];

  /** A copy of `s` to change; it becomes a successor by `emit`, or is dropped by the next `begin`. */
  begin(s: State): State {
    if (this.count === this.states.length) {
      this.states.push(new State());
      this.steps.push({ name: "", e: -1, a: -1, c: -1 });
    }
    const next = this.states[this.count] as State;
    next.copy(s);
    return next;
  }

  emit(name: string, e = -1, a = -1, c = -1): void {
    const step = this.steps[this.count] as Step;
    step.name = name;
    step.e = e;
    step.a = a;
    step.c = c;
    this.count++;
  }

  state(index: number): State {
    return this.states[index] as State;
  }

  step(index: number): Step {
    return this.steps[index] as Step;
  }
}

export function describeStep({ name, e, a, c }: Step): string {
  return [name, ...[e, a, c].filter((value) => value >= 0)].join(" ");
}
