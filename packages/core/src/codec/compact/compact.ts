// The compact codec: a schema's values as bytes without names (docs/codec.md).
//   in  -> a schema; values, or bytes
//   out -> bytes, or values of the schema: what decodes has been checked
// How readers and writers are built is passed in: as generated code, or as closures.

import { CodecError, type Codec, type CodecChoice, type SchemaCodec } from '../codec.ts'
import type { GuardLimits } from '../guard.ts'
import { ByteSink } from '../sink.ts'
import { closuresOf } from './closures.ts'
import { planOf, type Plan } from './plan.ts'
import type { Closures } from './scalars.ts'
import { Refusal, run } from './wire.ts'

/** Builds a fast reader and writer; undefined if there is none but the closures. */
export type Builder = (plan: Plan, limits: GuardLimits) => Closures | undefined

export function compactWith(build: Builder): CodecChoice {
  return { name: 'compact1', codec: (limits) => compactCodec(build, limits) }
}

function compactCodec(build: Builder, limits: GuardLimits): Codec {
  const codecs = new WeakMap<object, SchemaCodec>()
  return {
    name: 'compact1',
    of(schema) {
      if (schema === undefined) return nothing
      let codec = codecs.get(schema)
      if (codec === undefined) codecs.set(schema, (codec = new CompactCodec(schema, build, limits)))
      return codec
    },
  }
}

/** Where a contract declares no schema: no bytes, whatever a handler returns. */
const nothing: SchemaCodec = {
  checked: true,
  nodes: 1,
  encode: () => undefined,
  decode(_, start, end) {
    if (start !== end) throw new CodecError('end', 'there are bytes where nothing is declared')
    return undefined
  },
  count: (_, start, end) => (start === end ? 1 : 0),
}

/** What was built from one schema. */
interface Parts {
  readonly plan: Plan
  readonly checked: boolean
  readonly fast: Closures
  /** Says where in the value a refusal is. The same as `fast` where there is no other. */
  readonly telling: () => Closures
}

class CompactCodec implements SchemaCodec {
  nodes = 0
  private readonly schema: object
  private readonly build: Builder
  private readonly limits: GuardLimits
  private parts: Parts | undefined

  constructor(schema: object, build: Builder, limits: GuardLimits) {
    this.schema = schema
    this.build = build
    this.limits = limits
  }

  get checked(): boolean {
    return this.built.checked
  }

  /** On first use: a contract may have many methods that nobody calls. */
  private get built(): Parts {
    return (this.parts ??= partsFor(this.schema, this.build, this.limits))
  }

  encode(given: unknown, out: ByteSink): void {
    const { fast, telling, plan } = this.built
    // An argument that was left out.
    const value = given === undefined && plan.kind === 'object' ? {} : given
    // A getter of the value may come back here.
    const { left } = run
    run.left = this.limits.maxNodes
    try {
      fast.write(value, out, 0)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      throw this.told(error, fast !== telling(), () => this.writeAside(telling(), value))
    } finally {
      run.left = left
    }
  }

  decode(bytes: Uint8Array, start: number, end: number): unknown {
    const { fast, telling } = this.built
    const { left } = run
    try {
      return this.read(fast, bytes, start, end)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      throw this.told(error, fast !== telling(), () => this.read(telling(), bytes, start, end))
    } finally {
      run.left = left
    }
  }

  count(bytes: Uint8Array, start: number, end: number): number {
    const { nodes } = this
    try {
      this.decode(bytes, start, end)
      return this.nodes
    } catch {
      return 0
    } finally {
      this.nodes = nodes
    }
  }

  private read({ read }: Closures, bytes: Uint8Array, start: number, end: number): unknown {
    const { maxNodes } = this.limits
    run.left = maxNodes
    const value = read(bytes, start, end, 0)
    if (run.at !== end) throw new Refusal('end', 'there are bytes after the value')
    this.nodes = maxNodes - run.left
    return value
  }

  /** To learn where it is refused. */
  private writeAside({ write }: Closures, value: unknown): void {
    const out = new ByteSink()
    out.begin(0)
    run.left = this.limits.maxNodes
    write(value, out, 0)
  }

  /** What the user is told of a refusal; `again` refuses the same, and knows where. */
  private told(refusal: Refusal, blind: boolean, again: () => unknown): CodecError {
    try {
      if (blind) again()
    } catch (error) {
      if (error instanceof Refusal) return codecError(error)
      throw error
    }
    return codecError(refusal)
  }
}

function codecError({ reason, message, path, limit }: Refusal): CodecError {
  return new CodecError(reason, message, path, limit)
}

function partsFor(schema: object, build: Builder, limits: GuardLimits): Parts {
  const { plan, complete: checked } = planOf(schema)
  let closures: Closures | undefined
  const telling = (): Closures => (closures ??= closuresOf(plan, limits))
  return { plan, checked, fast: build(plan, limits) ?? telling(), telling }
}
