// Every stream of @nktkas/hyperliquid that the embedded exchange serves, while an account trades.

import { ExchangeClient, HttpTransport, SubscriptionClient, WebSocketTransport } from "@nktkas/hyperliquid";
import { Wallet } from "ethers";
import { attempt, setup, tell, within } from "./common.mjs";
import { problems } from "./shapes.mjs";

const { url, user, key, px } = setup;
const ETH = { coin: "ETH" };
// Method, parameters, frames to wait for: two where something new has to come after the first.
const STREAMS = [
  ["allMids", {}, 2], ["allMids", { dex: "" }, 2], ["allMids", { dex: "xyz" }, 2], ["bbo", { coin: "xyz:GOLD" }, 1],
  ["bbo", ETH, 2], ["l2Book", ETH, 2], ["l2Book", { ...ETH, fast: true }, 2], ["l2Book", { ...ETH, nSigFigs: 5 }, 2],
  ["l2Book", { ...ETH, nSigFigs: 5, mantissa: 5 }, 2], ["trades", ETH, 2], ["candle", { ...ETH, interval: "1m" }, 2],
  ["activeAssetCtx", { coin: "xyz:GOLD" }, 2], ["activeSpotAssetCtx", { coin: "@1" }, 1], ["assetCtxs", {}, 2],
  ["assetCtxs", { dex: "xyz" }, 2], ["allDexsAssetCtxs", undefined, 2], ["fastAssetCtxs", undefined, 2],
  ["orderUpdates", { user }, 1], ["userFills", { user }, 2], ["userFills", { user, aggregateByTime: true }, 2],
  ["userEvents", { user }, 1], ["userFundings", { user }, 1], ["userNonFundingLedgerUpdates", { user }, 2],
  ["userHistoricalOrders", { user }, 2], ["clearinghouseState", { user }, 2], ["clearinghouseState", { user, dex: "xyz" }, 1],
  ["allDexsClearinghouseState", { user }, 2], ["openOrders", { user }, 2], ["openOrders", { user, dex: "xyz" }, 1],
  ["activeAssetData", { user, coin: "ETH" }, 2], ["spotState", { user }, 1], ["twapStates", { user }, 1],
  ["userTwapHistory", { user }, 1], ["userTwapSliceFills", { user }, 1], ["webData3", { user }, 1],
  ["notification", { user }, 0],
];

const transport = new WebSocketTransport({ isTestnet: true, url: `${url.replace("http", "ws")}/ws` });
await transport.ready();
const client = new SubscriptionClient({ transport });
const subscriptions = [];

async function listen([method, params, wanted]) {
  const name = params === undefined ? method : `${method} ${JSON.stringify({ ...params, user: undefined })}`;
  const stream = { name, type: `${method[0].toUpperCase()}${method.slice(1)}Event`, frames: [] };
  stream.full = wanted === 0 ? Promise.resolve() : new Promise((full) => {
    stream.heard = (frame) => stream.frames.push(frame) === wanted && full();
  });
  stream.heard ??= (frame) => stream.frames.push(frame);
  const all = params === undefined ? [stream.heard] : [params, stream.heard];
  subscriptions.push(await client[method](...all));
  return stream;
}

const streams = [];
for (const row of STREAMS) streams.push(await listen(row));
const trader = new ExchangeClient({ transport: new HttpTransport({ isTestnet: true, apiUrl: url }), wallet: new Wallet(key) });
const order = (p, tif) => ({ orders: [{ a: setup.eth, b: true, p, s: "0.05", r: false, t: { limit: { tif } } }], grouping: "na" });
await attempt("rests", () => trader.order(order(px.low, "Gtc")));
await attempt("fills", () => trader.order(order(px.high, "Ioc")));
await attempt("send", () => trader.usdSend({ destination: setup.other, amount: "1" }));
for (const stream of streams) {
  await attempt(`stream ${stream.name}`, async () => {
    await within(20, stream.full, `${stream.frames.length} frames`);
    return { frames: stream.frames.length, last: stream.frames.at(-1) };
  });
  const found = [...new Set(stream.frames.flatMap((frame) => problems(stream.type, frame)))];
  tell({ name: `stream ${stream.name}`, problems: found });
}
const left = await Promise.allSettled(subscriptions.map((s) => s.unsubscribe()));
tell({ name: "unsubscribed", value: left.filter((one) => one.status === "fulfilled").length });
await transport.close();
