// Every read of @nktkas/hyperliquid that the embedded exchange serves, over HTTP and over WebSocket.

import { HttpTransport, InfoClient, WebSocketTransport } from "@nktkas/hyperliquid";
import { attempt, setup, tell } from "./common.mjs";
import { problems } from "./shapes.mjs";

const { url, user, other, agent, vault, oid, cloid } = setup;
const start = Date.now() - 86_400_000;
const CALLS = [
  ["perpDexs"], ["meta"], ["meta", { dex: "xyz" }], ["metaAndAssetCtxs"], ["metaAndAssetCtxs", { dex: "xyz" }],
  ["allPerpMetas"], ["allMids"], ["allMids", { dex: "xyz" }], ["exchangeStatus"], ["maxMarketOrderNtls"],
  ["l2Book", { coin: "ETH" }], ["l2Book", { coin: "xyz:GOLD", nSigFigs: 5, mantissa: 2 }],
  ["recentTrades", { coin: "ETH" }], ["marginTable", { id: 20 }], ["marginTable", { id: 50 }],
  ["perpDexLimits", { dex: "xyz" }], ["perpDexStatus", { dex: "xyz" }], ["perpsAtOpenInterestCap"],
  ["fundingHistory", { coin: "ETH", startTime: start }], ["predictedFundings"], ["spotMeta"], ["spotMetaAndAssetCtxs"],
  ["candleSnapshot", { coin: "xyz:GOLD", interval: "1m", startTime: start }],
  ["clearinghouseState", { user }], ["clearinghouseState", { user, dex: "xyz" }], ["spotClearinghouseState", { user }],
  ["openOrders", { user }], ["openOrders", { user, dex: "xyz" }], ["frontendOpenOrders", { user }],
  ["orderStatus", { user, oid }], ["orderStatus", { user, oid: cloid }], ["orderStatus", { user, oid: 1 }],
  ["historicalOrders", { user }], ["userFills", { user }], ["userFills", { user, aggregateByTime: true }],
  ["userFillsByTime", { user, startTime: start }], ["userFillsByTime", { user, startTime: start, reversed: true }],
  ["userFunding", { user }], ["userFunding", { user, startTime: start }],
  ["userNonFundingLedgerUpdates", { user }], ["userNonFundingLedgerUpdates", { user, startTime: start }],
  ["userRateLimit", { user }], ["userFees", { user }], ["maxBuilderFee", { user, builder: other }],
  ["approvedBuilders", { user }], ["referral", { user }], ["userRole", { user }], ["userRole", { user: agent }],
  ["extraAgents", { user }], ["activeAssetData", { user, coin: "ETH" }], ["activeAssetData", { user, coin: "xyz:GOLD" }],
  ["userAbstraction", { user }], ["subAccounts", { user }], ["subAccounts", { user: other }], ["subAccounts2", { user }],
  ["vaultDetails", { vaultAddress: vault, user }], ["userVaultEquities", { user }],
  ["preTransferCheck", { user: other, source: user }], ["portfolio", { user }], ["webData2", { user }],
  ["twapHistory", { user }], ["userTwapSliceFills", { user }],
];

const typeOf = (method) => `${method[0].toUpperCase()}${method.slice(1)}Response`;

async function reads(transport, way) {
  const client = new InfoClient({ transport });
  for (const [method, params] of CALLS) {
    const name = `${way} ${method} ${params === undefined ? "" : JSON.stringify(params)}`.trim();
    const value = await attempt(name, () => (params === undefined ? client[method]() : client[method](params)));
    if (value !== undefined) tell({ name, problems: problems(typeOf(method), value) });
  }
}

await reads(new HttpTransport({ isTestnet: true, apiUrl: url }), "http");
const socket = new WebSocketTransport({ isTestnet: true, url: `${url.replace("http", "ws")}/ws` });
await socket.ready();
await reads(socket, "ws");
await socket.close();
