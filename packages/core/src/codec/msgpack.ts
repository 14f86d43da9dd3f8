// The codec that is always there: msgpack, self-describing.
//   in  -> bytes, scanned by `guard.ts` before msgpackr reads them. The only file that knows msgpackr
//   out -> values that own their memory
// Writing, and all of it that needs no msgpackr, is in `msgpack-codec.ts`.

import * as library from '#msgpackr'
import type * as msgpackr from 'msgpackr'
import { CodecError, type Codec } from './codec.ts'
import { sameKey, type GuardLimits, type Scan } from './guard.ts'
import { msgpackCodecWith } from './msgpack-codec.ts'

// The entry that only decodes has its types from the whole of the library.
const { Unpackr } = library as unknown as Pick<typeof msgpackr, 'Unpackr'>
const unpackr = new Unpackr({
  useRecords: false,
  mapsAsObjects: true,
  // A 64-bit integer is a bigint, also a small one: what was sent as a bigint arrives as one.
  int64AsType: 'bigint',
  structuredClone: false,
  moreTypes: false,
})

/** The msgpack codec under these limits. */
export function msgpackCodec(limits: GuardLimits): Codec {
  return msgpackCodecWith(decodeScanned, limits)
}

function decodeScanned(
  bytes: Uint8Array,
  start: number,
  end: number,
  scan: Readonly<Scan>,
): unknown {
  const value =
    scan.marks.length === 0 ? unpack(bytes, start, end) : unpackMarked(bytes, start, end, scan)
  return scan.binary || scan.wideMaps ? finished(value, scan) : value
}

function unpack(bytes: Uint8Array, start: number, end: number): unknown {
  try {
    return unpackr.unpack(bytes, { start, end })
  } catch {
    // Its text would quote the payload.
    throw new CodecError('value', 'the payload does not decode')
  }
}

/** Copies binary, which msgpackr gives as views of the receive buffer, and counts keys. */
function finished(value: unknown, scan: Readonly<Scan>): unknown {
  keysSeen = 0
  const own = ownMemory(value)
  if (keysSeen !== scan.keys) throw sameKey()
  return own
}

let keysSeen = 0

function ownMemory(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  if (value instanceof Uint8Array) return new Uint8Array(value)
  if (Array.isArray(value)) {
    const array: unknown[] = value
    for (let index = 0; index < array.length; index += 1) {
      const entry = array[index]
      if (typeof entry === 'object') array[index] = ownMemory(entry)
    }
    return array
  }
  // What the guard lets through has no other objects than these.
  const map = value as Record<string, unknown>
  for (const key of Object.keys(map)) {
    keysSeen += 1
    const entry = map[key]
    if (typeof entry === 'object') map[key] = ownMemory(entry)
  }
  return map
}

/**
 * TextDecoder, by which msgpackr reads longer texts as a rule, drops a U+FEFF in front. So it is
 * given another character there, one of a private use that the payload does not have.
 */
function unpackMarked(
  bytes: Uint8Array,
  start: number,
  end: number,
  { marks }: Readonly<Scan>,
): unknown {
  const copy = new Uint8Array(bytes.subarray(start, end))
  const mark = privateCharacter(copy)
  for (const textAt of marks) {
    const at = textAt - start
    copy[at] = 0xee
    copy[at + 1] = 0x80 | (mark >> 6)
    copy[at + 2] = 0x80 | (mark & 0x3f)
  }
  return restored(unpack(copy, 0, copy.length), String.fromCharCode(0xe000 + mark))
}

/** The offset from U+E000 of one that these bytes do not have; of 4,096 in all. */
function privateCharacter(bytes: Uint8Array): number {
  const used = new Set<number>()
  for (let at = bytes.indexOf(0xee); at !== -1; at = bytes.indexOf(0xee, at + 1))
    used.add(((bytes[at + 1]! & 0x3f) << 6) | (bytes[at + 2]! & 0x3f))
  for (let offset = 0; offset < 4_096; offset += 1) if (!used.has(offset)) return offset
  throw new CodecError('utf8', 'text begins with a byte order mark')
}

function restored(value: unknown, mark: string): unknown {
  if (typeof value === 'string') return value.startsWith(mark) ? `\uFEFF${value.slice(1)}` : value
  if (Array.isArray(value)) return value.map((entry) => restored(entry, mark))
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array || value instanceof Date) return value
  const entries = Object.entries(value).map(([key, entry]) => [
    restored(key, mark),
    restored(entry, mark),
  ])
  return Object.fromEntries(entries)
}
