// Random schemas, random values, mutated bytes: by generated code, by closures, beside msgpack.
// The same ones everywhere, by fixed seeds. How many: tests/sizes.ts.

import fc from 'fast-check'
import * as T from 'typebox'
import { Compile } from 'typebox/compile'
import { expect, test } from 'vitest'
import { sizes } from '../../../../../tests/sizes.ts'
import { resolveLimits } from '../../base/limits.ts'
import { compact } from '../../compact.ts'
import { compact as compactOfBrowsers } from '../../compact.browser.ts'
import { Bytes, Timestamp } from '../../contract/schemas.ts'
import { CodecError, type SchemaCodec } from '../codec.ts'
import { msgpackCodec } from '../msgpack.ts'
import { ByteSink } from '../sink.ts'
import { planOf, reachable } from './plan.ts'

const limits = resolveLimits('internet')
const generated = compact().codec(limits)
const closures = compactOfBrowsers().codec(limits)
const msgpack = msgpackCodec(limits)
const seed = 0xc0dec

interface Described {
  readonly schema: T.TSchema
  /** Valid values of it. */
  readonly values: fc.Arbitrary<unknown>
}

const described = (schema: T.TSchema, values: fc.Arbitrary<unknown>): Described => ({
  schema,
  values,
})

/** What schemas are called that code is generated from. */
const names = fc.constantFrom(
  // oxlint-disable-next-line unicorn/no-useless-spread -- lists that stand in a few lines
  ...['a', 'b', 'id', 'name', 'with space', '"quoted"', "it's", 'ROOM0_', 'é', '0', '-', ''],
  // oxlint-disable-next-line unicorn/no-useless-spread
  ...['length', 'then', '`${x}`', '\\', '\u2028', 'x0', 'k0', 'run', 'prototype'],
)
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ maxLength: 150 }),
  fc.constantFrom('\uFEFFmark', 'é'.repeat(70), 'x'.repeat(300)),
)
const integers = fc.oneof(fc.integer({ min: -200, max: 200 }), fc.maxSafeInteger())
const numbers = fc
  .oneof(fc.double({ noDefaultInfinity: true, noNaN: true }), integers)
  .map((value) => value + 0)
const bigints = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n })
const times = fc.date({ noInvalidDate: true, min: new Date(-8.64e15), max: new Date(8.64e15) })
const bytes = fc.uint8Array({ maxLength: 200 })
const plain = fc
  .anything({ maxDepth: 2, values: [fc.boolean(), fc.integer(), text, fc.constant(null)] })
  .map((value) => withoutProto(value))

function withoutProto(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutProto)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([key]) => key !== '__proto__')
  return Object.fromEntries(entries.map(([key, entry]) => [key, withoutProto(entry)]))
}

const scalars: readonly Described[] = [
  described(T.String(), text),
  described(
    T.String({ minLength: 1 }),
    text.map((value) => `x${value}`),
  ),
  described(T.Integer(), integers),
  described(T.Integer({ minimum: 0 }), fc.maxSafeNat()),
  described(T.Integer({ minimum: -5, maximum: 5 }), fc.integer({ min: -5, max: 5 })),
  described(T.Number(), numbers),
  described(T.BigInt(), bigints),
  described(T.Boolean(), fc.boolean()),
  described(T.Null(), fc.constant(null)),
  described(T.Literal('fixed'), fc.constant('fixed')),
  described(T.Enum(['a', 'b', 3]), fc.constantFrom('a', 'b', 3)),
  described(T.Union([T.Literal(1), T.Literal('1')]), fc.constantFrom(1, '1')),
  described(Bytes(), bytes),
  described(Bytes({ maxLength: 200 }), bytes),
  described(Timestamp(), times),
  described(T.Unknown(), plain),
  described(T.Unsafe(T.String()), text),
]

const { any } = fc.letrec<{ any: Described }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { arbitrary: fc.constantFrom(...scalars), weight: 3 },
    {
      arbitrary: fc
        .array(fc.tuple(names, fc.boolean(), tie('any')), { maxLength: 10 })
        .map(objectOf),
      weight: 4,
    },
    { arbitrary: tie('any').map(arrayOf), weight: 2 },
    { arbitrary: fc.array(tie('any'), { maxLength: 3 }).map(tupleOf), weight: 1 },
    { arbitrary: tie('any').map(recordOf), weight: 1 },
    { arbitrary: fc.array(tie('any'), { minLength: 1, maxLength: 4 }).map(unionOf), weight: 2 },
    { arbitrary: tie('any').map(cyclicOf), weight: 1 },
  ),
}))

function objectOf(listed: readonly (readonly [string, boolean, Described])[]): Described {
  const parts = new Map(listed.map(([name, optional, part]) => [name, { optional, part }]))
  const properties: Record<string, T.TSchema> = {}
  const values: Record<string, fc.Arbitrary<unknown>> = {}
  const required: string[] = []
  for (const [name, { optional, part }] of parts) {
    properties[name] = optional ? T.Optional(part.schema) : part.schema
    values[name] = part.values
    if (!optional) required.push(name)
  }
  return described(T.Object(properties), fc.record(values, { requiredKeys: required }))
}

function arrayOf({ schema, values }: Described): Described {
  return described(T.Array(schema), fc.array(values, { maxLength: 5 }))
}

function tupleOf(parts: readonly Described[]): Described {
  return described(
    T.Tuple(parts.map(({ schema }) => schema)),
    fc.tuple(...parts.map(({ values }) => values)),
  )
}

function recordOf({ schema, values }: Described): Described {
  const key = text.filter((value) => value !== '__proto__' && !/[\n\r\u2028\u2029]/.test(value))
  const entries = fc.array(fc.tuple(key, values), { maxLength: 5 })
  return described(
    T.Record(T.String(), schema),
    entries.map((list) => Object.fromEntries(list)),
  )
}

function unionOf(parts: readonly Described[]): Described {
  return described(
    T.Union(parts.map(({ schema }) => schema)),
    fc.oneof(...parts.map(({ values }) => values)),
  )
}

let cycles = 0

function cyclicOf({ schema, values }: Described): Described {
  const name = `Tree${(cycles += 1)}`
  const Tree = T.Cyclic(
    { [name]: T.Object({ leaf: schema, more: T.Optional(T.Array(T.Ref(name))) }) },
    name,
  )
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.record(
      {
        leaf: values,
        more: fc.oneof(
          { depthSize: 'small' },
          fc.constant([]),
          fc.array(tie('tree'), { maxLength: 3 }),
        ),
      },
      { requiredKeys: ['leaf'] },
    ),
  }))
  return described(Tree, tree)
}

const samples = any.chain(({ schema, values }) => fc.tuple(fc.constant(schema), values))

function encoded(codec: SchemaCodec, value: unknown): Uint8Array {
  const out = new ByteSink()
  out.begin(5)
  codec.encode(value, out)
  return out.buffer.slice(out.start, out.position)
}

const refused = Symbol('refused')

/** What comes of it: a value, or a refusal. Anything else than CodecError is thrown. */
function outcome<R>(work: () => R): R | typeof refused {
  try {
    return work()
  } catch (error) {
    if (error instanceof CodecError) return refused
    throw error
  }
}

const hexOf = (found: Uint8Array | typeof refused): string =>
  found === refused ? 'refused' : Buffer.from(found).toString('hex')

/** Whether some part of a schema travels as msgpack, whose maps keep their order. */
function hasPacked(schema: object): boolean {
  return [...reachable(planOf(schema).plan)].some(({ kind }) => kind === 'packed')
}

/** What both builds make of these bytes. Throws where they disagree, or where a rule is broken. */
function tried(schema: T.TSchema, given: Uint8Array): 'refused' | 'accepted' {
  const [fast, slow] = [generated.of(schema), closures.of(schema)]
  const value = outcome(() => fast.decode(given, 0, given.length))
  const other = outcome(() => slow.decode(given, 0, given.length))
  if (value === refused || other === refused) {
    expect(other).toBe(value)
    expect(fast.count(given, 0, given.length)).toBe(0)
    return 'refused'
  }
  expect(other).toStrictEqual(value)
  expect(slow.nodes).toBe(fast.nodes)
  expect(fast.count(given, 0, given.length)).toBe(fast.nodes)
  const again = encoded(fast, value)
  expect(hexOf(encoded(slow, value))).toBe(hexOf(again))
  // One form for each value; what the schema leaves open is in msgpack, which has several.
  if (!hasPacked(schema)) expect(hexOf(again)).toBe(hexOf(given))
  return 'accepted'
}

const runs = { numRuns: sizes.propertyRuns, seed }
const timeout = 60_000 + 100 * sizes.propertyRuns

test(
  'compact and msgpack round-trip to equal values, by equal numbers of nodes',
  { timeout },
  () => {
    fc.assert(
      fc.property(samples, ([schema, value]) => {
        const bytes = encoded(generated.of(schema), value)
        expect(hexOf(encoded(closures.of(schema), value))).toBe(hexOf(bytes))
        const decoded = generated.of(schema).decode(bytes, 0, bytes.length)
        expect(decoded).toEqual(value)
        const other = encoded(msgpack.of(schema), value)
        expect(msgpack.of(schema).decode(other, 0, other.length)).toEqual(decoded)
        expect(generated.of(schema).nodes).toBe(msgpack.of(schema).nodes)
        expect(tried(schema, bytes)).toBe('accepted')
      }),
      runs,
    )
  },
)

test('what decodes by a codec that checks is valid', { timeout }, () => {
  let checked = 0
  fc.assert(
    fc.property(samples, mutations(), ([schema, value], mutate) => {
      const codec = generated.of(schema)
      if (!codec.checked) return
      const bytes = mutate(encoded(codec, value))
      const decoded = outcome(() => codec.decode(bytes, 0, bytes.length))
      if (decoded === refused) return
      checked += 1
      expect(Compile(schema).Check(decoded)).toBe(true)
    }),
    { ...runs, numRuns: Math.min(runs.numRuns, 2_000) },
  )
  expect(checked).toBeGreaterThan(20)
})

test('values of another schema: the same verdict, the same bytes', { timeout }, () => {
  let accepted = 0
  fc.assert(
    fc.property(any, samples, ({ schema }, [, value]) => {
      const fast = outcome(() => encoded(generated.of(schema), value))
      expect(hexOf(outcome(() => encoded(closures.of(schema), value)))).toBe(hexOf(fast))
      if (fast === refused) return
      accepted += 1
      // A peer takes what this side sends, also where properties were left behind.
      expect(tried(schema, fast)).toBe('accepted')
    }),
    runs,
  )
  expect(accepted).toBeGreaterThan(10)
})

/** A few changes of bytes. */
function mutations(): fc.Arbitrary<(bytes: Uint8Array) => Uint8Array> {
  const change = fc.tuple(fc.nat(3), fc.nat(1_000_000), fc.nat(255))
  return fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) => (given) => {
    let bytes = Buffer.from(given)
    for (const [kind, place, byte] of changes) {
      const at = place % (bytes.length + 1)
      if (kind === 0 && at < bytes.length) bytes[at]! ^= 1 << (byte & 7)
      else if (kind === 1 && at < bytes.length) bytes[at] = byte
      else if (kind === 2) bytes = bytes.subarray(0, at)
      else bytes = Buffer.concat([bytes.subarray(0, at), Buffer.of(byte), bytes.subarray(at)])
    }
    return new Uint8Array(bytes)
  })
}

test(
  'mutated bytes: nothing but CodecError, one verdict, one form for each value',
  { timeout },
  () => {
    const counts = { refused: 0, accepted: 0 }
    fc.assert(
      fc.property(
        samples,
        fc.array(mutations(), { minLength: 8, maxLength: 8 }),
        ([schema, value], all) => {
          const bytes = encoded(generated.of(schema), value)
          for (const mutate of all) counts[tried(schema, mutate(bytes))] += 1
        },
      ),
      runs,
    )
    expect(counts.refused).toBeGreaterThan(runs.numRuns)
    expect(counts.accepted).toBeGreaterThan(runs.numRuns)
  },
)

const Person = T.Object({
  id: T.Integer({ minimum: 0 }),
  name: T.String(),
  admin: T.Optional(T.Boolean()),
  tags: T.Array(T.String()),
  scores: T.Record(T.String(), T.Number()),
  last: T.Optional(T.Union([T.Null(), Timestamp(), T.String()])),
  shape: T.Union([
    T.Object({ kind: T.Literal('dot') }),
    T.Object({ kind: T.Literal('line'), to: T.Tuple([T.Number(), T.Number()]) }),
  ]),
  blob: Bytes(),
  any: T.Unknown(),
  big: T.BigInt(),
})
const person = {
  id: 7,
  name: 'Ada',
  admin: true,
  tags: ['a', 'é☺😈'],
  scores: { a: 1.5, b: -2 },
  last: new Date(1_700_000_000_123),
  shape: { kind: 'line', to: [1, 2] },
  blob: Uint8Array.of(1, 2, 3),
  any: { x: [1, null, 'y'] },
  big: -5n,
}

function usedBytes(): number {
  // Twice: the first collection may only find what the second one frees.
  globalThis.gc!()
  globalThis.gc!()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** A fifth of what the guard gets: each of these goes through two decoders. */
const bodies = Math.ceil(sizes.fuzzBodies / 5)

test(
  `${bodies} mutated bodies of one schema: nothing but CodecError, no memory kept`,
  { timeout: 60_000 + bodies },
  () => {
    const bytes = encoded(generated.of(Person), person)
    const mutate = fc.sample(mutations(), { numRuns: 10_000, seed })
    const other = fc.sample(mutations(), { numRuns: 97, seed: seed + 1 })
    const codecs = [generated.of(Person), closures.of(Person)]
    const counts = { refused: 0, accepted: 0 }
    let before = 0
    for (let index = 0; index < bodies; index += 1) {
      if (index === 10_000) before = usedBytes()
      const body = other[index % 97]!(mutate[index % 10_000]!(bytes))
      const [first, second] = codecs.map((codec) =>
        outcome(() => codec.decode(body, 0, body.length)),
      )
      if ((first === refused) !== (second === refused))
        throw new Error(`body ${index}: ${Buffer.from(body).toString('hex')}`)
      counts[first === refused ? 'refused' : 'accepted'] += 1
    }
    expect(usedBytes() - before, 'bytes kept').toBeLessThan(2 * 1024 * 1024)
    expect(counts.refused).toBeGreaterThan(bodies * 0.2)
    expect(counts.accepted).toBeGreaterThan(bodies * 0.01)
    expect(({} as { polluted?: unknown }).polluted).toBe(undefined)
  },
)
