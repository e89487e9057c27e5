// The npm package `hyperliquid`. It has no setting for the exchange's address: requests to testnet's go to ours.

import axios from "axios";
import { attempt, setup, within } from "./common.mjs";

const HOST = "api.hyperliquid-testnet.xyz";
const ours = (url) => String(url).replace(`https://${HOST}`, setup.url).replace(`wss://${HOST}`, setup.url.replace("http", "ws"));
const create = axios.create;
axios.create = (config) => create({ ...config, baseURL: ours(config.baseURL) });
const RealSocket = globalThis.WebSocket;
globalThis.WebSocket = class extends RealSocket {
  constructor(url, ...more) {
    super(ours(url), ...more);
  }
};
const { Hyperliquid } = await import("hyperliquid");

const sdk = new Hyperliquid({ privateKey: setup.key, walletAddress: setup.user, testnet: true, enableWs: true });
await attempt("connect", () => within(20, sdk.connect(), "connected"));
const order = (px, tif, more = {}) => ({
  coin: "ETH-PERP", is_buy: true, sz: "0.05", limit_px: px, order_type: { limit: { tif } }, reduce_only: false, ...more,
});
await attempt("mids", async () => (await sdk.info.getAllMids())["ETH-PERP"]);
await attempt("book", async () => (await sdk.info.getL2Book("ETH-PERP")).levels.length);
await attempt("state", async () => (await sdk.info.perpetuals.getClearinghouseState(setup.user)).assetPositions.length);
await attempt("open orders", async () => (await sdk.info.getUserOpenOrders(setup.user)).length);
await attempt("fills", async () => (await sdk.info.getUserFills(setup.user)).length);
const heard = new Promise((resolve) => sdk.subscriptions.subscribeToUserFills?.(setup.user, resolve)).catch(() => null);
const rests = await attempt("rests", () => sdk.exchange.placeOrder(order(setup.px.low, "Gtc")));
await attempt("fills now", () => sdk.exchange.placeOrder(order(setup.px.high, "Ioc")));
await attempt("too small", () => sdk.exchange.placeOrder(order(setup.px.low, "Gtc", { sz: "0.001" })));
const oid = rests?.response?.data?.statuses?.[0]?.resting?.oid;
await attempt("cancel", () => sdk.exchange.cancelOrder({ coin: "ETH-PERP", o: oid }));
await attempt("leverage", () => sdk.exchange.updateLeverage("ETH-PERP", "cross", 10));
await attempt("transfer", () => sdk.exchange.usdTransfer(setup.other, 2));
await attempt("heard", async () => Object.keys(await within(15, heard, "fills")));
sdk.disconnect();
process.exit(0);
