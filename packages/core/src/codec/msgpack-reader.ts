// Reads msgpack that `guard.ts` has let through, without a library.
//   in  -> bytes, scanned before
//   out -> the value, sharing no memory with them
// For the maps of the protocol itself, for what a compact payload embeds, and for clients that want
// the compact codec only. Payloads in msgpack are read by msgpackr otherwise: `msgpack.ts`.

import { CodecError } from './codec.ts'
import { sameKey } from './guard.ts'
import { decodeText } from './text.ts'

/**
 * The value that begins at `start`. Only for bytes that `checkMsgpack` has let through. Throws
 * CodecError for the one thing that the guard leaves to be found: equal keys in a wide map.
 */
export function readScanned(bytes: Uint8Array, start: number): unknown {
  return new Reader(bytes, start).value()
}

/** What the guard has let through: nothing is checked again but keys that stand twice. */
class Reader {
  private readonly bytes: Uint8Array
  private readonly view: DataView
  private at: number

  constructor(bytes: Uint8Array, start: number) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.at = start
  }

  value(): unknown {
    const first = this.bytes[this.at++]!
    if (first < 0x80) return first
    if (first >= 0xe0) return first - 0x100
    if (first >= 0xc0) return this.wide(first)
    if (first >= 0xa0) return this.text(first & 0x1f)
    return first >= 0x90 ? this.array(first & 0x0f) : this.map(first & 0x0f)
  }

  private wide(first: number): unknown {
    switch (first) {
      case 0xc0:
        return null
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return new Uint8Array(this.taken(this.unsigned(first - 0xc4)))
      case 0xc7:
      case 0xd4:
      case 0xd6:
      case 0xd7:
        return this.extension(first)
      case 0xca:
        return this.view.getFloat32(this.step(4))
      case 0xcb:
        return this.view.getFloat64(this.step(8))
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.unsigned(first - 0xcc)
      case 0xcf:
        return this.view.getBigUint64(this.step(8))
      case 0xd0:
        return this.view.getInt8(this.step(1))
      case 0xd1:
        return this.view.getInt16(this.step(2))
      case 0xd2:
        return this.view.getInt32(this.step(4))
      case 0xd3:
        return this.view.getBigInt64(this.step(8))
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.text(this.unsigned(first - 0xd9))
      case 0xdc:
      case 0xdd:
        return this.array(this.unsigned(first - 0xdb))
      case 0xde:
      case 0xdf:
        return this.map(this.unsigned(first - 0xdd))
      default:
        throw new CodecError('value', 'the payload does not decode')
    }
  }

  /** Where the next `size` bytes begin; they are passed over. */
  private step(size: number): number {
    this.at += size
    return this.at - size
  }

  private taken(size: number): Uint8Array {
    const from = this.step(size)
    return this.bytes.subarray(from, this.at)
  }

  /** Of 1, 2 or 4 bytes: the width as its logarithm. */
  private unsigned(width: number): number {
    if (width === 0) return this.bytes[this.at++]!
    return width === 1 ? this.view.getUint16(this.step(2)) : this.view.getUint32(this.step(4))
  }

  private text(size: number): string {
    const from = this.step(size)
    const text = decodeText(this.bytes, from, this.at)
    if (text === undefined) throw new CodecError('utf8', 'text is not UTF-8')
    return text
  }

  private array(size: number): unknown[] {
    const array: unknown[] = []
    for (let index = 0; index < size; index += 1) array.push(this.value())
    return array
  }

  private map(size: number): Record<string, unknown> {
    const map: Record<string, unknown> = {}
    for (let index = 0; index < size; index += 1) {
      // The guard has seen that every key is text.
      const key = this.value() as string
      // It compares those of small maps only.
      if (size > 16 && Object.hasOwn(map, key)) throw sameKey()
      map[key] = this.value()
    }
    return map
  }

  /** A timestamp of the specification in one of its three forms, or `undefined`. */
  private extension(first: number): Date | undefined {
    if (first === 0xc7) this.at += 1
    const type = this.bytes[this.at++]!
    if (type === 0) {
      this.at += 1
      return undefined
    }
    if (first === 0xd6) return new Date(this.view.getUint32(this.step(4)) * 1_000)
    if (first === 0xd7) {
      const high = this.view.getUint32(this.step(4))
      const seconds = (high & 3) * 2 ** 32 + this.view.getUint32(this.step(4))
      return new Date(seconds * 1_000 + (high >>> 2) / 1e6)
    }
    const nanoseconds = this.view.getUint32(this.step(4))
    const seconds = Number(this.view.getBigInt64(this.step(8)))
    return new Date(seconds * 1_000 + nanoseconds / 1e6)
  }
}
