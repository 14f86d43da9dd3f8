// `Static` of Callbox is identical to that of TypeBox.

import * as T from 'typebox'
import { Bytes, Timestamp, type Static } from './callbox.ts'
import { exact, type Equal } from './exact.ts'

/** True if both infer the same type from a schema. */
type Same<S extends T.TSchema> = Equal<Static<S>, T.Static<S>>

const Point = T.Object({ x: T.Number(), y: T.Number() })
const Tree = T.Cyclic(
  { Node: T.Object({ value: T.String(), children: T.Array(T.Ref('Node')) }) },
  'Node',
)
const Dated = T.Codec(T.String())
  .Decode((text) => new Date(text))
  .Encode((date) => date.toISOString())

const schemas = {
  string: T.String({ maxLength: 5 }),
  number: T.Number(),
  integer: T.Integer({ minimum: 0 }),
  boolean: T.Boolean(),
  null: T.Null(),
  undefined: T.Undefined(),
  bigint: T.BigInt(),
  symbol: T.Symbol(),
  unknown: T.Unknown(),
  any: T.Any(),
  never: T.Never(),
  void: T.Void(),
  literalText: T.Literal('a'),
  literalNumber: T.Literal(5),
  literalBoolean: T.Literal(true),
  enumeration: T.Enum(['a', 'b', 3]),
  template: T.TemplateLiteral('room-${string}'),
  arrayOfString: T.Array(T.String()),
  arrayOfObject: T.Array(Point),
  immutableArray: T.Immutable(T.Array(T.String())),
  tuple: T.Tuple([T.String(), T.Number()]),
  record: T.Record(T.String(), T.Number()),
  empty: T.Object({}),
  flat: Point,
  nested: T.Object({ from: Point, path: T.Array(T.Object({ to: Point })) }),
  optional: T.Object({ a: T.Optional(T.String()), b: T.Number() }),
  allOptional: T.Object({ a: T.Optional(T.String()), b: T.Optional(Point) }),
  readonly: T.Object({ a: T.Readonly(T.String()), b: T.Number() }),
  readonlyOptional: T.Object({ a: T.Readonly(T.Optional(T.String())), b: T.Optional(T.Number()) }),
  nestedModifiers: T.Object({ a: T.Array(T.Object({ b: T.Optional(T.Readonly(T.Null())) })) }),
  union: T.Union([T.String(), T.Number()]),
  unionOfLiterals: T.Union([T.Literal('a'), T.Literal('b'), T.Null()]),
  unionOfObjects: T.Union([
    T.Object({ type: T.Literal('a'), a: T.String() }),
    T.Object({ type: T.Literal('b'), b: T.Optional(T.String()) }),
  ]),
  intersection: T.Intersect([Point, T.Object({ z: T.Optional(T.Number()) })]),
  unsafe: T.Unsafe<string & { brand: 'UserId' }>(T.String()),
  refined: T.Refine(T.String(), (text) => text !== ''),
  partial: T.Partial(Point),
  picked: T.Pick(Point, ['x']),
  keys: T.KeyOf(Point),
  cyclic: Tree,
  codec: Dated,
  codecInside: T.Object({ at: T.Optional(Dated) }),
  script: T.Script('{ a: string, b?: number[], c: "x" | "y" }'),
  bytes: Bytes(),
  bytesInside: T.Object({ a: T.Optional(Bytes()), at: Timestamp() }),
  reference: T.Ref('Elsewhere'),
  callable: T.Object({ run: T.Function([T.String()], T.Number()) }),
}

type Schemas = typeof schemas
type Different = { [K in keyof Schemas]: Same<Schemas[K]> extends true ? never : K }[keyof Schemas]

exact<Equal<Different, never>>()
// Not the same because both are `any`.
exact<Equal<Static<Schemas['flat']>, { x: number; y: number }>>()
exact<Equal<Static<Schemas['bytesInside']>, { a?: Uint8Array<ArrayBuffer>; at: Date }>>()
