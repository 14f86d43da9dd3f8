// Runs cases against clients: they dial the runner, and the path of the request says which case it is.
//   in  -> connections of clients
//   out -> for each case nothing, or a Fault that says what was wrong

import type { Duplex } from 'node:stream'
import { Conversation, encodeAll, exchangeOf, writeTo, type Line } from './conversation.ts'
import type { Answer, Case, Header } from './case.ts'
import { agreedOf } from './extension.ts'
import { merge, parseHead, type Head } from './http.ts'
import { Fault } from './inbox.ts'
import { Opening } from './opening.ts'
import { acceptFor } from './wire.ts'

interface Waiting {
  readonly one: Case
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** Cases that wait for their client. */
export class Reception {
  private readonly waiting = new Map<string, Waiting>()
  private readonly deadlineMs: number

  constructor(deadlineMs: number) {
    this.deadlineMs = deadlineMs
  }

  /** Settles when the connection to that path has come and gone. */
  expect(path: string, one: Case): Promise<void> {
    return new Promise((resolve, reject) => this.waiting.set(path, { one, resolve, reject }))
  }

  /** Nobody will come any more. */
  forget(path: string): void {
    this.waiting.get(path)?.resolve()
    this.waiting.delete(path)
  }

  /** Nobody comes any more. */
  giveUp(): void {
    for (const { reject } of this.waiting.values()) reject(new Fault('no client came'))
    this.waiting.clear()
  }

  /** A client has come. */
  async accept(stream: Duplex, split: boolean, pieces?: Line['pieces']): Promise<void> {
    const line = { stream, split, pieces }
    const opening = new Opening(line)
    const timer = setTimeout(() => opening.expire(), this.deadlineMs)
    try {
      const request = await opening.until(() => parseHead(opening.bytes), 'request')
      const path = request.line.split(' ')[1]!
      const waiting = this.waiting.get(path)
      this.waiting.delete(path)
      // Somebody who was not sent for, or comes again after a redirect.
      if (waiting === undefined) return
      await drive(waiting.one, line, opening, request).then(waiting.resolve, waiting.reject)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
    } finally {
      clearTimeout(timer)
      stream.destroy()
    }
  }
}

async function drive(one: Case, line: Line, opening: Opening, request: Head): Promise<void> {
  const { answer = {}, end = { kind: 'open' } } = one
  const exchange = exchangeOf(one)
  if (request.rest.length > 0) throw new Fault('it sent something before the answer')
  checkRequest(request, answer)
  const text = answerText(answer, request.all('sec-websocket-key').join())
  const agreed = end.kind === 'rejected' ? undefined : agreedBy(request, text)
  const conversation = new Conversation(line, 'client', agreed?.client)
  opening.hand(conversation, Buffer.alloc(0))
  const frames = answer.withFrames === true ? encodeAll(exchange[0]!.send, 'client') : []
  const body = answer.body ?? Buffer.alloc(0)
  writeTo(line, Buffer.concat([Buffer.from(text, 'latin1'), body, Buffer.from(frames)]))
  if (answer.ends === true) line.stream.end()
  if (end.kind !== 'rejected') return conversation.run(exchange, end, answer.withFrames)
  // A client that refuses an answer ends the connection, and sends nothing more.
  await opening.until(() => opening.ended || undefined, 'end of the connection')
  line.stream.end()
}

function answerText(answer: Answer, key: string): string {
  const accept = acceptFor(key)
  const fill = (text: string): string =>
    text.replaceAll('{accept}', accept).replaceAll('{key}', key)
  if (answer.raw !== undefined) return fill(answer.raw)
  const good: readonly Header[] = [
    ['Upgrade', 'websocket'],
    ['Connection', 'Upgrade'],
    ['Sec-WebSocket-Accept', '{accept}'],
  ]
  const { status = 'HTTP/1.1 101 Switching Protocols', headers } = answer
  return fill(`${status}\r\n${merge(good, headers)}\r\n`)
}

function agreedBy(request: Head, answer: string): ReturnType<typeof agreedOf> {
  const head = parseHead(Buffer.from(answer, 'latin1'))
  const chosen = head?.all('sec-websocket-extensions') ?? []
  return agreedOf(request.all('sec-websocket-extensions'), chosen)
}

/** Section 4.1, as far as it is the same for every case. */
function checkRequest(request: Head, answer: Answer): void {
  const fault = requestFault(request) ?? answer.request?.(request)
  if (fault !== undefined) throw new Fault(fault)
}

function requestFault({ line, all }: Head): string | undefined {
  if (!/^GET \/[\x21-\x7e]* HTTP\/1\.1$/.test(line)) return `the request line is '${line}'`
  if (all('host').length !== 1) return 'there is not one Host'
  if (all('upgrade').join().toLowerCase() !== 'websocket') return 'no Upgrade: websocket'
  if (!/\bupgrade\b/i.test(all('connection').join())) return 'no Connection: Upgrade'
  if (all('sec-websocket-version').join() !== '13') return 'no Sec-WebSocket-Version: 13'
  if (!/^[A-Za-z0-9+/]{21}[AQgw]==$/.test(all('sec-websocket-key').join())) return 'a bad key'
  if (all('sec-websocket-extensions').length > 1) return 'more than one list of extensions'
  return undefined
}
