(() => {
  const said = document.getElementById('said');

  const copy = async (button, text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Beyond localhost browsers give the clipboard to https alone.
      const area = document.createElement('textarea');
      area.value = text;
      document.body.append(area);
      area.select();
      const done = document.execCommand('copy');
      area.remove();
      button.focus();
      if (!done) return;
    }
    const label = button.textContent;
    if (label === 'Copied') return;
    button.textContent = 'Copied';
    said.textContent = 'Copied ' + text;
    setTimeout(() => { button.textContent = label; said.textContent = '' }, 1500);
  };

  const element = (name, properties, ...children) => {
    const e = Object.assign(document.createElement(name), properties);
    e.append(...children);
    return e;
  };

  // The Markdown of a badge goes into a box that opens, with the badge itself.
  // Closed, it asks for no image.
  const addBoxes = root => {
    for (const code of root.querySelectorAll('#results td:last-child > code')) {
      const src = code.textContent.match(/\(https?:\/\/[^/]*([^)]*)\)/)[1];
      const cell = code.parentNode;
      cell.append(element('details', { name: 'badge' },
        element('summary', { textContent: 'Badge', ariaLabel: 'Badge of ' + cell.parentNode.cells[0].textContent }),
        element('div', {}, element('img', { loading: 'lazy', alt: '', src }), code)));
    }
  };

  // Each code is there to be copied. What is in a box is Markdown.
  const addButtons = root => {
    for (const code of root.querySelectorAll('code')) {
      const text = code.textContent;
      const what = code.closest('details') ? 'Markdown of ' + code.closest('tr').cells[0].textContent : text;
      const button = element('button', { type: 'button', textContent: 'Copy', ariaLabel: 'Copy ' + what });
      button.onclick = () => copy(button, text);
      code.after(button);
    }
  };

  const enhance = root => {
    addBoxes(root);
    addButtons(root);
  };
  enhance(document);

  // A box closes like a menu.
  const closeBox = event => {
    const open = document.querySelector('td > details[open]');
    if (!open || event.type === 'click' && open.contains(event.target)) return;
    open.open = false;
    if (event.type === 'keydown') open.querySelector('summary').focus();
  };
  addEventListener('click', closeBox);

  const input = document.getElementById('q');
  let results = document.getElementById('results');
  const words = () => input.value.toLowerCase().split(/\s+/).filter(Boolean);

  // What the server searches in, too: the name, and the newest reference without its tag.
  const searched = row => row.cells[0].textContent + ' ' + (row.querySelector('code')?.textContent ?? '').replace(/:[^:]*$/, '');

  const filter = () => {
    const all = words();
    let n = 0;
    for (const row of results.querySelectorAll('tbody tr')) {
      const text = searched(row);
      row.hidden = !all.every(word => text.includes(word));
      n += !row.hidden;
    }
    for (const part of results.querySelectorAll('.list, h2')) part.hidden = all.length > 0;
    document.getElementById('count').textContent = n === 1 ? '1 repository' : n + ' repositories';
  };

  // Where the page has not all repositories the server searches.
  let timer, request;
  const ask = () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      request?.abort();
      request = new AbortController();
      const url = input.value.trim() ? '/?q=' + encodeURIComponent(input.value.trim()) : '/';
      try {
        const answer = await fetch(url, { signal: request.signal });
        const found = new DOMParser().parseFromString(await answer.text(), 'text/html').getElementById('results');
        if (!found) throw new Error(answer.status);
        results.replaceWith(found);
        results = found;
        enhance(results);
        said.textContent = document.getElementById('count').textContent;
        history.replaceState(null, '', url);
      } catch (error) {
        if (error.name !== 'AbortError') document.getElementById('count').textContent = 'The search failed, try again.';
      }
    }, 250);
  };
  const search = () => 'all' in results.dataset ? filter() : ask();
  // Other pages have no results: there the form sends what was typed.
  if (results) {
    input.addEventListener('input', search);
    if (input.value && 'all' in results.dataset) filter();
    input.form.addEventListener('submit', event => {
      event.preventDefault();
      search();
    });
  }
  addEventListener('keydown', event => {
    if (event.key !== 'Escape') return;
    closeBox(event);
    if (document.activeElement === input && results) {
      input.value = '';
      search();
    }
  });
})();
