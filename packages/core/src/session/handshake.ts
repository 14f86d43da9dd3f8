// HELLO and WELCOME: what each side states, how it is read, what both have agreed on then.
//   in  -> the terms of this side; the peer's first frame
//   out -> frames; checked terms; method ids
// Pure. Who waits for whom, and for how long, is up to client and server.

import { ConnectionError, protocolError } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import { decodeValue, encodeValue } from '../codec/msgpack-value.ts'
import { contractHash, methodHash } from '../contract/fingerprint.ts'
import { methodsOf, type AnyContract, type NamedMethod } from '../contract/contract.ts'
import { helloFrame, parseHello, parseWelcome, welcomeFrame, type Frame } from '../frames/fields.ts'
import type { KeepaliveTerms } from './keepalive.ts'

/** The receive limits that a side states; the other obeys them before sending. */
export interface PeerLimits {
  readonly maxFrame: number
  readonly maxMessage: number
  readonly maxMeta: number
  readonly maxCalls: number
  readonly window: number
}

const names = ['maxFrame', 'maxMessage', 'maxMeta', 'maxCalls', 'window'] as const
const leastFrame = 16 * 1024
const mostFrame = 65 * 1024
const leastWindow = 128 * 1024

export function statedLimits(limits: Limits): PeerLimits {
  const { maxFrame, maxMessage, maxMeta, maxCalls, window } = limits
  return { maxFrame, maxMessage, maxMeta, maxCalls, window }
}

/**
 * The limits in a map of the peer. `changed`: those of a LIMITS frame, which may be few and cannot
 * touch `maxFrame` and `window`. Throws `protocol` for anything that is no limit.
 */
export function readLimits(map: Record<string, unknown>, changed = false): Partial<PeerLimits> {
  const limits: Record<string, number> = {}
  for (const name of names) {
    const value = map[name]
    if (value === undefined && changed) continue
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 2 ** 31 - 1)
      throw protocolError(`limits.${name} is no limit`)
    if (changed && (name === 'maxFrame' || name === 'window'))
      throw protocolError(`limits.${name} holds for the whole session`)
    limits[name] = name === 'maxFrame' ? Math.min(value, mostFrame) : value
  }
  if (limits['maxFrame'] !== undefined && limits['maxFrame'] < leastFrame)
    throw protocolError('limits.maxFrame is below 16384')
  if (limits['window'] !== undefined && limits['window'] < leastWindow)
    throw protocolError('limits.window is below 131072')
  return limits
}

/** Name and hash of a contract, in the order in which ids are given. */
export type ContractStamp = readonly [name: string, hash: string]

/** Bytes of a session's id, and of its token. */
export const ticketBytes = 16

/** What names a session, and proves that it is the caller's. 16 bytes each, of the server's choice. */
export interface SessionTicket {
  readonly id: Uint8Array
  readonly token: Uint8Array
}

/** What a client says of the session that it wants to go on with. */
export interface ResumeTerms extends SessionTicket {
  /** Position up to which it has received stream frames. */
  readonly received: number
}

/** What a server says of the session that it has made, or resumed. */
export interface SessionGrant extends SessionTicket {
  /** How long the session lives without a link, in milliseconds. */
  readonly graceMs: number
}

export interface HelloTerms {
  readonly client: { readonly name: string; readonly version: string }
  readonly auth?: unknown
  readonly contracts: readonly ContractStamp[]
  readonly codecs: readonly string[]
  readonly limits: PeerLimits
  readonly session?: ResumeTerms | undefined
}

/** For each contract whose hashes differ: the server's methods with their hashes, sorted by name. */
export type MethodStamps = Readonly<Record<string, readonly ContractStamp[]>>

export interface WelcomeTerms {
  readonly server: { readonly name: string; readonly version: string; readonly epoch: string }
  readonly codec: string
  readonly limits: PeerLimits
  readonly methods?: MethodStamps | undefined
  readonly keepalive: KeepaliveTerms
  /** Absent where a session ends with its link. */
  readonly session?: SessionGrant | undefined
  /** The session that HELLO names goes on. */
  readonly resumed: boolean
  /** Position up to which the server has received stream frames. */
  readonly received: number
  /** Milliseconds until the credential expires; absent if it does not. */
  readonly expiresInMs?: number | undefined
}

export function stampOf(contract: AnyContract): ContractStamp {
  return [contract['~contract'].name, contractHash(contract)]
}

export function writeHello(terms: HelloTerms): Frame {
  return helloFrame(encodeValue({ ...terms, caps: 0 }))
}

export function writeWelcome(terms: WelcomeTerms): Frame {
  const { methods, ...rest } = terms
  const changed = methods === undefined || Object.keys(methods).length === 0 ? {} : { methods }
  return welcomeFrame(encodeValue({ ...rest, caps: 0, ...changed }))
}

/** Reads a HELLO, all of it. Throws `protocol` for whatever is not one. */
export function readHello(
  buffer: Uint8Array,
  start: number,
  end: number,
  limits: Limits,
): HelloTerms {
  const at = parseHello(buffer, start, end)
  if (end - start > limits.maxHello)
    throw new ConnectionError('protocol', 'HELLO over limits.maxHello', 'maxHello')
  const map = decodeMap(buffer, at, end, limits)
  const client = isMap(map['client']) ? map['client'] : {}
  return {
    client: { name: shortText(client['name']), version: shortText(client['version']) },
    auth: map['auth'],
    contracts: stamps(map['contracts'], 'HELLO'),
    codecs: texts(map['codecs']),
    limits: completeLimits(map['limits']),
    session: resumeTerms(map['session']),
  }
}

/** Reads a WELCOME, all of it. Throws `protocol` for whatever is not one. */
export function readWelcome(
  buffer: Uint8Array,
  start: number,
  end: number,
  limits: Limits,
): WelcomeTerms {
  const map = decodeMap(buffer, parseWelcome(buffer, start, end), end, limits)
  const server = isMap(map['server']) ? map['server'] : {}
  const keepalive = isMap(map['keepalive']) ? map['keepalive'] : {}
  return {
    server: {
      name: shortText(server['name']),
      version: shortText(server['version']),
      epoch: shortText(server['epoch']),
    },
    codec: shortText(map['codec']),
    limits: completeLimits(map['limits']),
    methods: methodStamps(map['methods']),
    keepalive: {
      intervalMs: duration(keepalive['intervalMs'], limits.pingIntervalMs),
      timeoutMs: duration(keepalive['timeoutMs'], limits.pingTimeoutMs),
    },
    session: sessionGrant(map['session']),
    resumed: map['resumed'] === true,
    received: positionOf(map['received'] ?? 0),
    expiresInMs: typeof map['expiresInMs'] === 'number' ? map['expiresInMs'] : undefined,
  }
}

function resumeTerms(value: unknown): ResumeTerms | undefined {
  if (value === undefined) return undefined
  if (!isMap(value)) throw protocolError('session is no map')
  return { ...ticketOf(value), received: positionOf(value['received']) }
}

function sessionGrant(value: unknown): SessionGrant | undefined {
  if (value === undefined) return undefined
  if (!isMap(value)) throw protocolError('session is no map')
  return { ...ticketOf(value), graceMs: duration(value['graceMs'], 1) }
}

function ticketOf({ id, token }: Record<string, unknown>): SessionTicket {
  if (!isTicketPart(id) || !isTicketPart(token))
    throw protocolError(`id and token of a session have ${ticketBytes} bytes each`)
  return { id, token }
}

function isTicketPart(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length === ticketBytes
}

function positionOf(value: unknown): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value >= 2 ** 32)
    throw protocolError('received is no position')
  return value
}

/** The map of a connection frame. Throws `protocol` for anything else than one map. */
export function decodeMap(
  buffer: Uint8Array,
  start: number,
  end: number,
  limits: Limits,
): Record<string, unknown> {
  let value: unknown
  try {
    value = decodeValue(buffer, start, end, limits)
  } catch {
    throw protocolError('malformed map')
  }
  if (!isMap(value)) throw protocolError('malformed map')
  return value
}

function isMap(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
  )
}

function completeLimits(value: unknown): PeerLimits {
  if (!isMap(value)) throw protocolError('limits are missing')
  // All five are there: readLimits refuses a missing one.
  return readLimits(value) as PeerLimits
}

function shortText(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 128) : ''
}

function texts(value: unknown): readonly string[] {
  if (!Array.isArray(value) || !value.every((entry) => typeof entry === 'string'))
    throw protocolError('codecs is no list of names')
  return value
}

function duration(value: unknown, otherwise: number): number {
  return typeof value === 'number' && value >= 1 && value <= 2 ** 31 - 1 ? value : otherwise
}

function stamps(value: unknown, where: string): readonly ContractStamp[] {
  const pair = (entry: unknown): boolean =>
    Array.isArray(entry) &&
    entry.length === 2 &&
    typeof entry[0] === 'string' &&
    typeof entry[1] === 'string'
  if (!Array.isArray(value) || !value.every(pair)) throw protocolError(`malformed list in ${where}`)
  const list = value as ContractStamp[]
  if (new Set(list.map(([name]) => name)).size !== list.length)
    throw protocolError(`a name stands twice in ${where}`)
  return list
}

function methodStamps(value: unknown): MethodStamps | undefined {
  if (value === undefined) return undefined
  if (!isMap(value)) throw protocolError('malformed WELCOME')
  const all: Record<string, readonly ContractStamp[]> = {}
  for (const [name, list] of Object.entries(value)) all[name] = stamps(list, 'WELCOME')
  return all
}

// Method ids

/** How a caller names a method to its peer. */
export const Unserved = -2
export const ByName = -1
/** Its schemas differ, and this side wants none but its own. */
export const Changed = -3

/** Ids of one side's methods, by the method itself: an id, `ByName`, `Changed` or `Unserved`. */
export type MethodIds = ReadonlyMap<NamedMethod, number>

/**
 * The ids by which a client calls, once WELCOME has come. Ids run over the server's methods, sorted
 * by name, of each contract in the order of HELLO.
 */
export function idsOfClient(
  contracts: readonly AnyContract[],
  stamps: MethodStamps = {},
  strict = false,
): MethodIds {
  const ids = new Map<NamedMethod, number>()
  let next = 0
  for (const contract of contracts) {
    const own = methodsOf(contract).methods
    const name = contract['~contract'].name
    const theirs = Object.hasOwn(stamps, name) ? stamps[name] : undefined
    if (theirs === undefined) for (const entry of own) ids.set(entry, next++)
    else {
      const at = new Map(
        theirs.map(([method, hash], index) => [method, { hash, id: next + index }]),
      )
      for (const entry of own) {
        const found = at.get(entry.name)
        if (found === undefined) ids.set(entry, Unserved)
        else
          ids.set(
            entry,
            found.hash === methodHash(entry.method) ? found.id : strict ? Changed : ByName,
          )
      }
      next += theirs.length
    }
  }
  return ids
}

/**
 * The ids by which a server calls its client's methods: a space of its own over the contracts whose
 * hashes agree. The others take no ids in it, for neither side knows the other's list; they are
 * called by name.
 */
export function idsOfServer(
  contracts: readonly AnyContract[],
  agreed: (contract: AnyContract) => boolean,
): MethodIds {
  const ids = new Map<NamedMethod, number>()
  let next = 0
  for (const contract of contracts)
    for (const entry of methodsOf(contract).client)
      ids.set(entry, agreed(contract) ? next++ : ByName)
  return ids
}

/** What a server says of the contracts of a HELLO that it does not know by the same hash. */
export function stampsFor(
  hello: readonly ContractStamp[],
  served: ReadonlyMap<string, AnyContract>,
): MethodStamps {
  const all: Record<string, readonly ContractStamp[]> = {}
  for (const [name, hash] of hello) {
    const contract = served.get(name)
    if (contract !== undefined && contractHash(contract) === hash) continue
    all[name] =
      contract === undefined
        ? []
        : methodsOf(contract).methods.map(
            (entry) => [entry.name, methodHash(entry.method)] as const,
          )
  }
  return all
}
