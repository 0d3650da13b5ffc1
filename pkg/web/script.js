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
    if (button.classList.contains('done')) return;
    button.classList.add('done');
    said.textContent = 'Copied ' + text;
    setTimeout(() => { button.classList.remove('done'); said.textContent = '' }, 1500);
  };

  const element = (name, properties, ...children) => {
    const e = Object.assign(document.createElement(name), properties);
    e.append(...children);
    return e;
  };

  // A code that is alone in its place gets a button, which the style puts at the edge.
  const addButton = (code, what = code.textContent) => {
    const button = element('button', { type: 'button', title: 'Copy', ariaLabel: 'Copy ' + what });
    button.onclick = () => copy(button, code.textContent);
    code.parentNode.classList.add('copy');
    code.after(button);
  };

  const nameOf = e => e.closest('tr').cells[0].textContent;

  // The Markdown of a badge goes into a box that opens, with the badge itself. One is
  // open at a time.
  let box;
  const closeBox = () => {
    if (!box) return;
    box.previousSibling.ariaExpanded = 'false';
    box.remove();
    box = null;
  };
  const boxOf = (code, name) => {
    const src = code.textContent.match(/\(https?:\/\/[^/]*([^)]*)\)/)[1];
    const made = element('div', { className: 'box' }, element('img', { alt: 'badge of ' + name, src }), element('p', {}, code));
    addButton(code, 'Markdown of ' + name);
    return made;
  };
  const addBadge = cell => {
    const name = nameOf(cell), code = element('code', { textContent: cell.textContent });
    const button = element('button', { type: 'button', textContent: 'Badge', ariaLabel: 'Badge of ' + name, ariaExpanded: 'false' });
    let own;
    button.onclick = () => {
      const wasOpen = box && box === own;
      closeBox();
      if (wasOpen) return;
      box = own ??= boxOf(code, name);
      button.after(box);
      button.ariaExpanded = 'true';
    };
    cell.replaceChildren(button);
  };

  const enhance = root => {
    for (const cell of root.querySelectorAll('#results td:nth-child(5)')) addBadge(cell);
    for (const code of root.querySelectorAll('code')) {
      if (code.closest('.badges')) addButton(code, document.querySelectorAll('.badges th')[code.parentNode.cellIndex].textContent + ' of ' + nameOf(code));
      else if (!code.closest('p')) addButton(code);
    }
  };
  enhance(document);
  addEventListener('click', event => {
    if (box && !box.parentNode.contains(event.target)) closeBox();
  });

  // The server searches while one types, and the address says for what.
  const input = document.getElementById('q'), form = input.form;
  let results = document.getElementById('results'), timer, request;
  const address = () => {
    const asked = new URLSearchParams([...new FormData(form)].map(([k, v]) => [k, v.trim()]).filter(([, v]) => v)).toString();
    return asked ? '/?' + asked : '/';
  };
  const search = async () => {
    request?.abort();
    request = new AbortController();
    const url = address();
    try {
      const answer = await fetch(url, { signal: request.signal });
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      const found = page.getElementById('results');
      if (!found) throw new Error(answer.status);
      box = null;
      results.replaceWith(found);
      results = found;
      enhance(results);
      for (const part of ['title', 'footer', 'link[type]']) document.querySelector(part).replaceWith(page.querySelector(part));
      said.textContent = document.getElementById('count').textContent;
      history.replaceState(null, '', url);
    } catch (error) {
      if (error.name !== 'AbortError') document.getElementById('count').textContent = 'The search failed, try again.';
    }
  };
  // Other pages have no results: there the form sends what was typed.
  if (results) {
    form.addEventListener('input', () => {
      clearTimeout(timer);
      timer = setTimeout(search, 200);
    });
  }
  form.addEventListener('submit', event => {
    event.preventDefault();
    location.assign(address());
  });
  addEventListener('keydown', event => {
    if (event.key !== 'Escape') return;
    if (box) {
      box.previousSibling.focus();
      closeBox();
    } else if (document.activeElement === input && input.value) {
      input.value = '';
      input.dispatchEvent(new Event('input', { bubbles: true }));
    }
  });
})();
