// A contract: the plain value that names methods and their schemas, shared by both sides.
//   in  -> a name, methods in groups, and those that the server calls on a client
//   out -> a frozen value with its methods as properties, and `methodsOf` for the runtime
// Holds no handler and no validator, and looks nothing up by a name that a peer sent.

import type { Kind, MethodDefinition } from './kinds.ts'

type ReservedText =
  | 'reserved: lobby.client holds the methods that the server calls'
  | 'reserved: a group with then would look like a promise'
  | 'reserved: JSON.stringify would call it'

/** A method or a group of methods. */
export interface AnyMethod {
  readonly kind: Kind
}

/**
 * Methods and groups of methods by name. The empty name makes the group itself a method:
 * `rooms: { '': serverStream(...), publish: unary(...) }` gives `lobby.rooms` and
 * `lobby.rooms.publish`. `undefined` is for the compiler only; `contract()` refuses it.
 */
export interface MethodTree {
  readonly [name: string]: AnyMethod | MethodTree | ReservedText | undefined
  readonly client?: 'reserved: lobby.client holds the methods that the server calls'
  readonly then?: 'reserved: a group with then would look like a promise'
  readonly toJSON?: 'reserved: JSON.stringify would call it'
}

/** What `contract()` gives: `M` are the methods, `R` those of the other direction. */
export type Contract<M, R> = M & {
  readonly 'client': R
  readonly '~contract': {
    readonly name: string
    readonly methods: M
    readonly client: R
  }
}

/** Any contract, for constraints. */
export interface AnyContract {
  readonly '~contract': {
    readonly name: string
    readonly methods: object
    readonly client: object
  }
}

/** The methods of a contract, as its author wrote them. */
export type MethodsOf<C extends AnyContract> = C['~contract']['methods']

/** The methods that the server may call on a client. */
export type ClientMethodsOf<C extends AnyContract> = C['~contract']['client']

/** One method with its dotted name, without the name of the contract. */
export interface NamedMethod {
  readonly name: string
  readonly method: MethodDefinition
}

/** The methods of both directions, each sorted by name in UTF-16 code units: the order of ids. */
export interface MethodLists {
  readonly methods: readonly NamedMethod[]
  readonly client: readonly NamedMethod[]
}

// Flattened once per contract, for ids, hashes, dispatch and callers.
const listsOf = new WeakMap<object, MethodLists>()

/**
 * Makes a contract. `methods` are what a client calls on the server, `client` what the server
 * calls on a connected client. Throws TypeError, naming the method, for a reserved or impossible
 * name, for `service.method` over 128 bytes, and for schemas that cannot travel (`T.Codec`,
 * `T.This`).
 */
export function contract<const M extends MethodTree, const R extends MethodTree = {}>(
  name: string,
  methods: M,
  options?: { readonly client?: R | undefined },
): Contract<M, R> {
  checkServiceName(name)
  const client = frozenTree(name, options?.client ?? {})
  const tree = frozenTree(name, methods)
  const lists = { methods: listed(name, tree), client: listed(name, client) }
  const value = Object.defineProperty({ ...tree, client }, '~contract', {
    value: Object.freeze({ name, methods: tree, client }),
  })
  listsOf.set(value, lists)
  // The one place where the checked tree gets back the type that its author gave it.
  return Object.freeze(value) as unknown as Contract<M, R>
}

/** True for the value of `contract()`, also for one of another installed copy of this package. */
export function isContract(value: unknown): value is AnyContract {
  return typeof value === 'object' && value !== null && '~contract' in value
}

/** The methods of a contract in the order of their ids (protocol, section 5). */
export function methodsOf(definition: AnyContract): MethodLists {
  let lists = listsOf.get(definition)
  if (lists === undefined) {
    // Made by another copy of this package.
    const { name, methods, client } = definition['~contract']
    lists = { methods: listed(name, methods), client: listed(name, client) }
    listsOf.set(definition, lists)
  }
  return lists
}

/** True for a method, false for a group. */
export function isMethod(value: object): value is MethodDefinition {
  return 'kind' in value && typeof value.kind === 'string'
}

const maxNameBytes = 128

// A name must not mean anything to `await`, JSON or the prototype chain, where proxies meet it.
const reserved: ReadonlyMap<string, string> = new Map([
  ['client', 'the methods that the server calls are there'],
  ['then', 'a group with then would look like a promise'],
  ['toJSON', 'JSON.stringify would call it'],
  ...[...Object.getOwnPropertyNames(Object.prototype), 'prototype'].map(
    (name) => [name, 'every object has it'] as const,
  ),
])

function checkServiceName(name: string): void {
  if (typeof name !== 'string' || !wellFormed(name))
    throw new TypeError('contract: the name must be text without dots and control characters')
  if (utf8Length(name) > maxNameBytes)
    throw new TypeError(`contract '${name}': the name is over ${maxNameBytes} bytes`)
}

/** A frozen copy, on plain objects, of a tree of methods. */
function frozenTree(path: string, tree: object): object {
  const copy: Record<string, unknown> = {}
  for (const [name, entry] of Object.entries(tree) as [string, unknown][]) {
    const full = name === '' ? path : `${path}.${name}`
    checkName(full, name)
    if (typeof entry !== 'object' || entry === null)
      throw new TypeError(`contract: '${full}' is neither a method nor a group of methods`)
    if (name === '' && (!path.includes('.') || !isMethod(entry)))
      throw new TypeError(`contract: '${path}' has the empty name, which stands for a group itself`)
    copy[name] = isMethod(entry) ? checkedMethod(full, entry) : frozenTree(full, entry)
  }
  return Object.freeze(copy)
}

function checkName(full: string, name: string): void {
  const why = reserved.get(name)
  if (why !== undefined) throw new TypeError(`contract: '${full}': '${name}' is reserved: ${why}`)
  if (name !== '' && !wellFormed(name))
    throw new TypeError(`contract: '${full}': names have no dots and no control characters`)
  if (utf8Length(full) > maxNameBytes)
    throw new TypeError(`contract: '${full}' is over ${maxNameBytes} bytes`)
}

/** Dots separate groups; control characters and lone surrogates have no place in a log line. */
function wellFormed(name: string): boolean {
  return name !== '' && !/[.\p{Cc}\p{Cs}]/u.test(name)
}

/** Of well-formed text: every byte is one character, or `%` and two digits. */
function utf8Length(text: string): number {
  return encodeURIComponent(text).replaceAll(/%../g, '.').length
}

function checkedMethod(full: string, method: MethodDefinition): MethodDefinition {
  const { input, output, params, cursor, errors } = method
  const parts: [string, object | undefined][] = Object.entries({ input, output, params, cursor })
  for (const [tag, schema] of Object.entries(errors ?? {})) parts.push([`errors.${tag}`, schema])
  const seen = new Set<object>()
  for (const [part, schema] of parts) {
    const why = schema === undefined ? undefined : refusal(schema, seen)
    if (why !== undefined) throw new TypeError(`contract: '${full}', ${part}: ${why}`)
  }
  return method
}

/** Why a schema cannot be part of a contract, or undefined. `seen` ends cycles. */
function refusal(schema: unknown, seen: Set<object>): string | undefined {
  if (typeof schema !== 'object' || schema === null || seen.has(schema)) return undefined
  seen.add(schema)
  // Both are hidden properties of TypeBox.
  if ('~codec' in schema)
    return 'T.Codec does not travel: convert in the handler, or use Bytes() or Timestamp()'
  if ('~kind' in schema && schema['~kind'] === 'This')
    return 'T.This cannot be checked on its own: use T.Cyclic'
  for (const part of Object.values(schema)) {
    const why = refusal(part, seen)
    if (why !== undefined) return why
  }
  return undefined
}

function listed(path: string, tree: object): readonly NamedMethod[] {
  const found: NamedMethod[] = []
  const collect = (prefix: string, group: object): void => {
    for (const [key, entry] of Object.entries(group) as [string, object][]) {
      const name = key === '' ? prefix : prefix === '' ? key : `${prefix}.${key}`
      if (isMethod(entry)) found.push({ name, method: entry })
      else collect(name, entry)
    }
  }
  collect('', tree)
  found.sort((a, b) => (a.name < b.name ? -1 : 1))
  const twice = found.find((entry, index) => entry.name === found[index + 1]?.name)
  if (twice !== undefined) throw new TypeError(`contract: '${path}.${twice.name}' exists twice`)
  return Object.freeze(found)
}
