/** Configuration: schema, defaults and documentation agree, and mistakes get clear messages. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { ConfigError, loadSettings } from '../../src/config/settings.ts'
import { addLink, emptyLibrary, PASSWORD, photo } from '../library.ts'
import { HTML, ROOT, start } from '../helpers.ts'

const env = { IMMICH_URL: 'http://immich:2283' }
const load = (config: unknown, more: Record<string, string> = {}) =>
  loadSettings({ ...env, CONFIG: JSON.stringify(config), ...more }, ROOT)
const problem = (config: unknown, more: Record<string, string> = {}): string => {
  try { load(config, more) } catch (error) { assert.ok(error instanceof ConfigError); return error.message }
  throw new Error('accepted')
}
type Schema = {
  properties?: Record<string, Schema>
  default?: unknown
  description?: string
  enum?: unknown[]
  type?: unknown
}
const schema = JSON.parse(readFileSync(new URL('config.schema.json', ROOT), 'utf8')) as Schema
const defaults = (schema: Schema): unknown => schema.properties
  ? Object.fromEntries(
      Object.entries(schema.properties)
        .filter(([name]) => name !== '$schema')
        .map(([name, inner]) => [name, defaults(inner)])
    )
  : schema.default
const leaves = (schema: Schema, at = ''): [string, Schema][] =>
  Object.entries(schema.properties ?? {})
    .filter(([name]) => name !== '$schema')
    .flatMap(([name, inner]) =>
      inner.properties ? leaves(inner, `${at}${name}.`) : [[at + name, inner] as [string, Schema]]
    )

test('config.json holds the defaults of the schema, and docs/configuration.md both', () => {
  const { $schema, ...given } = JSON.parse(readFileSync(new URL('config.json', ROOT), 'utf8'))
  assert.equal($schema, './config.schema.json')
  assert.deepEqual(given, defaults(schema))
  assert.deepEqual(load({}).changed, {})
  assert.deepEqual(loadSettings(env, ROOT).changed, {}, 'the file as it is shipped')
  const text = readFileSync(new URL('docs/configuration.md', ROOT), 'utf8')
  for (const [path, { default: value, description }] of leaves(schema)) {
    const name = path.replace(/^ipp\./, '')
    const row = text.split('\n').find(line => line.startsWith(`| \`${name}\` |`))
    assert.ok(row, `docs/configuration.md has no row for ${name}`)
    assert.ok(
      row.includes(description!),
      `docs/configuration.md: ${name} is described otherwise in the schema`
    )
    const shown = JSON.stringify(value)
    assert.ok(
      row.includes(`\`${shown}\``) || shown.length > 40,
      `docs/configuration.md: the default of ${name} is ${shown}`
    )
  }
  const documented = [...text.matchAll(/^\| `([\w.]+)` \|/gm)].map(match => match[1]!)
  const known = new Set([
    ...leaves(schema).map(([path]) => path.replace(/^ipp\./, '')),
    'IMMICH_URL', 'PUBLIC_BASE_URL', 'IPP_PORT', 'IPP_HOST', 'IPP_SECRET', 'IPP_CONFIG', 'CONFIG',
    'LOG_LEVEL', 'IPP_KEEP_PERMISSIONS'
  ])
  assert.deepEqual(documented.filter(name => !known.has(name)), [])
})

test('settings are merged over the defaults', () => {
  const settings = load({
    ipp: { showMetadata: { exif: { iso: true }, location: true }, showHomePage: false, limits: null },
    lightGallery: { speed: 100, mobileSettings: { controls: true } }
  })
  assert.equal(settings.showMetadata.exif.iso, true)
  assert.equal(settings.showMetadata.exif.make, false)
  assert.ok(Object.values(settings.showMetadata.location).every(value => value === true))
  assert.equal(settings.lightGallery.speed, 100)
  assert.equal(settings.lightGallery.controls, true)
  assert.deepEqual(settings.lightGallery.mobileSettings, {
    controls: true,
    showCloseIcon: true,
    download: true
  })
  assert.deepEqual((settings.changed.lightGallery as any).speed, 100)
  assert.deepEqual(
    Object.keys(settings.changed).filter(name => !name.startsWith('ipp.showMetadata')),
    ['ipp.responseHeaders', 'ipp.allowDownload', 'ipp.allowDownloadAll', 'ipp.showHomePage', 'lightGallery']
  )
})

test('the message for a wrong type or value has the key, the value and the values it takes', () => {
  for (const [config, line] of [
    [{ ipp: { showHomePage: 'yes' } }, 'ipp.showHomePage: got "yes", expected true or false'],
    [
      { ipp: { showHomePage: 'false' } },
      'ipp.showHomePage: got "false", expected true or false, without the quotation marks'
    ],
    [{ ipp: { showHomePage: '00' } }, 'ipp.showHomePage: got "00", expected true or false'],
    [
      { ipp: { groupByDate: 'false' } },
      'ipp.groupByDate: got "false", expected "day", "month" or false, without the quotation marks'
    ],
    [
      // text can be made of neither
      { ipp: { downloadedFilename: { toString: 0 }, allowDownloadAll: [{ toString: 0 }] } },
      'ipp.downloadedFilename: got {"toString":0}, expected "time", "original", "id" or "short-id"\n' +
        'ipp.allowDownloadAll: got [{"toString":0}], expected 0, 1 or 2'
    ],
    [
      { ipp: { downloadedFilename: 3 } },
      'ipp.downloadedFilename: got 3, expected "time", "original", "id" or "short-id"'
    ],
    [{ ipp: { groupByDate: 'week' } }, 'ipp.groupByDate: got "week", expected "day", "month" or false'],
    [{ ipp: { limits: { zips: 0 } } }, 'ipp.limits.zips: got 0, expected a whole number of 1 or more'],
    [
      { ipp: { limits: { zipRequests: 9 } } },
      'ipp.limits.zipRequests: got 9, expected a whole number from 1 to 8'
    ],
    [
      { ipp: { showMetadata: { exif: { iso: 1 } } } },
      'ipp.showMetadata.exif.iso: got 1, expected true or false'
    ],
    [
      { ipp: { responseHeaders: { 'X-A': 1 } } },
      'ipp.responseHeaders.X-A: got 1, expected one line of plain ASCII text'
    ],
    [
      { ipp: { responseHeaders: { 'Cache-Control': 3600 } } },
      'ipp.responseHeaders.Cache-Control: got 3600, expected one line of plain ASCII text'
    ],
    [
      { ipp: { responseHeaders: { 'X A': 'x' } } },
      'ipp.responseHeaders: got "X A", expected the name of a header'
    ],
    [
      { ipp: { responseHeaders: { 'X-A': 'a\r\nSet-Cookie: x' } } },
      'ipp.responseHeaders.X-A: got "a\\r\\nSet-Cookie: x", expected one line of plain ASCII text'
    ],
    [
      { ipp: { customInvalidResponse: 'javascript:1' } },
      'ipp.customInvalidResponse: got "javascript:1", expected false, null, a status from 200 to 599, ' +
        'or an address that begins with http:// or https://'
    ],
    [{ ipp: { customInvalidResponse: true } }, 'ipp.customInvalidResponse: got true'],
    [{ ipp: { customInvalidResponse: 99 } }, 'ipp.customInvalidResponse: got 99'],
    [
      { ipp: { trustedProxies: ['10.0.0.0/99'] } },
      'ipp.trustedProxies: got "10.0.0.0/99", expected an address such as 172.18.0.5 or a range such as ' +
        '10.0.0.0/8; names are not resolved'
    ],
    [
      { ipp: { trustedProxies: ['10.0.0.0/'] } },
      'ipp.trustedProxies: got "10.0.0.0/", expected an address such as 172.18.0.5 or a range such as'
    ],
    [{ ipp: [] }, 'ipp: got [], expected a group: { … }'],
    [{ ipp: { trustedProxies: 'x' } }, 'ipp.trustedProxies: got "x", expected a list: [ … ]'],
    [[], 'configuration: got [], expected a group: { … }']
  ] as const) assert.ok(problem(config).includes(line), `${problem(config)} | ${line}`)
  for (const [name, value, expected] of [
    ['IPP_PORT', 'http', 'expected a port from 0 to 65535'],
    ['IPP_HOST', 'localhost', 'expected an IP address'],
    ['IPP_SECRET', 'short', 'expected 16 characters or more'],
    ['PUBLIC_BASE_URL', 'photos', 'expected an address'],
    ['IMMICH_URL', 'immich:2283', 'expected an address'],
    ['IMMICH_URL', '"http://immich:2283"', 'http://immich-server:2283, without the quotation marks'],
    ['IMMICH_URL', 'http://me:pass@immich:2283', 'http://immich-server:2283, without a user and a password'],
    ['IMMICH_URL', '', 'got nothing'],
    ['IMMICH_URL', ' ', 'got nothing']
  ] as const) assert.ok(problem({}, { [name]: value }).includes(expected), name)
  assert.match(problem({}, { CONFIG: '{' }), /CONFIG: not valid: .*JSON/)
  assert.match(
    problem({}, { CONFIG: '', IPP_CONFIG: '/nowhere.json' }),
    /IPP_CONFIG \/nowhere\.json: there is no such file \(ENOENT\)$/
  )
  assert.equal(load({}, { IMMICH_URL: ' http://immich:2283/ ' }).immichUrl, 'http://immich:2283')
  // all at once, not one at a time
  assert.equal(
    problem({ ipp: { showHomePage: 1, zips: 2, allowSlugLinks: 2 } }, { IPP_PORT: 'x' }).split('\n').length,
    4
  )
})

test('a known key in the wrong place is an error that names the right place', () => {
  for (const [config, path, place] of [
    [{ stripMetadata: true }, 'stripMetadata', 'ipp.stripMetadata'],
    [{ gallery: { showTitle: false } }, 'gallery', 'ipp.gallery'],
    [{ ipp: { lightGallery: {} } }, 'ipp.lightGallery', 'lightGallery'],
    [{ ipp: { iso: true } }, 'ipp.iso', 'ipp.showMetadata.exif.iso'],
    [{ ipp: { showTitle: true } }, 'ipp.showTitle', 'ipp.showGalleryTitle'],
    [{ ipp: { gallery: { allowDownload: false } } }, 'ipp.gallery.allowDownload', 'ipp.allowDownload'],
    [{ ipp: { own: { deeper: { zips: 1 } } } }, 'ipp.own.deeper.zips', 'ipp.limits.zips'],
    [{ ipp: { limits: { stripMetadata: true } } }, 'ipp.limits.stripMetadata', 'ipp.stripMetadata'],
    [{ lightGallery: { allowDownload: false } }, 'lightGallery.allowDownload', 'ipp.allowDownload']
  ] as const) assert.equal(problem(config), `${path}: is in the wrong place, and belongs at ${place}`)
})

test('null for a group means its default', () => {
  for (const config of [
    { ipp: null, lightGallery: null },
    { ipp: { limits: null, showMetadata: null, responseHeaders: null } },
    { ipp: { showMetadata: { exif: null, description: null } } },
    null
  ]) {
    const { notices, changed } = load(config)
    assert.deepEqual([notices, changed], [[], {}], JSON.stringify(config))
  }
  assert.equal(load({ ipp: { customInvalidResponse: null } }).customInvalidResponse, null)
  const wrong = problem({ ipp: { customInvalidResponse: 'https://[' } })
  assert.match(wrong, /^ipp\.customInvalidResponse: got "https:\/\/\[", expected an address/)
})

test('responseHeaders replace the defaults; framing and cookie headers are an error', () => {
  assert.deepEqual(load({ ipp: { responseHeaders: { 'X-Own': 'x' } } }).responseHeaders, { 'x-own': 'x' })
  assert.deepEqual(load({ ipp: { responseHeaders: {} } }).responseHeaders, {})
  for (const name of [
    'Transfer-Encoding', 'Content-Length', 'content-encoding', 'Set-Cookie', 'Connection', 'Keep-Alive',
    'Upgrade', 'TE', 'Trailer'
  ]) {
    assert.match(
      problem({ ipp: { responseHeaders: { [name]: 'x' } } }),
      new RegExp(`^ipp\\.responseHeaders: got "${name.toLowerCase()}", expected no header for framing`)
    )
  }
  const responseHeaders = { 'cache-control': 'Public , max-age="60",no-transform' }
  assert.deepEqual(load({ ipp: { responseHeaders } }).responseHeaders, responseHeaders)
  for (const wrong of ['max-age=soon', 'max-age', 'public; max-age=1', 'public max-age=1', 'public,,']) {
    assert.match(
      problem({ ipp: { responseHeaders: { 'Cache-Control': wrong } } }),
      /expected directives such as "public, max-age=60"$/,
      wrong
    )
  }
})

test('variables of other programs are ignored, or the message says how to go on', () => {
  const link = load({}, { IPP_PORT: 'tcp://10.43.0.1:3000' })
  assert.equal(link.port, 3000)
  assert.match(link.notices.join(), /^IPP_PORT=tcp:.*has no effect.*enableServiceLinks/)
  for (const [given, level] of [
    ['verbose', 'debug'],
    ['log', 'info'],
    ['WARNING', 'warn'],
    ['fatal', 'error'],
    ['loud', 'info'],
    ['WARN', 'warn']
  ] as const) {
    const { logLevel, notices } = load({}, { LOG_LEVEL: given })
    assert.equal(logLevel, level)
    assert.equal(notices.length, given === 'WARN' ? 0 : 1, given)
  }
  const word = problem({}, { CONFIG: 'production' })
  assert.match(word, /^CONFIG: not valid: .*\. A path belongs in IPP_CONFIG; /)
  assert.match(word, /IPP_CONFIG; CONFIG= clears a variable that another program uses$/)
  const accepted = /^CONFIG: not valid: got true, expected a JSON object.*; CONFIG= clears a variable/
  assert.match(problem({}, { CONFIG: 'true' }), accepted)
  assert.doesNotMatch(problem({}, { CONFIG: '{ipp' }), /another program/)
  for (const name of ['IMMICH_URL', 'IPP_SECRET', 'CONFIG']) {
    assert.deepEqual(load({}, { [`${name}_FILE`]: '/run/secrets/x' }).notices, [
      `${name}_FILE is not read: put its content into ${name}` +
        (name === 'CONFIG' ? ', or its path into IPP_CONFIG' : '')
    ])
  }
  assert.equal(
    problem({}, { IMMICH_URL: '', IMMICH_URL_FILE: '/run/secrets/x' }),
    'IMMICH_URL: got nothing (IMMICH_URL_FILE is not read), ' +
      'expected an address such as http://immich-server:2283'
  )
})

test('an unknown variable with our prefix is a notice, but for those that describe a service', () => {
  const of = (more: Record<string, string>) => load({}, more).notices
  const unknown = 'IPP_SECERT: unknown, ignored. Most settings belong in config.json'
  assert.deepEqual(of({ IPP_SECERT: 'x' }), [unknown])
  const service = { IPP_SERVICE_HOST: '10.0.0.1', IPP_PORT_80_TCP: 'tcp://10.0.0.1:80' }
  assert.deepEqual(of({ ...service, IPP_KEEP_PERMISSIONS: 'true', IPP_SECRET: 'sixteen characters' }), [])
  const link = of({ IPP_PORT: 'tcp://10.0.0.1:80', IPP_NAME: '/web/ipp', IPP_ENV_HOME: '/' })
  assert.deepEqual(link.length, 1, link.join())
})

test('an unknown key gives a notice with the nearest known one, and a misspelt one stops the start', () => {
  // a misspelt key stops the start, because it may be one that was to forbid something
  for (const [given, meant] of [
    ['allowdownload', 'allowDownload'], ['Allowdownload', 'allowDownload'],
    ['allowDownloads', 'allowDownload'], ['allowDownloadsAll', 'allowDownloadAll'],
    ['stripMetaData', 'stripMetadata'],
    ['showHomepage', 'showHomePage']
  ] as const) {
    assert.equal(problem({ ipp: { [given]: false } }), `ipp.${given}: unknown. Did you mean ${meant}?`)
  }
  assert.equal(problem({ lightgallery: {} }), 'lightgallery: unknown. Did you mean lightGallery?')
  assert.equal(problem({ IPP: {} }), 'IPP: unknown. Did you mean ipp?')
  const [notice] = load({ ipp: { limits: { zip: 1 } } }).notices
  assert.equal(notice, 'ipp.limits.zip: unknown, ignored. Did you mean zips?')
  assert.deepEqual(
    load({ ipp: { frobnicate: 1 } }).notices,
    ['ipp.frobnicate: unknown, ignored.'],
    'nothing is near'
  )
  assert.deepEqual(load({ ipp: { showExif: true } }).notices, ['ipp.showExif: unknown, ignored.'])
  const { notices } = load({ ipp: { allowDownload: 1, gallery: { showThumbs: 1 } } })
  const unknown = notices.filter(line => line.includes('unknown'))
  assert.deepEqual(unknown, ['ipp.gallery.showThumbs: unknown, ignored.'])
  assert.equal(
    problem({ ipp: JSON.parse('{"__proto__": {"showHomePage": false}, "constructor": 1}') }),
    'ipp.__proto__.showHomePage: is in the wrong place, and belongs at ipp.showHomePage'
  )
  assert.equal(load({ ipp: JSON.parse('{"__proto__": {"x": 1}, "constructor": 1}') }).showHomePage, true)
})

test('customised invalid responses apply to every method and path', async () => {
  const requests = [
    ['GET', '/nowhere'],
    ['GET', '/share/x'],
    ['POST', '/share/unlock'],
    ['DELETE', '/'],
    ['OPTIONS', '/share/photo/x/y']
  ] as const
  const run410 = await start({ ipp: { customInvalidResponse: 410, showHomePage: false } })
  for (const [method, path] of [...requests, ['GET', '/'] as const]) {
    const { status, text } = await run410.get(path, { method, headers: HTML })
    assert.deepEqual([status, text], [410, ''], path)
  }
  const moved = await start({ ipp: { customInvalidResponse: 'https://example.com/' } })
  for (const [method, path] of requests) {
    const { status, headers } = await moved.get(path, { method })
    assert.deepEqual(
      [status, headers.location, headers['cache-control']],
      [302, 'https://example.com/', 'no-store'],
      path
    )
  }
  const dropped = await start({ ipp: { customInvalidResponse: null } })
  for (const [method, path] of requests) {
    await assert.rejects(dropped.get(path, { method }), /socket hang up|ECONNRESET/)
  }
  assert.equal((await dropped.get('/share/healthcheck')).status, 200)
})

test('responseHeaders apply to content of open links, and never loosen protection', async () => {
  const run = await start({
    ipp: {
      responseHeaders: {
        'Cache-Control': 'public, max-age=60',
        'X-Own': 'yes',
        'Content-Security-Policy': "default-src *",
        'referrer-policy': 'unsafe-url'
      }
    }
  })
  const id = run.library.albums.get(run.links.album.album!)!.assets[0]
  const media = await run.get(`/share/photo/${run.links.album.key}/${id}/thumbnail`)
  assert.deepEqual(
    [media.headers['cache-control'], media.headers['x-own'], media.headers['access-control-allow-origin']],
    ['public, max-age=60', 'yes', undefined]
  )
  assert.doesNotMatch(media.headers['content-security-policy'] as string, /\*/)
  assert.equal(media.headers['referrer-policy'], 'no-referrer')
  assert.equal((await run.get(`/share/${run.links.album.key}`)).headers['cache-control'], 'no-cache')
  assert.equal((await run.get('/nowhere')).headers['x-own'], undefined)
})

test('the operator\'s Cache-Control is passed on unchanged, but never past a link\'s expiry', async () => {
  const library = emptyLibrary()
  const one = photo(1)
  const open = addLink(library, 'open', {}, [one, photo(2)])
  const expiresAt = new Date(Date.now() + 100_000).toISOString()
  const ends = addLink(library, 'ends', { expiresAt }, [one, photo(2)])
  const expires = 'Thu, 01 Jan 2099 00:00:00 GMT'
  const run = await start({
    library,
    ipp: { responseHeaders: { 'Cache-Control': 'public, immutable', Expires: expires } }
  })
  const told = async ({ key }: { key: string }) => {
    const { text } = await run.get(`/share/${key}`, { headers: HTML })
    const address = new RegExp(`/share/photo/${key}/${one.id}/thumbnail\\?v=\\w+`).exec(text)![0]
    const { headers } = await run.get(address)
    return [headers['cache-control'], headers.expires]
  }
  assert.deepEqual(await told(open), ['public, immutable', expires])
  const [control, end] = await told(ends)
  assert.match(control!, /^public, max-age=\d\d0?$/)
  assert.equal(end, undefined)
})

test('home page, slugs and downloads can be switched off', async () => {
  const run = await start({ ipp: { showHomePage: false, allowSlugLinks: false, allowDownloadAll: 0 } })
  for (const path of ['/', '/share', '/share/', '/s/secret-slug', `/share/${run.links.album.key}/download`]) {
    assert.equal((await run.get(path)).status, 404, path)
  }
  assert.equal((await run.unlock({ slug: 'secret-slug', password: 'hunter2' })).response.status, 404)
  assert.equal((await run.unlock({ key: run.links.password.key, password: PASSWORD })).response.status, 303)
  assert.equal((await run.get(`/share/${run.links.album.key}`)).status, 200)
  assert.equal((await run.get('/robots.txt')).text, 'User-agent: *\nDisallow:\n')
  const icon = await run.get('/favicon.ico')
  assert.equal(icon.headers['content-type'], 'image/png')
  // its address has no version, so a browser has to revalidate it
  assert.equal(icon.headers['cache-control'], 'no-cache')
  assert.equal(
    (await run.get('/favicon.ico', { headers: { 'if-none-match': String(icon.headers.etag) } })).status,
    304
  )
})

test('an operator is told what has no effect, and what trusts everyone', () => {
  const trusting = { ipp: { trustedProxies: ['0.0.0.0/0', '10.0.0.0/8'] } }
  const { notices } = load(trusting, { IPP_CONFIG: '/x.json' })
  assert.deepEqual(notices, [
    'IPP_CONFIG has no effect: CONFIG is set',
    'ipp.trustedProxies: 0.0.0.0/0 trusts everyone, so that visitors can choose their address'
  ])
  assert.match(problem({}, { IPP_SECRET: '$(openssl rand -hex 32)' }), /IPP_SECRET: got the placeholder/)
  const { notices: ofFour } = load({ ipp: { uploadUrl: '/upload', allowDownload: true } })
  assert.match(ofFour.join('\n'), /allowDownload: true allows single downloads and zips\. 4\.0 took it for 0/)
})

test('a secret is never printed, and a placeholder is not accepted', () => {
  const failing = (env: Record<string, string>) => {
    try {
      loadSettings({ IMMICH_URL: 'http://x', CONFIG: '{}', ...env }, ROOT)
      return ''
    } catch (error) { return (error as Error).message }
  }
  assert.equal(
    failing({ IPP_SECRET: 'hunter2' }),
    'IPP_SECRET: got 7 characters, expected 16 characters or more, of your own: openssl rand -hex 32'
  )
  const placeholder = failing({ IPP_SECRET: 'replace-me-by-openssl-rand-hex-32' })
  assert.match(placeholder, /^IPP_SECRET: got the placeholder of an example, expected/)
  const wrong = failing({ IMMICH_URL: 'http://me:hunter2@immich:2283' })
  assert.ok(wrong.startsWith('IMMICH_URL: got "http://…@immich:2283"') && !wrong.includes('hunter2'), wrong)
  const odd = failing({ IMMICH_URL: 'http://me:hunt@er2@immich:2283' })
  assert.ok(odd.startsWith('IMMICH_URL: got "http://…@immich:2283"'), odd)
})

/** The problems of a configuration as text; '' if there are none. */
function failing (CONFIG: string): string {
  try {
    loadSettings({ IMMICH_URL: 'http://x', CONFIG }, ROOT)
    return ''
  } catch (error) { return (error as Error).message }
}

test('common JSON mistakes are named, with their place; a byte order mark is accepted', () => {
  assert.equal(failing('\ufeff{"ipp":{}}'), '')
  assert.equal(
    failing('{\n  // mine\n  "ipp": {}\n}'),
    'CONFIG: not valid: JSON has no comments (line 2, column 3)'
  )
  assert.match(
    failing('{ "ipp": { "showHomePage": true, } }'),
    /^CONFIG: not valid: JSON has no comma after the last entry \(line 1, column 32\)/
  )
  assert.equal(
    failing("{\n  'ipp': {}\n}"),
    'CONFIG: not valid: JSON has straight double quotation marks only (line 2, column 3)'
  )
  assert.match(
    failing(Buffer.from('{"ipp":{}}', 'utf16le').toString('latin1')),
    /it is UTF-16: save it as UTF-8/
  )
})

test('a name that occurs twice stops the start: which of the two was meant is not known', () => {
  for (const [name, config] of [
    ['ipp', '{"ipp":{"allowDownload":false},"ipp":{"groupByDate":"day"}}'],
    ['allowDownload', '{"ipp":{"allowDownload":false,"limits":{"zips":1},"allowDownload" : true}}'],
    ['zips', '{"ipp":{"limits":{"zips":1,"zips":2}}}']
  ] as const) assert.equal(failing(config), `CONFIG: not valid: "${name}" occurs twice`)
  // another comment, and quotation marks of a word processor
  for (const [config, reason] of [
    ['{"ipp": {"allowDownload": false, // none\n"limits": {}}}', 'JSON has no comments (line 1, column 34)'],
    ['# mine\n{}', 'JSON has no comments (line 1, column 1)'],
    ['{“ipp”: {}}', 'JSON has straight double quotation marks only (line 1, column 2)']
  ] as const) assert.ok(failing(config).startsWith(`CONFIG: not valid: ${reason}`), failing(config))
  // the same name in two objects, as a value, and within a text
  const fine = {
    speed: 1, mobileSettings: { speed: 1 }, mode: 'speed', text: '{"speed":1,"speed":2}\\"speed":'
  }
  assert.equal(failing(JSON.stringify({ lightGallery: fine })), '')
})
