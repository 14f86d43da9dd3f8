// The lobby in two real browsers, against the real program. Screenshots go to .cache/screenshots.

import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { browserRequired, chromiumArgs, findChromium } from '../../../tests/chromium.ts'
import { type Program, runLobby } from './program.ts'

const executablePath = findChromium()
const pictures = fileURLToPath(new URL('../../../.cache/screenshots/', import.meta.url))
const size = { width: 1280, height: 800 }

if (executablePath === undefined && !browserRequired)
  process.stdout.write('lobby in browsers skipped: set CHROMIUM_PATH, or put chromium on PATH\n')

describe.skipIf(executablePath === undefined && !browserRequired)('the lobby', () => {
  let browser: Browser
  let program: Program
  let url: string
  let contexts: BrowserContext[] = []
  let errors: string[] = []

  beforeAll(async () => {
    if (executablePath === undefined) throw new Error('no Chromium found, and CI is set')
    await mkdir(pictures, { recursive: true })
    browser = await chromium.launch({ executablePath, args: [...chromiumArgs] })
    ;({ program, url } = await start('0'))
  }, 60_000)

  afterEach(async () => {
    await Promise.all(contexts.map((context) => context.close()))
    contexts = []
    errors = []
  })

  afterAll(async () => {
    await browser?.close()
    program?.interrupt()
    await program?.exit
  })

  async function start(port: string): Promise<{ program: Program; url: string }> {
    const started = runLobby('--port', port, '--no-check')
    const [, address = ''] = await started.line(/is open: (\S+)/)
    return { program: started, url: address }
  }

  /** A visitor of his own: nothing is shared with other visitors. */
  async function visit(name: string): Promise<Page> {
    const context = await browser.newContext({ viewport: size })
    contexts.push(context)
    context.setDefaultTimeout(15_000)
    const page = await context.newPage()
    page.on('pageerror', (error) => errors.push(`${name}: ${error.message}`))
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(`${name}: ${message.text()}`)
    })
    await page.goto(url)
    await page.getByTestId('name').fill(name)
    return page
  }

  async function enter(name: string): Promise<Page> {
    const page = await visit(name)
    await page.getByTestId('enter').click()
    await page.getByTestId('create').waitFor()
    return page
  }

  async function createRoom(page: Page, name: string, seconds: number): Promise<void> {
    await page.getByTestId('room-name').fill(name)
    // The form offers 30 s and more; tests have less time.
    const pill = page.locator('input[name=seconds]').first()
    await pill.evaluate((radio: HTMLInputElement, value) => {
      radio.value = value
      radio.click()
    }, String(seconds))
    await page.getByTestId('create').click()
    await page.getByTestId('board').waitFor()
    await expect.poll(() => text(page, 'room-title')).toBe(name)
  }

  const text = async (page: Page, testId: string): Promise<string> =>
    (await page.getByTestId(testId).textContent()) ?? ''

  const score = async (page: Page, seat: number): Promise<number> =>
    Number(await text(page, `score-${seat}`))

  const picture = (page: Page, name: string): Promise<unknown> =>
    page.screenshot({ path: `${pictures}lobby-${name}.png` })

  test(
    'two visitors: create, join, chat, play; a reload keeps the seat',
    { timeout: 120_000 },
    async () => {
      const coral = await visit('Coral')
      await picture(coral, '1-welcome')
      await coral.getByTestId('enter').click()
      await coral.getByTestId('create').waitFor()
      await expect.poll(() => text(coral, 'connection')).toBe('connected')

      // What one creates the other sees at once.
      const cyan = await enter('Cyan')
      expect(await cyan.getByTestId('room-card').count()).toBe(0)
      await createRoom(coral, 'First floor', 40)
      const card = cyan.getByTestId('room-card').filter({ hasText: 'First floor' })
      await card.waitFor()
      expect(await card.textContent()).toContain('Coral')
      await picture(cyan, '2-lobby')
      await card.getByTestId('join').click()
      await cyan.getByTestId('board').waitFor()
      await expect.poll(() => text(coral, 'player-1')).toContain('Cyan')

      for (const [from, to, line] of [
        [coral, cyan, 'ready when you are'],
        [cyan, coral, '<b>always</b>'],
      ] as const) {
        await from.getByTestId('chat-text').fill(line)
        await from.getByTestId('chat-send').click()
        await to.getByTestId('message').filter({ hasText: line }).waitFor()
      }
      await picture(coral, '3-room')

      await coral.getByTestId('ready').click()
      await expect.poll(() => text(cyan, 'player-0')).toContain('ready')
      await cyan.getByTestId('ready').click()
      await coral.getByTestId('clock').waitFor()

      // The moves of one are seen by the other, both ways.
      await coral.keyboard.down('KeyD')
      await expect.poll(() => score(cyan, 0), { timeout: 10_000 }).toBeGreaterThan(5)
      await coral.keyboard.up('KeyD')
      await cyan.keyboard.down('ArrowLeft')
      await expect.poll(() => score(coral, 1), { timeout: 10_000 }).toBeGreaterThan(5)
      await cyan.keyboard.up('ArrowLeft')
      await cyan.keyboard.press('Space')
      await expect.poll(() => score(coral, 1), { timeout: 10_000 }).toBeGreaterThan(10)

      // A reload in the middle of a round: same room, same seat, same colour, and it goes on.
      const before = await score(cyan, 0)
      await coral.reload()
      await coral.getByTestId('clock').waitFor()
      expect(await text(coral, 'room-title')).toBe('First floor')
      await expect.poll(() => text(coral, 'player-0')).toContain('Coralyou')
      await expect.poll(() => text(cyan, 'player-0')).not.toContain('reconnecting')
      await coral.keyboard.down('KeyS')
      await expect.poll(() => score(cyan, 0), { timeout: 10_000 }).toBeGreaterThan(before + 3)
      await coral.keyboard.up('KeyS')
      await picture(coral, '4-round')
      await picture(cyan, '5-round-of-the-other')

      await coral.getByTestId('leave').click()
      await coral.getByTestId('create').waitFor()
      await expect.poll(() => cyan.getByTestId('player-0').count()).toBe(0)
      await expect.poll(() => coral.getByTestId('room-card').count()).toBe(1)
      await picture(coral, '6-running-room')
      expect(errors).toEqual([])
    },
  )

  test(
    'one visitor and a bot: a whole round, the server asks for a rematch',
    { timeout: 90_000 },
    async () => {
      const page = await enter('Amber')
      await createRoom(page, 'With a bot', 10)
      await page.getByTestId('invite').click()
      await page.getByTestId('player-1').filter({ hasText: 'bot' }).waitFor()
      await page.getByTestId('ready').click()
      await page.getByTestId('clock').waitFor()
      await expect.poll(() => score(page, 1), { timeout: 10_000 }).toBeGreaterThan(10)
      await picture(page, '7-against-a-bot')
      await page.getByTestId('ask-yes').waitFor({ timeout: 30_000 })
      await page.getByTestId('notice').first().waitFor()
      await picture(page, '8-rematch')
      await page.getByTestId('ask-yes').click()
      await expect.poll(() => text(page, 'overlay'), { timeout: 10_000 }).toContain('Get ready')
      expect(errors).toEqual([])
    },
  )

  test('a taken name comes with another, a full room says so', { timeout: 60_000 }, async () => {
    const first = await enter('Coral')
    await createRoom(first, 'Same name', 30)
    const second = await enter('Lime')
    await second.getByTestId('room-name').fill('same NAME')
    await second.getByTestId('create').click()
    await second.getByRole('button', { name: 'same NAME 2' }).click()
    expect(await second.getByTestId('room-name').inputValue()).toBe('same NAME 2')
    for (let bot = 1; bot <= 3; bot++) {
      await first.getByTestId('invite').click()
      await first.getByTestId(`player-${bot}`).waitFor()
    }
    const card = second.getByTestId('room-card').filter({ hasText: 'Same name' })
    await expect.poll(() => card.getByTestId('join').textContent()).toBe('Full')
    expect(await first.getByTestId('invite').isVisible()).toBe(false)
    await picture(first, '9-full-room')
    expect(errors).toEqual([])
  })

  test(
    'without a server the page counts down and comes back when it does',
    { timeout: 60_000 },
    async () => {
      const page = await enter('Lime')
      program.interrupt()
      await program.exit
      await expect
        .poll(() => text(page, 'connection'), { timeout: 10_000 })
        .toMatch(/^reconnecting/)
      await picture(page, '10-reconnecting')
      ;({ program, url } = await start(new URL(url).port))
      await expect.poll(() => text(page, 'connection'), { timeout: 20_000 }).toBe('connected')
      await createRoom(page, 'After the storm', 30)
      await expect.poll(() => text(page, 'player-0')).toContain('Lime')
    },
  )

  test('a small screen has touch controls that steer', { timeout: 60_000 }, async () => {
    const context = await browser.newContext({
      viewport: { width: 390, height: 844 },
      hasTouch: true,
      isMobile: true,
    })
    contexts.push(context)
    const page = await context.newPage()
    await page.goto(url)
    await picture(page, '11-small-welcome')
    await page.getByTestId('name').fill('Thumb')
    await page.getByTestId('enter').tap()
    await page.getByTestId('create').waitFor()
    await createRoom(page, 'In a pocket', 30)
    await page.getByTestId('invite').tap()
    await page.getByTestId('player-1').waitFor()
    await page.getByTestId('ready').tap()
    await page.getByTestId('clock').waitFor()
    const right = page.getByRole('button', { name: 'Right' })
    await right.dispatchEvent('pointerdown', { pointerId: 1 })
    await expect.poll(() => score(page, 0), { timeout: 10_000 }).toBeGreaterThan(4)
    await picture(page, '12-small-round')
    const wide = await page.evaluate(() => document.documentElement.scrollWidth)
    expect(wide).toBeLessThanOrEqual(390)
  })
})
