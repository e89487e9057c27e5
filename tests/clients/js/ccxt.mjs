// ccxt's JavaScript build: it signs with other code than its Python build.

import ccxt from "ccxt";
import { attempt, setup, within } from "./common.mjs";

const ETH = "ETH/USDC:USDC";
const GOLD = "XYZ-GOLD/USDC:USDC";
const client = new ccxt.pro.hyperliquid({
  walletAddress: setup.user, privateKey: setup.key, enableRateLimit: false,
  options: { fetchMarkets: { types: ["swap", "hip3"], hip3: { dex: ["xyz"] } } },
});
client.urls.api.public = client.urls.api.private = setup.url;
client.urls.api.ws.public = `${setup.url.replace("http", "ws")}/ws`;

await client.loadHttpProxyAgent(); // its sockets without TLS want it
const px = Object.fromEntries(Object.entries(setup.px).map(([name, value]) => [name, Number(value)]));
const gold = Object.fromEntries(Object.entries(setup.goldPx).map(([name, value]) => [name, Number(value)]));

await attempt("markets", async () => Object.keys(await client.loadMarkets()).length);
await attempt("balance", async () => (await client.fetchBalance()).USDC);
const rests = await attempt("limit", () => client.createOrder(ETH, "limit", "buy", 0.05, px.low, { clientOrderId: setup.cloid }));
await attempt("status", async () => (await client.fetchOrder(rests.id, ETH)).status);
await attempt("market", () => client.createOrder(ETH, "market", "buy", 0.05, px.high));
await attempt("gold", () => client.createOrder(GOLD, "market", "sell", 0.02, gold.high));
await attempt("refused", () => client.createOrder(ETH, "limit", "buy", 0.05, px.high, { postOnly: true }));
await attempt("by socket", () => client.createOrderWs(ETH, "limit", "buy", 0.05, px.low));
await attempt("sub", () => client.createOrder(ETH, "limit", "buy", 0.01, px.low, { vaultAddress: setup.sub }));
await attempt("transfer", () => client.transfer("USDC", 3, "spot", "swap"));
await attempt("cancel", async () => (await client.cancelOrder(rests.id, ETH)).status);
await attempt("cancel again", () => client.cancelOrder(rests.id, ETH));
await attempt("funding", async () => (await client.fetchFundingHistory(ETH)).length);
await attempt("watched", async () => Object.keys(await within(15, client.watchTickers([GOLD]), "tickers")));
await client.close();
