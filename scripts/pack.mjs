// Packs every built package into .cache/packed/, as it would be published.
//   in  -> packages/*/dist (run build.mjs first)
//   out -> one tarball a package

import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root, workspacePackages } from './packages.mjs'

const execute = promisify(execFile)

/**
 * Packs with pnpm, which fills in what `workspace:` and `catalog:` stand for.
 * Throws if a package was not built.
 * @returns {Promise<{ name: string, folder: string, manifest: any, tarball: string }[]>}
 */
export async function packAll() {
  const target = join(root, '.cache', 'packed')
  rmSync(target, { recursive: true, force: true })
  mkdirSync(target, { recursive: true })
  return Promise.all(workspacePackages().map((one) => pack(one, target)))
}

async function pack({ name, folder, path, manifest }, target) {
  if (!existsSync(join(path, 'dist'))) throw new Error(`${name} is not built: npm run build`)
  const pnpm = join(
    root,
    'node_modules',
    '.bin',
    process.platform === 'win32' ? 'pnpm.cmd' : 'pnpm',
  )
  await execute(pnpm, ['pack', '--pack-destination', target], {
    cwd: path,
    shell: process.platform === 'win32',
  })
  const file = `${name.replace('@', '').replace('/', '-')}-${manifest.version}.tgz`
  const tarball = join(target, file)
  if (!existsSync(tarball)) throw new Error(`pnpm packed ${name} under another name than ${file}`)
  return { name, folder, manifest, tarball }
}
