// [threat P5] A page whose policy forbids eval: the bundled client works in it, on its own origin.

import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { contract, unary } from '@callbox/core'
import { createServer, implement, silent } from '@callbox/server'
import { ws } from '@callbox/transport-ws'
import { build } from 'esbuild'
import { chromium } from 'playwright'
import * as T from 'typebox'
import { expect, test } from 'vitest'
import { browserRequired, chromiumArgs, findChromium } from '../chromium.ts'

const executablePath = findChromium()
if (executablePath === undefined && !browserRequired)
  console.warn('the CSP test is skipped: no Chromium found, set CHROMIUM_PATH')

// The contract of tests/bundle/*.ts.
const greeter = contract('greeter', {
  greet: unary({
    input: T.Object({ name: T.String(), times: T.Integer() }),
    output: T.Object({ text: T.String() }),
  }),
})

test
  .skipIf(executablePath === undefined && !browserRequired)
  .each(['client.ts', 'compact-client.ts'])(
  "[threat P5] a page with script-src 'self' makes a call: %s",
  async (file) => {
    const { outputFiles } = await build({
      entryPoints: [fileURLToPath(new URL(`../bundle/${file}`, import.meta.url))],
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'browser',
      conditions: ['@callbox/source', 'browser'],
    })
    // The page has no TLS.
    const script = outputFiles[0]!.text.replace('wss://${location', 'ws://${location')
    const http = createHttpServer((request, response) => {
      response.setHeader(
        'Content-Security-Policy',
        "default-src 'self'; script-src 'self'; connect-src 'self'",
      )
      const js = request.url === '/client.js'
      response.setHeader('Content-Type', js ? 'text/javascript' : 'text/html')
      response.end(js ? script : '<!doctype html><script type="module" src="/client.js"></script>')
    })
    http.listen(0, '127.0.0.1')
    await once(http, 'listening')
    const server = createServer({
      services: [
        implement(greeter, { greet: ({ name, times }) => ({ text: `${name} x ${times}` }) }),
      ],
      logger: silent,
    })
    // The default: pages of the same host only. This page is one.
    await server.listen(ws({ server: http, path: '/rpc' }))
    const browser = await chromium.launch({
      executablePath: executablePath!,
      args: [...chromiumArgs],
    })
    try {
      const page = await browser.newPage()
      const problems: string[] = []
      page.on('pageerror', (error) => problems.push(error.message))
      page.on('console', (message) => problems.push(message.text()))
      await page.goto(`http://127.0.0.1:${(http.address() as AddressInfo).port}/`)
      await expect.poll(() => page.title(), { timeout: 15_000 }).toBe('world x 1')
      expect(problems).toEqual([])
      // The policy is in force: the same page may not evaluate text.
      const refused = await page.evaluate(() => {
        const script = document.createElement('script')
        script.textContent = 'document.title = "evaluated"'
        document.body.append(script)
        return document.title
      })
      expect(refused).toBe('world x 1')
    } finally {
      await browser.close()
      await server.close({ graceMs: 0 })
      http.closeAllConnections()
      await new Promise((resolve) => http.close(resolve))
    }
  },
)
