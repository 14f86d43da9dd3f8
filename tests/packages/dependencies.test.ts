// What an application installs with Callbox: walked as Node finds it, from each package on.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

interface Manifest {
  readonly name: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly scripts?: Readonly<Record<string, string>>
}

const packages = fileURLToPath(new URL('../../packages', import.meta.url))

function manifestIn(folder: string): Manifest {
  // Written by package managers and checked by publint: its shape is known.
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
}

/** Where Node finds `name` from `folder`: the next `node_modules` upwards that has it. */
function folderOf(name: string, folder: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const found = join(at, 'node_modules', name)
    if (existsSync(join(found, 'package.json'))) return found
    if (dirname(at) === at) return undefined
  }
}

/** Every package that is installed with the one in `folder`, by name; itself included. */
function installedWith(folder: string, seen = new Map<string, Manifest>()): Map<string, Manifest> {
  const manifest = manifestIn(folder)
  if (seen.has(manifest.name)) return seen
  seen.set(manifest.name, manifest)
  for (const name of Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })) {
    const found = folderOf(name, folder)
    if (found === undefined) throw new Error(`${name}, which ${manifest.name} needs, is not there`)
    installedWith(found, seen)
  }
  return seen
}

const foreign = (folder: string): string[] =>
  [...installedWith(folder).keys()].filter((name) => !name.startsWith('@callbox/')).sort()

describe.each(readdirSync(packages))('%s [threat P1]', (name) => {
  const folder = join(packages, name)

  test('brings msgpackr and typebox, and nothing of WebSocket', () => {
    expect(['msgpackr', 'typebox']).toEqual(expect.arrayContaining(foreign(folder)))
    const websocket =
      /^(ws|isomorphic-ws|faye-websocket|websocket|websocket-driver|undici|uws)$|socket\.io|engine\.io/
    expect(foreign(folder).filter((each) => websocket.test(each))).toEqual([])
  })

  test('runs no script when it is installed', () => {
    const scripts = [...installedWith(folder).values()].flatMap(
      ({ name: each, scripts: all = {} }) =>
        ['preinstall', 'install', 'postinstall']
          .filter((when) => when in all)
          .map((when) => `${each}: ${when}`),
    )
    expect(scripts).toEqual([])
  })
})

test('a package that brings ws is found, also behind another one', () => {
  const root = mkdtempSync(join(tmpdir(), 'callbox-tree-'))
  const write = (folder: string, manifest: Manifest): void => {
    mkdirSync(join(root, folder), { recursive: true })
    writeFileSync(join(root, folder, 'package.json'), JSON.stringify(manifest))
  }
  try {
    write('.', { name: '@callbox/app', dependencies: { between: '1' } })
    write('node_modules/between', { name: 'between', dependencies: { ws: '8' } })
    write('node_modules/between/node_modules/ws', { name: 'ws' })
    expect(foreign(root)).toEqual(['between', 'ws'])
  } finally {
    rmSync(root, { recursive: true })
  }
})
