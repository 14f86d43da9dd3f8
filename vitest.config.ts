// Which tests run where. `vitest run --project <name>` runs one of these alone:
//   unit         beside the source, virtual time, no sockets but where a transport is tested
//   conformance  the numbered cases, against real sockets and the raw peer
//   e2e          the whole stack in one process or several
//   resume       sessions that lose their links, on the virtual clock and over real sockets
//   websocket    RFC 6455 and 7692 as raw bytes, and WebSockets that others wrote
//   simulation   thousands of seeds of the whole stack on a simulated network
//   processes    faults that need real processes
//   packages     manifests, documents and rules of the repository itself
//   browser      the same client in Chromium
//   timing       what measures time or memory: one worker, nothing beside it

import { existsSync } from 'node:fs'
import { playwright } from '@vitest/browser-playwright'
import { defineConfig, type TestProjectConfiguration } from 'vitest/config'
import { browserRequired, chromiumArgs, findChromium } from './tests/chromium.ts'

const node = ['@callbox/source', 'module', 'node', 'import', 'default']
const browser = ['@callbox/source', 'browser', 'module', 'import', 'default']

interface NodeProject {
  readonly name: string
  readonly include: readonly string[]
  /** Groups run one after the other, the projects of one group side by side. */
  readonly group: number
  readonly testTimeout?: number
  readonly maxWorkers?: number
}

function nodeProject(project: NodeProject): TestProjectConfiguration {
  const { name, include, group, testTimeout = 30_000, maxWorkers = 2 } = project
  return {
    resolve: { conditions: node },
    ssr: { resolve: { conditions: node, externalConditions: node } },
    test: {
      name,
      include: [...include],
      exclude: ['**/node_modules/**', '**/dist/**', 'tests/types/fixtures/**'],
      environment: 'node',
      setupFiles: ['tests/setup.ts'],
      pool: 'forks',
      // Heap measurements need `gc()`; programs started by a test need the same condition.
      execArgv: ['--expose-gc', '--conditions=@callbox/source'],
      maxWorkers,
      fileParallelism: maxWorkers > 1,
      sequence: { groupOrder: group },
      testTimeout,
      hookTimeout: 30_000,
    },
  }
}

function browserProject(executablePath: string): TestProjectConfiguration {
  const globalSetup = 'tests/browser/global-setup.ts'
  return {
    resolve: { conditions: browser },
    // Found in advance: a page that Vite reloads in the middle of a test fails it.
    optimizeDeps: {
      include: ['msgpackr/unpack-no-eval', 'typebox', 'typebox/compile', 'typebox/value'],
    },
    // The global set-up starts servers: it runs in Node.
    ssr: { resolve: { conditions: node, externalConditions: node } },
    test: {
      name: 'browser',
      include: ['tests/browser/**/*.test.ts'],
      setupFiles: ['tests/setup.ts'],
      ...(existsSync(globalSetup) ? { globalSetup: [globalSetup] } : {}),
      sequence: { groupOrder: 3 },
      maxWorkers: 1,
      testTimeout: 30_000,
      browser: {
        enabled: true,
        headless: true,
        screenshotFailures: false,
        // The memory of a paused reader is measured after a collection.
        provider: playwright({
          launchOptions: {
            executablePath,
            args: [...chromiumArgs, '--js-flags=--expose-gc', '--enable-precise-memory-info'],
          },
        }),
        instances: [{ browser: 'chromium' }],
      },
    },
  }
}

/** False where the command line picks other projects. */
const wantsBrowser =
  !process.argv.some((arg) => arg.startsWith('--project')) ||
  process.argv.some((arg) => arg === 'browser' || arg === '--project=browser')

function browserProjects(): TestProjectConfiguration[] {
  const executablePath = findChromium()
  if (executablePath !== undefined) return [browserProject(executablePath)]
  if (!wantsBrowser) return []
  const text = 'no Chromium found: set CHROMIUM_PATH, or put chromium or google-chrome on PATH'
  if (browserRequired) throw new Error(`${text} (CI is set, so this is a failure)`)
  console.warn(`browser tests skipped, ${text}`)
  return []
}

export default defineConfig({
  test: {
    projects: [
      nodeProject({ name: 'unit', include: ['packages/*/src/**/*.test.ts'], group: 0 }),
      nodeProject({ name: 'packages', include: ['tests/packages/**/*.test.ts'], group: 0 }),
      nodeProject({
        name: 'conformance',
        include: ['tests/conformance/**/*.test.ts'],
        group: 1,
        testTimeout: 20_000,
      }),
      nodeProject({
        name: 'e2e',
        include: [
          'tests/e2e/**/*.test.ts',
          'tests/browser-life/**/*.test.ts',
          'examples/**/*.test.ts',
        ],
        group: 1,
        testTimeout: 60_000,
      }),
      nodeProject({
        name: 'resume',
        include: ['tests/resume/**/*.test.ts'],
        group: 1,
        testTimeout: 180_000,
      }),
      nodeProject({
        name: 'websocket',
        include: ['tests/websocket/**/*.test.ts'],
        group: 1,
        testTimeout: 60_000,
      }),
      nodeProject({
        name: 'simulation',
        include: ['tests/simulation/**/*.test.ts'],
        group: 1,
        testTimeout: 120_000,
      }),
      nodeProject({
        name: 'processes',
        include: ['tests/processes/**/*.test.ts'],
        // Thousands of clients: what else runs would fail for want of time, and so would they.
        group: 2,
        testTimeout: 60_000,
      }),
      ...browserProjects(),
      nodeProject({
        name: 'timing',
        include: ['tests/timing/**/*.test.ts'],
        group: 4,
        testTimeout: 120_000,
        maxWorkers: 1,
      }),
    ],
    coverage: { provider: 'v8', include: ['packages/*/src/**'], reportsDirectory: 'coverage' },
  },
})
