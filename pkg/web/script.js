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

  // Each code is there to be copied; in the catalogue the last of a row is Markdown.
  const addButtons = root => {
    for (const code of root.querySelectorAll('code')) {
      const button = document.createElement('button');
      const markdown = code.matches('#results td:last-child code');
      const text = code.textContent;
      button.type = 'button';
      button.textContent = markdown ? 'Copy Markdown' : 'Copy';
      button.setAttribute('aria-label', button.textContent + (markdown ? ' of ' + code.closest('tr').cells[0].textContent : ' ' + text));
      button.onclick = () => copy(button, text);
      code.after(button);
    }
  };
  document.documentElement.className = 'scripted';
  addButtons(document);

  const input = document.getElementById('q');
  if (!input) return;
  let results = document.getElementById('results');
  const words = () => input.value.toLowerCase().split(/\s+/).filter(Boolean);

  const filter = () => {
    const all = words();
    let n = 0;
    for (const row of results.querySelectorAll('tbody tr')) {
      const name = row.cells[0].textContent;
      row.hidden = !all.every(word => name.includes(word));
      n += !row.hidden;
    }
    for (const list of results.querySelectorAll('.list')) list.hidden = all.length > 0;
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
        addButtons(results);
        said.textContent = document.getElementById('count').textContent;
        history.replaceState(null, '', url);
      } catch (error) {
        if (error.name !== 'AbortError') document.getElementById('count').textContent = 'The search failed, try again.';
      }
    }, 250);
  };
  const search = () => 'all' in results.dataset ? filter() : ask();
  input.addEventListener('input', search);
  if (input.value && 'all' in results.dataset) filter();
  input.form.addEventListener('submit', event => {
    event.preventDefault();
    search();
  });
  addEventListener('keydown', event => {
    if (event.key === '/' && !/^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName) && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      input.select();
    }
    if (event.key === 'Escape' && document.activeElement === input) {
      input.value = '';
      search();
    }
  });
})();
