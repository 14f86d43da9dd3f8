// What permessage-deflate agrees on in the opening handshake (RFC 7692, section 7.1).
//   in  -> our wishes; the parameters of an offer or an answer
//   out -> an answer, or what is wrong with it; windows and takeover for each direction

import type { ExtensionParameter } from './extension.ts'

export interface DeflateWishes {
  readonly serverNoContextTakeover: boolean
  readonly clientNoContextTakeover: boolean
  readonly serverMaxWindowBits: number | undefined
  readonly clientMaxWindowBits: number | undefined
}

/** One direction: the largest window, as a power of two, and whether a message refers to those before it. */
export interface Direction {
  readonly windowBits: number
  readonly takeover: boolean
}

export interface DeflateTerms {
  /** Parameters of the answer, in the form of the header. */
  readonly answer: readonly string[]
  readonly server: Direction
  readonly client: Direction
}

interface Parameters {
  serverNoContextTakeover: boolean
  clientNoContextTakeover: boolean
  serverMaxWindowBits: number | undefined
  /** `any`: offered without a value. */
  clientMaxWindowBits: number | 'any' | undefined
}

const largestWindow = 15

/**
 * Compressing with 8 bits is not possible: zlib takes 9 instead for a raw stream, and refers back
 * further than the peer may keep.
 */
export const leastWindow = 9

const windows: ReadonlyMap<string, number> = new Map(
  [8, 9, 10, 11, 12, 13, 14, 15].map((bits) => [String(bits), bits]),
)

/** A server's answer to one offer; undefined declines it, as section 7.1 wants for what is malformed. */
export function acceptOffer(
  offered: readonly ExtensionParameter[],
  wishes: DeflateWishes,
): DeflateTerms | undefined {
  const offer = parametersOf(offered, 'offer')
  if (typeof offer === 'string') return undefined
  const serverBits = Math.min(
    offer.serverMaxWindowBits ?? largestWindow,
    wishes.serverMaxWindowBits ?? largestWindow,
  )
  if (serverBits < leastWindow) return undefined
  const offeredClient = offer.clientMaxWindowBits
  // A client that does not know the parameter cannot be held to it (section 7.1.2.2).
  if (offeredClient === undefined && wishes.clientMaxWindowBits !== undefined) return undefined
  const clientBits = Math.min(
    typeof offeredClient === 'number' ? offeredClient : largestWindow,
    wishes.clientMaxWindowBits ?? largestWindow,
  )
  const server = {
    windowBits: serverBits,
    takeover: !offer.serverNoContextTakeover && !wishes.serverNoContextTakeover,
  }
  const client = {
    windowBits: clientBits,
    takeover: !offer.clientNoContextTakeover && !wishes.clientNoContextTakeover,
  }
  const saysServerBits = offer.serverMaxWindowBits !== undefined || serverBits < largestWindow
  const saysClientBits = offeredClient !== undefined && clientBits < largestWindow
  const answer = [
    ...(server.takeover ? [] : ['server_no_context_takeover']),
    ...(client.takeover ? [] : ['client_no_context_takeover']),
    ...(saysServerBits ? [`server_max_window_bits=${serverBits}`] : []),
    ...(saysClientBits ? [`client_max_window_bits=${clientBits}`] : []),
  ]
  return { answer, server, client }
}

/** A client's offer. That it can hold a smaller window is always said: it lets the server ask for one. */
export function offerOf(wishes: DeflateWishes): readonly string[] {
  const { serverMaxWindowBits, clientMaxWindowBits } = wishes
  return [
    ...(wishes.serverNoContextTakeover ? ['server_no_context_takeover'] : []),
    ...(wishes.clientNoContextTakeover ? ['client_no_context_takeover'] : []),
    ...(serverMaxWindowBits === undefined ? [] : [`server_max_window_bits=${serverMaxWindowBits}`]),
    clientMaxWindowBits === undefined
      ? 'client_max_window_bits'
      : `client_max_window_bits=${clientMaxWindowBits}`,
  ]
}

/** A client's check of the answer. Throws Error naming what is wrong: the connection must fail. */
export function confirmAnswer(
  chosen: readonly ExtensionParameter[],
  wishes: DeflateWishes,
): DeflateTerms {
  const answer = parametersOf(chosen, 'answer')
  if (typeof answer === 'string') throw new Error(`permessage-deflate: ${answer}`)
  const { serverMaxWindowBits: serverBits, clientMaxWindowBits: clientBits } = answer
  if (wishes.serverNoContextTakeover && !answer.serverNoContextTakeover)
    throw new Error('permessage-deflate: the server did not accept server_no_context_takeover')
  const { serverMaxWindowBits: wishedServer, clientMaxWindowBits: wishedClient } = wishes
  if (wishedServer !== undefined && (serverBits === undefined || serverBits > wishedServer))
    throw new Error('permessage-deflate: the server did not accept server_max_window_bits')
  if (typeof clientBits === 'number' && clientBits > (wishedClient ?? largestWindow))
    throw new Error('permessage-deflate: client_max_window_bits is over the offer')
  return {
    answer: chosen.map(({ name, value }) => (value === undefined ? name : `${name}=${value}`)),
    server: { windowBits: serverBits ?? largestWindow, takeover: !answer.serverNoContextTakeover },
    client: {
      windowBits: typeof clientBits === 'number' ? clientBits : (wishedClient ?? largestWindow),
      takeover: !answer.clientNoContextTakeover && !wishes.clientNoContextTakeover,
    },
  }
}

/** What the parameters say, or what is wrong with them. */
function parametersOf(
  list: readonly ExtensionParameter[],
  kind: 'offer' | 'answer',
): Parameters | string {
  const found: Parameters = {
    serverNoContextTakeover: false,
    clientNoContextTakeover: false,
    serverMaxWindowBits: undefined,
    clientMaxWindowBits: undefined,
  }
  const seen = new Set<string>()
  for (const { name, value } of list) {
    if (seen.has(name)) return 'a parameter stands twice'
    seen.add(name)
    const fault = takeParameter(found, name, value, kind)
    if (fault !== undefined) return fault
  }
  return found
}

function takeParameter(
  found: Parameters,
  name: string,
  value: string | undefined,
  kind: 'offer' | 'answer',
): string | undefined {
  const bits = value === undefined ? undefined : windows.get(value)
  switch (name) {
    case 'server_no_context_takeover':
    case 'client_no_context_takeover':
      if (value !== undefined) return 'a takeover parameter with a value'
      if (name === 'server_no_context_takeover') found.serverNoContextTakeover = true
      else found.clientNoContextTakeover = true
      return undefined
    case 'server_max_window_bits':
      if (bits === undefined) return 'server_max_window_bits is not from 8 to 15'
      found.serverMaxWindowBits = bits
      return undefined
    case 'client_max_window_bits':
      // Section 7.1.2.2: only an offer may leave the value out.
      if (bits === undefined && (value !== undefined || kind === 'answer'))
        return 'client_max_window_bits is not from 8 to 15'
      found.clientMaxWindowBits = bits ?? 'any'
      return undefined
    default:
      return 'an unknown parameter'
  }
}
