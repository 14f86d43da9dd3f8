// Builds the page with Vite when its sources are newer than the last build.
//   in  -> web/, what it imports of src/ and of the packages
//   out -> dist/, static files
// The packages are bundled from their sources, so nothing else has to be built first.

import { existsSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('..', import.meta.url))
const packages = join(here, '..', '..', 'packages')

/** Where the built page is. */
export const dist: string = join(here, 'dist')

/** Builds if needed; `report` gets a line about it. Rejects with Vite's own error. */
export async function buildPage(report: (line: string) => void): Promise<void> {
  const page = join(dist, 'index.html')
  if (existsSync(page) && (await stat(page)).mtimeMs > (await newestSource())) return
  const started = performance.now()
  // Loaded only here: a start without changes does not pay for it.
  const { build } = await import('vite')
  await build({
    configFile: false,
    root: join(here, 'web'),
    logLevel: 'warn',
    base: '/',
    resolve: { conditions: ['@callbox/source', 'browser', 'module', 'import', 'default'] },
    build: { outDir: dist, emptyOutDir: true, target: 'es2022', modulePreload: false },
  })
  report(`page built in ${((performance.now() - started) / 1_000).toFixed(1)} s`)
}

/** When the newest of all files that may end in the bundle was written. */
async function newestSource(): Promise<number> {
  const folders = [join(here, 'web'), join(here, 'src')]
  for (const name of ['core', 'client', 'transport-ws']) folders.push(join(packages, name, 'src'))
  const times = await Promise.all(folders.filter(existsSync).map(newestIn))
  return Math.max(0, ...times)
}

async function newestIn(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile() && !entry.name.endsWith('.test.ts'))
  const times = await Promise.all(
    files.map(async (file) => (await stat(file.parentPath + sep + file.name)).mtimeMs),
  )
  return Math.max(0, ...times)
}
