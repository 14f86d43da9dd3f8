// Hashes that tell two versions of a contract apart (protocol, section 5).
//   in  -> a contract, or one of its methods
//   out -> 16 hex digits: FNV-1a, 64 bits, over canonical JSON (RFC 8785)
// A version check, not a security boundary: each side always checks with its own schema.

import { methodsOf, type AnyContract, type NamedMethod } from './contract.ts'
import type { MethodDefinition } from './kinds.ts'

const contractHashes = new WeakMap<object, string>()
const methodHashes = new WeakMap<object, string>()

/** Hash of a contract with all its methods. Computed when first asked for, then kept. */
export function contractHash(contract: AnyContract): string {
  return remembered(contractHashes, contract, () => {
    const { methods, client } = methodsOf(contract)
    const name = JSON.stringify(contract['~contract'].name)
    const other = client.length === 0 ? '' : `"client":${methodsJson(client)},`
    return fnv1a64(`{${other}"methods":${methodsJson(methods)},"name":${name}}`)
  })
}

/** Hash of one method: equal hashes mean equal kind and schemas. Computed once. */
export function methodHash(method: MethodDefinition): string {
  return remembered(methodHashes, method, () => fnv1a64(methodJson(method)))
}

function remembered<K extends object>(
  hashes: WeakMap<object, string>,
  key: K,
  compute: () => string,
): string {
  let hash = hashes.get(key)
  if (hash === undefined) hashes.set(key, (hash = compute()))
  return hash
}

/** Names are sorted already, and in the order of RFC 8785. */
function methodsJson(methods: readonly NamedMethod[]): string {
  const entries = methods.map(({ name, method }) => `${JSON.stringify(name)}:${methodJson(method)}`)
  return `{${entries.join()}}`
}

/** Options such as `timeoutMs` and the cursor are no part of it; absent parts are left out. */
function methodJson({ kind, input, output, params, errors }: MethodDefinition): string {
  const parts = { input, output, params }
  const schemas = Object.entries(parts).map(([name, schema]) => [name, canonical(schema, 'schema')])
  const all = [...schemas, ['errors', canonical(errors, 'schemas')], ['kind', JSON.stringify(kind)]]
  return `{${all
    .filter(([, json]) => json !== undefined)
    .sort(([a = ''], [b = '']) => (a < b ? -1 : 1))
    .map(([name, json]) => `"${name}":${json}`)
    .join()}}`
}

/** What stands at a place of a schema: annotations are dropped in schemas only. */
type Place = 'schema' | 'schemas' | 'value'

const annotations: ReadonlySet<string> = new Set([
  'title',
  'description',
  'examples',
  'default',
  'deprecated',
  'readOnly',
  'writeOnly',
  '$comment',
])

// In a map of schemas `title` is the name of a property; below `const` it is a value.
const places: ReadonlyMap<string, Place> = new Map<string, Place>([
  ['properties', 'schemas'],
  ['patternProperties', 'schemas'],
  ['dependentSchemas', 'schemas'],
  ['dependencies', 'schemas'],
  ['$defs', 'schemas'],
  ['definitions', 'schemas'],
  ['const', 'value'],
  ['enum', 'value'],
])

/**
 * RFC 8785 of what JSON.stringify would write; undefined where it writes nothing. Numbers and text
 * of JSON.stringify are those of the RFC. Beyond JSON: bigint as its digits, RegExp as its source.
 */
function canonical(value: unknown, place: Place): string | undefined {
  if (typeof value === 'bigint') return `"${value}"`
  if (value instanceof RegExp) return JSON.stringify(value.source)
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value))
    return `[${value.map((item: unknown) => canonical(item, place) ?? 'null').join()}]`
  if (place !== 'schemas' && exportsItself(value)) return canonical(value.toJSON(), place)
  const entries: string[] = []
  for (const [key, part] of Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (place === 'schema' && (annotations.has(key) || key.startsWith('~'))) continue
    const below = place === 'schema' ? (places.get(key) ?? 'schema') : placeBelow(place)
    const json = canonical(part, below)
    if (json !== undefined) entries.push(`${JSON.stringify(key)}:${json}`)
  }
  return `{${entries.join()}}`
}

function exportsItself(value: object): value is { toJSON(): unknown } {
  return 'toJSON' in value && typeof value.toJSON === 'function'
}

function placeBelow(place: Place): Place {
  return place === 'schemas' ? 'schema' : 'value'
}

/** FNV-1a over the UTF-8 of well-formed text, in two halves of 32 bits: no BigInt per byte. */
export function fnv1a64(text: string): string {
  // Offset basis cbf29ce484222325, prime 2^40 + 1b3 (draft-eastlake-fnv).
  let high = 0xcbf29ce4
  let low = 0x84222325
  // The one UTF-8 encoder of the language itself: bytes as they are, or as `%` and two digits.
  const escaped = encodeURIComponent(text)
  for (let at = 0; at < escaped.length; at += 1) {
    let byte = escaped.charCodeAt(at)
    if (byte === 0x25) {
      byte = Number.parseInt(escaped.slice(at + 1, at + 3), 16)
      at += 2
    }
    low = (low ^ byte) >>> 0
    const product = low * 0x1b3
    // Both sums stay below 2^42, and `>>>` takes them modulo 2^32.
    high = (high * 0x1b3 + Math.floor(product / 2 ** 32) + low * 0x100) >>> 0
    low = product >>> 0
  }
  return hex32(high) + hex32(low)
}

function hex32(value: number): string {
  return value.toString(16).padStart(8, '0')
}
