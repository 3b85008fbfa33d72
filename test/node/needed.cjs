// @ts-nocheck
// After npm ci: links the Node.js of test/node where npm 9 has forgotten it. Before a command: says which
// Node.js is needed where there is none.
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
if (isOld && !existsSync(link)) {
  console.error(`Node.js ${needed.replace('>=', '')} or newer is needed to run this, but this is ` +
    `${process.version}: install it from https://nodejs.org. \`npm ci\` without --omit=dev brings it too`)
  const { npm_lifecycle_event: event, IPP_KEEP_PERMISSIONS: isAccepted } = process.env
  // the command would only add errors of its own
  if (event !== 'postinstall' && isAccepted !== 'true') process.exitCode = 1
}
