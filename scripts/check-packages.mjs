// Checks the packages as a registry would get them.
//   in  -> the tarballs of pack.mjs
//   out -> one line a check, exit code 1 if one failed
// Whether they run is for smoke.mjs.

import './help.mjs'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { packAll } from './pack.mjs'
import { root } from './packages.mjs'

const execute = promisify(execFile)
/** What a production install of a package may bring besides our own packages (threat P1). */
const allowedDependencies = new Set(['msgpackr', 'typebox'])

let failures = 0
for (const one of await packAll()) {
  const results = await Promise.all([
    check('publint', () => program('publint', ['run', one.tarball, '--strict'])),
    check('attw', () => program('attw', [one.tarball, '--profile', 'esm-only', '--no-emoji'])),
    check('contents', () => checkContents(one)),
  ])
  for (const { title, error } of results) {
    console.log(`${error === undefined ? 'ok    ' : 'FAILED'} ${one.name} ${title}`)
    if (error === undefined) continue
    failures += 1
    console.log(error.replaceAll(/^/gm, '       '))
  }
}
process.exitCode = failures === 0 ? 0 : 1

async function check(title, action) {
  try {
    await action()
    return { title, error: undefined }
  } catch (error) {
    return { title, error: [error.message, error.stdout, error.stderr].filter(Boolean).join('\n') }
  }
}

async function program(name, args) {
  await execute(join(root, 'node_modules', '.bin', name), args, { cwd: root })
}

/** Every file that `exports` names is there, no test is, and the manifest stands on its own. */
function checkContents({ tarball }) {
  const files = filesOf(gunzipSync(readFileSync(tarball)))
  const manifest = JSON.parse(files.get('package.json'))
  const wrong = []
  for (const target of targetsOf(manifest.exports)) {
    if (!files.has(target.replace('./', ''))) wrong.push(`exports names ${target}: not packed`)
  }
  for (const name of files.keys()) {
    if (/\.(test|test-d|fuzz|bench)\./.test(name)) wrong.push(`${name} is packed`)
  }
  if (!files.has('LICENSE')) wrong.push('LICENSE is not packed')
  const needed = { ...manifest.dependencies, ...manifest.peerDependencies }
  for (const [name, range] of Object.entries({ ...needed, ...manifest.optionalDependencies })) {
    const ours = name.startsWith('@callbox/')
    if (!ours && !allowedDependencies.has(name)) wrong.push(`depends on ${name} [threat P1]`)
    if (/^(workspace|catalog|link|file):/.test(range)) wrong.push(`${name} is ${range}`)
  }
  for (const script of Object.keys(manifest.scripts ?? {}))
    if (/^(pre|post)|^install$|^prepare/.test(script)) wrong.push(`an install could run ${script}`)
  if (wrong.length > 0) throw new Error(wrong.join('\n'))
}

function targetsOf(exported) {
  return typeof exported === 'string' ? [exported] : Object.values(exported).flatMap(targetsOf)
}

/** Reads a tar archive: 512-byte headers, each followed by its file in blocks of 512. */
function filesOf(archive) {
  const files = new Map()
  const text = (start, length) => {
    const end = archive.indexOf(0, start)
    return archive.toString(
      'utf8',
      start,
      end === -1 ? start + length : Math.min(end, start + length),
    )
  }
  for (let at = 0; at + 512 <= archive.length && archive[at] !== 0;) {
    const size = Number.parseInt(text(at + 124, 12).trim(), 8)
    const prefix = text(at + 345, 155)
    const name = prefix === '' ? text(at, 100) : `${prefix}/${text(at, 100)}`
    const body = archive.toString('utf8', at + 512, at + 512 + size)
    files.set(name.replace(/^package\//, ''), body)
    at += 512 + Math.ceil(size / 512) * 512
  }
  return files
}
