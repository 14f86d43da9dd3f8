// The self-check: two scripted players over WebSocket and one bot over TCP play a round.
//   in  -> the addresses of a running lobby
//   out -> what each of them did and saw, and what was not as it should be
// Everything goes over real sockets; nothing here looks into the server.

import { type Client, createClient, safe } from '@callbox/client'
import { tcp } from '@callbox/transport-tcp'
import { ws } from '@callbox/transport-ws'
import { Bot } from './bot.ts'
import { lobby } from './contract.ts'
import { ticksPerSecond } from './rules.ts'
import type { RunningLobby } from './server.ts'

const roundSeconds = 10
/** The round, its countdown, and room for a slow machine. */
const checkMs = 30_000

export interface CheckRow {
  readonly name: string
  readonly transport: 'ws' | 'tcp'
  readonly calls: number
  readonly snapshots: number
  readonly tiles: number
  readonly heard: number
  readonly asked: number
  readonly errors: number
}

export interface CheckResult {
  readonly rows: readonly CheckRow[]
  /** What was not as it should be; empty if all is well. */
  readonly problems: readonly string[]
  readonly seconds: number
}

/** Plays a round of ten seconds; `report` gets a line for each step. Never rejects. */
export async function checkLobby(
  running: RunningLobby,
  report: (line: string) => void,
): Promise<CheckResult> {
  const started = performance.now()
  const overWs = (name: string): Bot =>
    new Bot({ transport: ws(running.wsUrl), name, bot: false, rematch: false })
  const [first, second] = [overWs('player 1'), overWs('player 2')]
  const transport = tcp({ host: running.botHost, port: running.botPort })
  const third = new Bot({ transport, name: 'bot', bot: true, rematch: false })
  const problems: string[] = []
  try {
    await playRound([first, second, third], running, problems, report)
  } catch (error) {
    problems.push(error instanceof Error ? `${error.name}: ${String(error)}` : String(error))
  }
  await Promise.all([first, second, third].map((bot) => bot.close()))
  const rows = [
    row(first, 'player 1', 'ws'),
    row(second, 'player 2', 'ws'),
    row(third, 'bot', 'tcp'),
  ]
  for (const bot of [first, second, third]) problems.push(...bot.counts.errors)
  if (problems.length === 0) problems.push(...rows.flatMap(judge))
  return { rows, problems, seconds: (performance.now() - started) / 1_000 }
}

async function playRound(
  bots: readonly [Bot, Bot, Bot],
  running: RunningLobby,
  problems: string[],
  report: (line: string) => void,
): Promise<void> {
  const [first, second, third] = bots
  const signal = AbortSignal.timeout(checkMs)
  await Promise.all(bots.map((bot) => bot.enter()))
  const name = `Self-check ${running.port}`
  const { roomId, seat } = await first.client.lobby.create({ name, seats: 3, roundSeconds })
  report(`room '${name}' created over WebSocket`)
  const seats = [seat]
  for (const bot of [second, third]) seats.push((await bot.client.lobby.join({ roomId })).seat)
  report('second player joined over WebSocket, bot over TCP')
  problems.push(...(await checkRefusals(running, roomId, name)))
  const playing = bots.map((bot, at) => bot.play(seats[at] ?? 0))
  await first.until((state) => state.players.every((player) => player.ready), signal)
  await first.client.lobby.chat({ text: 'good luck' })
  await second.client.lobby.chat({ text: 'have fun' })
  await first.until((state) => state.phase === 'playing', signal)
  report(`all ready, the round runs for ${roundSeconds} s`)
  await Promise.all(bots.map((bot) => bot.until((state) => state.phase === 'results', signal)))
  await first.until(() => bots.every((bot) => bot.counts.asked > 0), signal)
  report('round over, the server asked all three for a rematch')
  for (const bot of bots) await bot.client.lobby.leave()
  await Promise.all(playing)
}

/** A fourth player meets the errors that the contract declares. */
async function checkRefusals(
  running: RunningLobby,
  roomId: string,
  name: string,
): Promise<string[]> {
  const late: Client<{ lobby: typeof lobby }> = createClient({ lobby }, ws(running.wsUrl), {
    credential: () => 'self-check-of-refusals',
  })
  const problems: string[] = []
  const [full] = await safe(late.lobby.join({ roomId }))
  if (full?.tag !== 'RoomFull' || full.data.seats !== 3) problems.push('no RoomFull with its data')
  const [taken] = await safe(late.lobby.create({ name }))
  if (taken?.tag !== 'NameTaken') problems.push('no NameTaken')
  await late.close()
  return problems
}

function row(bot: Bot, name: string, transport: 'ws' | 'tcp'): CheckRow {
  const { errors, ...counts } = bot.counts
  return { name, transport, ...counts, errors: errors.length }
}

function judge(one: CheckRow): string[] {
  const problems: string[] = []
  const expected = roundSeconds * ticksPerSecond
  // A busy machine makes the newest picture stand for several; half of them is still a game.
  if (one.snapshots < expected / 2)
    problems.push(`${one.name}: ${one.snapshots} of ${expected} snapshots`)
  if (one.tiles < 10) problems.push(`${one.name}: painted ${one.tiles} tiles`)
  const lines = one.transport === 'tcp' ? 2 : 1
  if (one.heard < lines) problems.push(`${one.name}: saw ${one.heard} of ${lines} chat lines`)
  return problems
}

/** The result as a table of one line each. */
export function formatCheck({ rows, problems, seconds }: CheckResult): string {
  const head = ['', 'calls', 'snapshots', 'tiles', 'chat seen', 'asked', 'errors']
  const lines = rows.map((one) => [
    `${one.name} (${one.transport})`,
    ...[one.calls, one.snapshots, one.tiles, one.heard, one.asked, one.errors].map(String),
  ])
  const widths = head.map((_, at) =>
    Math.max(...[head, ...lines].map((cells) => cells[at]?.length ?? 0)),
  )
  const table = [head, ...lines].map((cells) =>
    cells
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  '),
  )
  const verdict = problems.length === 0 ? 'passed' : 'FAILED'
  return [
    ...table,
    `self-check ${verdict} in ${seconds.toFixed(1)} s`,
    ...problems.map((problem) => `  - ${problem}`),
  ].join('\n')
}
