// The two charts: the result over time, one market's last hour. uPlot draws; the data are the page's.
/* global uPlot */

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const numbers = (list) => list.map((v) => (v === null || v === undefined ? null : Number(v)));

function axes(digits) {
  const stroke = css("--quiet"), grid = { stroke: css("--grid"), width: 1 };
  const ticks = { show: false }, font = "11px system-ui, sans-serif";
  return [
    { stroke, grid, ticks, font, size: 24, space: 70, values: (u, splits) => clock(splits) },
    { stroke, grid, ticks, font, size: 64, values: (u, splits) => splits.map((v) => v.toFixed(digits(splits))) },
  ];
}

/** Times of day, UTC as in the journal; with the day where the span is longer than one. */
function clock(splits) {
  const span = (splits.at(-1) ?? 0) - (splits[0] ?? 0);
  return splits.map((s) => {
    const iso = new Date(s * 1000).toISOString();
    return span > 86400 ? iso.slice(5, 16).replace("T", " ") : span < 240 ? iso.slice(11, 19) : iso.slice(11, 16);
  });
}

function decimals(splits) {
  const step = Math.abs((splits[1] ?? 1) - (splits[0] ?? 0)) || 1;
  return Math.max(0, Math.min(6, Math.ceil(-Math.log10(step) - 1e-9)));
}

class Chart {
  constructor(element) {
    this.element = element;
    this.plot = null;
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(element);
  }

  size() { return { width: Math.max(160, this.element.clientWidth), height: this.element.clientHeight }; }

  /** Draw anew with other colours. */
  restyle() { this.plot?.destroy(); this.plot = null; this.draw(); }

  show(data) {
    if (!this.plot) this.plot = new uPlot({ ...this.options(), ...this.size() }, data, this.element);
    else this.plot.setData(data);
  }
}

/** Net result, in USD. `points`: [ms, net] in order of time. */
export class Curve extends Chart {
  points = [];

  options() {
    const line = css("--oracle");
    return {
      legend: { show: false }, cursor: { y: false }, axes: axes(decimals),
      series: [{}, { stroke: line, width: 2, fill: line + "22", points: { show: this.points.length < 3 } }],
      hooks: { draw: [zero] },
    };
  }

  set(points) { this.points = points; this.restyle(); }

  add(point) { this.points.push(point); if (this.points.length > 4000) this.points.shift(); this.draw(); }

  draw() {
    const shown = this.points.filter(([, net]) => net !== null);
    this.show([shown.map(([ms]) => ms / 1000), numbers(shown.map(([, net]) => net))]);
    const last = shown.at(-1);
    this.element.setAttribute("aria-label", last ? `net result over time, ${Number(last[1]).toFixed(3)} USD now` : "net result over time, nothing yet");
  }
}

function zero(u) {
  const y = u.valToPos(0, "y", true);
  if (y < u.bbox.top || y > u.bbox.top + u.bbox.height) return;
  u.ctx.save();
  u.ctx.strokeStyle = css("--quiet");
  u.ctx.setLineDash([3, 3]);
  u.ctx.beginPath(); u.ctx.moveTo(u.bbox.left, y); u.ctx.lineTo(u.bbox.left + u.bbox.width, y); u.ctx.stroke();
  u.ctx.restore();
}

/** One market. `prices`: [ms, [bid, ask, oracle, mark, own bid, own ask]]; `marks`: {at_ms, px, kind, side}. */
export class Prices extends Chart {
  prices = [];
  marks = [];

  options() {
    const step = uPlot.paths.stepped({ align: 1 });
    const touch = { stroke: css("--touch"), width: 1, points: { show: false }, paths: step };
    const own = { stroke: css("--own"), width: 2, dash: [2, 3], points: { show: false }, paths: step };
    return {
      legend: { show: false }, cursor: { y: true }, axes: axes(decimals),
      series: [
        {}, touch, touch,
        { stroke: css("--oracle"), width: 2, points: { show: false }, paths: step },
        { stroke: css("--mark"), width: 1, dash: [6, 4], points: { show: false }, paths: step },
        own, own,
      ],
      bands: [{ series: [2, 1], fill: css("--touch") + "1c" }],
      hooks: { draw: [(u) => this.markers(u)] },
    };
  }

  set(prices, marks) { this.prices = prices; this.marks = marks; this.restyle(); }

  add(price) {
    this.prices.push(price);
    const oldest = price[0] - 3600000;
    while (this.prices.length && this.prices[0][0] < oldest) this.prices.shift();
    this.draw();
  }

  draw() {
    const columns = [0, 1, 2, 3, 4, 5].map((n) => numbers(this.prices.map(([, p]) => p[n])));
    this.show([this.prices.map(([ms]) => ms / 1000), ...columns]);
  }

  markers(u) {
    const ctx = u.ctx, r = 5 * devicePixelRatio;
    ctx.save();
    ctx.beginPath(); ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height); ctx.clip();
    for (const m of this.marks) {
      const x = u.valToPos(m.at_ms / 1000, "x", true), y = u.valToPos(Number(m.px), "y", true);
      ctx.beginPath();
      if (m.kind === "signal") {
        ctx.moveTo(x, y - r); ctx.lineTo(x + r, y); ctx.lineTo(x, y + r); ctx.lineTo(x - r, y); ctx.closePath();
        ctx.strokeStyle = css("--text"); ctx.stroke();
      } else {
        const s = m.side === "buy" ? -1 : 1;
        ctx.moveTo(x, y + s * r); ctx.lineTo(x + r, y - s * r); ctx.lineTo(x - r, y - s * r); ctx.closePath();
        ctx.fillStyle = css(m.side === "buy" ? "--good" : "--bad"); ctx.fill();
      }
    }
    ctx.restore();
  }
}
