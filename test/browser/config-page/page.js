// @ts-nocheck
// The script of docs/config.html. `resolveConfig` from src/ and `SCHEMA` from config.schema.json come first.
const VARIABLES = {
  IMMICH_URL: ['http://immich-server:2283', 'The address of Immich as the container reaches it.'],
  PUBLIC_BASE_URL: ['', 'Scheme and host that visitors see, if no reverse proxy passes them on.'],
  IPP_PORT: ['3000', 'The port to listen on.'],
  IPP_SECRET: ['', 'Keeps links unlocked across restarts and replicas: 16 characters or more of your own.']
}
const byId = id => document.getElementById(id)
const settings = byId('settings')
/** The fields by the path of their key: how to read each, and how to set it. */
const fields = new Map()
const variables = new Map()

function make (tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties)
  element.append(...children)
  return element
}

/** The field for a key, by the type in the schema. */
function fieldOf (schema) {
  const types = [schema.type ?? []].flat()
  if (types.length === 1 && types[0] === 'boolean') {
    const box = make('input', { type: 'checkbox' })
    return { element: box, get: () => box.checked, set: value => { box.checked = value } }
  }
  if (schema.enum) {
    const option = value => make('option', { value: JSON.stringify(value) }, String(value))
    const select = make('select', {}, ...schema.enum.map(option))
    const set = value => { select.value = JSON.stringify(value) }
    return { element: select, get: () => JSON.parse(select.value), set }
  }
  if (types.length === 1 && ['integer', 'number'].includes(types[0])) {
    const [{ minimum: min = '', maximum: max = '' }, step] = [schema, types[0] === 'integer' ? 1 : 'any']
    const input = make('input', { type: 'number', min, max, step })
    const get = () => input.value === '' ? schema.default : Number(input.value)
    return { element: input, get, set: value => { input.value = value } }
  }
  const area = make('textarea', { spellcheck: false })
  function get () {
    area.setCustomValidity('')
    try { return JSON.parse(area.value) } catch {
      area.setCustomValidity('This is not JSON.')
      return schema.default
    }
  }
  return { element: area, get, set: value => { area.value = JSON.stringify(value, null, 2) } }
}

function addRow (path, schema) {
  const field = fieldOf(schema)
  field.element.id = path
  field.set(schema.default)
  const label = make('label', { htmlFor: path }, path.replace(/^ipp\./, ''))
  const small = make('small', {}, schema.description ?? '')
  const row = make('div', { className: 'row' }, label, field.element, small)
  field.element.addEventListener('input', refresh)
  settings.append(row)
  fields.set(path, { ...field, row, schema })
}

/** Adds rows for a group of keys, subgroups last. */
function addGroup (path, schema, title) {
  settings.append(make(path.includes('.') ? 'h3' : 'h2', {}, title))
  if (schema.description) settings.append(make('p', { className: 'muted' }, schema.description))
  const inner = Object.entries(schema.properties)
  for (const [name, one] of inner) if (!one.properties) addRow(`${path}.${name}`, one)
  for (const [name, one] of inner) if (one.properties) addGroup(`${path}.${name}`, one, name)
}

const isSame = (one, other) => JSON.stringify(one) === JSON.stringify(other)
/** The configuration, with only the values that differ from the defaults. */
function changed () {
  const config = {}
  for (const [path, { get, schema, row }] of fields) {
    const value = get()
    row.classList.toggle('changed', !isSame(value, schema.default))
    if (isSame(value, schema.default)) continue
    const names = path.split('.')
    const last = names.pop()
    let group = config
    for (const name of names) group = group[name] ??= {}
    group[last] = value
  }
  // without allowDownloadAll, allowDownload: false means no zip either; without both, lightGallery means a
  // file of 1.x
  if (config.lightGallery || config.ipp?.allowDownload === false) {
    config.ipp ??= {}
    for (const name of ['allowDownload', 'allowDownloadAll']) {
      config.ipp[name] ??= fields.get(`ipp.${name}`).get()
    }
  }
  return config
}

function refresh () {
  const config = changed()
  const text = JSON.stringify(config, null, 2)
  const isEmpty = Object.keys(config).length === 0
  const isNeeded = ([name, value]) => value && (name === 'IMMICH_URL' || value !== VARIABLES[name][0])
  const given = [...variables].map(([name, input]) => [name, input.value.trim()]).filter(isNeeded)
  const port = variables.get('IPP_PORT').value.trim() || '3000'
  byId('config').textContent = isEmpty ? '(not needed)' : text
  byId('variables').textContent = given.map(([name, value]) => `${name}=${value}`).join('\n')
  byId('compose').textContent = `services:
  immich-public-proxy:
    image: ghcr.io/immich-public-proxy/immich-public-proxy:5
    restart: unless-stopped
    ports:
      - "${port}:${port}"
    environment:
${given.map(([name, value]) => `      ${name}: ${JSON.stringify(value)}`).join('\n')}
${isEmpty ? '' : `    volumes:
      - ./config.json:/app/config.json:ro
`}    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
`
}

/** Takes over an older configuration, and lists the notices for it. */
function takeOver () {
  const lines = []
  const text = byId('old').value.trim()
  let given
  try { given = text ? JSON.parse(text) : {} } catch (error) {
    lines.push(`This is not JSON: ${error.message}`)
  }
  if (given) {
    delete given.$schema
    const { problems, notices, values } = resolveConfig(given, SCHEMA)
    lines.push(...notices, ...problems.map(problem => `the program would not start: ${problem}`))
    for (const [path, { set, schema }] of fields) {
      set(values[path] === undefined ? schema.default : values[path])
    }
    if (text && lines.length === 0) lines.push('Nothing to change: all names and values are current.')
  }
  byId('told').replaceChildren(...lines.map(line => make('li', {}, line)))
  refresh()
}

settings.append(make('h2', {}, 'Variables'))
for (const [name, [value, description]] of Object.entries(VARIABLES)) {
  const input = make('input', { id: name, value, oninput: refresh })
  const label = make('label', { htmlFor: name }, name)
  const row = make('div', { className: 'row' }, label, make('span'), input, make('small', {}, description))
  if (name === 'IPP_SECRET') {
    const onclick = () => {
      const bytes = crypto.getRandomValues(new Uint8Array(32))
      input.value = Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
      refresh()
    }
    row.append(make('button', { type: 'button', onclick }, 'Generate'))
  }
  settings.append(row)
  variables.set(name, input)
}
addGroup('ipp', SCHEMA.properties.ipp, 'config.json')
settings.append(make('h2', {}, 'lightGallery'))
addRow('lightGallery', SCHEMA.properties.lightGallery)
byId('old').addEventListener('input', takeOver)
for (const button of document.querySelectorAll('button[data-of]')) {
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(byId(button.dataset.of).textContent)
    button.textContent = 'Copied'
    setTimeout(() => { button.textContent = 'Copy' }, 1500)
  })
}
refresh()
