// Where the binaries of other runtimes are: fetched once from the npm registry, into .cache/.
//   out -> for each runtime a function that gives its path, and what it needs to run our sources

import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from './packages.mjs'

const execute = promisify(execFile)
const windows = process.platform === 'win32'
const condition = '--conditions=@callbox/source'

/** Node lines that we support; the versions of the others are those of our tests. */
export const runtimes = new Map([
  ...[20, 22, 24, 26].map((line) => [`node-${line}`, node(line)]),
  ['bun', { binary: () => packaged('bun@1.4.5', 'bun'), args: [condition] }],
  [
    'deno',
    {
      binary: () => packaged('deno@2.9.6', 'deno'),
      args: ['run', '--allow-all', condition, '--node-modules-dir=manual'],
    },
  ],
])

/** Types are stripped by Node itself from 22.18 on. */
function node(line) {
  const args = line < 22 ? [condition, '--import', 'tsx'] : [condition]
  return { binary: () => nodeBinary(line), args }
}

/** A binary of this line of Node: this one, or one fetched. Throws where there is no package. */
export async function nodeBinary(line) {
  if (process.versions.node.startsWith(`${line}.`)) return process.execPath
  const platform = windows ? 'win' : process.platform
  const name = `node-${platform}-${process.arch}`
  const supported = ['linux', 'darwin', 'win'].includes(platform)
  if (!supported || !['x64', 'arm64'].includes(process.arch))
    throw new Error(`no package of Node for ${platform} ${process.arch}`)
  return packaged(`${name}@${line}`, join(name, 'bin', windows ? 'node.exe' : 'node'))
}

/** `file`: a command in node_modules/.bin, or a path in node_modules. */
async function packaged(spec, file) {
  const folder = join(root, '.cache', spec.replaceAll(/[^a-z0-9.]+/g, '-'))
  const modules = join(folder, 'node_modules')
  const path = file.includes('bin') ? join(modules, file) : join(modules, '.bin', file)
  if (existsSync(path)) return path
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true }))
  const npm = windows ? 'npm.cmd' : 'npm'
  await execute(npm, ['install', '--no-audit', '--no-save', spec], { cwd: folder, shell: windows })
  return path
}
