(() => {
  const said = document.getElementById('said');

  const copy = async (button, text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Except on localhost, browsers offer the clipboard only over https.
      const area = document.createElement('textarea');
      area.value = text;
      button.after(area);
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

  // textOf returns the text to copy of a place, without its button and the mark of its tag.
  const textOf = place => [...place.childNodes].filter(n => !['SMALL', 'BUTTON'].includes(n.nodeName)).map(n => n.textContent).join('').trim();

  // A place whose text people copy gets a button. The style sheet puts it at the edge.
  const addButton = (place, what = textOf(place)) =>
    place.append(element('button', { type: 'button', title: 'Copy', ariaLabel: 'Copy ' + what }));

  const nameOf = cell => cell.parentNode.cells[0].textContent;

  // A badge's Markdown and the badge itself are in a box that a button opens. One box is
  // open at a time.
  let box;
  const closeBox = () => {
    if (!box) return;
    box.previousSibling.ariaExpanded = 'false';
    box.remove();
    box = null;
  };
  const toggleBox = button => {
    const wasOpen = button.ariaExpanded === 'true', markdown = button.value, name = nameOf(button.parentNode);
    closeBox();
    if (wasOpen) return;
    const code = element('p', { className: 'copy', textContent: markdown });
    addButton(code, 'Markdown of ' + name);
    box = element('div', { className: 'box' }, element('img', { alt: 'badge of ' + name, src: markdown.match(/\(https?:\/\/[^/]*([^)]*)\)/)[1] }), code);
    button.after(box);
    button.ariaExpanded = 'true';
  };
  const addBadge = cell =>
    cell.replaceChildren(element('button', { type: 'button', value: cell.textContent, textContent: 'Badge', ariaLabel: 'Badge of ' + nameOf(cell), ariaExpanded: 'false' }));

  addEventListener('click', event => {
    const button = event.target.closest('button');
    if (button?.title) copy(button, textOf(button.parentNode));
    else if (button?.value) toggleBox(button);
    else if (box && !box.contains(event.target)) closeBox();
  });

  // The box would hide what has the focus behind it.
  addEventListener('focusin', event => {
    if (box && !box.contains(event.target) && event.target !== box.previousSibling) closeBox();
  });

  const enhance = root => {
    for (const cell of root.querySelectorAll('#results td:nth-child(5)')) addBadge(cell);
    for (const place of root.querySelectorAll('.copy:not(.badges *)')) addButton(place);
  };
  enhance(document);

  // The folded badges get their buttons when they are unfolded.
  const badges = document.querySelector('.badges');
  badges?.addEventListener('toggle', () => {
    const heads = badges.querySelectorAll('thead th');
    for (const cell of badges.querySelectorAll('.copy')) addButton(cell, heads[cell.cellIndex].textContent + ' of ' + nameOf(cell));
  }, { once: true });

  // The server searches while a reader types. The address has the words.
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
  // Other pages have no results: there only submitting the form searches.
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
