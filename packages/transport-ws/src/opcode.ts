// Opcodes and close codes of RFC 6455, and which are legal where.

import type { Limits } from '@callbox/core/internal'

/** Section 11.8. */
export const Opcode = {
  Continuation: 0x0,
  Text: 0x1,
  Binary: 0x2,
  Close: 0x8,
  Ping: 0x9,
  Pong: 0xa,
} as const

/** Section 7.4.1. */
export const CloseCode = {
  Normal: 1000,
  GoingAway: 1001,
  ProtocolError: 1002,
  UnsupportedData: 1003,
  NoStatus: 1005,
  Abnormal: 1006,
  InvalidPayload: 1007,
  PolicyViolation: 1008,
  TooBig: 1009,
  InternalError: 1011,
} as const

/** Bits of a frame's first byte (section 5.2). */
export const Bit = { Fin: 0x80, Rsv1: 0x40, Rsv2: 0x20, Rsv3: 0x10 } as const

/** Most bytes of a control frame's payload (section 5.5). */
export const maxControlBytes = 125

/** Control frames: at most 125 bytes, never fragmented (section 5.5). */
export function isControl(opcode: number): boolean {
  return (opcode & 0x8) !== 0
}

export function isKnown(opcode: number): boolean {
  return opcode <= Opcode.Binary || (opcode >= Opcode.Close && opcode <= Opcode.Pong)
}

/** Codes that may stand in a close frame (section 7.4.2). */
export function isCloseCode(code: number): boolean {
  if (code >= 3000 && code <= 4999) return true
  return code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006
}

/** A broken rule of RFC 6455: the connection is closed with `code`. */
export class WebSocketError extends Error {
  readonly code: number
  /** The limit that was passed, where that is the rule. */
  readonly limit: keyof Limits | undefined

  constructor(code: number, message: string, limit?: keyof Limits) {
    super(message)
    this.name = 'WebSocketError'
    this.code = code
    this.limit = limit
  }
}

/** The rule broken is one of the protocol itself: 1002. */
export function protocolError(message: string): WebSocketError {
  return new WebSocketError(CloseCode.ProtocolError, message)
}
