// Runs cases, many at a time, and says of each how it went.
//   in  -> cases, what runs one of them
//   out -> results in the order of the cases

import { once } from 'node:events'
import * as http from 'node:http'
import * as net from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import type { Profile, Told } from './case.ts'
import type { NamedCase } from './cases.ts'
import { Reception } from './drive-client.ts'
import { driveServer } from './drive-server.ts'
import { Fault } from './inbox.ts'
import { MemoryEnd } from './memory-line.ts'
import { profileNames, startClient, startServer, type SubjectServer } from './subject.ts'

export interface Result {
  readonly one: NamedCase
  /** Why it failed. Undefined: it passed. */
  readonly fault: string | undefined
}

/** No case needs this long; one that is over it has failed. */
const patience = 30_000
const atOnce = 64

export interface RunOptions {
  /** Bytes one by one, over a line in memory: what is written alone is read alone. */
  readonly split?: boolean
  /** Ends at the first failure. */
  readonly bail?: boolean
  /** Milliseconds that a case may take. Default 30,000. */
  readonly deadlineMs?: number
}

type RunOne = (one: NamedCase) => Promise<void>

export async function runAll(
  cases: readonly NamedCase[],
  run: RunOne,
  { bail = false }: RunOptions = {},
): Promise<readonly Result[]> {
  const results: (Result | undefined)[] = cases.map(() => undefined)
  let at = 0
  let failed = false
  const worker = async (): Promise<void> => {
    while (at < cases.length && !(bail && failed)) {
      const index = at
      at += 1
      const fault = await faultOf(run(cases[index]!))
      failed ||= fault !== undefined
      results[index] = { one: cases[index]!, fault }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return results.filter((result) => result !== undefined)
}

async function faultOf(run: Promise<void>): Promise<string | undefined> {
  try {
    await run
    return undefined
  } catch (error) {
    return error instanceof Fault ? error.message : String((error as Error).stack)
  }
}

/** The server of `@callbox/transport-ws/raw`, in every profile. */
export async function runServer(
  cases: readonly NamedCase[],
  options: RunOptions = {},
): Promise<readonly Result[]> {
  const { deadlineMs = patience } = options
  const servers = new Map<Profile, SubjectServer>()
  for (const profile of profileNames) servers.set(profile, await startServer(profile))
  let lines = 0
  const run = async (one: NamedCase): Promise<void> => {
    const subject = servers.get(one.profile ?? 'echo')!
    const place = { host: `127.0.0.1:${subject.port}`, path: '/' }
    const { stream, id } =
      options.split === true ? inMemory(subject, (lines -= 1)) : await dial(subject.port)
    await driveServer(one, { stream, split: options.split === true }, place, deadlineMs)
    await checkTold(one, () => subject.told(id), deadlineMs)
  }
  try {
    return await runAll(cases, run, options)
  } finally {
    for (const server of servers.values()) await server.close()
  }
}

function inMemory({ server }: SubjectServer, id: number): { stream: MemoryEnd; id: number } {
  const [near, far] = MemoryEnd.pair(id)
  server.emit('connection', far)
  return { stream: near, id }
}

async function dial(port: number, host = '127.0.0.1'): Promise<{ stream: net.Socket; id: number }> {
  const stream = net.connect({ port, host, noDelay: true, allowHalfOpen: true })
  await once(stream, 'connect')
  return { stream, id: stream.localPort! }
}

/** Any echo server at a URL. Its application is not seen. */
export function runServerAt(
  url: URL,
  cases: readonly NamedCase[],
  options: RunOptions = {},
): Promise<readonly Result[]> {
  const { deadlineMs = patience } = options
  const port = Number(url.port === '' ? 80 : url.port)
  const place = { host: url.host, path: `${url.pathname}${url.search}` }
  const run = async (one: NamedCase): Promise<void> => {
    const { stream } = await dial(port, url.hostname)
    await driveServer(one, { stream, split: options.split === true }, place, deadlineMs)
  }
  return runAll(cases, run, options)
}

/** The client of `@callbox/transport-ws/raw`, in every profile. */
export async function runClient(
  cases: readonly NamedCase[],
  options: RunOptions = {},
): Promise<readonly Result[]> {
  const { deadlineMs = patience } = options
  const reception = new Reception(deadlineMs)
  const server = await receive(reception, 0)
  const { port } = server.address() as net.AddressInfo
  const run = async (one: NamedCase): Promise<void> => {
    const path = `/${one.name}`
    const driven = reception.expect(path, one)
    const agent = options.split === true ? memoryAgent(reception) : undefined
    const client = startClient(`ws://127.0.0.1:${port}${path}`, one.profile ?? 'echo', agent)
    // Refused before it was there: the runner would wait for ever.
    const opened = client.catch((error: unknown) => {
      setTimeout(() => reception.forget(path), 1_000).unref()
      return error as Error
    })
    await driven
    const how = await opened
    agent?.destroy()
    await checkOpened(one, how, deadlineMs)
  }
  try {
    return await runAll(cases, run, options)
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
}

type Opened = Awaited<ReturnType<typeof startClient>> | Error

async function checkOpened(one: NamedCase, how: Opened, deadlineMs: number): Promise<void> {
  const isRejected = one.end?.kind === 'rejected'
  if (how instanceof Error) {
    if (!isRejected) throw new Fault(`the client does not open: ${how.message}`)
    if (how.message === '') throw new Fault('the client does not say why it does not open')
    return
  }
  if (isRejected) throw new Fault('the client opens')
  const wanted = one.answer?.protocol ?? ''
  if (how.protocol !== wanted)
    throw new Fault(`the client reports the subprotocol '${how.protocol}', not '${wanted}'`)
  await checkTold(one, () => how.told, deadlineMs)
}

function memoryAgent(reception: Reception): http.Agent {
  const agent = new http.Agent()
  agent.createConnection = () => {
    const [near, far] = MemoryEnd.pair(0)
    void reception.accept(far, true)
    return near
  }
  return agent
}

/** Listens for clients. */
export async function receive(reception: Reception, port: number): Promise<net.Server> {
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    void reception.accept(socket, false)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return server
}

/** A connection that nothing was wrong with was closed by the runner, with 1000. */
const well: Told = { code: 1000, reason: '', wasClean: true }

async function checkTold(
  one: NamedCase,
  told: () => Promise<Told>,
  deadlineMs: number,
): Promise<void> {
  const wanted = one.told ?? ((one.end ?? { kind: 'open' }).kind === 'open' ? well : undefined)
  if (wanted === undefined || one.request?.or400 === true) return
  const timeout = new AbortController()
  const late = new Promise<undefined>((resolve) => {
    const timer = setTimeout(() => resolve(undefined), deadlineMs)
    timeout.signal.addEventListener('abort', () => clearTimeout(timer))
  })
  const got = await Promise.race([told(), late])
  timeout.abort()
  await turn()
  if (got === undefined) throw new Fault('the application is not told that it is over')
  const same = (Object.keys(wanted) as (keyof Told)[]).every((key) => wanted[key] === got[key])
  if (!same)
    throw new Fault(`the application is told ${JSON.stringify(got)}, not ${JSON.stringify(wanted)}`)
}
