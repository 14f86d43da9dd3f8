// The codec that is always there: msgpack, self-describing, by msgpackr. The only file that knows it.
//   in  -> values, checked before msgpackr sees them; bytes, scanned before msgpackr sees them
//   out -> payload bytes; values that own their memory
// msgpackr sends stale memory of the process for typed arrays other than Uint8Array, and drops or
// changes what it does not know: so what cannot travel is refused here, with its path.

import { Packr, Unpackr } from '#msgpackr'
import { CodecError, type Codec, type SchemaCodec } from './codec.ts'
import { checkMsgpack, type GuardLimits } from './guard.ts'
import type { ByteSink } from './sink.ts'

const options = {
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  int64AsType: 'bigint',
  structuredClone: false,
  moreTypes: false,
} as const

const packr = new Packr(options)
const unpackr = new Unpackr(options)

const maxUint64 = 2n ** 64n - 1n
const minInt64 = -(2n ** 63n)
/** Deepest value that is encoded; a cycle ends here too. */
const maxEncodeDepth = 64

/** The msgpack codec under these limits. */
export function msgpackCodec(limits: GuardLimits): Codec {
  const kept = new WeakMap<object, SchemaCodec>()
  const any = new MsgpackCodec(limits, false)
  const anyObject = new MsgpackCodec(limits, true)
  return {
    name: 'msgpack',
    of(schema) {
      if (schema === undefined) return any
      let codec = kept.get(schema)
      if (codec === undefined) kept.set(schema, (codec = isObject(schema) ? anyObject : any))
      return codec
    },
  }
}

function isObject(schema: object): boolean {
  return '~kind' in schema && schema['~kind'] === 'Object'
}

class MsgpackCodec implements SchemaCodec {
  readonly checked = false
  private readonly limits: GuardLimits
  private readonly emptyIsObject: boolean

  constructor(limits: GuardLimits, emptyIsObject: boolean) {
    this.limits = limits
    this.emptyIsObject = emptyIsObject
  }

  encode(value: unknown, out: ByteSink): void {
    // No bytes are `undefined`: an argument that was left out.
    if (value !== undefined) out.append(encodeValue(value))
  }

  decode(bytes: Uint8Array, start: number, end: number): unknown {
    if (start === end) return this.emptyIsObject ? {} : undefined
    return decodeValue(bytes, start, end, this.limits)
  }
}

/** Encodes one value. Throws CodecError with the path of what cannot travel. */
export function encodeValue(value: unknown): Uint8Array {
  const clean = cleaned(value, 0)
  if (clean instanceof Refusal) throw new CodecError('value', clean.message, clean.path)
  return packr.pack(clean)
}

/** Decodes one value that a peer has sent. Throws CodecError, and nothing that the peer wrote. */
export function decodeValue(bytes: Uint8Array, start: number, end: number, limits: GuardLimits): unknown {
  checkMsgpack(bytes, start, end, limits)
  let value: unknown
  try {
    value = unpackr.unpack(bytes, { start, end })
  } catch {
    throw new CodecError('value', 'the payload does not decode')
  }
  return ownMemory(value)
}

/** msgpackr gives views of the receive buffer for binary: those become copies. */
function ownMemory(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return new Uint8Array(value)
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1)
      if (typeof value[index] === 'object') value[index] = ownMemory(value[index])
    return value
  }
  if (value instanceof Date) return value
  const map = value as Record<string, unknown>
  for (const key in map) if (typeof map[key] === 'object') map[key] = ownMemory(map[key])
  return value
}

/** Why a value cannot travel. Not thrown: the path grows on the way out. */
class Refusal {
  readonly message: string
  readonly path: string

  constructor(message: string, path = '') {
    this.message = message
    this.path = path
  }

  /** JSON pointer (RFC 6901). */
  below(key: string | number): Refusal {
    const name = String(key).replaceAll('~', '~0').replaceAll('/', '~1')
    return new Refusal(this.message, `/${name}${this.path}`)
  }
}

/** The value itself if it can travel as it is, a copy without `undefined` properties, or a Refusal. */
function cleaned(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      return isWellFormed(value) ? value : new Refusal('text with a lone surrogate')
    case 'number':
    case 'boolean':
    case 'undefined':
      return value
    case 'bigint':
      return value > maxUint64 || value < minInt64 ? new Refusal('bigint of more than 64 bits') : value
    case 'object':
      return value === null ? null : cleanedObject(value, depth)
    default:
      return new Refusal(`a ${typeof value} does not travel`)
  }
}

function cleanedObject(value: object, depth: number): unknown {
  if (depth >= maxEncodeDepth) return new Refusal('too deep, or a cycle')
  if (Array.isArray(value)) return cleanedArray(value, depth)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) {
    if (value instanceof Uint8Array) return value
    if (value instanceof Date)
      return Number.isNaN(value.getTime()) ? new Refusal('an invalid Date') : value
    const kind = Object.prototype.toString.call(value).slice(8, -1)
    if (kind !== 'Object') return new Refusal(`${kind} does not travel`)
    if ('toJSON' in value) return new Refusal('an object with toJSON does not travel')
    return cleanedMap({ ...value }, depth)
  }
  return cleanedMap(value as Record<string, unknown>, depth)
}

function cleanedArray(value: readonly unknown[], depth: number): unknown {
  let copy: unknown[] | undefined
  for (let index = 0; index < value.length; index += 1) {
    const entry = value[index]
    const clean = cleaned(entry, depth + 1)
    if (clean instanceof Refusal) return clean.below(index)
    if (clean !== entry && typeof clean === 'object') (copy ??= [...value])[index] = clean
  }
  return copy ?? value
}

function cleanedMap(value: Readonly<Record<string, unknown>>, depth: number): unknown {
  let copy: Record<string, unknown> | undefined
  for (const key in value) {
    if (key === '__proto__') return new Refusal('the key __proto__ does not travel').below(key)
    const entry = value[key]
    if (entry === undefined) {
      copy ??= { ...value }
      delete copy[key]
      continue
    }
    const clean = cleaned(entry, depth + 1)
    if (clean instanceof Refusal) return clean.below(key)
    if (!isWellFormed(key)) return new Refusal('a key with a lone surrogate')
    if (clean !== entry && typeof clean === 'object') (copy ??= { ...value })[key] = clean
  }
  return copy ?? value
}

function isWellFormed(text: string): boolean {
  const { isWellFormed: native } = text as { isWellFormed?: () => boolean }
  return native === undefined ? !/\p{Surrogate}/u.test(text) : native.call(text)
}
