// MessagePack for the raw peer: small, slow, and no line of it shared with Callbox.
//   in  -> plain values, or bytes
//   out -> bytes, or plain values
// NOT FOR UNTRUSTED INPUT: it recurses and has no limits. https://github.com/msgpack/msgpack spec.

/** Encodes null, booleans, numbers, bigints, text, bytes, arrays and plain objects. */
export function toMsgpack(value: unknown): Uint8Array {
  return Uint8Array.from(encoded(value))
}

/** Decodes one value. Throws Error for bytes left over and for what this file does not know. */
export function fromMsgpack(bytes: Uint8Array): unknown {
  const reader = new Reader(bytes)
  const value = reader.value()
  if (reader.at !== bytes.length)
    throw new Error(`${bytes.length - reader.at} bytes after the value`)
  return value
}

function encoded(value: unknown): number[] {
  if (value === null || value === undefined) return [0xc0]
  if (typeof value === 'boolean') return [value ? 0xc3 : 0xc2]
  if (typeof value === 'number') return Number.isSafeInteger(value) ? integer(value) : double(value)
  if (typeof value === 'bigint')
    return [value < 0n ? 0xd3 : 0xcf, ...bigEndian(BigInt.asUintN(64, value), 8)]
  if (typeof value === 'string') {
    const bytes = new TextEncoder().encode(value)
    return [...head(bytes.length, [0xa0, 32], [0xd9, 0xda, 0xdb]), ...bytes]
  }
  if (value instanceof Uint8Array)
    return [...head(value.length, [0, 0], [0xc4, 0xc5, 0xc6]), ...value]
  if (Array.isArray(value))
    return [...head(value.length, [0x90, 16], [0, 0xdc, 0xdd]), ...value.flatMap(encoded)]
  const entries = Object.entries(value)
  return [...head(entries.length, [0x80, 16], [0, 0xde, 0xdf]), ...entries.flat().flatMap(encoded)]
}

/** `fixed`: first byte and how many it covers; `types`: with a length of 1, 2 or 4 bytes, 0: none. */
function head(
  length: number,
  fixed: readonly [number, number],
  types: readonly [number, number, number],
): number[] {
  if (length < fixed[1]) return [fixed[0] + length]
  if (length < 0x100 && types[0] !== 0) return [types[0], length]
  return length < 0x1_0000
    ? [types[1], ...bigEndian(BigInt(length), 2)]
    : [types[2], ...bigEndian(BigInt(length), 4)]
}

function integer(value: number): number[] {
  if (value >= 0 && value < 0x80) return [value]
  if (value < 0 && value >= -32) return [value & 0xff]
  if (value >= 0 && value < 0x1_0000_0000) return [0xce, ...bigEndian(BigInt(value), 4)]
  if (value >= -0x8000_0000 && value < 0)
    return [0xd2, ...bigEndian(BigInt.asUintN(32, BigInt(value)), 4)]
  return double(value)
}

function double(value: number): number[] {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, value)
  return [0xcb, ...new Uint8Array(view.buffer)]
}

function bigEndian(value: bigint, length: number): number[] {
  return Array.from({ length }, (_, at) => Number((value >> BigInt(8 * (length - 1 - at))) & 0xffn))
}

class Reader {
  at = 0
  private readonly bytes: Uint8Array
  private readonly view: DataView

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  value(): unknown {
    const type = this.view.getUint8(this.step(1))
    if (type < 0x80) return type
    if (type >= 0xe0) return type - 0x100
    if (type < 0x90) return this.map(type & 0x0f)
    if (type < 0xa0) return this.array(type & 0x0f)
    if (type < 0xc0) return this.text(type & 0x1f)
    const read = this.readers[type]
    if (read === undefined) throw new Error(`type 0x${type.toString(16)}`)
    return read()
  }

  private readonly readers: Readonly<Record<number, () => unknown>> = {
    0xc0: () => null,
    0xc2: () => false,
    0xc3: () => true,
    0xc4: () => this.binary(this.unsigned(1)),
    0xc5: () => this.binary(this.unsigned(2)),
    0xc6: () => this.binary(this.unsigned(4)),
    0xca: () => this.view.getFloat32(this.step(4)),
    0xcb: () => this.view.getFloat64(this.step(8)),
    0xcc: () => this.unsigned(1),
    0xcd: () => this.unsigned(2),
    0xce: () => this.unsigned(4),
    0xcf: () => this.view.getBigUint64(this.step(8)),
    0xd0: () => this.view.getInt8(this.step(1)),
    0xd1: () => this.view.getInt16(this.step(2)),
    0xd2: () => this.view.getInt32(this.step(4)),
    0xd3: () => this.view.getBigInt64(this.step(8)),
    0xd9: () => this.text(this.unsigned(1)),
    0xda: () => this.text(this.unsigned(2)),
    0xdb: () => this.text(this.unsigned(4)),
    0xdc: () => this.array(this.unsigned(2)),
    0xdd: () => this.array(this.unsigned(4)),
    0xde: () => this.map(this.unsigned(2)),
    0xdf: () => this.map(this.unsigned(4)),
  }

  private step(length: number): number {
    const at = this.at
    this.at += length
    if (this.at > this.bytes.length) throw new Error('the value ends too early')
    return at
  }

  private unsigned(length: number): number {
    let value = 0
    for (const end = this.step(length) + length; length > 0; length -= 1)
      value = value * 256 + this.bytes[end - length]!
    return value
  }

  private binary(length: number): Uint8Array {
    const at = this.step(length)
    return new Uint8Array(this.bytes.subarray(at, at + length))
  }

  private text(length: number): string {
    return new TextDecoder('utf-8', { fatal: true }).decode(this.binary(length))
  }

  private array(length: number): unknown[] {
    return Array.from({ length }, () => this.value())
  }

  private map(length: number): Record<string, unknown> {
    return Object.fromEntries(Array.from({ length }, () => [String(this.value()), this.value()]))
  }
}
