// @ts-nocheck
// After npm ci: links the Node.js of test/node where npm 9 has forgotten it. Before a command: says which
// Node.js is needed where there is none, and that npm ci comes first.
'use strict'
const { existsSync, symlinkSync } = require('node:fs')
const { join } = require('node:path')
const { engines: { node: needed } } = require('../../package.json')

const modules = join(__dirname, '../../node_modules')
const own = `node-${process.platform}-${process.arch}/bin/node`
const link = join(modules, '.bin/node')
if (existsSync(join(modules, own)) && !existsSync(link)) symlinkSync(join('..', own), link)

const [major, minor] = process.versions.node.split('.').map(Number)
const [wantedMajor, wantedMinor] = needed.replace('>=', '').split('.').map(Number)
const isOld = major < wantedMajor || (major === wantedMajor && minor < wantedMinor)
const { npm_lifecycle_event: event, IPP_KEEP_PERMISSIONS: isAccepted } = process.env
if (isOld && !existsSync(link)) {
  console.error(`Node.js ${needed.replace('>=', '')} or newer is needed to run this, but this is ` +
    `${process.version}: install it from https://nodejs.org. \`npm ci\` without --omit=dev brings it too`)
  // the command would only add errors of its own
  if (event !== 'postinstall' && isAccepted !== 'true') process.exitCode = 1
} else if (event !== 'postinstall' && !existsSync(join(modules, 'yazl'))) {
  console.error('The packages are missing: run `npm ci` first')
  process.exitCode = 1
}
