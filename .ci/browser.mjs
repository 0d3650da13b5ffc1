// Tests the pages in a real browser, over the local runner with its examples.
//
// usage: CACHE=FOLDER LOCAL=BINARY node --test .ci/browser.mjs
// With PICTURE=FILE it only takes the README's picture.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { serve } from './runner.mjs';

const require = createRequire(process.env.CACHE + '/node-browser/package.json');
const { chromium } = require('playwright-core');
const axe = require.resolve('axe-core/axe.min.js');

const phone = { width: 360, height: 740 }, desktop = { width: 1280, height: 800 };
const scratch = mkdtempSync(join(tmpdir(), 'browser-'));
let browser, demo, empty;

// open opens a page in a new context. What a page must never do ends up in
// page.wrong: an error, a breach of its policy, a call to another origin, a dialog.
async function open(url, { viewport = desktop, ...options } = {}) {
  const context = await browser.newContext({ viewport, ...options });
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: new URL(url).origin });
  const page = await context.newPage();
  page.wrong = [];
  page.on('console', m => ['error', 'warning'].includes(m.type()) && !m.text().includes('the server responded with a status of 404') && page.wrong.push(m.text()));
  page.on('pageerror', error => page.wrong.push(String(error)));
  page.on('dialog', dialog => { page.wrong.push('dialog'); dialog.dismiss() });
  page.on('request', r => !/^data:/.test(r.url()) && new URL(r.url()).origin !== new URL(url).origin && page.wrong.push('request to ' + r.url()));
  await page.goto(url);
  return page;
}

async function close(page) {
  assert.deepEqual(page.wrong, []);
  await page.context().close();
}

const names = page => page.locator('tbody tr:visible > :first-child').allInnerTexts();
const clipboard = page => page.evaluate(() => navigator.clipboard.readText());
const put = async path => assert.equal((await fetch(demo.url + path, { method: 'PUT' })).ok, true, path);

before(async () => {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox'] });
  demo = await serve('-demo');
  empty = await serve('-db', join(scratch, 'empty.db'));
});

after(async () => {
  await browser.close();
  demo.stop();
  empty.stop();
  rmSync(scratch, { recursive: true });
});

if (process.env.PICTURE) {
  test('picture', async () => {
    const page = await open(demo.url, { viewport: { width: 1200, height: 760 }, deviceScaleFactor: 1.5 });
    await page.screenshot({ path: process.env.PICTURE });
    await close(page);
  });
} else {
  tests();
}

function tests() {
  test('the catalogue has what the API has', async () => {
    const { repositories } = await (await fetch(demo.url + '/api/repositories?limit=1000')).json();
    const page = await open(demo.url);
    assert.deepEqual(await names(page), repositories.map(r => r.name));
    assert.deepEqual(await page.locator('tbody td:nth-child(2) code').allInnerTexts(), repositories.map(r => r.reference));
    const { categories } = await (await fetch(demo.url + '/api/categories')).json();
    assert.deepEqual(await page.locator('section h2').allInnerTexts(), categories);
    assert.match(await page.locator('tr', { hasText: 'wash:' }).locator('td[title]').getAttribute('title'), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/);
    await close(page);
  });

  test('a search answers while one types', async () => {
    const page = await open(demo.url);
    const all = await names(page);
    await page.getByRole('searchbox').pressSequentially('KV r');
    assert.deepEqual(await names(page), all.filter(name => name.includes('kv') && name.includes('r')));
    assert.equal(await page.getByRole('status').first().innerText(), '2 repositories');
    assert.equal(await page.locator('section:visible').count(), 0);
    await page.getByRole('searchbox').press('Enter');
    assert.equal((await names(page)).length, 2);
    await page.getByRole('searchbox').press('Escape');
    assert.deepEqual(await names(page), all);
    assert.equal(await page.locator('section:visible').count(), 3);
    await close(page);
  });

  test('a reference and the Markdown of its badge are copied', async () => {
    const page = await open(demo.url);
    await page.getByRole('button', { name: 'Copy wasmcloud.azurecr.io/wash:0.20.0' }).click();
    assert.equal(await clipboard(page), 'wasmcloud.azurecr.io/wash:0.20.0');
    assert.equal(await page.locator('#said').innerText(), 'Copied wasmcloud.azurecr.io/wash:0.20.0');
    const asked = [];
    page.on('request', r => asked.push(new URL(r.url()).pathname));
    const badge = page.getByLabel('Badge of wash', { exact: true }), box = page.locator('details[open]');
    await badge.click();
    assert.equal(await box.locator('img').evaluate(img => img.decode().then(() => img.naturalHeight)), 20);
    assert.deepEqual(asked, ['/wash']); // no other box asks for its image
    await page.getByRole('button', { name: 'Copy Markdown of wash', exact: true }).click();
    assert.equal(await clipboard(page), `![wash](${demo.url}/wash?format=svg)`);
    await page.getByLabel('Badge of wadm', { exact: true }).click();
    assert.equal(await box.count(), 1); // one is open at a time
    await page.getByRole('heading', { level: 1 }).click();
    assert.equal(await box.count(), 0);
    await page.getByRole('button', { name: 'Copy wasmcloud.azurecr.io/wash:0.20.0' }).filter({ hasText: /^Copy$/ }).waitFor();
    await close(page);
  });

  test('copying works where the browser has no clipboard for pages', async () => {
    const page = await open(demo.url);
    await page.addInitScript(() => Object.defineProperty(Navigator.prototype, 'clipboard', { value: undefined }));
    await page.reload();
    const button = page.getByRole('button', { name: 'Copy wasmcloud.azurecr.io/echo:0.3.8' });
    await button.click();
    assert.equal(await button.innerText(), 'Copied');
    const other = await page.context().newPage();
    await other.goto(demo.url + '/echo?format=html');
    assert.equal(await clipboard(other), 'wasmcloud.azurecr.io/echo:0.3.8');
    await close(page);
  });

  test('a keyboard is enough', async () => {
    const page = await open(demo.url);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab'); // behind the link to the first page
    await page.keyboard.type('wadm');
    assert.equal(await page.getByRole('searchbox').inputValue(), 'wadm');
    const focused = () => page.evaluate(() => {
      const e = document.activeElement, style = getComputedStyle(e);
      return { name: e.getAttribute('aria-label') ?? e.innerText, outlined: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 };
    });
    for (const name of ['Search', 'wadm', 'Copy wasmcloud.azurecr.io/wadm:v0.5.1', 'Badge of wadm']) {
      await page.keyboard.press('Tab');
      assert.deepEqual(await focused(), { name, outlined: true });
    }
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    assert.deepEqual(await focused(), { name: 'Copy Markdown of wadm', outlined: true });
    await page.keyboard.press('Enter');
    assert.equal(await clipboard(page), `![wadm](${demo.url}/wadm?format=svg)`);
    await page.keyboard.press('Escape');
    assert.deepEqual(await focused(), { name: 'Badge of wadm', outlined: true });
    assert.equal(await page.locator('details[open]').count(), 0);
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Enter');
    assert.equal(await clipboard(page), 'wasmcloud.azurecr.io/wadm:v0.5.1');
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/wadm?format=html');
    assert.equal(await page.locator('h1').innerText(), 'wadm');
    await close(page);
  });

  test('nothing is missing without JavaScript', async () => {
    const page = await open(demo.url, { javaScriptEnabled: false });
    const row = page.locator('tr', { hasText: 'wash:' });
    assert.match(await row.innerText(), /wash\s+wasmcloud.azurecr.io\/wash:0.20.0\s+0.20.0\s+3 hours ago\s+!\[wash\]\(http.*\/wash\?format=svg\)/);
    assert.deepEqual(await page.getByRole('button').allInnerTexts(), ['Search']);
    await page.getByRole('searchbox').fill('petclinic cu');
    await page.getByRole('button').click();
    assert.deepEqual(await names(page), ['petclinic/customers']);
    await page.getByRole('link', { name: 'petclinic/customers' }).click();
    assert.equal(await page.locator('tbody tr th code').first().innerText(), 'wasmcloud.azurecr.io/petclinic/customers:0.3.1');
    await page.getByText('Badges for a README').click();
    assert.equal(await page.locator('img').first().evaluate(img => img.decode().then(() => img.naturalHeight)), 20);
    await close(page);
  });

  test('a screen reader is told what belongs to what', async () => {
    for (const [path, rows] of [['/', 20], ['/wash?format=html', 9]]) {
      const page = await open(demo.url + path);
      assert.equal(await page.getByRole('table').getByRole('rowheader').count(), rows);
      assert.equal(await page.getByRole('table').getByRole('columnheader').count(), 5);
      for (const role of ['banner', 'search', 'main', 'contentinfo']) assert.equal(await page.getByRole(role).count(), 1, role);
      assert.equal(await page.getByRole('heading', { level: 1 }).count(), 1);
      await close(page);
    }
  });

  test('any page can search, and links to its JSON', async () => {
    const page = await open(demo.url + '/wash?format=html');
    await page.getByRole('searchbox').fill('kv');
    await page.getByRole('searchbox').press('Enter');
    await page.waitForURL('**/?q=kv');
    assert.deepEqual(await names(page), ['kvcounter', 'kvredis', 'kvvault']);
    for (const path of ['/', '/wash?format=html']) {
      await page.goto(demo.url + path);
      for (const link of await page.getByRole('contentinfo').getByRole('link').all()) {
        const answer = await fetch(new URL(await link.getAttribute('href'), demo.url));
        assert.equal(answer.status, 200);
        assert.equal(answer.headers.get('content-type'), 'application/json');
      }
    }
    await close(page);
  });

  test('a repository has all its references and badges', async () => {
    const { references } = await (await fetch(demo.url + '/api/repositories/wash')).json();
    const page = await open(demo.url + '/wash?format=html');
    assert.deepEqual(await page.locator('.references tbody th code').allInnerTexts(), references.map(r => r.reference));
    assert.deepEqual(await page.locator('.references tbody td code').allTextContents(), references.map(r => r.digest));
    await page.getByRole('button', { name: 'Copy ' + references[0].digest }).first().click();
    assert.equal(await clipboard(page), references[0].digest);
    await page.getByText('Badges for a README').click();
    for (const image of await page.getByRole('img').all()) {
      await image.scrollIntoViewIfNeeded();
      assert.equal(await image.evaluate(img => img.decode().then(() => img.naturalHeight)), 20);
    }
    await close(page);
  });

  test('pages are dark for those who want it', async () => {
    const brightness = async colorScheme => {
      const page = await open(demo.url, { colorScheme });
      const color = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      await close(page);
      return color.match(/\d+/g).slice(0, 3).reduce((sum, n) => sum + +n, 0) / 3;
    };
    assert.ok(await brightness('light') > 200);
    assert.ok(await brightness('dark') < 60);
  });

  test('no rule of axe is broken, and nothing sticks out', async () => {
    for (const path of ['/', '/?q=kv', '/?q=nothing', '/?category=capability-providers', '/wash?format=html', '/none?format=html', '/?next=x', empty.url]) {
      for (const colorScheme of ['light', 'dark']) {
        for (const viewport of [phone, desktop]) {
          const page = await open(new URL(path, demo.url).href, { viewport, colorScheme, bypassCSP: true });
          if (await page.locator('summary').count()) await page.locator('summary').first().click();
          await page.addScriptTag({ path: axe });
          const { violations } = await page.evaluate(() => axe.run());
          assert.deepEqual(violations.map(v => `${v.id}: ${v.nodes.map(n => n.html).join(' ')}`), [], `${path} ${colorScheme} ${viewport.width}`);
          assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${path} is wider than ${viewport.width}`);
          await page.context().close();
        }
      }
    }
  });

  test('what comes from outside is text', async () => {
    const markup = '"><img src=x onerror=alert(1)><script>alert(2)</script>';
    for (const target of [{ repository: markup, tag: '1' }, { repository: 'app', tag: markup }]) {
      const body = JSON.stringify({ action: 'push', target, request: { host: 'a.azurecr.io' } });
      assert.equal((await fetch(demo.url + '/api/azurehook', { method: 'POST', body })).status, 400);
    }
    const body = JSON.stringify({ action: 'push', target: { repository: 'hostile', tag: '__-.1', mediaType: markup, size: 1 }, request: { host: 'a.azurecr.io' } });
    assert.equal((await fetch(demo.url + '/api/azurehook', { method: 'POST', body })).status, 200);
    for (const path of ['/?q=' + encodeURIComponent(markup), '/?category=' + encodeURIComponent(markup), '/hostile?format=html', '/' + encodeURIComponent(markup) + '?format=html']) {
      const page = await open(demo.url + path);
      assert.equal(await page.locator('img[src="x"]').count(), 0, path);
      assert.equal(await page.locator('script').count(), 1, path);
      await close(page);
    }
    const page = await open(demo.url);
    await page.getByRole('searchbox').fill(markup);
    assert.deepEqual(await names(page), []);
    await close(page);
  });

  // The last, as it fills the catalogue.
  test('beyond a thousand repositories there are pages, and a search finds all', async () => {
    for (let i = 0; i < 1100; i += 20) {
      await Promise.all(Array.from({ length: 20 }, (_, k) => put(`/api/references/ghcr.io/acme/x-${String(i + k).padStart(4, '0')}:1.0.0`)));
    }
    let page = await open(demo.url);
    assert.equal(await page.locator('tbody tr').count(), 1000);
    await page.getByRole('searchbox').pressSequentially('x-1099');
    await page.locator('tbody tr').nth(1).waitFor({ state: 'detached' });
    assert.deepEqual(await names(page), ['acme/x-1099']);
    assert.equal(new URL(page.url()).search, '?q=x-1099');
    await page.getByRole('button', { name: 'Copy ghcr.io/acme/x-1099:1.0.0' }).click();
    assert.equal(await clipboard(page), 'ghcr.io/acme/x-1099:1.0.0');
    await page.getByRole('searchbox').fill('');
    await page.getByRole('link', { name: 'Next page' }).click();
    await page.getByRole('link', { name: 'First page' }).waitFor();
    assert.ok((await names(page)).includes('wash'));
    await close(page);

    // A failing server is said, and what was there stays.
    page = await open(demo.url);
    await page.route('**/?q=*', route => route.abort());
    await page.getByRole('searchbox').fill('x');
    await page.getByText('The search failed, try again.').waitFor();
    assert.equal(await page.locator('tbody tr').count(), 1000);
    await page.context().close();
  });
}
