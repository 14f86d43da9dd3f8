// What a call's failure looks like on the wire, and what a failure on the wire means here.
//   in  -> what a handler threw; bytes of an ERROR
//   out -> an ERROR frame without anything that was not meant for the caller; an RpcError
// An undeclared throw leaves as `internal` with an id: no text, no stack. The cause stays here.

import {
  codeNumbers,
  codeOf,
  isRpcError,
  RpcError,
  type Code,
  type Processed,
} from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import { decodeValue, encodeValue } from '../codec/msgpack-value.ts'
import type { MethodDefinition } from '../contract/kinds.ts'
import { ErrorFlag, errorFrame, parseError, type Frame } from '../frames/fields.ts'
import type { Runtime } from './runtime.ts'

/** Longest text of an error, in UTF-16 code units. */
const maxText = 1_024
const idPattern = /^[0-9a-f]{16}$/

/** A failure, reduced to what may leave the process. */
export interface WireFailure {
  readonly code: Code
  /** Bits of `ErrorFlag`. */
  readonly flags: number
  readonly retryAfterMs: number | undefined
  readonly body: Uint8Array
}

export function failureFrame(id: number, failure: WireFailure): Frame {
  return errorFrame(id, failure, failure.body)
}

/** A failure that the framework decides. `processed`: whether the handler may have run. */
export function failure(
  code: Code,
  message: string,
  processed: 'no' | 'yes',
  retryAfterMs?: number,
): WireFailure {
  return {
    code,
    flags: processed === 'no' ? ErrorFlag.NotProcessed : 0,
    retryAfterMs,
    body: encodeValue([message]),
  }
}

type ThrowingMethod = { readonly name: string; readonly definition: MethodDefinition }

/**
 * What of a handler's throw its caller may see. Everything else is reported under an id. Never
 * throws: an error that cannot be read or does not encode is an unknown throw like any other.
 */
export function failureOfThrow(
  runtime: Runtime,
  method: ThrowingMethod,
  thrown: unknown,
): WireFailure {
  try {
    if (isRpcError(thrown) && Object.hasOwn(codeNumbers, thrown.code))
      return failureOfRpcError(runtime, method, thrown)
  } catch {
    // Its own getters throw, or its data is too deep behind its tag.
  }
  return internalFailure(runtime, method.name, thrown)
}

function failureOfRpcError(
  runtime: Runtime,
  method: ThrowingMethod,
  thrown: RpcError,
): WireFailure {
  const flags = { code: thrown.code, flags: 0, retryAfterMs: thrown.retryAfterMs }
  const message = plainText(thrown.message)
  if (thrown.tag === undefined) return { ...flags, body: encodeValue([message]) }
  const why = refusalOfData(runtime, method.definition, thrown.tag, thrown.data)
  if (why !== undefined)
    return internalFailure(runtime, method.name, new TypeError(why, { cause: thrown }))
  return {
    ...flags,
    flags: ErrorFlag.Typed,
    body: encodeValue([message, thrown.tag, ...(thrown.data === undefined ? [] : [thrown.data])]),
  }
}

/** Why declared data may not be sent, or undefined. */
function refusalOfData(
  runtime: Runtime,
  definition: MethodDefinition,
  tag: string,
  data: unknown,
): string | undefined {
  const { errors } = definition
  const schema = errors !== undefined && Object.hasOwn(errors, tag) ? errors[tag] : undefined
  if (schema === undefined) return `error '${tag}' is not declared`
  if (runtime.checkOutput && runtime.validate !== undefined) {
    const wrong = runtime.validate(schema).check(data)
    if (wrong !== undefined) return `data of error '${tag}': ${wrong}`
  }
  try {
    if (encodeValue(data).length > runtime.limits.maxErrorData)
      return `data of error '${tag}' is over limits.maxErrorData (${runtime.limits.maxErrorData} bytes)`
  } catch {
    return `data of error '${tag}' does not encode`
  }
  return undefined
}

/** `internal` with an id; the cause is reported under the same id. */
export function internalFailure(runtime: Runtime, method: string, cause: unknown): WireFailure {
  const id = hex(runtime.clock.randomBytes(8))
  runtime.report('error', 'handler failed', { id, method, err: cause })
  return { code: 'internal', flags: 0, retryAfterMs: undefined, body: encodeValue([id]) }
}

/** Reads an ERROR for a call of `definition`. A body that does not decode leaves code and flags. */
export function readFailure(
  bytes: Uint8Array,
  start: number,
  end: number,
  limits: Limits,
  definition: MethodDefinition,
): RpcError {
  const { code: number, flags, retryAfterMs, bodyStart } = parseError(bytes, start, end)
  const body = readBody(bytes, bodyStart, end, limits)
  const code = codeOf(number)
  const processed = (flags & ErrorFlag.NotProcessed) === 0 ? 'yes' : 'no'
  const text = typeof body[0] === 'string' ? body[0] : ''
  if (code === undefined)
    return new RpcError('unknown', `unknown code ${number}`, { processed, retryAfterMs })
  const tag = body[1]
  const declared =
    (flags & ErrorFlag.Typed) !== 0 &&
    typeof tag === 'string' &&
    definition.errors !== undefined &&
    Object.hasOwn(definition.errors, tag)
  const id = code === 'internal' && idPattern.test(text) ? text : undefined
  return new RpcError(code, id === undefined ? text : 'internal error', {
    processed,
    retryAfterMs,
    id,
    ...(declared ? { tag, data: body[2] } : {}),
  })
}

/** Whether an ERROR asks for the call not to be made again. */
export function isFinal(bytes: Uint8Array, start: number, end: number): boolean {
  return (parseError(bytes, start, end).flags & ErrorFlag.NoRetry) !== 0
}

function readBody(
  bytes: Uint8Array,
  start: number,
  end: number,
  limits: Limits,
): readonly unknown[] {
  try {
    const body = decodeValue(bytes, start, end, limits)
    return Array.isArray(body) ? body : []
  } catch {
    return []
  }
}

/** Text that msgpack can carry: no lone surrogates, not endless. */
function plainText(text: string): string {
  return text.slice(0, maxText).replaceAll(/\p{Surrogate}/gu, '\uFFFD')
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/**
 * What a caller's failed upload means: an ERROR for the callee, and the error of the call here.
 * `processed`: what this side knows of the handler; an item that is refused here says nothing of it.
 */
export function failureOfUpload(
  thrown: unknown,
  processed: Processed,
): {
  readonly fields: { readonly code: Code; readonly flags: number }
  readonly body: Uint8Array
  readonly error: RpcError
} {
  if (isRpcError(thrown)) {
    const { code, message, tag, data, cause } = thrown
    const error = new RpcError(code, message, { tag, data, cause, processed })
    return { fields: { code, flags: 0 }, body: encodeValue([plainText(message)]), error }
  }
  // The text of an unknown throw stays here, in this direction too.
  const error = new RpcError('cancelled', 'the items to send threw', { cause: thrown, processed })
  return { fields: { code: 'cancelled', flags: 0 }, body: encodeValue(['']), error }
}
