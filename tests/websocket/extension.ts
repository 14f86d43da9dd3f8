// permessage-deflate as two headers agree on it (RFC 7692, section 7.1), judged for the cases.
//   in  -> Sec-WebSocket-Extensions of a request and of its answer
//   out -> what holds for each direction; a Fault where the answer was not allowed

import { Fault, type Compression } from './inbox.ts'

export interface Agreed {
  readonly server: Compression
  readonly client: Compression
  /** Parameters of the answer, as `name` or `name=value`. */
  readonly parameters: readonly string[]
}

type Parameters = ReadonlyMap<string, string | undefined>

const plain = ['server_no_context_takeover', 'client_no_context_takeover']
const sized = ['server_max_window_bits', 'client_max_window_bits']

/** `answers`: one element a header line. Undefined: no extension. */
export function agreedOf(
  requests: readonly string[],
  answers: readonly string[],
): Agreed | undefined {
  const chosen = answers.join(', ')
  if (answers.length === 0) return undefined
  const parameters = parseOffer(chosen)
  if (parameters === undefined) throw new Fault(`the answer agrees on '${chosen}'`)
  const offers = requests.join(', ').split(',').map(parseOffer)
  if (!offers.some((offer) => offer !== undefined && answersTo(offer, parameters)))
    throw new Fault(`'${chosen}' is no answer to '${requests.join(', ')}'`)
  return {
    server: directionOf('server', parameters),
    client: directionOf('client', parameters),
    parameters: [...parameters].map(([name, value]) =>
      value === undefined ? name : `${name}=${value}`,
    ),
  }
}

function directionOf(side: 'server' | 'client', parameters: Parameters): Compression {
  return {
    takeover: !parameters.has(`${side}_no_context_takeover`),
    windowBits: Number(parameters.get(`${side}_max_window_bits`) ?? 15),
  }
}

/** Undefined: this is not permessage-deflate, or not well formed. */
function parseOffer(text: string): Parameters | undefined {
  const [name, ...rest] = text.split(';').map((part) => part.trim())
  if (name !== 'permessage-deflate') return undefined
  const parameters = new Map<string, string | undefined>()
  for (const part of rest) {
    const [key = '', ...values] = part.split('=').map((piece) => piece.trim())
    const value = values.length === 0 ? undefined : values.join('=').replaceAll('"', '')
    if (parameters.has(key)) return undefined
    if (plain.includes(key) ? value !== undefined : !sized.includes(key)) return undefined
    if (value !== undefined && !/^([89]|1[0-5])$/.test(value)) return undefined
    if (key === 'server_max_window_bits' && value === undefined) return undefined
    parameters.set(key, value)
  }
  return parameters
}

function answersTo(offer: Parameters, answer: Parameters): boolean {
  // Section 7.1.2.2: only who offered it can be told to use a smaller window.
  if (answer.has('client_max_window_bits')) {
    if (!offer.has('client_max_window_bits')) return false
    if (answer.get('client_max_window_bits') === undefined) return false
    const most = Number(offer.get('client_max_window_bits') ?? 15)
    if (Number(answer.get('client_max_window_bits')) > most) return false
  }
  if (offer.has('server_no_context_takeover') && !answer.has('server_no_context_takeover'))
    return false
  if (!offer.has('server_max_window_bits')) return true
  return (
    Number(answer.get('server_max_window_bits') ?? 16) <=
    Number(offer.get('server_max_window_bits'))
  )
}
