// The published packages, read from their manifests.
//   out -> folders, manifests, entries; in the order in which they can be built

import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root of the workspace. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '..')

/**
 * Every package under `packages/`, what a package depends on before itself.
 * @returns {{ name: string, folder: string, path: string, manifest: any, entries: string[] }[]}
 */
export function workspacePackages() {
  const found = readdirSync(join(root, 'packages'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => readPackage(`packages/${entry.name}`))
  const byName = new Map(found.map((one) => [one.name, one]))
  const ordered = new Set()
  const visit = (one) => {
    if (ordered.has(one)) return
    for (const name of Object.keys(one.manifest.dependencies ?? {})) {
      const other = byName.get(name)
      if (other !== undefined) visit(other)
    }
    ordered.add(one)
  }
  for (const one of found) visit(one)
  return [...ordered]
}

/**
 * Paths of all files under a folder, relative to it, with slashes. Leaves out node_modules, whose
 * links lead back into the workspace, and dist.
 */
export function filesUnder(folder) {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isFile()) return [entry.name]
    if (!entry.isDirectory() || ['node_modules', 'dist'].includes(entry.name)) return []
    return filesUnder(join(folder, entry.name)).map((name) => `${entry.name}/${name}`)
  })
}

function readPackage(folder) {
  const path = join(root, folder)
  const manifest = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'))
  const entries = [...sourceEntries(manifest.exports), ...sourceEntries(manifest.imports ?? {})]
  return { name: manifest.name, folder, path, manifest, entries }
}

/** The source file of each subpath and condition: `exports` and `imports` list all entries. */
function sourceEntries(exported) {
  if (typeof exported === 'string') return []
  return Object.entries(exported).flatMap(([condition, target]) =>
    condition === '@callbox/source' ? [target.replace('./', '')] : sourceEntries(target),
  )
}
