// Tests the pages in a real browser, over the local runner with its examples.
//
// usage: CACHE=FOLDER LOCAL=BINARY node --test .ci/browser.mjs
// With PICTURE=FILE it only takes the README's pictures, FILE-light.png and FILE-dark.png.
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

const phone = { width: 320, height: 740 }, tablet = { width: 768, height: 1024 }, desktop = { width: 1280, height: 800 };
const scratch = mkdtempSync(join(tmpdir(), 'browser-'));
let browser, demo, empty;

// open opens a page in a new context. What a page must never do ends up in
// page.wrong: an error, a breach of its policy, a call to another origin, a dialog.
async function open(url, { viewport = desktop, ...options } = {}) {
  const context = await browser.newContext({ viewport, ...options });
  if (!process.env.PICTURE) await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: new URL(url).origin });
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

// texts returns the texts of places that are copied, without their marks.
const texts = places => places.evaluateAll(all => all.map(place => [...place.childNodes].filter(n => n.nodeType === Node.TEXT_NODE).map(n => n.data).join('').trim()));
const names = page => page.locator('tbody tr:visible > :first-child').allInnerTexts();
const clipboard = page => page.evaluate(() => navigator.clipboard.readText());
const put = async path => assert.equal((await fetch(demo.url + path, { method: 'PUT' })).ok, true, path);

before(async () => {
  demo = await serve('-demo');
  const name = `--host-resolver-rules=MAP images.example.com ${new URL(demo.url).host}`; // for the pictures
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox', name] });
  empty = await serve('-db', join(scratch, 'empty.db'));
});

after(async () => {
  await browser.close();
  demo.stop();
  empty.stop();
  rmSync(scratch, { recursive: true });
});

if (process.env.PICTURE) {
  for (const colorScheme of ['light', 'dark']) {
    test('picture, ' + colorScheme, async () => {
      const page = await open('http://images.example.com/', { viewport: { width: 1200, height: 760 }, deviceScaleFactor: 1.5, colorScheme });
      await page.getByRole('button', { name: 'Badge of acme/storefront', exact: true }).click();
      await page.locator('.box img').evaluate(img => img.decode());
      await page.screenshot({ path: `${process.env.PICTURE}-${colorScheme}.png` });
      await close(page);
    });
  }
} else {
  tests();
}

function tests() {
  test('the catalogue has what the API has', async () => {
    const { repositories } = await (await fetch(demo.url + '/api/repositories?limit=1000')).json();
    const page = await open(demo.url);
    assert.deepEqual(await names(page), repositories.map(r => r.name));
    assert.deepEqual(await texts(page.locator('tbody td:nth-child(2)')), repositories.map(r => r.reference));
    const { categories } = await (await fetch(demo.url + '/api/categories')).json();
    assert.deepEqual(await page.locator('section h2').allInnerTexts(), categories);
    await close(page);
  });

  test('exact times are to be seen without a mouse', async () => {
    for (const [path, first] of [['/', 'tbody time'], ['/wash?format=html', 'dd time'], ['/wash?format=html', 'tbody time']]) {
      for (const viewport of [phone, desktop]) {
        const page = await open(demo.url + path, { viewport });
        const shown = await page.locator(first).first().evaluate(time => {
          const style = getComputedStyle(time, '::after');
          return { text: style.content, visible: style.display !== 'none' && time.getBoundingClientRect().width > 100 };
        });
        assert.match(shown.text, /^"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ"$/);
        assert.ok(shown.visible);
        await close(page);
      }
    }
  });

  test('a click on a column sorts, and the address keeps what was typed', async () => {
    for (const viewport of [phone, desktop]) {
      const page = await open(demo.url + '/?q=kv', { viewport });
      await page.getByRole('link', { name: 'Pushed' }).click();
      await page.waitForURL('**/?q=kv&sort=pushed');
      assert.deepEqual(await names(page), ['kvredis', 'kvvault', 'kvcounter']);
      assert.equal(await page.getByRole('searchbox').inputValue(), 'kv');
      assert.equal(await page.locator('[aria-sort]').getAttribute('aria-sort'), 'descending');
      await page.getByRole('searchbox').fill('petclinic');
      await page.waitForURL('**/?q=petclinic&sort=pushed');
      assert.deepEqual(await names(page), ['petclinic/ui', 'petclinic/customers', 'petclinic/clinicapi']);
      await page.getByRole('link', { name: 'Repository' }).click();
      await page.waitForURL('**/?q=petclinic');
      assert.deepEqual(await names(page), ['petclinic/clinicapi', 'petclinic/customers', 'petclinic/ui']);
      await close(page);
    }
  });

  test('a registry is chosen, and a reload shows the same', async () => {
    const page = await open(demo.url);
    await page.getByRole('combobox', { name: 'Registry' }).selectOption('ghcr.io');
    await page.waitForURL('**/?registry=ghcr.io');
    const shown = ['acme/storefront', 'acme/storefront-worker'];
    assert.deepEqual(await names(page), shown);
    assert.equal(await page.locator('h1').innerText(), 'Repositories in ghcr.io');
    await page.getByRole('searchbox').fill('WORKER');
    await page.waitForURL('**/?q=WORKER&registry=ghcr.io');
    assert.deepEqual(await names(page), shown.slice(1));
    await page.reload();
    assert.deepEqual(await names(page), shown.slice(1));
    assert.equal(await page.getByRole('searchbox').inputValue(), 'WORKER');
    assert.equal(await page.getByRole('combobox', { name: 'Registry' }).inputValue(), 'ghcr.io');
    await close(page);
  });

  test('a search answers while one types, in address, title, heading and links', async () => {
    const page = await open(demo.url);
    const all = await names(page);
    await page.getByRole('searchbox').pressSequentially('KV u');
    await page.waitForURL('**/?q=KV+u');
    assert.deepEqual(await names(page), ['kvcounter', 'kvredis', 'kvvault']);
    assert.equal(await page.getByRole('status').first().innerText(), '3 repositories');
    assert.equal(await page.locator('#said').innerText(), '3 repositories');
    assert.equal(await page.locator('h1').innerText(), 'Results for “KV u”');
    assert.equal(await page.title(), 'Results for “KV u” · ocireffer');
    assert.equal(await page.getByRole('link', { name: 'JSON' }).getAttribute('href'), '/api/repositories?q=KV+u');
    assert.equal(await page.locator('link[rel=alternate]').getAttribute('href'), '/?format=atom&q=KV+u');
    assert.equal(await page.locator('section:visible').count(), 0);
    await page.getByRole('button', { name: 'Copy wasmcloud.azurecr.io/kvredis:0.22.0' }).click();
    assert.equal(await clipboard(page), 'wasmcloud.azurecr.io/kvredis:0.22.0');
    await page.getByRole('searchbox').fill('azurecr');
    await page.waitForURL('**/?q=azurecr');
    assert.equal((await names(page)).length, 18); // registries are searched, too
    await page.getByRole('searchbox').press('Escape');
    await page.waitForURL(demo.url + '/');
    assert.deepEqual(await names(page), all);
    await close(page);
  });

  test('a reference and the Markdown of its badge are copied', async () => {
    const page = await open(demo.url);
    await page.getByRole('button', { name: 'Copy wasmcloud.azurecr.io/wash:0.20.0' }).click();
    assert.equal(await clipboard(page), 'wasmcloud.azurecr.io/wash:0.20.0');
    assert.equal(await page.locator('#said').innerText(), 'Copied wasmcloud.azurecr.io/wash:0.20.0');
    const asked = [];
    page.on('request', r => asked.push(new URL(r.url()).pathname));
    const badge = page.getByRole('button', { name: 'Badge of wash', exact: true }), box = page.locator('.box');
    await badge.click();
    assert.equal(await badge.getAttribute('aria-expanded'), 'true');
    assert.equal(await box.locator('img').evaluate(img => img.decode().then(() => img.naturalHeight)), 20);
    assert.deepEqual(asked, ['/wash']); // no other box asks for its image
    await page.getByRole('button', { name: 'Copy Markdown of wash', exact: true }).click();
    assert.equal(await clipboard(page), `[![wash](${demo.url}/wash?format=svg)](${demo.url}/wash?format=html)`);
    await page.getByRole('button', { name: 'Badge of wadm', exact: true }).click();
    assert.equal(await box.count(), 1); // one is open at a time
    assert.equal(await badge.getAttribute('aria-expanded'), 'false');
    await page.getByRole('heading', { level: 1 }).click();
    assert.equal(await box.count(), 0);
    await badge.click();
    await badge.click();
    assert.equal(await box.count(), 0);
    await close(page);
  });

  test('copy buttons stand in a column and stay where they are', async () => {
    for (const viewport of [phone, tablet, desktop]) {
      for (const path of ['/', '/wash?format=html']) {
        const page = await open(demo.url + path, { viewport });
        const button = page.locator('tbody button:visible').first();
        await button.evaluate(b => b.scrollIntoView());
        await page.evaluate(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))); // rows are drawn as they are scrolled to
        const boxes = () => page.locator('tbody th > button, tbody td:nth-child(2) > button').evaluateAll(all => all
          .map(b => b.getBoundingClientRect()).filter(b => b.bottom > 0 && b.top < innerHeight).map(({ left, top, width, height }) => ({ left, top, width, height })));
        const before = await boxes();
        assert.ok(before.length > 2);
        assert.deepEqual([...new Set(before.map(b => b.left))], [before[0].left], path);
        assert.ok(before.every(b => b.width >= 24 && b.height >= 24));
        await button.click();
        assert.equal(await button.evaluate(b => b.classList.contains('done')), true);
        assert.deepEqual(await boxes(), before, path);
        await button.and(page.locator(':not(.done)')).waitFor();
        await close(page);
      }
    }
  });

  test('copying works where the browser has no clipboard for pages', async () => {
    const page = await open(demo.url);
    await page.addInitScript(() => Object.defineProperty(Navigator.prototype, 'clipboard', { value: undefined }));
    await page.reload();
    await page.getByRole('button', { name: 'Copy wasmcloud.azurecr.io/echo:0.3.8' }).click();
    assert.equal(await page.locator('#said').innerText(), 'Copied wasmcloud.azurecr.io/echo:0.3.8');
    const other = await page.context().newPage();
    await other.goto(demo.url + '/echo?format=html');
    assert.equal(await clipboard(other), 'wasmcloud.azurecr.io/echo:0.3.8');
    await page.getByRole('button', { name: 'Badge of echo', exact: true }).click();
    await page.getByRole('button', { name: 'Copy Markdown of echo', exact: true }).click();
    assert.equal(await clipboard(other), `[![echo](${demo.url}/echo?format=svg)](${demo.url}/echo?format=html)`);
    assert.equal(await page.locator('.box').count(), 1);
    await close(page);
  });

  test('a keyboard is enough', async () => {
    const page = await open(demo.url);
    const focused = () => page.evaluate(() => {
      const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
      return { name: e.getAttribute('aria-label') ?? e.innerText, outlined: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2, seen: box.top >= 0 && box.left >= 0 };
    });
    const tabTo = async (...all) => {
      for (const name of all) {
        await page.keyboard.press('Tab');
        assert.deepEqual(await focused(), { name, outlined: true, seen: true });
      }
    };
    await tabTo('Skip to content');
    await page.keyboard.press('Enter');
    await tabTo('capability-providers'); // the first link of the main part
    await page.reload();
    await tabTo('Skip to content', 'ocireffer');
    await page.keyboard.press('Tab');
    await page.keyboard.type('wadm');
    await page.waitForURL('**/?q=wadm');
    await tabTo('Registry', 'Search', 'Pushed', 'wadm', 'Copy wasmcloud.azurecr.io/wadm:v0.5.1', 'Badge of wadm');
    await page.keyboard.press('Enter');
    await tabTo('Copy Markdown of wadm');
    await page.keyboard.press('Enter');
    assert.equal(await clipboard(page), `[![wadm](${demo.url}/wadm?format=svg)](${demo.url}/wadm?format=html)`);
    await page.keyboard.press('Escape');
    assert.equal((await focused()).name, 'Badge of wadm');
    assert.equal(await page.locator('.box').count(), 0);
    await page.keyboard.press('Enter');
    await tabTo('Copy Markdown of wadm', 'All repositories'); // a box does not stay in front of what is behind it
    assert.equal(await page.locator('.box').count(), 0);
    await page.keyboard.press('Shift+Tab');
    assert.equal((await focused()).name, 'Badge of wadm');
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
    assert.match(await row.innerText(), /wash\s+wasmcloud.azurecr.io\/wash:0.20.0\s+0.20.0\s+3 hours ago\s+\[!\[wash\]\(http.*\/wash\?format=svg\)\]\(http.*\/wash\?format=html\)/);
    assert.deepEqual(await page.getByRole('button').allInnerTexts(), ['Search']);
    await page.locator('summary').click();
    assert.equal(await page.getByRole('link', { name: 'sqldb-postgres' }).first().isVisible(), true);
    await page.getByRole('searchbox').fill('petclinic cu');
    await page.getByRole('combobox').selectOption('wasmcloud.azurecr.io');
    await page.getByRole('button').click();
    assert.equal(new URL(page.url()).search, '?q=petclinic+cu&registry=wasmcloud.azurecr.io');
    assert.deepEqual(await names(page), ['petclinic/customers']);
    await page.getByRole('link', { name: 'petclinic/customers' }).click();
    assert.equal(await page.locator('.references tbody th').first().innerText(), 'wasmcloud.azurecr.io/petclinic/customers:0.3.1');
    await page.getByText('Badges').click();
    assert.equal(await page.locator('img').first().evaluate(img => img.decode().then(() => img.naturalHeight)), 20);
    await close(page);
  });

  test('lists fold beyond a few lines', async () => {
    const page = await open(demo.url);
    const fold = page.locator('section', { hasText: 'capability-providers' }).locator('details');
    assert.equal(await page.locator('section li:visible').count(), 8 + 5 + 7);
    await fold.locator('summary').click();
    assert.equal(await page.locator('section li:visible').count(), 10 + 5 + 7);
    assert.equal(await page.getByRole('link', { name: 'sqldb-postgres' }).first().isVisible(), true);
    await close(page);
  });

  test('a screen reader is told what belongs to what', async () => {
    for (const [path, rows, columns] of [['/', 20, 5], ['/wash?format=html', 9, 5]]) {
      const page = await open(demo.url + path);
      assert.equal(await page.getByRole('table').getByRole('rowheader').count(), rows);
      assert.equal(await page.getByRole('table').getByRole('columnheader').count(), columns);
      for (const role of ['banner', 'search', 'main', 'contentinfo']) assert.equal(await page.getByRole(role).count(), 1, role);
      assert.equal(await page.getByRole('heading', { level: 1 }).count(), 1);
      await close(page);
    }
  });

  test('any page can search, and leads to the same as JSON', async () => {
    const page = await open(demo.url + '/wash?format=html');
    await page.getByRole('searchbox').fill('kv');
    await page.getByRole('searchbox').press('Enter');
    await page.waitForURL('**/?q=kv');
    assert.deepEqual(await names(page), ['kvcounter', 'kvredis', 'kvvault']);
    for (const path of ['/', '/?sort=pushed', '/?q=kv', '/?registry=ghcr.io', '/?category=official']) {
      await page.goto(demo.url + path);
      const { repositories } = await (await fetch(demo.url + await page.getByRole('link', { name: 'JSON' }).getAttribute('href'))).json();
      assert.deepEqual(await names(page), repositories.map(r => r.name), path);
    }
    for (const link of await page.getByRole('contentinfo').getByRole('link').all()) {
      assert.equal((await fetch(demo.url + await link.getAttribute('href'))).status, 200);
    }
    await close(page);
  });

  test('a browser that opens /wash gets its page, and what opens it otherwise a badge', async () => {
    const page = await open(demo.url + '/wash');
    assert.equal(await page.locator('h1').innerText(), 'wash');
    assert.equal(await page.locator('link[rel=canonical]').getAttribute('href'), demo.url + '/wash?format=html');
    assert.match(await page.evaluate(() => fetch('/wash').then(r => r.text())), /^\{"schemaVersion":1,/);
    await close(page);
  });

  test('a repository has all its references, those of one digest together', async () => {
    const { references } = await (await fetch(demo.url + '/api/repositories/wash')).json();
    const page = await open(demo.url + '/wash?format=html');
    assert.deepEqual(await texts(page.locator('.references tbody th')), references.map(r => r.reference));
    assert.deepEqual(await page.locator('.references .digest').allTextContents(), [...new Set(references.map(r => r.digest))]);
    assert.deepEqual(await texts(page.locator('.references .same th')), ['wasmcloud.azurecr.io/wash:latest']);
    assert.deepEqual(await page.locator('.references td:last-child').allInnerTexts().then(all => [...new Set(all)].filter(kind => /^[a-z]/.test(kind) && !/ago/.test(kind))), ['multi-platform']);
    await page.getByRole('button', { name: 'Copy ' + references[0].digest }).first().click();
    assert.equal(await clipboard(page), references[0].digest);
    await page.getByRole('link', { name: 'Only in wasmcloud.azurecr.io' }).click();
    await page.waitForURL('**/wasmcloud.azurecr.io/wash?format=html');
    await page.getByRole('link', { name: 'wash in any registry' }).click();
    await page.waitForURL('**/wash?format=html');
    await page.getByRole('link', { name: 'All repositories' }).click();
    await page.waitForURL(demo.url + '/');
    await close(page);
  });

  test('newest and highest stand side by side, each to be pulled', async () => {
    const page = await open(demo.url + '/acme/storefront?format=html');
    const cards = page.locator('.cards section');
    assert.deepEqual(await cards.locator('h2').allInnerTexts(), ['Newest', 'Highest version']);
    assert.deepEqual(await cards.locator('.tag').allInnerTexts(), ['2026.47.0-beta.3\nprerelease', '2026.46.0']);
    const [left, right] = await cards.evaluateAll(all => all.map(card => card.getBoundingClientRect()));
    assert.ok(left.top === right.top && left.right < right.left);
    await page.getByRole('button', { name: 'Copy docker pull ghcr.io/acme/storefront:2026.46.0' }).click();
    assert.equal(await clipboard(page), 'docker pull ghcr.io/acme/storefront:2026.46.0');
    await page.goto(demo.url + '/acme/storefront?format=html&sort=semver');
    assert.deepEqual(await cards.locator('h2').allInnerTexts(), ['Highest version', 'Newest']);
    await close(page);
  });

  test('badges are seen, and copied for Markdown, HTML and AsciiDoc', async () => {
    const page = await open(demo.url + '/wash?format=html');
    assert.equal(await page.getByText('shields.io').count(), 0); // it cannot reach this machine
    await page.getByText('Badges').click();
    for (const image of await page.getByRole('img').all()) {
      await image.scrollIntoViewIfNeeded();
      assert.equal(await image.evaluate(img => img.decode().then(() => img.naturalHeight)), 20);
    }
    for (const [language, text] of [
      ['Markdown', `[![wash](${demo.url}/wash?format=svg)](${demo.url}/wash?format=html)`],
      ['HTML', `<a href="${demo.url}/wash?format=html"><img src="${demo.url}/wash?format=svg" alt="wash"></a>`],
      ['AsciiDoc', `image:${demo.url}/wash?format=svg[wash,link="${demo.url}/wash?format=html"]`],
    ]) {
      await page.getByRole('button', { name: `Copy ${language} of newest reference` }).click();
      assert.equal(await clipboard(page), text);
    }
    await close(page);
  });

  test('a page of nothing helps', async () => {
    let page = await open(demo.url + '/ghcr.io/acme/wash?format=html');
    assert.equal(await page.locator('h1').innerText(), 'Repository not found');
    await page.getByRole('link', { name: 'Search for “wash”' }).click();
    await page.waitForURL('**/?q=wash');
    assert.deepEqual(await names(page), ['wash']);
    await close(page);

    page = await open(empty.url);
    const command = await page.locator('pre code').innerText();
    const { width, height } = await page.getByRole('button', { name: 'Copy curl' }).boundingBox();
    assert.ok(width >= 24 && height >= 24);
    await page.getByRole('button', { name: 'Copy curl' }).click();
    assert.equal(await clipboard(page), command);
    const [, method, url] = command.match(/^curl -X (\S+) (\S+)$/);
    assert.equal((await fetch(url, { method })).status, 200);
    await page.reload();
    assert.deepEqual(await names(page), ['acme/app']);
    await fetch(url, { method: 'DELETE' });
    await close(page);
  });

  test('paper has what one reads, in black on white', async () => {
    for (const path of ['/', '/wash?format=html']) {
      const page = await open(demo.url + path, { colorScheme: 'dark' });
      await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
      assert.equal(await page.locator('button:visible, form:visible, .skip:visible, nav:visible').count(), 0);
      assert.ok(await page.locator('tbody .copy:visible').count() > 5);
      assert.deepEqual(await page.evaluate(() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector('tbody th')).color]), ['rgb(255, 255, 255)', 'rgb(0, 0, 0)']);
      await close(page);
    }
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

  test('icons are there in forced colors', async () => {
    const page = await open(demo.url, { forcedColors: 'active' });
    const [icon, behind] = await page.locator('tbody button').first().evaluate(button => [getComputedStyle(button, '::before').backgroundColor, getComputedStyle(button).backgroundColor]);
    assert.notEqual(icon, behind);
    assert.notEqual(icon, 'rgba(0, 0, 0, 0)');
    await close(page);
  });

  test('no rule of axe is broken, and nothing sticks out', async () => {
    for (const path of ['/', '/?q=kv', '/?q=nothing', '/?category=capability-providers', '/wash?format=html', '/acme/storefront?format=html', '/none?format=html', '/?next=x', empty.url]) {
      for (const colorScheme of ['light', 'dark']) {
        for (const viewport of [phone, desktop]) {
          const page = await open(new URL(path, demo.url).href, { viewport, colorScheme, bypassCSP: true });
          for (const fold of await page.locator('summary').all()) await fold.click();
          await page.addScriptTag({ path: axe });
          const { violations } = await page.evaluate(() => axe.run());
          assert.deepEqual(violations.map(v => `${v.id}: ${v.nodes.map(n => n.html).join(' ')}`), [], `${path} ${colorScheme} ${viewport.width}`);
          assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${path} is wider than ${viewport.width}`);
          await page.context().close();
        }
      }
    }
  });

  test('versions stay whole on a phone', async () => {
    const page = await open(demo.url, { viewport: phone });
    const broken = await page.locator('tbody .copy').evaluateAll(all => all.filter(code => {
      const text = [...code.childNodes].filter(n => n.nodeType === Node.TEXT_NODE).at(-1), range = document.createRange();
      range.setStart(text, text.data.lastIndexOf(':') + 1);
      range.setEnd(text, text.data.length);
      return range.getClientRects().length > 1;
    }).map(code => code.textContent));
    assert.deepEqual(broken, []);
    await close(page);
  });

  // The last ones, as they change the catalogue.
  test('what comes from outside is text, and fits', async () => {
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
    const long = `a.azurecr.io/${'x'.repeat(120)}/long:1.0.0-${'rc.'.repeat(38)}1`;
    await put(`/api/references/${long}`);
    for (const path of ['/', `/${'x'.repeat(120)}/long?format=html`]) {
      for (const viewport of [phone, tablet, desktop]) {
        const page = await open(demo.url + path, { viewport });
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${path} is wider than ${viewport.width}`);
        await close(page);
      }
    }
    const page = await open(demo.url);
    await page.getByRole('searchbox').fill(markup);
    await page.getByText('No repository matches.').first().waitFor();
    assert.deepEqual(await names(page), []);
    await close(page);
  });

  test('tags are filtered with and without JavaScript', async () => {
    for (let minor = 0; minor < 12; minor++) await put(`/api/references/ghcr.io/acme/tagged:1.${minor}.0`);
    for (const javaScriptEnabled of [true, false]) {
      const page = await open(demo.url + '/acme/tagged?format=html&ignore=*-rc*', { javaScriptEnabled });
      assert.equal(await page.locator('h2').last().innerText(), '12 references');
      const field = page.getByRole('textbox', { name: 'Filter tags' });
      await field.fill('1.11.*');
      await field.press('Enter');
      await page.waitForURL('**/acme/tagged?tag=1.11.*&ignore=*-rc*');
      assert.deepEqual(await texts(page.locator('.references tbody th')), ['ghcr.io/acme/tagged:1.11.0']);
      await field.fill('11');
      await page.getByRole('button', { name: 'Filter' }).click();
      await page.getByRole('link', { name: 'Tags that contain “11”' }).click();
      assert.deepEqual(await texts(page.locator('.references tbody th')), ['ghcr.io/acme/tagged:1.11.0']);
      await page.getByRole('link', { name: 'Show all tags' }).click();
      assert.equal(await page.locator('.references tbody th').count(), 12);
      await close(page);
    }
  });

  test('beyond a hundred repositories there are pages, and a search finds all', async () => {
    for (let i = 0; i < 1100; i += 20) {
      await Promise.all(Array.from({ length: 20 }, (_, k) => put(`/api/references/ghcr.io/acme/x-${String(i + k).padStart(4, '0')}:1.0.0`)));
    }
    let page = await open(demo.url);
    assert.equal(await page.locator('tbody tr').count(), 100);
    assert.equal(await page.locator('#count').innerText(), 'The first 100 repositories');
    // Each row has ten elements of its own, two of which are buttons.
    assert.ok(await page.locator('*').count() < 1150);
    const withoutScript = await open(demo.url, { javaScriptEnabled: false });
    assert.ok(await withoutScript.locator('*').count() < 1000);
    await close(withoutScript);
    assert.ok((await (await fetch(demo.url)).text()).length < 100_000);
    await page.getByRole('searchbox').pressSequentially('x-1099');
    await page.waitForURL('**/?q=x-1099');
    assert.deepEqual(await names(page), ['acme/x-1099']);
    await page.getByRole('button', { name: 'Copy ghcr.io/acme/x-1099:1.0.0' }).click();
    assert.equal(await clipboard(page), 'ghcr.io/acme/x-1099:1.0.0');
    await page.getByRole('searchbox').fill('acme/x');
    await page.waitForURL('**/?q=acme%2Fx');
    await page.getByRole('link', { name: 'Next page' }).click();
    await page.getByRole('link', { name: 'First page' }).waitFor();
    assert.equal((await names(page))[0], 'acme/x-0100');
    assert.equal(await page.getByRole('searchbox').inputValue(), 'acme/x');
    await page.getByRole('link', { name: 'First page' }).click();
    await page.waitForURL('**/?q=acme%2Fx');
    await close(page);

    // A failing server is said, and what was there stays.
    page = await open(demo.url);
    await page.route('**/?q=*', route => route.abort());
    await page.getByRole('searchbox').fill('x');
    await page.getByText('The search failed, try again.').waitFor();
    assert.equal(await page.locator('tbody tr').count(), 100);
    await page.context().close();
  });
}
