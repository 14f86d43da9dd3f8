// Two schemas that TypeBox lacks: binary and points in time.
//   in  -> limits
//   out -> TypeBox schemas, usable wherever T.String() is
// Their checks run in `validate.ts`, as TypeBox refinements; here nothing is compiled. Codecs know
// them by `~kind`.

import { Refine, Unsafe, type TUnsafe } from 'typebox'

/** Schema of binary values. Static type: Uint8Array with memory of its own. */
export interface TBytes extends TUnsafe<Uint8Array<ArrayBuffer>> {
  '~kind': 'Bytes'
}

/** Schema of points in time, with millisecond precision. Static type: Date. */
export interface TTimestamp extends TUnsafe<Date> {
  '~kind': 'Timestamp'
}

/**
 * Binary. A decoded value never shares memory with a receive buffer; Node's Buffers may be sent.
 * In exported JSON Schema it is text in base64.
 */
export function Bytes(
  options: {
    /** Longest value, in bytes. */
    readonly maxLength?: number | undefined
  } = {},
): TBytes {
  const { maxLength } = options
  if (maxLength !== undefined && !(Number.isSafeInteger(maxLength) && maxLength >= 0))
    throw new TypeError('Bytes: maxLength must be a number of bytes')
  const json = { type: 'string', contentEncoding: 'base64' }
  // Four characters of base64 for each three bytes begun.
  const limit = maxLength === undefined ? {} : { maxLength: Math.ceil(maxLength / 3) * 4 }
  // `~kind` is hidden from TypeBox's types as from its enumeration.
  return Refine(
    Unsafe<Uint8Array<ArrayBuffer>>(hidden('Bytes', { ...json, ...limit }, { maxLength })),
    (value) => value instanceof Uint8Array && value.length <= (maxLength ?? Infinity),
    // A function: a string here silently disables the check (TypeBox 1.4).
    () => `must be Uint8Array${maxLength === undefined ? '' : ` of at most ${maxLength} bytes`}`,
  ) as unknown as TBytes
}

/** A point in time: a valid Date. In exported JSON Schema it is text, `date-time`. */
export function Timestamp(): TTimestamp {
  return Refine(
    Unsafe<Date>(hidden('Timestamp', { type: 'string', format: 'date-time' }, {})),
    (value) => value instanceof Date && !Number.isNaN(value.getTime()),
    () => 'must be a valid Date',
  ) as unknown as TTimestamp
}

/**
 * A schema without keywords, for a validator would apply `type: 'string'` to the value itself.
 * What must survive in copies that TypeBox makes (`T.Optional`) is not enumerable, as TypeBox's
 * own properties are; `toJSON` gives the exported form.
 */
function hidden(kind: string, json: object, own: object): object {
  const schema = {}
  const properties = { '~kind': kind, ...own, 'toJSON': () => json }
  for (const [key, value] of Object.entries(properties))
    Object.defineProperty(schema, key, { value, configurable: true, writable: true })
  return schema
}
