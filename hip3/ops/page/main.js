// The live page: listens to /events, asks the past once (and again after a cut), shows both. It has no way to act.

import { $, h, lines, rows, text } from "./dom.js";
import { UNKNOWN, age, fixed, gain, price, tone, usd } from "./format.js";
import { Curve, Prices } from "./charts.js";
import { themed } from "./theme.js";
import { show } from "./views.js";

const KEPT = 400, STALE_MS = 4000, CURVE_MS = 5000, LOST_MS = 12000;
const records = new Map();
const curve = new Curve($("curve")), prices = new Prices($("chart"));
const page = { frames: 0, status: null, at: 0, span: "day", market: "", source: null, heard: 0 };
window.hip3 = page; // what is shown, for who looks into it: tests and consoles

const get = async (path) => {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(await answer.text());
  return answer;
};

// Frames.

function listen() {
  page.source?.close();
  page.source = new EventSource("/events");
  page.source.onopen = () => { page.heard = performance.now(); past().catch(failed); };
  page.source.onmessage = (event) => heard(JSON.parse(event.data));
  page.source.onerror = () => link();
}

function heard(frame) {
  page.frames += 1;
  page.status = frame.status;
  page.at = frame.at_ms;
  page.heard = performance.now();
  choose(frame.status.markets.map((m) => m.market));
  show(frame.status, pick);
  const mine = frame.records.filter((r) => r.market === page.market && (r.kind === "signal" || r.kind === "fill"));
  prices.marks.push(...mine);
  take(frame.records);
  extend(frame);
  link();
}

function take(found) {
  for (const one of found) records.set(one.id, one);
  while (records.size > KEPT * 2) records.delete(records.keys().next().value);
  told();
}

function extend({ at_ms, status }) {
  const net = status.result.total?.net_usd ?? null;
  if (!curve.points.length || at_ms - curve.points.at(-1)[0] >= CURVE_MS) curve.add([at_ms, net]);
  const m = status.markets.find((one) => one.market === page.market);
  if (!m || (prices.prices.length && at_ms - prices.prices.at(-1)[0] < 1000)) return;
  const q = status.quotes.find((one) => one.market === m.market);
  const of = (side, best) => { const px = (q?.live || []).filter((o) => o.side === side).map((o) => Number(o.px)); return px.length ? best(...px) : null; };
  prices.add([at_ms, [m.bid, m.ask, m.oracle, m.mark, of("buy", Math.max), of("sell", Math.min)]]);
}

function link() {
  const silent = performance.now() - page.heard;
  const lost = !page.frames || silent > STALE_MS || page.source.readyState !== EventSource.OPEN;
  const word = !page.frames ? "connecting" : lost ? `no news for ${age(silent)}` : "live";
  text($("link"), word);
  $("link").dataset.lost = String(lost && page.frames > 0);
  document.body.dataset.lost = String(lost);
  // A browser gives up where the server refused; a socket may also be gone without a word.
  if (page.source.readyState === EventSource.CLOSED || (lost && silent > LOST_MS)) {
    page.heard = performance.now() - STALE_MS - 1;
    listen();
  }
}

// The past.

async function past() {
  const found = await (await get(`/history?span=${page.span}`)).json();
  const net = (r) => (r.open_usd === null ? null : Number(r.realized_usd) + Number(r.open_usd) - Number(r.fees_usd) + Number(r.funding_usd));
  curve.set(found.results.map((r) => [r.at_ms, net(r)]));
  take(found.records);
  if (page.market) await pastOf(page.market);
}

async function pastOf(market) {
  const found = await (await get(`/history?market=${encodeURIComponent(market)}`)).json();
  if (market === page.market) prices.set(found.prices, found.records);
}

function failed(error) { console.info(`the past cannot be had: ${error.message}`); }

function choose(names) {
  const select = $("market");
  if (select.options.length !== names.length) select.replaceChildren(...names.map((name) => h("option", {}, name)));
  if (!page.market && names.length) pick(names[0], false);
  select.value = page.market;
}

function pick(name, look = true) {
  page.market = name;
  $("market").value = name;
  prices.set([], []);
  pastOf(name).catch(failed);
  if (look) $("h-market").scrollIntoView({ block: "start" });
}

// What the journal told.

const newest = (...kinds) => [...records.values()].filter((r) => kinds.includes(r.kind)).sort((a, b) => b.id - a.id);
const since = (r) => age(page.at - r.at_ms);

function told() {
  const s = page.status;
  text($("signals-count"), s ? String(s.counters.signals) : "");
  $("signals-count").dataset.k = "counters.signals";
  rows($("signals"), newest("signal").slice(0, 40), (r) => r.id, (r) => {
    const end = r.gate ? `refused by ${r.gate}${r.reason.toLowerCase() === r.gate.toLowerCase() ? "" : `: ${r.reason}`}${r.numbers ? ` (${r.numbers})` : ""}` : r.cloid ? "order" : "observed";
    return [
      [since(r)], [r.market, "l"], [r.side, "l"], [fixed(r.edge_bps, 1)], [fixed(r.cost_bps, 1)],
      [end, r.gate ? "l wide warn" : "l wide good", "", end],
    ];
  }, "none yet: a signal is a quote that lags its oracle by more than trading it costs");
  rows($("trips"), newest("round_trip").slice(0, 40), (r) => r.id, (r) => {
    const net = Number(r.realized) - Number(r.fees) + Number(r.funding);
    return [
      [since(r)], [r.market, "l"], [age(r.held_ms)], [price(r.entry_px)], [price(r.exit_px)], [gain(r.realized)], [usd(r.fees)], [gain(net), tone(net)],
    ];
  }, "none yet");
  rows($("fills"), newest("fill").slice(0, 60), (r) => r.id, (r) => [
    [since(r)], [r.market, "l"], [r.ours ? r.side : `${r.side}, not ours`, "l"], [r.sz], [price(r.px)], [usd(r.fee)], [gain(r.pnl), tone(r.pnl)],
    r.cloid ? [r.cloid.slice(-12), "l", "", "its story", () => story(r.cloid)] : [UNKNOWN, "l"],
  ], "none yet");
  const style = { page: "stop", warn: "warn" };
  lines($("alerts"), newest("alert", "state", "latch_set", "latch_reset", "operator", "stop", "start").slice(0, 40).map((r) => [
    `${since(r)} ago ${r.kind === "alert" ? `${r.what}: ${r.over ? "over: " : ""}${r.text}` : `${r.kind.replace("_", " ")} ${r.text}`}`,
    r.kind === "alert" && !r.over ? style[r.level] : r.kind === "latch_set" ? "stop" : "",
  ]));
}

async function story(cloid) {
  text($("story-text"), "…");
  $("story").showModal();
  try { text($("story-text"), await (await get(`/explain?cloid=${encodeURIComponent(cloid)}`)).text()); } catch (error) { text($("story-text"), error.message); }
}

async function search(event) {
  event.preventDefault();
  const wanted = $("q").value.trim();
  if (!wanted) return;
  try {
    const found = await (await get(`/search?q=${encodeURIComponent(wanted)}`)).json();
    $("found").replaceChildren(...found.map((o) => h("li", {},
      h("button", { type: "button", class: "order", onclick: () => story(o.cloid) }, o.cloid.slice(-12)),
      new Date(o.at_ms).toISOString().replace("T", " ").slice(0, 19), h("span", {}, o.market || ""), h("span", { class: "quiet" }, o.outcome))));
    if (!found.length) $("found").replaceChildren(h("li", {}, `the journal knows no order ${wanted}`));
  } catch (error) { $("found").replaceChildren(h("li", { class: "stop" }, error.message)); }
}

// Choices and keys.

$("market").onchange = (event) => pick(event.target.value, false);
$("search").onsubmit = search;
for (const button of document.querySelectorAll("[data-span]")) {
  button.setAttribute("aria-pressed", String(button.dataset.span === page.span));
  button.onclick = () => {
    page.span = button.dataset.span;
    for (const one of document.querySelectorAll("[data-span]")) one.setAttribute("aria-pressed", String(one === button));
    past().catch(failed);
  };
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /INPUT|SELECT/.test(event.target.tagName)) return;
  if (event.key === "/") { event.preventDefault(); $("q").focus(); }
  const names = [...$("market").options].map((o) => o.value), at = names.indexOf(page.market);
  if (event.key === "]" && names.length) pick(names[(at + 1) % names.length]);
  if (event.key === "[" && names.length) pick(names[(at + names.length - 1) % names.length]);
});

themed(() => {
  if (curve.plot) curve.restyle();
  if (prices.plot) prices.restyle();
});
listen();
setInterval(link, 1000);
