// A contract and its handlers, joined into a service that any server takes.
//   in  -> a contract, a tree of functions of the same shape
//   out -> a `Service`; the methods of it, ready to be dispatched
// What the compiler checks is checked again here, for JavaScript and for casts.

import type { AnyContract } from '../contract/contract.ts'
import { methodsFor } from '../calls/method.ts'
import type { ServedMethod } from '../calls/incoming.ts'
import type { Runtime } from '../calls/runtime.ts'
import { methodsOf } from '../contract/contract.ts'
import type { Implement, Service } from './types.ts'

type AnyHandler = ServedMethod['handler']

/** What a `Service` holds behind its type. */
interface Implementation {
  readonly contract: AnyContract
  readonly handlers: ReadonlyMap<string, AnyHandler>
}

const implementations = new WeakMap<object, Implementation>()

/**
 * Joins a contract with its handlers, for services that need no context; such a service fits every
 * server. Throws TypeError, naming the method, if a handler is missing or belongs to no method.
 */
export const implement: Implement<unknown> = (contract, handlers) =>
  join(contract, handlers, 'methods')

/** `implement` for services that get a context: `implementFor<ContextOf<typeof authenticate>>()`. */
export function implementFor<Context>(): Implement<Context> {
  return (contract, handlers) => join(contract, handlers, 'methods')
}

function join<Context>(
  contract: AnyContract,
  handlers: object,
  direction: 'methods' | 'client',
): Service<Context> {
  const { name } = contract['~contract']
  // The context is a type only: nothing is ever read from `~context`.
  const service = Object.freeze({ name, '~context': () => undefined }) as Service<Context>
  implementations.set(service, { contract, handlers: handlersOf(contract, handlers, direction) })
  return service
}

/** The handlers of a tree by dotted name. */
export function handlersOf(
  contract: AnyContract,
  handlers: object,
  direction: 'methods' | 'client',
): ReadonlyMap<string, AnyHandler> {
  const { name } = contract['~contract']
  const found = new Map<string, AnyHandler>()
  const collect = (prefix: string, group: object): void => {
    for (const [key, entry] of Object.entries(group) as [string, unknown][]) {
      const path = key === '' ? prefix : prefix === '' ? key : `${prefix}.${key}`
      if (typeof entry === 'function') found.set(path, (entry as AnyHandler).bind(group))
      else if (typeof entry === 'object' && entry !== null) collect(path, entry)
    }
  }
  collect('', handlers)
  const known = new Set(methodsOf(contract)[direction].map((method) => method.name))
  for (const method of known)
    if (!found.has(method)) throw new TypeError(`implement: '${name}.${method}' has no handler`)
  for (const method of found.keys())
    if (!known.has(method))
      throw new TypeError(`implement: '${name}.${method}' is not in the contract`)
  return found
}

export function contractOfService(service: object): AnyContract {
  return implementationOf(service).contract
}

/** The methods of a service in the order of their ids. */
export function servedMethods(runtime: Runtime, service: object): readonly ServedMethod[] {
  const { contract, handlers } = implementationOf(service)
  return serve(runtime, contract, handlers, 'methods')
}

export function serve(
  runtime: Runtime,
  contract: AnyContract,
  handlers: ReadonlyMap<string, AnyHandler>,
  direction: 'methods' | 'client',
): readonly ServedMethod[] {
  return methodsFor(runtime, contract, direction).map((method) => ({
    ...method,
    contract,
    handler: handlers.get(method.entry.name)!,
  }))
}

function implementationOf(service: object): Implementation {
  const implementation = implementations.get(service)
  if (implementation === undefined) throw new TypeError('services: not made by implement()')
  return implementation
}
