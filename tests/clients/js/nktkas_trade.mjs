// Every action of @nktkas/hyperliquid that the embedded exchange takes, over HTTP or over WebSocket.

import { ExchangeClient, HttpTransport, WebSocketTransport } from "@nktkas/hyperliquid";
import { Wallet } from "ethers";
import { attempt, setup } from "./common.mjs";

const { url, user, other, sub, vault, eth, gold, px, goldPx } = setup;
const transport = setup.way === "ws"
  ? new WebSocketTransport({ isTestnet: true, url: `${url.replace("http", "ws")}/ws` })
  : new HttpTransport({ isTestnet: true, apiUrl: url });
const client = (key, more = {}) => new ExchangeClient({ transport, wallet: new Wallet(key), ...more });
const me = client(setup.key);
const agent = client(setup.agentKey);

const limit = (tif) => ({ limit: { tif } });
const trigger = (triggerPx, tpsl) => ({ trigger: { isMarket: true, triggerPx, tpsl } });
const item = (b, p, s, t, more = {}) => ({ a: eth, b, p, s, r: false, t, ...more });
const one = (...orders) => ({ orders, grouping: "na" });
const oidOf = (answer) => answer?.response.data.statuses[0].resting?.oid ?? 0;

const USDC = "USDC:0x6d1e7cde53ba9467b783cb7c530ce054";

async function orders() {
  const rests = await attempt("gtc", () => me.order(one(item(true, px.low, "0.05", limit("Gtc"), { c: setup.cloids[0] }))));
  await attempt("alo", () => me.order(one(item(true, px.low, "0.05", limit("Alo")))));
  await attempt("alo that takes", () => me.order(one(item(true, px.high, "0.05", limit("Alo")))));
  await attempt("ioc", () => me.order(one(item(true, px.high, "0.1", limit("Ioc")))));
  await attempt("ioc of nobody", () => me.order(one(item(true, px.low, "0.05", limit("Ioc")))));
  await attempt("market", () => me.order(one(item(false, px.low, "0.02", limit("FrontendMarket")))));
  await attempt("too small", () => me.order(one(item(true, px.low, "0.001", limit("Gtc")))));
  await attempt("two, one bad", () => me.order(one(item(true, px.low, "0.05", limit("Gtc")), item(true, px.low, "0.001", limit("Gtc")))));
  await attempt("gold", () => me.order(one(item(false, goldPx.low, "0.03", limit("Ioc"), { a: gold }))));
  const moved = await attempt("batchModify", () => me.batchModify({
    modifies: [{ oid: oidOf(rests), order: item(true, px.lower, "0.06", limit("Gtc"), { c: setup.cloids[1] }) }],
  }));
  await attempt("modify", () => me.modify({ oid: oidOf(moved), order: item(true, px.low, "0.06", limit("Alo"), { c: setup.cloids[2] }) }));
  await attempt("modify of nothing", () => me.modify({ oid: 1, order: item(true, px.low, "0.06", limit("Alo")) }));
  await attempt("cancelByCloid", () => me.cancelByCloid({ cancels: [{ asset: eth, cloid: setup.cloids[2] }] }));
  await attempt("cancelByCloid again", () => me.cancelByCloid({ cancels: [{ asset: eth, cloid: setup.cloids[2] }] }));
  const last = await attempt("for cancel", () => me.order(one(item(true, px.low, "0.05", limit("Gtc")))));
  await attempt("cancel", () => me.cancel({ cancels: [{ a: eth, o: oidOf(last) }] }));
  await attempt("cancel twice", () => me.cancel({ cancels: [{ a: eth, o: oidOf(last) }] }));
}

async function groups() {
  const bracket = [
    item(true, px.high, "0.05", limit("Ioc")),
    item(false, px.lower, "0.05", trigger(px.low, "sl"), { r: true }),
    item(false, px.far, "0.05", trigger(px.far, "tp"), { r: true }),
  ];
  await attempt("normalTpsl", () => me.order({ orders: bracket, grouping: "normalTpsl" }));
  const [, stop, gain] = bracket.map((order) => ({ ...order, s: "0" }));
  await attempt("positionTpsl", () => me.order({ orders: [stop, gain], grouping: "positionTpsl" }));
  await attempt("tpsl that opens", () => me.order(one(item(false, px.lower, "0.05", trigger(px.high, "sl"), { r: true }))));
}

async function account() {
  await attempt("scheduleCancel", () => me.scheduleCancel({ time: Date.now() + 3_600_000 }));
  await attempt("scheduleCancel off", () => me.scheduleCancel());
  await attempt("scheduleCancel too soon", () => me.scheduleCancel({ time: Date.now() }));
  await attempt("noop", () => me.noop({ nonce: Date.now() + 1000 }));
  await attempt("updateLeverage", () => me.updateLeverage({ asset: eth, isCross: true, leverage: 10 }));
  await attempt("updateLeverage too high", () => me.updateLeverage({ asset: eth, isCross: true, leverage: 500 }));
  await attempt("updateIsolatedMargin", () => me.updateIsolatedMargin({ asset: gold, isBuy: false, ntli: 3_000_000 }));
  await attempt("updateIsolatedMargin of cross", () => me.updateIsolatedMargin({ asset: eth, isBuy: true, ntli: 3_000_000 }));
  await attempt("topUpIsolatedOnlyMargin", () => me.topUpIsolatedOnlyMargin({ asset: gold, leverage: "4" }));
  await attempt("reserveRequestWeight", () => me.reserveRequestWeight({ weight: 10 }));
  await attempt("approveBuilderFee", () => me.approveBuilderFee({ maxFeeRate: "0.02%", builder: other }));
  await attempt("builder", () => me.order({ ...one(item(true, px.high, "0.02", limit("Ioc"))), builder: { b: other, f: 20 } }));
  await attempt("builder too dear", () => me.order({ ...one(item(true, px.high, "0.02", limit("Ioc"))), builder: { b: other, f: 30 } }));
  await attempt("setReferrer", () => me.setReferrer({ code: "FRIEND" }));
  await attempt("approveAgent", () => me.approveAgent({ agentAddress: new Wallet(setup.agentKey).address, agentName: "mine" }));
  await attempt("agent", () => agent.order(one(item(true, px.low, "0.05", limit("Gtc")))));
  await attempt("agent sends", () => agent.usdSend({ destination: other, amount: "1" }));
  await attempt("stranger", () => client(setup.strangerKey).order(one(item(true, px.low, "0.05", limit("Gtc")))));
  await attempt("expired", () => me.order(one(item(true, px.low, "0.05", limit("Gtc"))), { expiresAfter: Date.now() - 60_000 }));
}

async function money() {
  await attempt("createSubAccount", () => me.createSubAccount({ name: "second" }));
  await attempt("subAccountModify", () => me.subAccountModify({ subAccountUser: sub, name: "renamed" }));
  await attempt("subAccountTransfer", () => me.subAccountTransfer({ subAccountUser: sub, isDeposit: true, usd: 2_000_000 }));
  await attempt("subAccountSpotTransfer", () => me.subAccountSpotTransfer({ subAccountUser: sub, isDeposit: true, token: USDC, amount: "2" }));
  await attempt("sub", () => me.order(one(item(true, px.low, "0.05", limit("Gtc"))), { vaultAddress: sub }));
  await attempt("no sub", () => me.order(one(item(true, px.low, "0.05", limit("Gtc"))), { vaultAddress: other }));
  await attempt("usdSend", () => me.usdSend({ destination: other, amount: "3" }));
  await attempt("usdSend too much", () => me.usdSend({ destination: other, amount: "30000" }));
  await attempt("spotSend", () => me.spotSend({ destination: other, token: USDC, amount: "4" }));
  const toGold = { sourceDex: "", destinationDex: "xyz", token: USDC };
  await attempt("sendAsset", () => me.sendAsset({ ...toGold, destination: other, amount: "5" }));
  await attempt("agentSendAsset", () => agent.agentSendAsset({ ...toGold, destination: user, amount: "6", fromSubAccount: "" }));
  await attempt("usdClassTransfer", () => me.usdClassTransfer({ amount: "7", toPerp: true }));
  await attempt("withdraw3", () => me.withdraw3({ destination: user, amount: "8" }));
  await attempt("vaultTransfer", () => me.vaultTransfer({ vaultAddress: vault, isDeposit: true, usd: 9_000_000 }));
}

async function modesAndMissing() {
  const third = client(setup.thirdKey);
  await attempt("agentSetAbstraction", () => third.agentSetAbstraction({ abstraction: "u" }));
  await attempt("userSetAbstraction", () => third.userSetAbstraction({ user: setup.third, abstraction: "disabled" }));
  await attempt("twapOrder", () => me.twapOrder({ twap: { a: eth, b: true, s: "1", r: false, m: 10, t: true } }));
  await attempt("spot order", () => me.order(one(item(true, "1", "20", limit("Gtc"), { a: 10000 }))));
}

if (setup.way === "ws") await transport.ready();
await orders();
await groups();
await account();
await money();
await modesAndMissing();
if (setup.way === "ws") await transport.close();
