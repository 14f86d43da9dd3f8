// What browsers do to pages: the back-forward cache, a network that goes, a tab that is frozen. A
// session must live through all of it.

import { once } from 'node:events'
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createServer, implement, silent, type Server } from '@callbox/server'
import { ws } from '@callbox/transport-ws'
import { build } from 'esbuild'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { browserRequired, chromiumArgs, findChromium } from '../chromium.ts'
import { faultSizes, sizesLine } from '../sizes.ts'
import { life } from './contract.ts'

const executablePath = findChromium()
const missing = executablePath === undefined && !browserRequired
if (missing) console.warn('the life of pages is not tested: no Chromium found, set CHROMIUM_PATH')
else console.log(sizesLine())

/** What `page.ts` shows. */
interface Seen {
  readonly items: number[]
  readonly events: string[]
  readonly shownAt: number
  readonly connectedAt: number
  readonly failed: string
  readonly state: string
}

describe.skipIf(missing)('a page in Chromium', () => {
  let browser: Browser
  let context: BrowserContext
  let page: Page
  let http: HttpServer
  let server: Server
  let url: string

  beforeAll(async () => {
    if (executablePath === undefined) throw new Error('no Chromium found, and CI is set')
    ;({ http, server, url } = await serve())
    browser = await chromium.launch({
      executablePath,
      args: [...chromiumArgs],
      // Playwright switches it off.
      ignoreDefaultArgs: ['--disable-back-forward-cache'],
    })
    context = await browser.newContext()
    page = await context.newPage()
    await page.goto(url)
    await page.waitForFunction(() => 'life' in globalThis)
  }, 60_000)

  afterAll(async () => {
    await browser?.close()
    await server?.close({ graceMs: 0 })
    http?.closeAllConnections()
    await new Promise((resolve) => http?.close(resolve))
  })

  function seen(): Promise<Seen> {
    return page.evaluate(() => {
      const { life: shown } = globalThis as unknown as {
        life: Omit<Seen, 'state'> & { state(): string }
      }
      return { ...shown, state: shown.state(), echo: undefined }
    })
  }

  async function isConnected(): Promise<void> {
    await expect.poll(async () => (await seen()).state, { timeout: 20_000 }).toBe('connected')
  }

  /** So many items have come, none twice, none left out. */
  async function reaches(count: number): Promise<Seen> {
    await expect
      .poll(async () => (await seen()).items.length, { timeout: 20_000 })
      .toBeGreaterThan(count)
    const now = await seen()
    expect(now.failed).toBe('')
    expect(now.items.findIndex((item, index) => item !== index + 1)).toBe(-1)
    expect(now.events).not.toContain('sessionLost')
    return now
  }

  test('that is left and comes back is connected within a second, and has lost nothing', async () => {
    const { items } = await reaches(20)
    await page.goto(`${url}other`)
    // Given up without a word: the session waits.
    await expect.poll(() => server.inspect().connections[0]?.parked, { timeout: 5_000 }).toBe(true)
    await sleep(500)
    // From the cache the page comes back without loading.
    await page.evaluate(() => history.back())
    await page.waitForURL(url, { waitUntil: 'commit' })
    const { events, shownAt, connectedAt } = await reaches(items.length + 20)
    expect(events).toContain('pageshow')
    expect(events).toContain('resumed')
    expect(connectedAt - shownAt).toBeLessThan(1_000)
  })

  test('that is offline for 5 s loses nothing', async () => {
    const { items } = await seen()
    await context.setOffline(true)
    await sleep(5_000)
    await context.setOffline(false)
    // Whether the server had given the link up by then, or the page notices now, or never.
    const { events } = await reaches(items.length + 200)
    expect(events).not.toContain('sessionLost')
    await isConnected()
  })

  test(
    `that is frozen for ${faultSizes.frozenMs / 1_000} s loses nothing`,
    { timeout: 120_000 },
    async () => {
      const { items } = await seen()
      const devtools = await context.newCDPSession(page)
      await devtools.send('Page.setWebLifecycleState', { state: 'frozen' })
      await sleep(faultSizes.frozenMs)
      await devtools.send('Page.setWebLifecycleState', { state: 'active' })
      await isConnected()
      await reaches(items.length + 100)
      const echoed = await page.evaluate(() =>
        (globalThis as unknown as { life: { echo(text: string): Promise<string> } }).life.echo(
          'hi',
        ),
      )
      expect(echoed).toBe('hi')
    },
  )
})

async function serve(): Promise<{ http: HttpServer; server: Server; url: string }> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('page.ts', import.meta.url))],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    conditions: ['@callbox/source', 'browser'],
  })
  const script = outputFiles[0]!.text
  const http = createHttpServer((request, response) => {
    const js = request.url === '/page.js'
    response.setHeader('Content-Type', js ? 'text/javascript' : 'text/html')
    const page = '<!doctype html><title>life</title><script type="module" src="/page.js"></script>'
    response.end(js ? script : request.url === '/' ? page : '<!doctype html><title>other</title>')
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  const service = implement(life, {
    ticks: async function* () {
      for (let n = 1; ; n += 1) {
        yield n
        await sleep(20)
      }
    },
    echo: (text) => text,
  })
  // A frozen page is silent for longer than `fast` waits: the session is what lives on.
  const limits = { preset: 'fast', sessionGraceMs: 300_000, maxLagMs: 60_000 } as const
  const server = createServer({ services: [service], logger: silent, limits })
  await server.listen(ws({ server: http, path: '/rpc' }))
  return { http, server, url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/` }
}
