// What compressed cases have in common: their opening handshake, and messages worth compressing.

import { bytesOf, type Case, type Expected } from '../case.ts'

/** What both sides of a case agree on; for a client these are the words of the answer. */
export interface Terms {
  readonly offer: string
  readonly answer: string
  readonly wanted: readonly string[]
}

const usual: Terms = { offer: 'permessage-deflate', answer: 'permessage-deflate', wanted: [] }

/** The same case for both roles, each with its opening handshake. */
export function compressed(one: Omit<Case, 'request' | 'answer' | 'role'>, terms = usual): Case[] {
  const offer = [['Sec-WebSocket-Extensions', terms.offer]] as const
  const answer = [['Sec-WebSocket-Extensions', terms.answer]] as const
  const extension = terms.wanted.length === 0 ? 'deflate' : terms.wanted
  return [
    { ...one, role: 'server', request: { headers: offer, extension } },
    { ...one, role: 'client', answer: { headers: answer } },
  ]
}

export const rsv1 = { rsv: 4 } as const
export const small = (kind: 'text' | 'binary', payload: string | Uint8Array): Expected => ({
  kind,
  payload: bytesOf(payload),
})

/** Repeats itself, and needs a window of its own size to be seen to. */
export function repeating(distance: number, times: number): Uint8Array {
  let seed = 12_345
  const part = Uint8Array.from({ length: distance }, () => {
    seed = (seed * 1_103_515_245 + 12_345) & 0x7fff_ffff
    return seed >> 16
  })
  return Uint8Array.from({ length: distance * times }, (_, at) => part[at % distance]!)
}
