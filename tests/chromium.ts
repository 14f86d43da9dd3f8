// Finds the Chromium that the browser tests drive.
//   in  -> CHROMIUM_PATH, then PATH
//   out -> the path of an executable, or undefined; how to launch it

import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome']

/**
 * The executable named by CHROMIUM_PATH, or the first known name on PATH.
 * Throws where CHROMIUM_PATH names no executable: a typing error must not skip tests.
 */
export function findChromium(): string | undefined {
  const named = process.env['CHROMIUM_PATH']
  if (named !== undefined && named !== '') {
    if (isExecutable(named)) return named
    throw new Error(`CHROMIUM_PATH is not an executable file: ${named}`)
  }
  const suffix = process.platform === 'win32' ? '.exe' : ''
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    for (const name of names) {
      const path = join(folder, name + suffix)
      if (folder !== '' && isExecutable(path)) return path
    }
  }
  return undefined
}

/** Arguments for a browser in a container: no sandbox, little shared memory, no calls home. */
export const chromiumArgs: readonly string[] = [
  '--no-sandbox',
  '--disable-dev-shm-usage',
  '--disable-gpu',
  '--disable-background-networking',
  '--no-first-run',
]

/** True where a missing browser is a failure instead of a skip. */
export const browserRequired: boolean =
  process.env['CI'] !== undefined && !['', '0', 'false'].includes(process.env['CI'])

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
