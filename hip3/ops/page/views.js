// The sections of the page, each from the object of `status --json` as it came. `data-k` names the value shown.

import { $, h, lines, pairs, rows, text } from "./dom.js";
import { UNKNOWN, age, fixed, gain, micros, price, tone, usd } from "./format.js";

const LONGEST = 12;

/** Everything that is of the status alone. */
export function show(s, pick) {
  head(s);
  result(s);
  limits(s);
  reasons(s);
  positions(s);
  quotes(s);
  markets(s, pick);
  latency(s.latency);
  health(s);
  funnel(s);
  orders(s);
  streams(s);
}

function head(s) {
  const net = s.result.today?.net_usd;
  document.title = `${s.state} ${net == null ? "" : gain(net) + " USD "}· hip3 ${s.network}`;
  text($("state"), s.state);
  $("state").dataset.word = s.state;
  text($("network"), s.network);
  $("network").dataset.real = String(s.network === "mainnet" && s.mode === "trade");
  text($("mode"), s.mode);
  text($("account"), s.account ? `${s.account.slice(0, 8)}…${s.account.slice(-4)}` : "no account");
  $("account").title = s.account || "";
  text($("equity"), s.equity_usd === null ? UNKNOWN : usd(s.equity_usd));
  $("equity").dataset.k = "equity_usd";
  text($("uptime"), age(s.uptime_s * 1000));
  text($("version"), s.version);
}

function result(s) {
  const periods = [["today", "today"], ["total", "in all"]];
  rows($("result"), periods, ([key]) => key, ([key, name]) => {
    const r = s.result[key] || {};
    const of = (field, show, style = "") => [show(r[field]), style, `result.${key}.${field}`];
    return [
      [name, "head"], of("net_usd", gain, tone(r.net_usd)), of("captured_usd", gain, tone(r.captured_usd)),
      of("moves_usd", gain, tone(r.moves_usd)), of("fees_usd", usd), of("funding_usd", gain, tone(r.funding_usd)),
      [r.round_trips === undefined ? UNKNOWN : `${r.wins} / ${r.round_trips}`],
    ];
  });
}

function limits(s) {
  const b = s.budgets, r = s.risk;
  const items = [["exposure, worst", s.exposure.worst_case_usd, s.exposure.limit_usd, "USD", "exposure.worst_case_usd"]];
  const net = r && Number(r.net_usd);  // what was won before is a cushion
  if (r) items.push([net > 0 ? `lost since reset (${fixed(net, 2)} won)` : "lost since reset", Math.max(0, -net), r.max_loss_usd, "USD"]);
  if (r && r.max_daily_loss_usd && Number(r.max_daily_loss_usd) > 0) items.push(["lost today", r.lost_today_usd, r.max_daily_loss_usd, "USD", "risk.lost_today_usd"]);
  items.push(["request weight", b.ip_weight_used, b.ip_weight_limit, "a minute", "budgets.ip_weight_used"]);
  if (b.address_cap !== null) items.push(["address actions", b.address_used, b.address_cap, "", "budgets.address_used"]);
  items.push(["posts in flight", s.orders.inflight, b.inflight_limit, "", "orders.inflight"]);
  const dl = $("limits");
  while (dl.children.length > items.length * 3) dl.lastChild.remove();
  items.forEach(([name, used, limit, unit, k], n) => {
    if (!dl.children[n * 3]) dl.append(h("dt"), h("dd", { "aria-hidden": "true" }, h("div", { class: "bar" }, h("i"))), h("dd"));
    const [dt, bar, dd] = [0, 1, 2].map((i) => dl.children[n * 3 + i]);
    const share = used === null || !(Number(limit) > 0) ? 0 : Math.min(1, Number(used) / Number(limit));
    const inner = bar.firstChild.firstChild;
    inner.style.width = `${share * 100}%`;
    inner.dataset.high = String(share > 0.8);
    text(dt, name);
    const digits = unit === "USD" ? 2 : 0;
    if (!dd.firstChild) dd.append(h("span"), h("span"));
    text(dd.firstChild, fixed(used, digits));
    text(dd.lastChild, ` of ${fixed(limit, digits)}${unit ? " " + unit : ""}`);
    if (k) dd.firstChild.dataset.k = k; else delete dd.firstChild.dataset.k;
  });
}

function reasons(s) {
  const out = s.reasons.map((why, n) => [why, "warn", `reasons.${n}`]);
  if (s.hard_stop.tripped) out.push(["to trade again: ./run.sh latch reset --reason TEXT", "stop"]);
  if (!out.length) out.push(s.mode === "observe" ? ["it only looks on (HIP3_MODE=observe): nothing is sent", "quiet"] : ["nothing: entries may leave", "good"]);
  for (const flag of s.flags.filter((f) => !s.reasons.includes(f))) out.push([flag]);
  for (const [coin, why] of Object.entries(s.blocked)) out.push([`${coin}: ${why}`]);
  const held = Object.entries(s.market_gates);
  if (held.length) out.push([`no entry in ${held.slice(0, 6).map(([coin, gate]) => `${coin} (${gate})`).join(", ")}${held.length > 6 ? ` and ${held.length - 6} more` : ""}`, "quiet"]);
  for (const [coin, ms] of Object.entries(s.closed_ms)) out.push([`${coin} is closed to entries for ${age(ms)}, by flatten`]);
  lines($("reasons"), out);
}

function positions(s) {
  text($("positions-count"), s.positions.length ? String(s.positions.length) : "");
  rows($("positions"), s.positions.map((p, n) => [p, n]), ([p]) => p.market, ([p, n]) => {
    const k = (field) => `positions.${n}.${field}`;
    const far = p.liquidation_px === null || p.mark_px === null ? null : (Math.abs(Number(p.mark_px) - Number(p.liquidation_px)) / Number(p.mark_px)) * 100;
    const exit = p.exit ? `${p.exit}, try ${p.exit_attempts}` : p.foreign ? "not ours" : p.owner;
    return [
      [p.market, "l"], [p.size, "", k("size")], [price(p.entry_px), "", k("entry_px")], [price(p.mark_px), "", k("mark_px")],
      [gain(p.unrealized_pnl_usd), tone(p.unrealized_pnl_usd), k("unrealized_pnl_usd")], [age(p.age_ms)],
      [far === null ? UNKNOWN : fixed(far, 1) + " %", far !== null && far < 5 ? "stop" : "", "", `liquidated at ${p.liquidation_px ?? UNKNOWN}, ${p.margin ?? UNKNOWN}`],
      [exit, "l"],
    ];
  }, s.account_read === false ? "not read yet" : "none");
}

function quotes(s) {
  text($("quotes-count"), s.quotes.length ? String(s.quotes.length) : "");
  rows($("quotes"), s.quotes.map((q, n) => [q, n]), ([q]) => q.market, ([q, n]) => {
    const of = (side) => q.live.filter((o) => o.side === side).map((o) => o.px).join("  ") || "–";
    const k = (field) => `quotes.${n}.${field}`;
    const why = q.reasons.join("; ");
    return [
      [q.market, "l"], [q.stance + (why ? `: ${why}` : ""), "l wide", "", why], [fixed(q.half_bps, 1), "", k("half_bps")], [of("buy")], [of("sell")],
      [fixed(q.inventory_usd, 2), tone(q.inventory_usd), k("inventory_usd")], [String(q.fills), "", k("fills")],
      [fixed(q.markout_bps["5"], 1), tone(q.markout_bps["5"]), k("markout_bps.5"), "worth of fills after 5 seconds, basis points"],
    ];
  }, "no market is quoted (HIP3_QUOTE_MARKETS)");
}

function markets(s, pick) {
  rows($("markets"), s.markets.map((m, n) => [m, n]), ([m]) => m.market, ([m, n]) => {
    const k = (field) => `markets.${n}.${field}`;
    const near = m.edge_bps !== null && Number(m.edge_bps) >= Number(m.needed_bps);
    return [
      [m.market, "l", "", "", () => pick(m.market)], [price(m.bid), "", k("bid")], [price(m.ask), "", k("ask")], [price(m.oracle), "", k("oracle")],
      [fixed(m.spread_bps, 1), "", k("spread_bps")], [fixed(m.edge_bps, 1), near ? "good" : "", k("edge_bps")], [fixed(m.needed_bps, 1), "", k("needed_bps")],
      [age(m.bbo_age_ms)], [age(m.ctx_age_ms)], [m.gate || (m.quoted ? "quoted" : "open"), m.gate ? "l warn wide" : "l"],
    ];
  }, "no market data yet");
}

const LATENCIES = {
  signal_to_sent: "signal to sent", sent_to_reply: "sent to reply", tick_lag: "tick lag", intent_durable: "intent on disk",
};

function latency(found) {
  for (const [name, buckets] of Object.entries(found)) {
    let box = $(`latency-${name}`);
    if (!box) {
      box = h("div", { id: `latency-${name}` }, h("h3"), h("div", { class: "hist" }));
      $("latency").append(box);
    }
    const total = buckets.reduce((sum, [, count]) => sum + count, 0);
    const share = (part) => { let sum = 0; for (const [bound, count] of buckets) { sum += count; if (sum >= total * part) return `≤ ${micros(bound)}`; } return UNKNOWN; };
    text(box.firstChild, `${LATENCIES[name] || name}: ${total ? `half ${share(0.5)}, 99 % ${share(0.99)}` : "no samples"}`);
    const used = buckets.map(([, count], n) => (count ? n : -1)).filter((n) => n >= 0);
    const first = Math.max(0, (used[0] ?? 0) - 1), last = Math.min(buckets.length, (used.at(-1) ?? 3) + 2);
    bars(box.lastChild, buckets.slice(first, last), name, first);
  }
}

function bars(box, buckets, name, first) {
  while (box.children.length > buckets.length * 3) box.lastChild.remove();
  const most = Math.max(1, ...buckets.map(([, count]) => count));
  buckets.forEach(([bound, count], n) => {
    if (!box.children[n * 3]) box.append(h("span"), h("div", { class: "bar", "aria-hidden": "true" }, h("i")), h("span"));
    text(box.children[n * 3], micros(bound));
    box.children[n * 3 + 1].firstChild.style.width = `${(count / most) * 100}%`;
    const cell = box.children[n * 3 + 2];
    cell.dataset.k = `latency.${name}.${n + first}.1`;
    text(cell, fixed(count, 0));
  });
}

function health(s) {
  const ws = s.ws;
  const items = [
    ["stream", ws.connected ? "connected" : "not connected", ws.connected ? "" : "stop"],
    ["last message", age(ws.last_message_age_ms)],
    ["connection", String(ws.generation), "", "ws.generation"],
    ["clock offset", s.clock_offset_ms === null ? UNKNOWN : `${s.clock_offset_ms} ms`],
    ["journal", s.journal.failed || "written", s.journal.failed ? "stop" : ""],
    ["records lost", String(s.journal.lost), s.journal.lost ? "stop" : "", "journal.lost"],
    ["account mode", s.account_mode],
    ...Object.entries(s.reconciliation).filter(([, n]) => n).map(([name, n]) => [`differences: ${name}`, String(n), "", `reconciliation.${name}`]),
  ];
  for (const c of s.alerts) items.push([`alerts ${c.channel}`, c.ok === null ? "not used yet" : c.ok ? "ok" : `FAILING ${c.detail || ""}`, c.ok === false ? "stop" : ""]);
  if (s.recording) items.push(["recording", `${s.recording.frames} frames, ${s.recording.lost} lost`]);
  pairs($("health"), items);
}

function funnel(s) {
  const c = s.counters;
  const items = [["signals", String(c.signals), "", "counters.signals"]];
  for (const [gate, n] of Object.entries(s.refused_by_gate)) items.push([`refused by ${gate}`, String(n), "", `refused_by_gate.${gate}`]);
  for (const name of ["queued", "sent", "filled", "timeouts"]) items.push([`orders ${name}`, String(c[name]), "", `counters.${name}`]);
  for (const [why, n] of Object.entries(c.venue_rejected).slice(0, LONGEST)) items.push([`exchange: ${why}`, String(n), "", ""]);
  pairs($("funnel"), items);
}

function orders(s) {
  const o = s.orders;
  const out = [[`${o.open} open, ${o.inflight} in flight, ${o.queued} queued, ${o.unknown} unknown, ${o.foreign} not ours`, o.unknown ? "stop" : ""]];
  for (const u of s.unknown) out.push([`UNKNOWN for ${age(u.age_ms)}: ${u.market} ${u.cloid}`, "stop"]);
  for (const p of s.inflight) out.push([`${p.items} ${p.action} sent ${age(p.age_ms)} ago`]);
  for (const f of s.foreign_orders) out.push([`not ours: ${f.side} ${f.sz} ${f.market} at ${f.px}`]);
  lines($("orders"), out);
}

function streams(s) {
  const ul = $("streams");
  while (ul.children.length > s.streams.length) ul.lastChild.remove();
  s.streams.forEach((one, n) => {
    const li = ul.children[n] || ul.appendChild(h("li", {}, h("span"), h("b")));
    text(li.firstChild, [one.market, one.stream].filter(Boolean).join(" "));
    text(li.lastChild, age(one.age_ms));
    li.lastChild.className = one.market && one.age_ms > 15000 ? "warn" : "";
  });
}
