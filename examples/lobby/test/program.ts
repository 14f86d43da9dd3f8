// Runs the lobby as its users do: as a program.
//   in  -> arguments of main.ts
//   out -> its lines as they come, its exit code

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export interface Program {
  /** Everything printed so far. */
  readonly lines: readonly string[]
  /** The first line that matches; rejects if the program ends without it. */
  line(pattern: RegExp): Promise<RegExpExecArray>
  /** Asks it to end, as Ctrl-C does. */
  interrupt(): void
  /** Its exit code, and everything it wrote to stderr. */
  readonly exit: Promise<{ code: number | null; stderr: string }>
}

export function runLobby(...args: string[]): Program {
  const child = spawn(
    process.execPath,
    ['--conditions=@callbox/source', '--import', 'tsx', 'src/main.ts', ...args],
    { cwd: fileURLToPath(new URL('..', import.meta.url)), stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const lines: string[] = []
  let stderr = ''
  let wake = (): void => undefined
  let ended = false
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line)
    wake()
  })
  const exit = new Promise<{ code: number | null; stderr: string }>((resolve) => {
    child.on('close', (code) => {
      ended = true
      wake()
      resolve({ code, stderr })
    })
  })
  const line = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (let at = 0; ; at++) {
      while (at >= lines.length) {
        if (ended) throw new Error(`no line ${String(pattern)} in\n${lines.join('\n')}\n${stderr}`)
        await new Promise<void>((resolve) => (wake = resolve))
      }
      const found = pattern.exec(lines[at] ?? '')
      if (found !== null) return found
    }
  }
  return { lines, line, exit, interrupt: () => void child.kill('SIGINT') }
}
