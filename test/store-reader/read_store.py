"""Reads a lease store from docs/reference/store-format.md alone and prints what it remembers as JSON.

It shares no code with the engine: where the two disagree, the page or one of them is wrong.
Usage: read_store.py DIRECTORY. Exit codes: 0 printed, 3 damaged or newer, 4 no store.
"""

import hashlib
import json
import os
import re
import sys
import zlib

MAGIC = b"LPSTORE\n"
STATUS = "FREE ACTIVE EXPIRED RELEASED ABANDONED RESET BACKUP".split()
STATES = ("STARTUP NORMAL COMMUNICATIONS-INTERRUPTED PARTNER-DOWN POTENTIAL-CONFLICT RECOVER PAUSED SHUTDOWN "
          "RECOVER-DONE RESOLUTION-INTERRUPTED CONFLICT-DONE").split()
STATE = {**{i + 1: name for i, name in enumerate(STATES)}, 254: "RECOVER-WAIT"}


class Damaged(Exception):
    pass


def frame_at(data, at, limit):
    """(kind, fields, end) of the whole frame at `at`, or None."""
    if at + 9 > limit:
        return None
    length = int.from_bytes(data[at + 4:at + 8], "big")
    end = at + 8 + length
    if not 1 <= length <= 262144 or end > limit:
        return None
    if zlib.crc32(data[at + 4:end]) != int.from_bytes(data[at:at + 4], "big"):
        return None
    fields, pos = {}, at + 9
    while pos < end:
        tag, size, pos = data[pos], data[pos + 1], pos + 2
        if size == 255:
            size, pos = int.from_bytes(data[pos:pos + 2], "big"), pos + 2
        fields[tag], pos = data[pos:pos + size], pos + size
    return data[at + 8], fields, end


def number(fields, tag):
    return int.from_bytes(fields.get(tag, b""), "big")


def hex_or_none(fields, tag):
    return fields[tag].hex() if tag in fields else None


def signed(fields, tag):
    value = number(fields, tag)
    return -(value + 1) // 2 if value % 2 else value // 2


def stamp(fields, tag):
    if tag not in fields:
        return None
    value = fields[tag]
    return {"wall": int.from_bytes(value[:4], "big"), "boot": int.from_bytes(value[4:12], "big"), "bootId": value[12:].decode()}


def binding(fields):
    row = {"address": number(fields, 1), "status": STATUS[number(fields, 2) - 1]}
    times = ("expiresAt potentialSent potentialAcked potentialReceived lastTransactionAt statusSince").split()
    row |= {name: number(fields, 3 + i) for i, name in enumerate(times)}
    row |= {name: number(fields, 9 + i) == 1 for i, name in enumerate(("acknowledged", "endAnnounced", "taken"))}
    row["sinceHold"] = number(fields, 17) == 1
    row["ipFlags"] = number(fields, 18)
    row["hostname"] = fields[12].decode() if 12 in fields else None
    row["relayInformation"] = hex_or_none(fields, 13)
    row["otherIdentifier"] = hex_or_none(fields, 19)
    row["client"] = None if 14 not in fields else {
        "clientIdentifier": hex_or_none(fields, 16),
        "hardwareType": number(fields, 15),
        "hardwareAddress": fields[14].hex(),
    }
    return row


def endpoint(fields):
    names = {2: "stateSince", 4: "lastContactAt", 5: "lastAliveAt", 6: "mcltSeconds", 8: "entered", 10: "returned",
             11: "seen", 12: "clean", 13: "partnerReturned", 15: "agreedMcltSeconds", 16: "outageSince",
             18: "partnerGeneration", 19: "partnerOpenedAt", 21: "generationBase",
             23: "clockAhead", 24: "clockBehind", 25: "steppedAt", 31: "partnerPosition", 32: "aloneSince",
             40: "forgotAt"}
    row = {name: number(fields, tag) for tag, name in names.items()}
    row |= {"state": STATE[number(fields, 1)], "partnerState": STATE[number(fields, 3)] if 3 in fields else None,
            "complete": number(fields, 7) == 1, "entry": stamp(fields, 9), "hold": stamp(fields, 17),
            "partnerStore": fields.get(14, b"").decode(), "clockAnchor": stamp(fields, 22),
            "partnerOffset": signed(fields, 26), "partnerEchoes": number(fields, 27) == 1,
            "fencing": "Witness" if number(fields, 28) == 1 else "None",
            "witnessVersion": fields.get(29, b"").decode(), "superseded": number(fields, 30) == 1,
            "verifiedBoot": fields.get(33, b"").decode(), "fullUpdateStore": fields.get(34, b"").decode(),
            "fullUpdateCursor": number(fields, 35), "side": fields.get(36, b"").decode(),
            "doubtIsDowntime": number(fields, 37) == 1, "shape": fields.get(38, b"").decode(),
            "lostLeases": number(fields, 39) == 1}
    return row


def header_of(data, name):
    frame = frame_at(data, 8, len(data)) if data[:8] == MAGIC else None
    if frame is None or frame[0] != 1:
        raise Damaged(f"{name} has no header")
    if number(frame[1], 1) > 1:
        raise Damaged(f"{name} is of a newer format")
    return frame[1], frame[2]


def apply(memory, kind, fields):
    if kind == 3:
        memory["bindings"][number(fields, 1)] = binding(fields)
    elif kind == 4:
        memory["bindings"].pop(number(fields, 1), None)
    elif kind == 5:
        memory["endpoint"] = endpoint(fields)
    elif kind == 6:
        memory["clock"] = number(fields, 1)
    elif kind == 7:
        memory["operations"][fields[1].decode()] = fields.get(2, b"").decode()
    else:
        raise Damaged(f"unknown kind {kind}")


def mark_behind(data, at, store, ordinal):
    """Whether a whole mark of a later flush of this store stands behind `at`."""
    for found in range(at + 1, len(data)):
        frame = frame_at(data, found, len(data)) if data[found + 8:found + 9] == b"\x02" else None
        if frame is not None and frame[0] == 2 and frame[1].get(1) == store[:8] and number(frame[1], 2) > ordinal:
            return True
    return False


def read_segment(data, at, limit, ordinal, memory):
    """Applies the flushes up to `limit`; returns where it stopped and the next ordinal."""
    flush_end = at
    while at < limit and (frame := frame_at(data, at, limit)):
        kind, fields, end = frame
        if kind == 2:
            body = data[end:min(end + number(fields, 5), limit)]
            if number(fields, 2) > ordinal:
                raise Damaged("records are missing before a flush mark")
            if number(fields, 2) < ordinal or len(body) < number(fields, 5) or zlib.crc32(body) != number(fields, 6):
                break
            flush_end = end + len(body) if body else -1
        elif at == flush_end:
            break
        else:
            apply(memory, kind, fields)
            ordinal += 1
        at = end
    return at, ordinal


def read_store(directory):
    names = {int(m[1]): m[0] for m in map(re.compile(r"segment-(\d{10,15})\.log$").match, os.listdir(directory)) if m}
    if not names:
        return None
    newest = max(names)
    load = lambda sequence: open(os.path.join(directory, names[sequence]), "rb").read()
    last, _ = header_of(load(newest), names[newest])
    memory = {"bindings": {}, "endpoint": None, "clock": None, "operations": {}}
    ordinal = None
    for sequence in range(number(last, 8), newest + 1):
        if sequence not in names:
            raise Damaged(f"segment {sequence} is missing")
        data = load(sequence)
        header, at = header_of(data, names[sequence])
        if number(header, 7) != sequence or any(header.get(tag) != last.get(tag) for tag in (2, 4, 6)):
            raise Damaged(f"{names[sequence]} is not part of this store")
        if ordinal is not None and (number(header, 9) != ordinal or header[11] != digest
                                    or number(header, 10) != limit):
            raise Damaged(f"{names[sequence]} does not follow its predecessor")
        limit = len(data) if sequence == newest else number(header_of(load(sequence + 1), "successor")[0], 10)
        stop, ordinal = read_segment(data, at, limit, number(header, 9), memory)
        if stop != limit and (sequence != newest or mark_behind(data, stop, header[2], ordinal)):
            raise Damaged(f"{names[sequence]} is bad at byte {stop}")
        digest = hashlib.sha256(data[:limit]).digest()
    memory["bindings"] = [memory["bindings"][address] for address in sorted(memory["bindings"])]
    return {"store": last[2].hex(), "generation": number(last, 3), "relationship": last[4].decode(),
            "member": last[6].decode(), "uid": last[5].decode() if 5 in last else None, **memory}


if __name__ == "__main__":
    try:
        result = read_store(sys.argv[1])
    except Damaged as problem:
        print(problem, file=sys.stderr)
        sys.exit(3)
    if result is None:
        sys.exit(4)
    json.dump(result, sys.stdout)
