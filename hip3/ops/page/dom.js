// Elements by values. Text is always text: nothing that an exchange or a file name says becomes markup.

export const $ = (id) => document.getElementById(id);

/** An element with attributes and children. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** Set a text where it changed: what was selected stays so, and nothing is laid out anew for nothing. */
export function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

/**
 * Rows of a table body by key. `cells` gives [text, class, data-k, title, button] for each cell; a row that stays keeps
 * its elements, and with them the keyboard's place.
 */
export function rows(body, items, key, cells, empty) {
  const old = new Map([...body.children].map((tr) => [tr.dataset.key, tr]));
  const wanted = items.map((item) => {
    const name = String(key(item));
    const tr = old.get(name) || h("tr", { "data-key": name });
    old.delete(name);
    fill(tr, cells(item));
    return tr;
  });
  if (!wanted.length) {
    const tr = old.get("") || h("tr", { "data-key": "" }, h("td", { class: "empty", colspan: "12" }));
    old.delete("");
    text(tr.firstChild, empty);
    wanted.push(tr);
  }
  for (const tr of old.values()) tr.remove();
  wanted.forEach((tr, n) => { if (body.children[n] !== tr) body.insertBefore(tr, body.children[n] || null); });
}

function fill(tr, cells) {
  cells.forEach(([value, style, k, title, press], n) => {
    let td = tr.children[n];
    if (!td) {
      td = h(style === "head" ? "th" : "td", style === "head" ? { scope: "row" } : {});
      if (press) td.append(h("button", { type: "button", class: "order", onclick: () => td.press() }));
      tr.append(td);
    }
    if (style && style !== "head" && td.className !== style) td.className = style;
    else if (!style && td.className) td.className = "";
    if (press) td.press = press;
    if (k) td.dataset.k = k;
    if (title !== undefined && td.title !== title) td.title = title;
    text(td.firstElementChild || td, value);
  });
}

/** Pairs of a definition list: [name, text, class, data-k]. */
export function pairs(dl, items) {
  const old = new Map([...dl.querySelectorAll("dt")].map((dt) => [dt.textContent, dt]));
  for (const [name, value, style, k] of items) {
    let dt = old.get(name);
    old.delete(name);
    if (!dt) {
      dt = h("dt", {}, name);
      dl.append(dt, h("dd"));
    }
    const dd = dt.nextElementSibling;
    dd.className = style || "";
    if (k) dd.dataset.k = k;
    text(dd, value);
  }
  for (const dt of old.values()) { dt.nextElementSibling.remove(); dt.remove(); }
}

/** Lines of a list: [text, class]. */
export function lines(ul, items) {
  while (ul.children.length > items.length) ul.lastChild.remove();
  items.forEach(([value, style, k], n) => {
    const li = ul.children[n] || ul.appendChild(h("li"));
    if (li.className !== (style || "")) li.className = style || "";
    if (k) li.dataset.k = k; else delete li.dataset.k;
    text(li, value);
  });
}
