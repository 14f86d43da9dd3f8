// Client and server under test as programs: one JSON object a line, in and out.
//   in  -> a program to start; commands
//   out -> answers, in the order of the commands
//
//   driver  -> {"id": 1, "do": "start", "with": {"limits": {"maxCalls": 2}}}
//   program -> {"id": 1, "ok": {"tcp": 40001, "ws": 40002}}   or   {"id": 1, "error": "text"}
//
// The driver shares no code with the program: one written in another language will do. Commands of
// both sides are listed in docs/guide/testing.md.

import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'

/** What a program does for each command; what it gives must be JSON. */
export type Commands = Readonly<Record<string, (argument: never) => unknown>>

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

/** A program that the driver has started. */
export class Program {
  private readonly child: ChildProcess
  private readonly waiting = new Map<number, Waiting>()
  private readonly exited: Promise<number | null>
  private lastId = 0

  /** Starts it. Its standard error is passed on. */
  constructor(command: string, args: readonly string[]) {
    this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.exited = new Promise((resolve) => {
      this.child.once('exit', (code) => {
        for (const { reject } of this.waiting.values()) reject(new Error('the program has exited'))
        this.waiting.clear()
        resolve(code)
      })
    })
    createInterface({ input: this.child.stdout! }).on('line', (line) => this.take(line))
  }

  /** Sends one command. Rejects with what the program says went wrong, or when it exits. */
  ask(command: string, argument: unknown = {}): Promise<unknown> {
    this.lastId += 1
    const id = this.lastId
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject })
      this.child.stdin!.write(`${JSON.stringify({ id, do: command, with: argument })}\n`)
    })
  }

  /** Ends its input, and gives its exit code. */
  async end(): Promise<number | null> {
    this.child.stdin!.end()
    return this.exited
  }

  /** Kills it, as a power cut would. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.exited
  }

  private take(line: string): void {
    const { id, ok, error } = JSON.parse(line) as { id: number; ok?: unknown; error?: string }
    const waiting = this.waiting.get(id)
    this.waiting.delete(id)
    if (error === undefined) waiting?.resolve(ok)
    else waiting?.reject(new Error(error))
  }
}

/**
 * The program's side: answers commands until standard input ends, one after the other, and keeps
 * what nobody caught. The command `problems` gives that.
 */
export function answerCommands(commands: Commands, onEnd: () => Promise<void>): void {
  const problems: string[] = []
  const keep = (error: unknown): void => void problems.push(String(error))
  process.on('uncaughtException', keep)
  process.on('unhandledRejection', keep)
  const all: Commands = { ...commands, problems: () => problems }
  const lines = createInterface({ input: process.stdin })
  lines.on('line', (line) => void answer(all, line))
  lines.on('close', () => void onEnd())
}

async function answer(commands: Commands, line: string): Promise<void> {
  const {
    id,
    do: name,
    with: argument,
  } = JSON.parse(line) as {
    id: number
    do: string
    with: never
  }
  let said: object
  try {
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined
    if (command === undefined) throw new Error(`no command '${name}'`)
    said = { id, ok: (await command(argument)) ?? null }
  } catch (error) {
    said = { id, error: error instanceof Error ? error.message : String(error) }
  }
  process.stdout.write(`${JSON.stringify(said, plain)}\n`)
}

/** Bytes as their number, big integers as text: enough to compare. */
function plain(_: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: value.length }
  return typeof value === 'bigint' ? `${value}` : value
}
