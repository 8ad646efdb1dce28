// The API reference: shows what /openapi.json says.

import { fill, h } from './dom.js';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];
const DEEPEST = 4;
const content = document.getElementById('content');
const filter = document.getElementById('filter');
let spec;

/** Follows a reference within the document. */
function resolve(node) {
  for (let hops = 0; node?.$ref && hops < 10; hops++) {
    node = node.$ref.replace(/^#\//, '').split('/').reduce((at, key) => at?.[key.replace(/~1/g, '/').replace(/~0/g, '~')], spec);
  }
  return node ?? {};
}

/** A schema with all of its `allOf` parts put together. */
function whole(schema) {
  const node = resolve(schema);
  if (!node.allOf) return node;
  const parts = node.allOf.map(whole);
  return {
    ...Object.assign({}, ...parts), ...node,
    properties: Object.assign({}, ...parts.map((part) => part.properties), node.properties),
    required: [...parts, node].flatMap((part) => part.required ?? []),
  };
}

function typeName(schema) {
  const node = whole(schema);
  const choice = node.oneOf ?? node.anyOf;
  if (choice) return choice.map(typeName).join(' or ');
  if (node.const !== undefined) return JSON.stringify(node.const);
  if (node.enum) return node.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (node.type === 'array') return `${typeName(node.items ?? {})}[]`;
  const type = Array.isArray(node.type) ? node.type.join(' or ') : (node.type ?? (node.properties ? 'object' : 'any'));
  return type;
}

function bounds(schema) {
  const node = whole(schema);
  const range = (low, high, unit) => {
    if (low === undefined && high === undefined) return '';
    return `${low ?? ''}…${high ?? ''}${unit}`;
  };
  return [
    range(node.minLength, node.maxLength, ' characters'), range(node.minimum, node.maximum, ''), range(node.minItems, node.maxItems, ' items'),
    node.default === undefined ? '' : `default ${JSON.stringify(node.default)}`,
  ].filter(Boolean).join(', ');
}

/** Rows of a table: a schema's fields, and those of the objects in it. */
function fields(schema, depth = 0, seen = []) {
  const node = whole(schema);
  const object = node.type === 'array' ? whole(node.items ?? {}) : node;
  if (depth > DEEPEST || seen.includes(object)) return [];
  const required = new Set(object.required ?? []);
  return Object.entries(object.properties ?? {}).flatMap(([name, child]) => [
    fieldRow(name, child, required.has(name), depth, resolve(child).description ?? child.description), ...fields(child, depth + 1, [...seen, object]),
  ]);
}

function fieldRow(name, schema, must, depth, description) {
  const details = [description, bounds(schema)].filter(Boolean).join('; ');
  return h('tr', {}, h('td', { class: `depth-${depth}` }, h('code', {}, name), must ? h('span', { class: 'must', title: 'required' }, ' *') : null), h('td', {}, typeName(schema)), h('td', {}, details));
}

const table = (rows) => (rows.length ? h('table', {}, h('tbody', {}, rows)) : null);

/** An example made from the schema, where the document gives none. */
function sample(schema, depth = 0) {
  const node = whole(schema);
  if (node.example !== undefined) return node.example;
  if (node.examples?.length) return node.examples[0];
  if (node.const !== undefined) return node.const;
  if (node.default !== undefined) return node.default;
  if (node.enum) return node.enum[0];
  const choice = node.oneOf ?? node.anyOf;
  if (choice) return sample(choice[0], depth);
  if (depth > DEEPEST) return {};
  const type = Array.isArray(node.type) ? node.type[0] : node.type;
  if (type === 'array') return [sample(node.items ?? {}, depth + 1)];
  if (type === 'object' || node.properties) return Object.fromEntries(Object.entries(node.properties ?? {}).map(([key, child]) => [key, sample(child, depth + 1)]));
  return { integer: Math.max(node.minimum ?? 1, 1), number: node.minimum ?? 1, boolean: true, null: null }[type] ?? 'string';
}

function media(body) {
  const [type, value] = Object.entries(body?.content ?? {})[0] ?? [];
  if (!value) return [];
  const example = value.example ?? Object.values(value.examples ?? {})[0]?.value ?? (value.schema && sample(value.schema));
  const text = typeof example === 'string' ? example : JSON.stringify(example, null, 2);
  return [
    value.schema ? table(fields(value.schema)) ?? h('p', { class: 'dim' }, typeName(value.schema)) : null,
    text && text !== '{}' ? h('pre', { 'aria-label': `Example, ${type}`, tabindex: 0 }, text) : null,
  ];
}

function operation(path, method, node, shared) {
  const parameters = [...(shared ?? []), ...(node.parameters ?? [])].map(resolve);
  const security = node.security ?? spec.security ?? [];
  const login = security.length > 0 && !security.some((scheme) => Object.keys(scheme).length === 0);
  const build = () => {
    const body = resolve(node.requestBody);
    return h(
      'div', { class: 'inside' },
      node.description ? node.description.split(/\n\n+/).map((text) => h('p', {}, text)) : null,
      parameters.length ? [h('h4', {}, 'Parameters'), table(parameters.map((parameter) => fieldRow(parameter.name, parameter.schema ?? {}, parameter.required, 0, [`in ${parameter.in}`, parameter.description].filter(Boolean).join('; '))))] : null,
      body.content ? [h('h4', {}, 'Request'), media(body)] : null,
      Object.entries(node.responses ?? {}).map(([code, response]) => [h('h4', {}, `${code} ${resolve(response).description ?? ''}`), media(resolve(response))]),
    );
  };
  const element = h(
    'details', { class: 'operation', 'data-path': path, 'data-method': method },
    h('summary', {}, h('span', { class: `method ${method}` }, method.toUpperCase()), h('code', {}, path), h('span', { class: 'dim' }, node.summary ?? ''), login ? h('span', { class: 'lock' }, 'login') : null),
  );
  // Opened only by a few: the inside is built then.
  element.addEventListener('toggle', () => element.open && !element.querySelector('.inside') && element.append(build()));
  element.words = [path, method, node.summary, node.description, node.operationId, ...(node.tags ?? []), ...parameters.map((parameter) => parameter.name)].join(' ').toLowerCase();
  return element;
}

function show() {
  const groups = new Map((spec.tags ?? []).map((tag) => [tag.name, { about: tag.description, operations: [] }]));
  for (const [path, item] of Object.entries(spec.paths ?? {})) {
    for (const method of METHODS) {
      const node = item[method];
      if (!node) continue;
      const tag = node.tags?.[0] ?? 'Other';
      if (!groups.has(tag)) groups.set(tag, { operations: [] });
      groups.get(tag).operations.push(operation(path, method, node, item.parameters));
    }
  }
  const sections = [...groups].filter(([, group]) => group.operations.length).map(([name, group]) => h(
    'section', { id: `tag-${name.replace(/\W+/g, '-')}` }, h('h2', {}, name), group.about ? h('p', { class: 'dim' }, group.about) : null, group.operations,
  ));
  const { title, version, description } = spec.info ?? {};
  const none = h('p', { class: 'dim', role: 'status', hidden: true }, 'Nothing matches.');
  fill(content, h('h1', {}, title ?? 'API'), h('p', { class: 'dim' }, version ? `Version ${version}` : ''), description ? description.split(/\n\n+/).map((text) => h('p', {}, text)) : null, none, sections);
  fill(document.getElementById('tags'), sections.map((section) => h('a', { href: `#${section.id}` }, section.querySelector('h2').textContent)));
  content.removeAttribute('aria-busy');

  filter.addEventListener('input', () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const section of sections) {
      const operations = [...section.querySelectorAll('.operation')];
      for (const element of operations) element.hidden = !words.every((word) => element.words.includes(word));
      section.hidden = operations.every((element) => element.hidden);
    }
    none.hidden = sections.some((section) => !section.hidden);
  });
}

try {
  const response = await fetch('/openapi.json');
  if (!response.ok) throw new Error(`status ${response.status}`);
  spec = await response.json();
  show();
} catch (error) {
  fill(content, h('p', { role: 'alert' }, `The description could not be read: ${error.message}`));
  content.removeAttribute('aria-busy');
}
