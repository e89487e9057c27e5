// Draws the specs that stand in the page, in the colours of its style; nothing is computed here and nothing is asked for.
"use strict";
(() => {
  const specs = JSON.parse(document.getElementById("specs").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 800px)");
  const waiting = [];
  window.hip3 = { drawn: 0, failed: [] };

  function colour(value, style) {
    if (typeof value === "string" && value.startsWith("--")) return style.getPropertyValue(value).trim() || value;
    if (Array.isArray(value)) return value.map((one) => colour(one, style));
    if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, colour(v, style)]));
    return value;
  }

  function axis(given, style) {
    const quiet = style.getPropertyValue("--quiet").trim(), grid = style.getPropertyValue("--grid").trim();
    return { gridcolor: grid, linecolor: grid, zerolinecolor: quiet, tickfont: { color: quiet }, automargin: true, ...given };
  }

  function draw(place) {
    const spec = specs[place.dataset.figure], style = getComputedStyle(document.documentElement);
    const layout = colour(spec.layout, style), text = style.getPropertyValue("--text").trim();
    for (const key of Object.keys(layout)) if (/^[xy]axis/.test(key)) layout[key] = axis(layout[key], style);
    Object.assign(layout, {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: text, size: 12, family: "system-ui, 'DejaVu Sans', sans-serif" },
      margin: { l: 50, r: 12, t: 8, b: 40 }, hovermode: "closest", autosize: true, showlegend: spec.data.length > 1,
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, font: { size: 11 } }, modebar: { bgcolor: "rgba(0,0,0,0)", color: text, activecolor: text },
    });
    const config = { responsive: true, displaylogo: false, modeBarButtons: [["zoom2d", "pan2d", "autoScale2d", "resetScale2d"]], ...(narrow.matches && { displayModeBar: false }) };
    return Plotly.react(place, colour(spec.data, style), layout, config).then(() => { place.dataset.drawn = "true"; window.hip3.drawn += 1; },
      (error) => { window.hip3.failed.push(`${place.dataset.figure}: ${error}`); });
  }

  const seen = (place) => !place.closest("details:not([open])");
  async function next() {
    while (waiting.length) {
      const place = waiting.shift();
      if (seen(place)) await draw(place);
      await new Promise((go) => setTimeout(go));
    }
    document.body.dataset.drawn = "true";
  }
  function all() { document.body.dataset.drawn = "false"; waiting.push(...document.querySelectorAll(".plot")); return next(); }

  dark.addEventListener("change", all);
  document.addEventListener("toggle", (event) => { if (event.target.open) event.target.querySelectorAll(".plot").forEach(draw); }, true);

  const search = document.getElementById("search");
  if (search) {
    const rows = [...document.querySelectorAll("#trips tbody tr")], found = document.getElementById("found");
    search.addEventListener("input", () => {
      const wanted = search.value.trim().toLowerCase();
      let shown = 0;
      for (const row of rows) { row.hidden = !row.textContent.toLowerCase().includes(wanted); shown += !row.hidden; }
      found.textContent = `${shown} of ${rows.length}`;
    });
  }
  all();
})();
