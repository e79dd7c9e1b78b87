// Splits a byte stream into lines. A watch is one JSON text per line; chunks end anywhere, also inside a line and
// inside a multi-byte character, so bytes are joined first and decoded only when the line is whole.

export interface LineSplitter {
  /** Adds bytes and returns the lines that are now complete, without their newline, empty ones left out.
   *  Throws RangeError when a line grows past the limit: nothing after it can be trusted. */
  push(chunk: Uint8Array): readonly string[];
}

const NEWLINE = 0x0a;

export function createLineSplitter(lineBytesMax: number): LineSplitter {
  let held: Uint8Array[] = [];
  let heldBytes = 0;

  function take(end: Uint8Array): string {
    const line = held.length === 0 ? end : Buffer.concat([...held, end]);
    held = [];
    heldBytes = 0;
    return Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString("utf8");
  }

  return {
    push(chunk) {
      const lines: string[] = [];
      let from = 0;
      for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
        const line = take(chunk.subarray(from, at));
        if (line.trim() !== "") lines.push(line);
        from = at + 1;
      }
      if (from < chunk.length) {
        // A copy: the chunk is the socket's buffer (and slice() of a Buffer is only another view of it).
        held.push(new Uint8Array(chunk.subarray(from)));
        heldBytes += chunk.length - from;
        if (heldBytes > lineBytesMax) throw new RangeError(`a line of more than ${lineBytesMax} bytes`);
      }
      return lines;
    },
  };
}
