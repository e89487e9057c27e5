// The exchange's page: asks once a second while it is looked at, and acts by POST /control.

import { $, h, rows, text } from "./dom.js";
import { UNKNOWN, fixed } from "./format.js";
import { themed } from "./theme.js";

const KINDS = ["halt", "lose", "delay", "duplicate", "reorder", "cut", "refuse", "silence", "http", "empty", "stale", "clock", "malformed", "flood"];
const EVERY_MS = 1000;
let coin = "";
let latest = null;

async function post(path, body) {
  const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

async function wish(what, done) {
  try {
    await post("/control", what);
    told(done, false);
  } catch (error) {
    told(error.message, true);
  }
  await look();
}

function told(words, bad) {
  $("told").dataset.bad = String(bad);
  text($("told"), words);
}

const short = (address) => address.slice(0, 8) + "…" + address.slice(-4);
const clock = (ms) => new Date(ms).toISOString().slice(11, 19);
const bps = (m) => fixed(m.bid && m.ask ? (Number(m.ask) - Number(m.bid)) / Number(m.bid) * 1e4 : null, 1);

async function look() {
  try {
    latest = await post("/view", coin);
    show(latest);
    $("link").dataset.lost = "false";
    text($("link"), latest.paused ? "paused" : "live");
  } catch {
    $("link").dataset.lost = "true";
    text($("link"), "no answer");
  }
}

function show(v) {
  text($("profile"), v.profile);
  text($("seed"), String(v.seed));
  text($("time"), new Date(v.time).toISOString().slice(0, 19).replace("T", " "));
  text($("pause"), v.paused ? "resume" : "pause");
  choices(v.markets.map((m) => m.coin));
  rows($("markets"), v.markets, (m) => m.coin, (m) => [
    [m.coin, "head", undefined, "its book", () => choose(m.coin)], [m.bid ?? UNKNOWN], [m.ask ?? UNKNOWN], [bps(m)], [m.oracle], [m.mark],
    [m.max_leverage + "×"], [fixed(m.interest, 2)], [m.halted ? "halted" : "open", m.halted ? "l stop" : "l"],
  ], "no market");
  book(v.book);
  rows($("accounts"), v.accounts, (a) => a.address, (a) => [
    [a.address, "l mono"], [Object.entries(a.cash).map(([dex, usd]) => `${dex} ${fixed(usd, 2)}`).join("\n"), "l"],
    [a.positions.map((p) => `${p.coin} ${p.size} (${p.leverage}×)`).join("\n") || "flat", "l"], [String(a.orders)],
  ], "nobody is funded yet");
  rows($("fills"), v.fills.map((f, n) => ({ ...f, n })), (f) => `${f.time}:${f.oid}:${f.n}`, (f) => [
    [clock(f.time)], [short(f.user), "l mono", undefined, f.user], [f.coin, "l"], [f.dir, "l"], [f.sz], [f.px], [fixed(f.fee, 6)],
  ], "nothing has been traded yet");
  rows($("orders"), v.orders, (o) => o.oid, (o) => [
    [short(o.user), "l mono", undefined, o.user], [o.coin, "l"], [o.side, "l"], [o.sz], [o.px],
    [(o.trigger ? "trigger" : "limit") + (o.reduce_only ? ", reduce only" : ""), "l"], [String(o.oid)],
  ], "no order rests");
  rows($("faults"), v.faults.map((f, n) => ({ ...f, n })), (f) => f.n, (f) => [
    [f.kind, "l"], [f.on, "l"], [f.coin || "", "l"], [f.active ? "acts" : f.begins_in_ms ? "waits" : "over", f.active ? "l stop" : "l"],
    [f.ends_in_ms === null ? "never" : (f.ends_in_ms / 1000).toFixed(0) + " s"], [f.left === null ? "all" : String(f.left)],
  ], "nothing goes wrong");
}

/** Bids on the left, asks on the right, the best of both on top; sizes with as many decimals as the finest has. */
function book({ coin, levels: [bids, asks] }) {
  text($("book-coin"), coin);
  const finest = Math.max(0, ...[...bids, ...asks].map((l) => (l.sz.split(".")[1] || "").length));
  const side = (l, style) => l ? [[String(l.n)], [fixed(l.sz, finest)], [l.px, style]] : [[""], [""], ["", style]];
  rows($("book"), Array.from({ length: Math.max(bids.length, asks.length) }, (_, n) => n), (n) => n, (n) => [
    ...side(bids[n], "good"), ...side(asks[n], "l bad").reverse(),
  ], "nobody quotes");
}

function choices(coins) {
  if ($("coin").options.length === coins.length) return;
  for (const id of ["coin", "move-coin"]) $(id).replaceChildren(...coins.map((name) => h("option", {}, name)));
}

function choose(name) {
  coin = name;
  look();
}

const whole = (id) => Number.parseInt($(id).value, 10) || 0;

$("kind").replaceChildren(...KINDS.map((kind) => h("option", {}, kind)));
$("fault").addEventListener("submit", (event) => {
  event.preventDefault();
  const fault = { kind: $("kind").value, on: $("on").value || "*", for_ms: whole("for_ms"), times: whole("times"), ms: whole("ms") };
  if (fault.kind === "halt") fault.coin = $("coin").value;
  wish({ fault }, `${fault.kind}: injected`);
});
$("move").addEventListener("submit", (event) => {
  event.preventDefault();
  wish({ move: { coin: $("move-coin").value, px: $("move-px").value.trim() } }, `${$("move-coin").value} moved to ${$("move-px").value}`);
});
$("fund").addEventListener("submit", (event) => {
  event.preventDefault();
  wish({ fund: { user: $("fund-user").value.trim(), usd: $("fund-usd").value.trim() } }, "funded");
});
$("clear").addEventListener("click", () => wish({ clear: true }, "all faults are over"));
$("pause").addEventListener("click", () => wish({ clock: latest && latest.paused ? { resume: true } : { pause: true } }, ""));
$("step").addEventListener("click", () => wish({ clock: { step_ms: 1000 } }, ""));
$("minute").addEventListener("click", () => wish({ clock: { step_ms: 60000 } }, ""));

themed();
look();
setInterval(() => { if (!document.hidden) look(); }, EVERY_MS);
