// What a browser does with plain pages: it keeps cookies, follows redirects
// and sends forms. Enough for pages that need no script.
import assert from 'node:assert/strict';

import { parse } from 'node-html-parser';

// Browser goes from page to page of one site.
export class Browser {
  #cookies = new Map();

  // open goes to an address and follows redirects. It ends at a page, or at a
  // redirect to where the test is waiting, which is not followed.
  async open(address, { stopAt, method = 'GET', body } = {}) {
    let target = new URL(address);
    for (let hops = 0; hops < 10; hops++) {
      if (stopAt && target.href.startsWith(stopAt)) return { arrived: target };
      const response = await fetch(target, {
        method,
        body,
        redirect: 'manual',
        headers: { accept: 'text/html', cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      });
      this.#keep(response);
      const text = await response.text();
      if (![301, 302, 303, 307, 308].includes(response.status)) return new Page(target, response, text);
      target = new URL(response.headers.get('location'), target);
      if (response.status < 307) {
        method = 'GET';
        body = undefined;
      }
    }
    assert.fail(`more than 10 redirects, the last to ${target}`);
  }

  // send fills in a page's form, presses a button and goes where that leads.
  send(form, { stopAt } = {}) {
    const fields = new URLSearchParams(form.fields);
    if (form.method === 'POST') return this.open(form.action, { stopAt, method: 'POST', body: fields });
    const target = new URL(form.action);
    target.search = fields;
    return this.open(target, { stopAt });
  }

  #keep(response) {
    for (const cookie of response.headers.getSetCookie()) {
      const [pair, ...attributes] = cookie.split(';').map((part) => part.trim());
      const name = pair.slice(0, pair.indexOf('='));
      const gone = attributes.some((attribute) => /^max-age=(0|-\d+)$/i.test(attribute));
      if (gone) this.#cookies.delete(name);
      else this.#cookies.set(name, pair.slice(name.length + 1));
    }
  }
}

// Page is what a site answered.
class Page {
  constructor(address, response, text) {
    this.address = address;
    this.status = response.status;
    this.type = response.headers.get('content-type') ?? '';
    this.text = text;
  }

  // form is the page's only form, filled in by type of input: each value goes
  // into the only input of its type. press chooses a button by what it does;
  // without it the first one is pressed.
  form(values = {}, press = () => true) {
    assert.match(this.type, /^text\/html/, `${this.status} ${this.address}: ${this.text}`);
    const forms = parse(this.text).querySelectorAll('form');
    assert.equal(forms.length, 1, `forms on ${this.address}: ${this.text}`);
    const [form] = forms;
    const fields = [];
    const left = new Set(Object.keys(values));
    for (const input of form.querySelectorAll('input')) {
      const type = (input.getAttribute('type') ?? 'text').toLowerCase();
      const name = input.getAttribute('name');
      if (!name || type === 'submit' || input.hasAttribute('disabled')) continue;
      if ((type === 'checkbox' || type === 'radio') && !input.hasAttribute('checked')) continue;
      const wanted = { text: 'login', email: 'login', password: 'password' }[type];
      if (wanted && wanted in values) {
        assert.ok(left.delete(wanted), `two inputs for the ${wanted}`);
        fields.push([name, values[wanted]]);
      } else {
        fields.push([name, input.getAttribute('value') ?? '']);
      }
    }
    assert.deepEqual([...left], [], `no input for these: ${this.text}`);
    const buttons = form.querySelectorAll('button, input[type=submit]').filter((button) => (button.getAttribute('type') ?? 'submit') === 'submit');
    const button = buttons.find(press);
    assert.ok(button, `no such button: ${this.text}`);
    if (button.getAttribute('name')) fields.push([button.getAttribute('name'), button.getAttribute('value') ?? '']);
    return {
      action: new URL(form.getAttribute('action') || this.address.href, this.address),
      method: (form.getAttribute('method') ?? 'GET').toUpperCase(),
      fields,
    };
  }
}
