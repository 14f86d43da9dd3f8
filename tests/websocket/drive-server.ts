// Runs a case against a server.
//   in  -> a case, a line to the server
//   out -> nothing, or a Fault that says what was wrong

import { Conversation, encodeAll, exchangeOf, writeTo, type Line } from './conversation.ts'
import type { Case, End, Header, Request } from './case.ts'
import { agreedOf, type Agreed } from './extension.ts'
import { bodyIsWhole, merge, parseHead, type Head } from './http.ts'
import { Fault } from './inbox.ts'
import { Opening } from './opening.ts'
import { acceptFor, sampleKey } from './wire.ts'

export interface ServerPlace {
  /** For the Host header. */
  readonly host: string
  readonly path: string
}

/** Rejects with a Fault. The line is over when it settles. */
export async function driveServer(
  one: Case,
  line: Line,
  place: ServerPlace,
  deadlineMs: number,
): Promise<void> {
  const { stream } = line
  const exchange = exchangeOf(one)
  const end = one.end ?? { kind: 'open' }
  const request = one.request ?? {}
  const head = Buffer.from(requestText(request, place), 'latin1')
  const frames = request.withFrames === true ? encodeAll(exchange[0]!.send, 'server') : []
  const opening = new Opening(line)
  const timer = setTimeout(() => opening.expire(), deadlineMs)
  try {
    writeTo(line, Buffer.concat([head, request.body ?? Buffer.alloc(0), Buffer.from(frames)]))
    const answer = await opening.until(() => parseHead(opening.bytes), 'answer to the request')
    if (end.kind === 'refused') return await checkRefusal(opening, answer, end)
    if (request.or400 === true && answer.line.startsWith('HTTP/1.1 400')) return
    const agreed = checkAnswer(answer, request)
    const conversation = new Conversation(line, 'server', agreed?.server)
    // What came together with the answer is expected by now.
    const running = conversation.run(exchange, end, request.withFrames)
    opening.hand(conversation, answer.rest)
    await running
  } finally {
    clearTimeout(timer)
    stream.destroy()
  }
}

/** Refused politely: with a whole answer, and the connection is over if it says so. */
async function checkRefusal(
  opening: Opening,
  answer: Head,
  end: Extract<End, { kind: 'refused' }>,
): Promise<void> {
  const status = statusOf(answer)
  if (!end.status.includes(status))
    throw new Fault(`answered ${status}, not ${end.status.join(' or ')}`)
  for (const [name, value] of end.headers ?? []) {
    const got = answer.all(name).join(', ')
    if (!value.test(got)) throw new Fault(`${name} is '${got}'`)
  }
  const whole = (): boolean => opening.ended || bodyIsWhole(parseHead(opening.bytes)!)
  await opening.until(() => whole() || undefined, 'whole answer')
  if (/\bclose\b/i.test(answer.all('connection').join()))
    await opening.until(() => opening.ended || undefined, 'end of the connection')
}

function requestText(request: Request, { host, path }: ServerPlace): string {
  if (request.raw !== undefined) return request.raw.replaceAll('{host}', host)
  const { method = 'GET', target = path, version = 'HTTP/1.1', headers } = request
  const good: readonly Header[] = [
    ['Host', host],
    ['Upgrade', 'websocket'],
    ['Connection', 'Upgrade'],
    ['Sec-WebSocket-Key', sampleKey],
    ['Sec-WebSocket-Version', '13'],
  ]
  const changed = (headers ?? []).map(([name, value]): Header => [
    name,
    value?.replaceAll('{host}', host),
  ])
  return `${method} ${target.replaceAll('{host}', host)} ${version}\r\n${merge(good, changed)}\r\n`
}

/** Section 4.2.2, and section 7.1 of RFC 7692. */
function checkAnswer(answer: Head, request: Request): Agreed | undefined {
  if (statusOf(answer) !== 101) throw new Fault(`answered ${statusOf(answer)}, not 101`)
  if (answer.all('upgrade').join().toLowerCase() !== 'websocket')
    throw new Fault(`Upgrade is '${answer.all('upgrade').join()}'`)
  if (answer.all('connection').join().toLowerCase() !== 'upgrade')
    throw new Fault(`Connection is '${answer.all('connection').join()}'`)
  const key = keyOf(request)
  if (answer.all('sec-websocket-accept').join() !== acceptFor(key))
    throw new Fault('Sec-WebSocket-Accept is wrong')
  if (answer.all('content-length').length + answer.all('transfer-encoding').length > 0)
    throw new Fault('an answer of 101 announces a body')
  const protocol = answer.all('sec-websocket-protocol')
  if (protocol.join() !== (request.protocol ?? ''))
    throw new Fault(`the subprotocol is '${protocol.join()}', not '${request.protocol ?? ''}'`)
  return checkExtension(answer, request)
}

function checkExtension(answer: Head, request: Request): Agreed | undefined {
  const offers = (request.headers ?? [])
    .filter(([name]) => name.toLowerCase() === 'sec-websocket-extensions')
    .map(([, value]) => value ?? '')
  const agreed = agreedOf(offers, answer.all('sec-websocket-extensions'))
  const { extension = 'none' } = request
  if (extension === 'either') return agreed
  if ((agreed !== undefined) !== (extension !== 'none'))
    throw new Fault(agreed === undefined ? 'no extension is agreed' : 'an extension is agreed')
  if (typeof extension !== 'string') {
    for (const wanted of extension) {
      const is = (one: string): boolean =>
        typeof wanted === 'string' ? one === wanted : wanted.test(one)
      if (!agreed!.parameters.some(is)) throw new Fault(`the answer does not say ${String(wanted)}`)
    }
  }
  return agreed
}

function keyOf({ headers = [], raw = '' }: Request): string {
  const own = headers.find(([name]) => name.toLowerCase() === 'sec-websocket-key')?.[1]
  return (own ?? /^sec-websocket-key: *(\S+)/im.exec(raw)?.[1] ?? sampleKey).trim()
}

function statusOf({ line }: Head): number {
  const status = /^HTTP\/1\.[01] (\d{3})( |$)/.exec(line)?.[1]
  if (status === undefined) throw new Fault(`'${line}' is no status line`)
  return Number(status)
}
