// Variables of one byte each, packed into an Int8Array and read by name: millions of states fit into memory, copying a
// state is copying its bytes, and a rule still reads `x.proof`.

/** A view on consecutive bytes; each name is one signed byte. */
export interface ViewClass<Name extends string> {
  readonly byteCount: number;
  new (bytes: Int8Array, at: number): Record<Name, number> & { readonly at: number };
}

/** Makes a view class whose properties are the names, in order. */
export function packed<Name extends string>(names: readonly Name[]): ViewClass<Name> {
  class View {
    readonly bytes: Int8Array;
    readonly at: number;
    constructor(bytes: Int8Array, at: number) {
      this.bytes = bytes;
      this.at = at;
    }
  }
  names.forEach((name, offset) => {
    Object.defineProperty(View.prototype, name, {
      get(this: View) {
        return this.bytes[this.at + offset];
      },
      set(this: View, value: number) {
        this.bytes[this.at + offset] = value;
      },
    });
  });
  return Object.assign(View, { byteCount: names.length }) as unknown as ViewClass<Name>;
}
