// What the documentation has to be pasted: calls of the local runner, and recipes for
// GitHub Actions and Renovate.
//
// usage: CACHE=FOLDER LOCAL=BINARY ACTIONLINT=BINARY ZIZMOR=BINARY node --test .ci/recipes.mjs
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { serve } from './runner.mjs';

const require = createRequire(process.env.CACHE + '/node-recipes/package.json');
const jsonata = require('jsonata');
const run = promisify(execFile);

const documentation = readDocumentation();
const folder = mkdtempSync(join(tmpdir(), 'recipes-'));

function readDocumentation() {
  const docs = new URL('../.github/docs/', import.meta.url);
  const files = [new URL('../README.md', import.meta.url), ...readdirSync(docs).map((name) => new URL(name, docs))];
  return files.map((file) => readFileSync(file, 'utf8')).join('\n');
}

function blocks(language) {
  return [...documentation.matchAll(new RegExp('^```' + language + '\n(.*?)^```', 'gms'))].map((match) => match[1]);
}

const steps = blocks('yaml').filter((block) => block.startsWith('- '));
assert.ok(steps.length >= 2, 'the documentation has steps for GitHub Actions');
for (const [i, block] of steps.entries()) {
  const workflow = join(folder, `recipe${i}.yml`);
  writeFileSync(workflow, `name: recipe
on: {push: {tags: ['*']}}
permissions: {}
jobs:
  recipe:
    runs-on: ubuntu-latest
    steps:
${block.replace(/^/gm, '      ').trimEnd()}
`);
  test(`actionlint is content with the step ${i + 1}`, () => {
    execFileSync(process.env.ACTIONLINT, ['-no-color', workflow], { stdio: ['ignore', 'inherit', 'inherit'] });
  });
  test(`zizmor is content with the step ${i + 1}`, () => {
    execFileSync(process.env.ZIZMOR, ['--offline', '--quiet', '--no-progress', workflow], { stdio: ['ignore', 'inherit', 'inherit'] });
  });
}

test('Renovate finds the versions of a repository', async (t) => {
  const config = JSON.parse(blocks('json').find((block) => block.includes('customDatasources')));
  const manager = config.customManagers[0];
  const found = new RegExp(manager.matchStrings[0]).exec('      image: wasmcloud.azurecr.io/team/app:1.0.0\n');
  assert.deepEqual({ ...found.groups }, { depName: 'team/app', currentValue: '1.0.0' });
  const packageName = manager.packageNameTemplate.replace('{{depName}}', found.groups.depName);

  const { url: api, stop } = await serve('-db', join(folder, 'recipes.db'));
  t.after(stop);
  const digest = 'sha256:' + '5'.repeat(64);
  for (const tag of ['1.0.0', '1.1.0', 'latest']) {
    const body = JSON.stringify({ digest, pushedAt: '2024-01-01T00:00:00Z' });
    const answer = await fetch(`${api}/api/references/${packageName}:${tag}`, { method: 'PUT', body });
    assert.equal(answer.status, 200, await answer.text());
  }

  const source = config.customDatasources[manager.datasourceTemplate.replace('custom.', '')];
  const url = source.defaultRegistryUrlTemplate.replace('https://API', api).replace('{{packageName}}', packageName);
  let value = await (await fetch(url)).json();
  for (const template of source.transformTemplates) {
    value = await jsonata(template).evaluate(value);
  }
  const release = (version) => ({ version, releaseTimestamp: '2024-01-01T00:00:00Z', digest });
  assert.deepEqual(JSON.parse(JSON.stringify(value)), { releases: [release('1.1.0'), release('1.0.0')] });
});

// A command is a line after "$ ", with those after it that are indented. The rest up to
// the next command is what it prints.
function commands(block) {
  return block.split(/^\$ /m).slice(1).map((text) => {
    const [, command, printed] = /^(.*\n(?: {4}.*\n)*)([^]*)$/.exec(text);
    return { command, printed: printed.trimEnd() };
  });
}

test('The local runner answers as the documentation says', async (t) => {
  const { url: api, stop } = await serve('-db', join(folder, 'calls.db'));
  t.after(stop);
  const calls = blocks('console').flatMap(commands).filter(({ command }) => /^curl .*localhost:8080/.test(command));
  assert.ok(calls.length >= 10, `the documentation has ${calls.length} calls`);
  for (const { command, printed } of calls) {
    const { stdout } = await run('bash', ['-c', command.replace('localhost:8080', api)]);
    assert.equal(stdout.trimEnd(), printed, command);
  }
});
