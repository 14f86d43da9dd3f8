// From a contract to plain functions that make calls.
//   in  -> the methods of one direction of a contract
//   out -> a frozen tree of functions; groups are objects
// No Proxy: what the contract does not name is undefined, `then` and every symbol included.

import { isRpcError, RpcError } from '../base/errors.ts'
import type { AnyContract } from '../contract/contract.ts'
import { newAbortController } from './abort.ts'
import type { CallStarter } from './channel.ts'
import { DuplexStream } from './duplex.ts'
import { OutgoingEvent } from './events.ts'
import { intercept } from './interceptor.ts'
import { methodsFor, type Method } from './method.ts'
import { OutgoingCall, type OutgoingOptions } from './outgoing.ts'
import type { Runtime } from './runtime.ts'
import type { ClientInterceptor, OutgoingCall as OutgoingView, Signal } from './types.ts'

export interface CallerParts {
  readonly runtime: Runtime
  readonly starter: CallStarter
  readonly interceptors: readonly ClientInterceptor[]
}

/** The calls of one direction of a contract. Its type is `CallsOf`, which the caller knows. */
export function callsOf(
  parts: CallerParts,
  contract: AnyContract,
  direction: 'methods' | 'client',
): object {
  const tree: Tree = new Map()
  for (const method of methodsFor(parts.runtime, contract, direction)) {
    const path = method.entry.name.split('.')
    let at = tree
    for (const name of path.slice(0, -1)) at = subtree(at, name)
    const last = path.at(-1)!
    const there = at.get(last)
    at.set(last, { call: callOf(parts, method), below: there?.below ?? new Map() })
  }
  return built(tree)
}

type Tree = Map<string, { readonly call: object | undefined; readonly below: Tree }>

function subtree(tree: Tree, name: string): Tree {
  let entry = tree.get(name)
  if (entry === undefined) tree.set(name, (entry = { call: undefined, below: new Map() }))
  return entry.below
}

/** Objects without a prototype: `toString` of a group is undefined, not a function. */
function built(tree: Tree, onto: object = Object.create(null) as object): object {
  for (const [name, { call, below }] of tree) {
    if (call !== undefined && below.size > 0) Object.setPrototypeOf(call, null)
    const value = below.size > 0 ? built(below, call) : call
    Object.defineProperty(onto, name, { value, enumerable: true })
  }
  return Object.freeze(onto)
}

const noOptions: OutgoingOptions = Object.freeze({})

/** The function of one method. Its shape is told by `CallOf` in `types.ts`. */
function callOf(parts: CallerParts, method: Method): object {
  const { definition } = method
  const run = parts.interceptors.length === 0 ? runPlain : runIntercepted
  switch (definition.kind) {
    case 'unary':
    case 'serverStream':
    case 'bidi':
      return (input?: unknown, options: OutgoingOptions = noOptions) =>
        run(parts, method, input, options)
    case 'clientStream':
      return definition.params === undefined
        ? (items: AsyncIterable<unknown>, options: OutgoingOptions = noOptions) =>
            run(parts, method, undefined, options, items)
        : (params: unknown, items: AsyncIterable<unknown>, options: OutgoingOptions = noOptions) =>
            run(parts, method, params, options, items)
    case 'event':
      return (input?: unknown, options: OutgoingOptions = noOptions) => {
        const event = new OutgoingEvent(parts.runtime, method)
        event.begin(parts.starter, input, options)
        return event.sent
      }
  }
}

function runPlain(
  { runtime, starter }: CallerParts,
  method: Method,
  input: unknown,
  options: OutgoingOptions,
  uploads?: AsyncIterable<unknown>,
): unknown {
  const call = new OutgoingCall(runtime, method)
  call.begin(starter, input, options, uploads)
  return resultOf(call)
}

function resultOf(call: OutgoingCall): unknown {
  if (call.method.definition.kind === 'bidi') return new DuplexStream(call)
  return call.items ?? call.answer
}

/** The call is there at once, so that a stream can be returned; it begins in the innermost `next`. */
function runIntercepted(
  { runtime, starter, interceptors }: CallerParts,
  method: Method,
  input: unknown,
  options: OutgoingOptions,
  uploads?: AsyncIterable<unknown>,
): unknown {
  let settle: (error: RpcError | undefined, value: unknown) => void = () => undefined
  const over = new Promise<unknown>((resolve, reject) => {
    settle = (error, value) => (error === undefined ? resolve(value) : reject(error))
  })
  // An interceptor may look away; the call's own promise tells its caller.
  over.catch(() => undefined)
  const call = new OutgoingCall(runtime, method, (error, value) => settle(error, value))
  call.answer?.catch(() => undefined)
  const outcome = intercept(interceptors, viewOf(method, options), (changes) => {
    const metadata = { ...options.metadata, ...changes.metadata }
    call.begin(starter, input, { ...options, metadata }, uploads)
    return over
  })
  if (call.items === undefined) return outcome
  outcome.catch((error: unknown) => {
    if (!call.settled) call.fail(asRpcError(error))
  })
  return resultOf(call)
}

function viewOf(method: Method, options: OutgoingOptions): OutgoingView {
  return {
    method: method.name,
    kind: method.definition.kind,
    metadata: options.metadata ?? {},
    // Of the platform that the user compiles for; core itself knows none.
    // oxlint-disable-next-line typescript/no-unnecessary-type-assertion
    signal: (options.signal ?? newAbortController().signal) as unknown as Signal,
    deadline: options.timeoutMs ?? method.definition.timeoutMs,
  }
}

function asRpcError(error: unknown): RpcError {
  if (isRpcError(error)) return error
  return new RpcError('cancelled', 'an interceptor threw', { processed: 'no', cause: error })
}
