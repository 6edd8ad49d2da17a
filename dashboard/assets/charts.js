// Makes charts that can be asked out of the page's own pictures: by period, by pointer and by arrow keys. The values
// come from the API by the links that the page has; the table beside them stays.
"use strict";
(() => {
  const periods = document.getElementById("periods");
  const section = document.getElementById("readings");
  if (!window.uPlot || !periods) return;

  const links = [...section.querySelectorAll("#periods-links a[href*='?']")].map((link) => ({
    name: link.textContent,
    url: new URL(link.href),
    seconds: Number(link.dataset.seconds ?? 0),
  }));
  const [shown] = links;
  const newestMax = Number(shown.url.searchParams.get("limit"));
  const pause = 2000;
  let period = shown;
  let readings = [];
  let plots = new Map();

  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const utc = (seconds, from, to) => new Date(seconds * 1000).toISOString().slice(from, to).replace("T", " ");
  const label = (seconds, step) =>
    step >= 86400 ? utc(seconds, 5, 10) : step >= 60 ? utc(seconds, 11, 16) : utc(seconds, 11, 19);
  const accepted = (reading) => Date.parse(reading.accepted_at);

  async function ask(url) {
    const response = await fetch(url, { headers: { accept: "application/json" } });
    if (!response.ok) throw new Error(response.statusText);
    return response.json();
  }

  // Oldest first. A period with more readings than the API gives at once shows the newest of them, and says so.
  async function load(wanted) {
    const url = new URL(wanted.url);
    if (wanted.seconds) url.searchParams.set("from", new Date(Date.now() - wanted.seconds * 1000).toISOString());
    let found = await ask(url);
    const isCut = wanted.seconds > 0 && found.length === Number(url.searchParams.get("limit"));
    if (isCut) {
      url.searchParams.delete("from");
      found = await ask(url);
    }
    [period, readings] = [wanted, found];
    say(isCut ? "There are more: shown are the newest " + found.length.toLocaleString("en") + "."
      : found.length ? "" : "Nothing was accepted in this period.");
    draw();
  }

  // What came since the last one.
  async function follow() {
    const last = readings.at(-1);
    const url = new URL(shown.url);
    if (last) {
      url.searchParams.set("from", new Date(accepted(last) + 1).toISOString());
      url.searchParams.set("limit", "10000");
    }
    readings.push(...await ask(url));
    const oldest = Date.now() - period.seconds * 1000;
    readings = period.seconds ? readings.filter((reading) => accepted(reading) >= oldest) : readings.slice(-newestMax);
    draw();
  }

  // Times and values of one quantity; null where a line must break because nothing was measured for long.
  function series(name, unit) {
    const points = [];
    for (const reading of readings) {
      for (const { n, u = "", t = 0, v, vb } of reading.senml) {
        // Below 2^28 a time counts from the arrival, for which the block's stands (RFC 8428 §4.5.3).
        const time = t >= 2 ** 28 ? t : accepted(reading) / 1000 + t;
        if (n === name && u === unit) points.push([time, v ?? Number(vb)]);
      }
    }
    points.sort((one, other) => one[0] - other[0]);
    const steps = points.slice(1).map(([time], at) => time - points[at][0]).sort((one, other) => one - other);
    const longest = 5 * Math.max(1, steps[steps.length >> 1] ?? 1);
    const broken = points.flatMap((point, at) => {
      const before = points[at - 1]?.[0] ?? point[0];
      return point[0] - before > longest ? [[before + 1, null], point] : [point];
    });
    return [broken.map(([time]) => time), broken.map(([, value]) => value)];
  }

  function options(picture, values, readout, unit) {
    const font = style("--tick") + " " + getComputedStyle(document.body).fontFamily;
    const axis = { stroke: style("--soft"), font, ticks: { show: false }, grid: { stroke: style("--line"), width: 1 } };
    const accent = style("--accent");
    return {
      width: picture.clientWidth,
      height: 160,
      // Half a label stands beside the last grid line.
      padding: [10, 28, 0, 0],
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      legend: { show: false },
      cursor: { y: false, drag: { x: true, y: false } },
      series: [{}, { stroke: accent, width: 1.75, fill: accent + "17", points: { show: values.length < 2 } }],
      axes: [
        { ...axis, size: 28, space: 60, values: (_, at, __, ___, step) => at.map((time) => label(time, step)) },
        { ...axis, size: (_, texts) => 12 + 7 * Math.max(3, ...(texts ?? []).map((text) => text.length)) },
      ],
      hooks: {
        setCursor: [({ cursor: { idx }, data: [times, values] }) => {
          const isValue = idx != null && values[idx] != null;
          readout.value = isValue ? values[idx] + " " + unit + ", " + utc(times[idx], 0, 19) + " UTC" : "";
        }],
      },
    };
  }

  // Arrow keys go from value to value, Home and End to the first and the last.
  function byKeys(plot, event) {
    const { data: [times, values], cursor } = plot;
    const last = times.length - 1;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    let at = { Home: 0, End: last }[event.key] ?? (step && Math.min(last, Math.max(0, (cursor.idx ?? last) + step)));
    if (at === undefined) return;
    event.preventDefault();
    while (values[at] == null && at > 0 && at < last) at += step ?? 1;
    plot.setCursor({ left: plot.valToPos(times[at], "x"), top: plot.bbox.height / 2 / devicePixelRatio });
  }

  function enhance(picture, data) {
    const figure = picture.closest("figure");
    const [name, unit] = [".quantity", ".newest small"].map((css) => figure.querySelector(css)?.textContent ?? "");
    const place = Object.assign(document.createElement("div"), { tabIndex: 0 });
    place.setAttribute("role", "img");
    const readout = document.createElement("output");
    const plot = new uPlot(options(picture, data[1], readout, unit), data, place);
    place.addEventListener("keydown", (event) => byKeys(plot, event));
    picture.replaceChildren(place, readout);
    // From here on the picture is this script's: htmx changes what is around it.
    picture.dataset.drawn = "";
    return { plot, place, name };
  }

  // A reader who has zoomed in stays where they are.
  function show(plot, data) {
    const { scales: { x: { min, max } }, data: [times] } = plot;
    plot.setData(data, !(min > times[0] || max < times.at(-1)));
  }

  function draw() {
    const kept = new Map();
    for (const picture of section.querySelectorAll(".picture")) {
      const data = series(decodeURIComponent(picture.dataset.name), decodeURIComponent(picture.dataset.unit));
      const drawn = plots.get(picture);
      const made = drawn ?? enhance(picture, data);
      if (drawn) show(drawn.plot, data);
      made.place.setAttribute("aria-label", made.name + ", " + period.name + ": "
        + data[1].filter((value) => value != null).length + " values; arrow keys read them one by one");
      kept.set(picture, made);
    }
    plots = kept;
  }

  function drawAnew() {
    for (const { plot } of plots.values()) plot.destroy();
    plots = new Map();
    draw();
  }

  const note = Object.assign(document.createElement("output"), { className: "note" });
  const say = (text) => { note.value = text; };
  const buttons = links.map((link) => {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: link.name });
    button.addEventListener("click", () => choose(link));
    return button;
  });

  function choose(link) {
    buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(links[at] === link)));
    load(link).catch(() => say("The node did not answer; the charts stay as they were."));
  }

  periods.setAttribute("role", "group");
  periods.setAttribute("aria-label", "Period of the charts");
  periods.replaceChildren(...buttons, note);
  periods.dataset.drawn = "";
  choose(shown);

  let following = false;
  document.getElementById("main").addEventListener("htmx:after:swap", () => {
    if (following) return;
    following = true;
    // The page says whether the node answers.
    follow().catch(() => {}).finally(() => setTimeout(() => { following = false; }, pause));
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAnew);
  new ResizeObserver(() => {
    for (const [picture, { plot }] of plots) plot.setSize({ width: picture.clientWidth, height: 160 });
  }).observe(section);
})();
