// @ts-nocheck
// After npm ci: says what is missing, where neither test/node nor the machine has a Node.js that runs this.
'use strict'
const { engines: { node: needed } } = require('../../package.json')
const [major, minor] = process.versions.node.split('.').map(Number)
const [wantedMajor, wantedMinor] = needed.replace('>=', '').split('.').map(Number)
const isOld = major < wantedMajor || (major === wantedMajor && minor < wantedMinor)
if (isOld) console.error(`Node.js ${needed} is needed to run this, and here is ${process.version}: install it from https://nodejs.org`)
