/** Passwords: the form, the sealed cookie, and the limit on guesses. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HTML, start } from '../helpers.ts'
import { addLink, emptyLibrary, PASSWORD, photo } from '../library.ts'
import { VERSIONS } from '../standin.ts'

for (const version of VERSIONS) {
  describe(`Immich ${version}`, async () => {
    const run = await start({ version })
    const { links, library } = run
    const id = library.albums.get(links.album.album!)!.assets[0]!

    test('the page, a wrong password, the right one, by key and by slug', async () => {
      for (const [fields, page, right] of [
        [{ key: links.password.key }, `/share/${links.password.key}`, PASSWORD],
        [{ slug: links.slugPassword.slug! }, '/s/secret-slug', 'hunter2'],
        [{ key: links.slugPassword.key }, `/share/${links.slugPassword.key}`, 'hunter2'],
        [{ key: links.photoPassword.key }, `/share/${links.photoPassword.key}`, PASSWORD]
      ] as const) {
        const form = await run.get(page, { headers: HTML })
        assert.equal(form.status, 200)
        assert.match(form.text, /<form method="post" action="\/share\/unlock">/)
        const wrong = await run.unlock({ ...fields, password: 'wrong' }, HTML)
        // a browser is led back to the link, where Back and reload work; a program gets the status
        assert.deepEqual(
          [wrong.response.status, wrong.response.headers.location], [303, `${page}?problem=wrongPassword`]
        )
        assert.equal(wrong.cookies.length, 0)
        assert.match(
          (await run.get(`${page}?problem=wrongPassword`, { headers: HTML })).text,
          /<form[^]*That is not the right password/
        )
        const told = await run.unlock({ ...fields, password: 'wrong' })
        assert.equal(told.response.status, 401)
        assert.match(told.response.text, /<form/)
        const { response, cookies, cookie } = await run.unlock({ ...fields, password: right })
        assert.deepEqual([response.status, response.headers.location], [303, page])
        for (const line of cookies) {
          assert.match(line, /; Path=\/(share|s); Max-Age=3600; HttpOnly; SameSite=Lax$/)
          assert.ok(!line.includes(right) && !line.includes('hunter'))
        }
        const opened = await run.get(page, { headers: { ...HTML, cookie } })
        assert.equal(opened.status, 200)
        assert.ok(!opened.text.includes('<form'))
        assert.match(opened.headers['cache-control']!, /private/)
        assert.ok(!opened.text.includes('og:'))
        // the page is never cached, so no If-None-Match matches it
        const isPage = opened.headers['content-type']!.startsWith('text/html')
        for (const tag of isPage ? ['*', '"x"'] : []) {
          const again = await run.get(page, { headers: { ...HTML, cookie, 'if-none-match': tag } })
          assert.equal(again.text, opened.text)
        }
      }
    })

    test('an unlock by slug also opens the media, whose addresses have the key', async () => {
      const { cookie } = await run.unlock({ slug: 'secret-slug', password: 'hunter2' })
      const photo = `/share/photo/${links.slugPassword.key}/${id}`
      const response = await run.get(`${photo}/thumbnail`, { headers: { cookie } })
      assert.equal(response.status, 200)
      assert.match(response.headers['cache-control']!, /^private/)
      assert.equal(response.headers['access-control-allow-origin'], undefined)
      // Immich does not check the token there today, but every request carries it
      const before = run.immich.asked.length
      await run.get(photo, { headers: { cookie, range: 'bytes=0-9' } })
      const asked = run.immich.asked.slice(before).filter(({ path }) => path.includes('/assets/'))
      assert.ok(
        asked.length > 0 &&
          asked.every(({ headers }) => headers.cookie?.startsWith('immich_shared_link_token='))
      )
    })

    test('an unlock opens only its own link', async () => {
      const { cookie } = await run.unlock({ key: links.photoPassword.key, password: PASSWORD })
      assert.equal(
        (await run.get(`/share/items/${links.photoPassword.key}/0`, { headers: { cookie } })).status, 200
      )
      assert.equal(
        (await run.get(`/share/items/${links.password.key}/0`, { headers: { cookie } })).status, 404
      )
      const [name, value] = cookie.split('; ')[0]!.split('=') as [string, string]
      const { cookie: own } = await run.unlock({ key: links.password.key, password: PASSWORD })
      const moved = `${own.split('=')[0]}=${value}`
      assert.equal(
        (await run.get(`/share/items/${links.password.key}/0`, { headers: { cookie: moved } })).status, 404
      )
      const path = `/share/items/${links.photoPassword.key}/0`
      const changed = value.slice(0, -2) + (value.at(-2) === 'A' ? 'B' : 'A') + value.at(-1)
      for (const bad of [
        `${name}=`, `${name}=${changed}`, `${name}=${'A'.repeat(200)}`, `${name}=${value}${value}`
      ]) {
        const { status } = await run.get(path, { headers: { cookie: bad } })
        assert.equal(status, 404, bad)
      }
    })

    test('an invalid password, an unknown link, and a link without a password', async () => {
      assert.equal((await run.unlock({ key: links.password.key, password: '' })).response.status, 401)
      assert.equal((await run.unlock({ key: links.password.key })).response.status, 401)
      assert.equal((await run.unlock({ key: links.expired.key, password: 'x' })).response.status, 404)
      assert.equal((await run.unlock({ key: '../../x', password: 'x' })).response.status, 404)
      assert.equal((await run.unlock({ password: 'x' })).response.status, 404)
      assert.equal((await run.unlock({ key: links.album.key, password: 'x' })).response.status, 404)
      assert.deepEqual(
        [(await run.get('/share/unlock')).status, (await run.get('/share/unlock')).headers.location],
        [303, '/share']
      )
      assert.equal(
        (await run.unlock({ key: links.password.key, password: 'x'.repeat(9000) })).response.status, 404
      )
      const json = await run.get('/share/unlock', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ key: links.password.key, password: PASSWORD })
      })
      assert.equal(json.status, 303)
    })
  })
}

test('a password opens in the text that Immich copies, and as its label alone has it', async () => {
  const password = 'a: b: c'
  const library = emptyLibrary()
  const [first, second] = ['copied', 'labelled'].map(name =>
    addLink(library, name, { password }, [photo(1), photo(2)]))
  const run = await start({ library })
  const { key } = first!
  for (const text of [
    `https://photos.example.com/share/${key}\nPassword: ${password}`,
    `https://photos.example.com/share/${key}Password: ${password}`, `Password: ${password}`,
    `Mot de passe : ${password}`, `密码：${password}`, `  ${password}\n`
  ]) {
    assert.equal((await run.unlock({ key, password: text })).response.status, 303, text)
  }
  for (const text of [`Password: x${password}`, 'Password:', ': ']) {
    assert.equal((await run.unlock({ key: second!.key, password: text })).response.status, 401, text)
  }
})

test('a changed password at Immich ends the unlock when the link is next looked up', async () => {
  const run = await start()
  const { cookie } = await run.unlock({ key: run.links.password.key, password: PASSWORD })
  const path = `/share/items/${run.links.password.key}/0`
  run.links.password.password = 'changed'
  assert.equal((await run.get(path, { headers: { cookie } })).status, 404)
})

test('an invalid answer to a password does not count as a wrong guess', async () => {
  const run = await start({ ipp: { limits: { guessesPerVisitor: 1 } } })
  const guess = () =>
    run.unlock({ key: run.links.password.key, password: PASSWORD }).then(({ response }) => response.status)
  for (const [status, body, told] of [
    [401, '{"message":"Password required"}', 404],
    [201, '{}', 503],
    [201, 'null', 503],
    [500, '{}', 503]
  ] as const) {
    const sent: Record<string, string>[] = [{}, { 'set-cookie': 'immich_shared_link_token=abc' }]
    for (const headers of sent) {
      run.immich.fault = ({ path }) => path.endsWith('/login') ? { status, body, headers } : undefined
      assert.equal(await guess(), told, body)
    }
  }
  run.immich.fault = () => undefined
  assert.equal(await guess(), 303)
})

test('guesses are limited per visitor and link, and per link', async () => {
  const run = await start({ ipp: { limits: { guessesPerVisitor: 3, guessesPerLink: 5 } } })
  const guess = (address: string, key = run.links.password.key, password = 'wrong') =>
    run.unlock({ key, password }, { 'x-forwarded-for': address }).then(({ response }) => response)
  const many = await Promise.all(Array.from({ length: 6 }, () => guess('198.51.100.1')))
  assert.deepEqual(many.map(({ status }) => status).sort(), [401, 401, 401, 429, 429, 429])
  const refused = many.find(({ status }) => status === 429)!
  assert.ok(Number(refused.headers['retry-after']) > 0 && Number(refused.headers['retry-after']) <= 60)
  assert.equal(
    (await guess('198.51.100.1', run.links.photoPassword.key)).status, 401, 'another link has its own count'
  )
  assert.equal((await guess('198.51.100.2')).status, 401)
  assert.equal((await guess('198.51.100.3')).status, 401)
  // a visitor without a wrong guess may unlock whatever others did, but has only one guess left
  assert.equal((await guess('198.51.100.9', run.links.password.key, PASSWORD)).status, 303)
  assert.equal((await guess('198.51.100.4')).status, 401)
  assert.equal((await guess('198.51.100.4')).status, 429, 'the link is limited over all addresses')
  assert.ok(run.lines.some(line => line.startsWith('warn unlock refused') && line.includes('198.51.100.4')))
  // the other spellings of a key are the same key
  const hex = Buffer.from(run.links.password.key, 'base64url').toString('hex')
  assert.equal((await guess('198.51.100.4', hex)).status, 429)
  assert.equal((await guess('198.51.100.4', run.links.password.key + '=')).status, 429)
})

test('key and slug of one link share one count, and the /64s of one /48 share a wider one', async () => {
  const run = await start({ ipp: { limits: { guessesPerVisitor: 2 } } })
  const { key, slug } = run.links.slugPassword
  const guess = (fields: Record<string, string>, address: string, password = 'wrong') =>
    run.unlock({ ...fields, password }, { 'x-forwarded-for': address })
      .then(({ response }) => response.status)
  assert.equal(await guess({ slug: slug! }, '203.0.113.1', 'hunter2'), 303)
  assert.equal(await guess({ key }, '203.0.113.7'), 401)
  assert.equal(await guess({ slug: slug! }, '203.0.113.7'), 401)
  assert.equal(await guess({ key }, '203.0.113.7'), 429)
  const answers: number[] = []
  for (let n = 0; n < 6; n++) {
    for (let m = 0; m < 2; m++) answers.push(await guess({ key }, `2001:db8:7:${n.toString(16)}::1`))
  }
  assert.deepEqual(answers.filter(status => status === 401).length, 8, 'four times those of one')
  assert.equal(await guess({ key }, '2001:db8:8::1'), 401)
})

test('the next guess is free at its second, and each is in the log', async context => {
  let now = performance.now()
  context.mock.method(performance, 'now', () => now)
  const run = await start({ ipp: { limits: { guessesPerVisitor: 1 } } })
  const { key } = run.links.password
  const guess = (password: string) => run.unlock({ key, password }).then(({ response }) => response.status)
  assert.deepEqual([await guess('wrong'), await guess(PASSWORD)], [401, 429])
  now += 59_999
  assert.equal(await guess(PASSWORD), 429)
  now += 1
  assert.equal(await guess(PASSWORD), 303)
  const lines = run.lines.filter(line => /unlock/.test(line))
    .map(line => line.replace(/"(?:address|link)":"[^"]*",?/g, ''))
  assert.deepEqual(lines, [
    'warn unlock refused {"reason":"wrong password"}', 'warn unlock refused {"reason":"too many passwords"}',
    'warn unlock refused {"reason":"too many passwords"}', 'info unlocked {}'
  ])
})

test('key and slug share one count after a restart, once somebody has opened the link', async () => {
  const env = { IPP_SECRET: 'one secret of all replicas' }
  const first = await start({ env })
  // a slug like any other, which must not be mixed up with having none
  first.links.slugPassword.slug = 'undefined'
  const { key, slug } = first.links.slugPassword
  const { cookie } = await first.unlock({ slug: slug!, password: 'hunter2' })
  const run = await start({ env, library: first.library, ipp: { limits: { guessesPerVisitor: 2 } } })
  assert.equal((await run.get(`/s/${slug}`, { headers: { cookie } })).status, 200)
  assert.equal((await run.get(`/share/${run.links.album.key}`)).status, 200)
  const guess = (fields: Record<string, string>) =>
    run.unlock({ ...fields, password: 'wrong' }).then(({ response }) => response.status)
  const answers: number[] = []
  for (const name of ['key', 'slug', 'key', 'slug'] as const) {
    answers.push(await guess({ [name]: { key, slug: slug! }[name] }))
  }
  assert.deepEqual(answers, [401, 401, 429, 429])
})

test('a form from another site is refused; the unlock leads to the photo that was requested', async () => {
  const run = await start()
  const { key } = run.links.password
  const id = run.library.albums.get(run.links.password.album!)!.assets[3]!
  const fields = { key, password: PASSWORD }
  for (const [headers, status] of [
    [{ 'sec-fetch-site': 'cross-site' }, 404],
    [{ 'sec-fetch-site': 'same-site', origin: 'null' }, 404],
    [{ origin: 'https://evil.example' }, 404],
    [{ 'sec-fetch-site': 'same-origin', origin: 'null' }, 303],
    [{ 'sec-fetch-site': 'none' }, 303],
    [{ origin: run.base }, 303],
    [{ origin: 'null' }, 303]
  ] as const) {
    const { response } = await run.unlock(fields, headers as Record<string, string>)
    assert.equal(response.status, status, JSON.stringify(headers))
  }
  const form = await run.get(`/share/${key}/${id}`, { headers: HTML })
  assert.match(form.text, new RegExp(`name="next" value="/share/${key}/${id}"`))
  const next = `/share/${key}/${id}`
  assert.equal((await run.unlock({ ...fields, next })).response.headers.location, next)
  assert.equal(
    (await run.unlock({ ...fields, next, password: 'x' }, HTML)).response.headers.location,
    `${next}?problem=wrongPassword`
  )
  for (const other of [
    '//evil.example', `https://evil.example/share/${key}`, `/share/${run.links.album.key}`,
    `/share/photo/${run.links.album.key}/${id}`, `/share/${key}/../x`, `/share/${key}\\x`, `//${key}`,
    `/share/${key}?x`, '/s/secret-slug'
  ]) {
    const { response } = await run.unlock({ ...fields, next: other })
    assert.equal(response.headers.location, `/share/${key}`, other)
  }
})

test('after an hour a browser gets the form, and the requested file after the unlock', async () => {
  const run = await start()
  const { key } = run.links.password
  const id = run.library.albums.get(run.links.password.album!)!.assets[0]!
  for (const path of [
    `/share/${key}/download`, `/share/photo/${key}/${id}/original`, `/share/photo/${key}/${id}`,
    '/s/secret-slug/download'
  ]) {
    const form = await run.get(path, { headers: HTML })
    assert.equal(form.status, 200, path)
    assert.equal(form.headers['cache-control'], 'no-store')
    const hidden = [...form.text.matchAll(/type="hidden" name="(\w+)" value="([^"]*)"/g)]
    const fields = Object.fromEntries(hidden.map(([, name, value]) => [name!, value!]))
    // the form brings a cookie by which a browser shows that it keeps them
    const browser = { ...HTML, cookie: String(form.headers['set-cookie']).split(';')[0]! }
    const wrong = await run.unlock({ ...fields, password: 'x' }, browser)
    assert.equal(wrong.response.headers.location, `${path}?problem=wrongPassword`)
    assert.match(
      (await run.get(`${path}?problem=wrongPassword`, { headers: HTML })).text,
      /That is not the right password/
    )
    const password = path.startsWith('/s/') ? 'hunter2' : PASSWORD
    const { response, cookie } = await run.unlock({ ...fields, password: ` ${password}\n` }, browser)
    assert.equal(response.headers.location, path, 'with the blanks that pasting adds')
    const forgetful = await run.unlock({ ...fields, password }, HTML)
    assert.equal(forgetful.response.headers.location, `${path}?problem=cookiesOff`)
    assert.match(
      (await run.get(`${path}?problem=cookiesOff`, { headers: HTML })).text, /The password is right, but/
    )
    assert.match(
      (await run.get(path, { headers: { ...HTML, cookie } })).headers['content-type']!,
      /^(image|application\/zip)/
    )
    // programs, and images in a page, get a 404
    assert.equal((await run.get(path, { headers: { accept: 'image/avif,*/*' } })).status, 404)
  }
})

test('X-Forwarded-For from an unlisted proxy: logged once, and no way to unlimited guesses', async () => {
  const limits = { guessesPerVisitor: 2, guessesPerLink: 5 }
  const headers = (n: number) => ({ 'x-forwarded-for': `198.51.100.${n}` })
  const asked = async (trust: Record<string, unknown>, peer: string) => {
    const run = await start({ ipp: { limits, ...trust } })
    // requests through Docker's gateway look like this
    run.proxy.server.prependListener('connection', socket =>
      Object.defineProperty(socket, 'remoteAddress', { value: peer })
    )
    const statuses = []
    for (let n = 1; n <= 8; n++) {
      const { response } = await run.unlock({ key: run.links.password.key, password: 'x' }, headers(n))
      statuses.push(response.status)
    }
    return { statuses, lines: run.lines.filter(line => line.includes('X-Forwarded-For')).length }
  }
  assert.deepEqual(await asked({}, '172.17.0.1'), {
    statuses: [401, 401, 401, 401, 401, 429, 429, 429], lines: 1
  })
  assert.deepEqual(await asked({ trustedProxies: ['172.17.0.1'] }, '172.17.0.1'), {
    statuses: Array(8).fill(401), lines: 0
  })
  assert.deepEqual(await asked({}, '127.0.0.1'), { statuses: Array(8).fill(401), lines: 0 })
})

test('the visitor\'s address, by the trusted-proxy rule', async () => {
  const limits = { guessesPerVisitor: 1 }
  const run = await start({ ipp: { limits } })
  const guess = (forwarded: string) =>
    run.unlock({ key: run.links.password.key, password: 'x' }, { 'x-forwarded-for': forwarded })
      .then(({ response }) => response.status)
  assert.equal(await guess('203.0.113.1'), 401)
  assert.equal(await guess('6.6.6.6, 203.0.113.1'), 429, 'what a visitor writes in front does not count')
  assert.equal(await guess('203.0.113.1, 10.0.0.7'), 429, 'a trusted proxy is passed over')
  assert.equal(await guess('2001:db8::1'), 401)
  assert.equal(await guess('2001:db8::ffff'), 429, 'one customer has a /64')
  assert.equal(await guess('2001:db8:0:1::1'), 401)
  const direct = await start({ ipp: { limits, trustedProxies: [] } })
  const other = (forwarded: string) =>
    direct.unlock({ key: direct.links.password.key, password: 'x' }, { 'x-forwarded-for': forwarded })
      .then(({ response }) => response.status)
  assert.equal(await other('203.0.113.1'), 401)
  assert.equal(await other('203.0.113.2'), 429, 'without a trusted proxy the header is nothing')
})

test('right passwords do not use up guesses', async () => {
  const run = await start({ ipp: { limits: { guessesPerVisitor: 2 } } })
  for (let n = 0; n < 5; n++) {
    assert.equal((await run.unlock({ key: run.links.password.key, password: PASSWORD })).response.status, 303)
  }
  for (let n = 0; n < 5; n++) {
    assert.equal((await run.unlock({ key: run.links.album.key, password: 'x' })).response.status, 404)
  }
  assert.equal((await run.unlock({ key: run.links.password.key, password: 'x' })).response.status, 401)
})
