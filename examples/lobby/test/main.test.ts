import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { runLobby } from './program.ts'

describe('the program', () => {
  test(
    '--check plays ten seconds, prints the result and exits with 0',
    { timeout: 90_000 },
    async () => {
      const program = runLobby('--port', '0', '--check')
      const { code, stderr } = await program.exit
      expect(stderr).toBe('')
      const text = program.lines.join('\n')
      expect(text).toMatch(/self-check passed in \d+\.\d s/)
      for (const row of ['player 1 \\(ws\\)', 'player 2 \\(ws\\)', 'bot \\(tcp\\)'])
        expect(text).toMatch(new RegExp(`^${row}( +\\d+){5} +0$`, 'm'))
      expect(program.lines.at(-1)).toBe('closed')
      expect(code).toBe(0)
    },
  )

  test('takes the next free port and says so; Ctrl-C closes it', async () => {
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const { port } = taken.address() as AddressInfo
    const program = runLobby('--port', String(port), '--no-check')
    const [, url = ''] = await program.line(/is open: (\S+)/)
    expect(program.lines.join('\n')).toMatch(new RegExp(`port ${port} is taken, using \\d+`))
    const page = await fetch(url)
    expect(page.status).toBe(200)
    expect(await page.text()).toContain('<title>Paint Arena</title>')
    program.interrupt()
    expect(await program.exit).toEqual({ code: 0, stderr: '' })
    expect(program.lines.at(-1)).toBe('closed')
    await new Promise((resolve) => taken.close(resolve))
  })

  test('Ctrl-C during --check is not a success', async () => {
    const program = runLobby('--port', '0', '--check')
    await program.line(/created over WebSocket/)
    program.interrupt()
    expect((await program.exit).code).toBe(130)
  })

  test.each([
    ['--port', 'many', /a port is/],
    ['--check', '--no-check', /choose/],
    ['--colour', 'red', /--colour/],
  ])('%s %s is refused with a reason', async (first, second, reason) => {
    const { code, stderr } = await runLobby(first, second).exit
    expect(code).toBe(2)
    expect(stderr).toMatch(reason)
  })

  test('--help prints what there is', async () => {
    const program = runLobby('--', '--help')
    expect((await program.exit).code).toBe(0)
    expect(program.lines.join('\n')).toContain('--no-check')
  })
})
