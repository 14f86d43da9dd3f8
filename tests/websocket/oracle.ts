// What an end has to make of frames, whatever they are: the rules once more, in the fewest words.
//   in  -> frames as they are sent; whether permessage-deflate is agreed
//   out -> for each frame what comes back, and how it ends

import { constants, inflateRawSync } from 'node:zlib'
import { closes, gotBinary, gotPong, gotText, type End, type Expected } from './case.ts'
import { Opcode, type Frame, type Role } from './wire.ts'

export interface Verdict {
  /** What a frame brings, in the order of the frames up to the last that counts. */
  readonly answers: readonly (readonly Expected[])[]
  readonly end: End
}

interface Message {
  readonly isText: boolean
  readonly compressed: boolean
  readonly decoder: TextDecoder
  bytes: Uint8Array
}

/** No takeover is agreed on: each compressed message stands for itself. */
export function judge(frames: readonly Frame[], to: Role, deflate: boolean): Verdict {
  const answers: (readonly Expected[])[] = []
  let message: Message | undefined
  for (const frame of frames) {
    const { opcode, fin = true, payload = new Uint8Array(0) } = frame
    if (breaksHeader(frame, to, message !== undefined, deflate))
      return { answers, end: closes(1002) }
    if (opcode === Opcode.Close) return { answers, end: endOf(payload) }
    if (opcode >= 8) {
      answers.push(opcode === Opcode.Ping ? [gotPong(payload)] : [])
      continue
    }
    message ??= {
      isText: opcode === Opcode.Text,
      compressed: frame.rsv === 4,
      decoder: new TextDecoder('utf-8', { fatal: true }),
      bytes: new Uint8Array(0),
    }
    message.bytes = Buffer.concat([message.bytes, payload])
    if (message.isText && !message.compressed && !isText(message.decoder, payload, !fin))
      return { answers, end: closes(1007) }
    if (!fin) {
      answers.push([])
      continue
    }
    const whole: Uint8Array | undefined = message.compressed
      ? inflate(message.bytes)
      : message.bytes
    if (whole === undefined) return { answers, end: closes(1002, 1007) }
    if (message.isText && message.compressed && !isText(message.decoder, whole, false))
      return { answers, end: closes(1007) }
    answers.push([message.isText ? gotText(whole) : gotBinary(whole)])
    message = undefined
  }
  return { answers, end: { kind: 'open' } }
}

/** Sections 5.1, 5.2, 5.4 and 5.5, and section 6 of RFC 7692. All of them are 1002. */
function breaksHeader(frame: Frame, to: Role, inside: boolean, deflate: boolean): boolean {
  const { opcode, fin = true, rsv = 0, payload = new Uint8Array(0), form, masked } = frame
  const starts = opcode === Opcode.Text || opcode === Opcode.Binary
  if (rsv !== 0 && !(rsv === 4 && deflate && starts)) return true
  if (![0, 1, 2, 8, 9, 10].includes(opcode)) return true
  if (masked !== undefined && masked !== (to === 'server')) return true
  const fewest = payload.length < 126 ? 7 : payload.length < 65_536 ? 16 : 64
  if (form !== undefined && form !== fewest) return true
  if (opcode >= 8) return !fin || payload.length > 125
  return (opcode === Opcode.Continuation) !== inside
}

function endOf(payload: Uint8Array): End {
  if (payload.length === 0) return closes(1005, 1000)
  if (payload.length === 1) return closes(1002)
  const code = payload[0]! * 256 + payload[1]!
  const isKnown = code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)
  if (!isKnown && !(code >= 3000 && code <= 4999)) return closes(1002)
  const decoder = new TextDecoder('utf-8', { fatal: true })
  return closes(isText(decoder, payload.subarray(2), false) ? code : 1007)
}

function isText(decoder: TextDecoder, bytes: Uint8Array, stream: boolean): boolean {
  try {
    decoder.decode(bytes, { stream })
    return true
  } catch {
    return false
  }
}

function inflate(payload: Uint8Array): Uint8Array | undefined {
  try {
    const bytes = Buffer.concat([payload, Buffer.from([0, 0, 0xff, 0xff])])
    return inflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH })
  } catch {
    return undefined
  }
}
