#!/usr/bin/env node
// What `npm start` and `npm test` do: install what is missing, then run the task.
//   in  -> a task name and its arguments; a clone with or without node_modules
//   out -> the exit code of the task
// Needs Node and npm only. Nothing here may import a dependency.

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const nodeModules = join(root, 'node_modules')
const lockfile = join(root, 'pnpm-lock.yaml')
const stamp = join(nodeModules, '.callbox-lock')

const usage = `usage: node scripts/run.mjs <task> [arguments]

  install            fetches pnpm and installs, if something is missing or out of date
  start [arguments]  the lobby: a web page, and players who check it (--check: exit 0 or 1)
  test [arguments]   every test; arguments go to vitest (--project unit, a file, ...)

With npm, arguments of a task stand behind --: npm start -- --check`

/** Each task is a list of programs; the first that fails ends it. */
const tasks = {
  install: () => [],
  start: (args) => [
    ['--conditions=@callbox/source', '--import', 'tsx', 'examples/lobby/src/main.ts', ...args],
  ],
  test: (args) => [
    ['node_modules/vitest/vitest.mjs', 'run', ...args],
    // A chosen project or file is all that was asked for.
    ...(chooses(args) ? [] : [['scripts/types.mjs']]),
  ],
}

process.exitCode = await main(process.argv.slice(2))

async function main([task, ...given]) {
  if (task === '--help' || task === '-h' || task === 'help') {
    console.log(usage)
    return 0
  }
  if (task === undefined || !Object.hasOwn(tasks, task)) {
    console.error(task === undefined ? usage : `no task '${task}'\n\n${usage}`)
    return 2
  }
  const problem = nodeProblem()
  if (problem !== undefined) {
    console.error(problem)
    return 1
  }
  const installed = await install()
  if (installed !== 0) return installed
  // pnpm hands a `--` on that npm drops.
  const args = given[0] === '--' ? given.slice(1) : given
  for (const program of tasks[task](args)) {
    const code = await run(process.execPath, program)
    if (code !== 0) return code
  }
  return 0
}

/** True if the arguments of `test` pick tests; options such as a reporter do not. */
function chooses(args) {
  return args.some((arg) => /^--project\b/.test(arg) || !arg.startsWith('-'))
}

function nodeProblem() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > 20 || (major === 20 && minor >= 19)) return undefined
  return `Callbox needs Node 20.19 or newer, this is ${process.versions.node}`
}

async function install() {
  const wanted = createHash('sha256').update(readFileSync(lockfile)).digest('hex')
  if (isInstalled(wanted)) return 0
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  console.log(`Installing dependencies with ${packageManager}: once, about half a minute.`)
  const started = performance.now()
  const npx = ['--yes', packageManager, 'install', '--frozen-lockfile']
  const code = await run(process.platform === 'win32' ? 'npx.cmd' : 'npx', npx)
  if (code !== 0) {
    console.error(`Installing failed (exit code ${code}): pnpm says why above.`)
    return code
  }
  writeFileSync(stamp, wanted)
  console.log(`Installed in ${((performance.now() - started) / 1000).toFixed(0)} s.\n`)
  return 0
}

/** By content where we installed, by age where somebody ran pnpm by hand. */
function isInstalled(wanted) {
  const state = join(nodeModules, '.modules.yaml')
  if (!existsSync(state)) return false
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return true
  return statSync(state).mtimeMs >= statSync(lockfile).mtimeMs
}

/**
 * Runs a program in the root and gives its exit code, 128 + n if signal n ended it.
 * It has its own process group, so that a signal reaches all of it exactly once, whether it came
 * from a terminal (which signals npm and us too) or from a program that signals only npm.
 */
function run(command, args) {
  const windows = process.platform === 'win32'
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: !windows,
      // npx is a batch file there, and its arguments here are all our own.
      shell: windows && command.endsWith('.cmd'),
    })
    const forgetSignals = forwardSignals(child)
    child.on('error', (error) => {
      forgetSignals()
      console.error(`${command} did not start: ${error.message}`)
      resolve(1)
    })
    child.on('close', (code, signal) => {
      forgetSignals()
      resolve(code ?? 128 + constants.signals[signal])
    })
  })
}

/** Hands signals on until the returned function is called. */
function forwardSignals(child) {
  // npm repeats what the terminal sent already.
  const repeatMs = 500
  const last = new Map()
  const listeners = ['SIGINT', 'SIGTERM', 'SIGHUP'].map((signal) => {
    const listener = () => {
      const now = performance.now()
      if (now - (last.get(signal) ?? -Infinity) < repeatMs) return
      last.set(signal, now)
      end(child, signal)
    }
    process.on(signal, listener)
    return [signal, listener]
  })
  const onExit = () => end(child, 'SIGTERM')
  process.on('exit', onExit)
  return () => {
    for (const [signal, listener] of listeners) process.off(signal, listener)
    process.off('exit', onExit)
  }
}

/** Signals the whole group of a child; one that is gone needs none. */
function end(child, signal) {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  try {
    if (process.platform === 'win32') child.kill(signal)
    else process.kill(-child.pid, signal)
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}
