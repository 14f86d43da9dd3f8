// One method as the runtime sees it: its names and codecs, built once per contract and runtime.
//   in  -> a contract
//   out -> `Method`s, and a tree of them for proxies
// The same for whoever calls and whoever serves.

import { RpcError } from '../base/errors.ts'
import { encodeUtf8 } from '../base/utf8.ts'
import { CodecError, type SchemaCodec } from '../codec/codec.ts'
import { methodsOf, type AnyContract, type NamedMethod } from '../contract/contract.ts'
import type { MethodDefinition } from '../contract/kinds.ts'
import type { Runtime } from './runtime.ts'

export interface Method {
  /** `service.method`. */
  readonly name: string
  readonly nameBytes: Uint8Array
  /** Identifies the method in `MethodIds`. */
  readonly entry: NamedMethod
  readonly definition: MethodDefinition
  /** Whether the caller streams, and whether the callee does. */
  readonly streamsIn: boolean
  readonly streamsOut: boolean
  /** One for each codec of the runtime, in its order. */
  readonly codecs: readonly MethodCodecs[]
}

/** What one codec does with the payloads of a method. */
export interface MethodCodecs {
  readonly params: SchemaCodec
  readonly input: SchemaCodec
  readonly output: SchemaCodec
}

/** The methods of one direction of a contract, in the order of their ids. */
export function methodsFor(
  runtime: Runtime,
  contract: AnyContract,
  direction: 'methods' | 'client',
): readonly Method[] {
  const service = contract['~contract'].name
  return methodsOf(contract)[direction].map((entry) => methodFor(runtime, service, entry))
}

function methodFor({ codecs }: Runtime, service: string, entry: NamedMethod): Method {
  const { method: definition } = entry
  const { kind } = definition
  const name = `${service}.${entry.name}`
  return {
    name,
    nameBytes: encodeUtf8(name),
    entry,
    definition,
    streamsIn: kind === 'clientStream' || kind === 'bidi',
    streamsOut: kind === 'serverStream' || kind === 'bidi',
    codecs: codecs.map((codec) => ({
      params: codec.of(definition.params),
      input: codec.of(definition.input),
      output: codec.of(definition.output),
    })),
  }
}

/**
 * Decodes and checks a payload. Throws RpcError `invalid_argument` that names the path and never the
 * value; whether the call was processed is for the caller of this to say.
 */
export function readValue(
  runtime: Runtime,
  codec: SchemaCodec,
  schema: object | undefined,
  bytes: Uint8Array,
  start: number,
  end: number,
): unknown {
  let value: unknown
  try {
    value = codec.decode(bytes, start, end)
  } catch (error) {
    if (!(error instanceof CodecError))
      throw new RpcError('invalid_argument', 'the payload does not decode')
    if (error.limit !== undefined) runtime.metrics?.count('limit_hits', error.limit)
    throw new RpcError('invalid_argument', textOf(error))
  }
  if (!codec.checked) checkValue(runtime, schema, value)
  return value
}

/** As a validator would say it: where, then what. */
function textOf({ path, message }: CodecError): string {
  return path === '' ? message : `${path}: ${message}`
}

/** Throws RpcError `invalid_argument` for a value that does not fit its schema. */
export function checkValue(runtime: Runtime, schema: object | undefined, value: unknown): void {
  if (runtime.validate === undefined || schema === undefined) return
  const wrong = runtime.validate(schema).check(value)
  if (wrong !== undefined) throw new RpcError('invalid_argument', wrong)
}
