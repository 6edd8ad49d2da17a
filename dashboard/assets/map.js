// Makes a map that can be moved out of the page's own picture: the cells from the API by the page's link, over the
// coasts and borders of the world, or over the operator's own map. Where there is no WebGL the picture stays.
const box = document.getElementById("map-picture");
const main = document.getElementById("main");
const night = matchMedia("(prefers-color-scheme: dark)");
let feature, json, style, world;
const pause = 10000;

// How a cell does, as the server's picture says it too.
function state({ online, silent, fresh }) {
  const living = online + silent + fresh;
  return !living ? "revoked" : online === living ? "online" : online ? "partly" : silent ? "silent" : "new";
}

const colours = () => ["match", ["get", "state"],
  ...["online", "partly", "silent", "new"].flatMap((name) => [name, style("--cell-" + name)]), style("--cell-revoked")];

async function cells() {
  const areas = await json(box.dataset.cells);
  const middles = [];
  for (const { geometry: { coordinates: [ring] }, properties } of areas.features) {
    properties.state = state({ ...properties, fresh: properties.new });
    const corners = ring.slice(1);
    const mean = (axis) => corners.reduce((sum, corner) => sum + corner[axis], 0) / corners.length;
    middles.push({ type: "Feature", properties, geometry: { type: "Point", coordinates: [mean(0), mean(1)] } });
  }
  return { areas, middles: { type: "FeatureCollection", features: middles } };
}

// The operator's own map. Its layers have names of many schools; what is meant is water, green, roads and borders.
const KINDS = [
  [/water|ocean|sea|lake|river/i, "--sea", ["fill", "line"]],
  [/^(earth|land|landmass)$/i, "--land", ["fill"]],
  [/landuse|landcover|park|green|natural|wood/i, "--green", ["fill"]],
  [/building/i, "--border", ["fill"]],
  [/road|street|transport|highway|rail/i, "--border", ["line"]],
  [/bound|admin/i, "--border", ["line"]],
];

async function ownMap(maplibre) {
  await new Promise((done, failed) => {
    const script = Object.assign(document.createElement("script"), { src: box.dataset.tilesLibrary });
    script.addEventListener("load", done);
    script.addEventListener("error", failed);
    document.head.append(script);
  });
  const { PMTiles, Protocol } = window.pmtiles;
  const url = location.origin + box.dataset.tiles;
  const [archive, protocol] = [new PMTiles(url), new Protocol()];
  protocol.add(archive);
  maplibre.addProtocol("pmtiles", protocol.tile);
  const [header, about] = await Promise.all([archive.getHeader(), archive.getMetadata()]);
  // Whose map it is, as text: a file's markup is not this page's.
  const attribution = new DOMParser().parseFromString(about.attribution ?? "", "text/html").body.textContent;
  const layers = (about.vector_layers ?? []).map(({ id }) => id);
  return { url: "pmtiles://" + url, isVector: header.tileType === 1, layers, attribution };
}

function ownLayers(own) {
  if (!own.isVector) return [{ id: "own", type: "raster", source: "own" }];
  return KINDS.flatMap(([names, colour, types]) => own.layers.filter((layer) => names.test(layer)).flatMap((layer) =>
    types.map((type) => ({
      id: type + "-" + layer,
      type,
      source: "own",
      "source-layer": layer,
      filter: ["==", ["geometry-type"], type === "fill" ? "Polygon" : "LineString"],
      paint: { [type + "-color"]: style(colour) },
    }))));
}

function look(base, own, now, chosen) {
  const line = { "line-color": style("--border"), "line-width": 1 };
  const isChosen = ["==", ["get", "cell"], chosen ?? ""];
  return {
    version: 8,
    sources: {
      land: { type: "geojson", data: base.land, tolerance: 0.2, attribution: "Natural Earth" },
      borders: { type: "geojson", data: base.borders },
      areas: { type: "geojson", data: now.areas },
      middles: { type: "geojson", data: now.middles },
      ...own && {
        own: { type: own.isVector ? "vector" : "raster", url: own.url, attribution: own.attribution },
      },
    },
    layers: [
      { id: "sea", type: "background", paint: { "background-color": style("--sea") } },
      { id: "land", type: "fill", source: "land", paint: { "fill-color": style("--land") } },
      { id: "coast", type: "line", source: "land", paint: line },
      { id: "borders", type: "line", source: "borders", paint: { ...line, "line-dasharray": [3, 2] } },
      ...own ? ownLayers(own) : [],
      { id: "areas", type: "fill", source: "areas", paint: { "fill-color": colours(), "fill-opacity": 0.45 } },
      {
        id: "edges",
        type: "line",
        source: "areas",
        paint: { "line-color": ["case", isChosen, style("--ink"), colours()], "line-width": ["case", isChosen, 3, 1.5] },
      },
      {
        id: "dots",
        type: "circle",
        source: "middles",
        maxzoom: 12,
        paint: {
          "circle-color": colours(),
          "circle-radius": ["interpolate", ["linear"], ["zoom"], 3, 5, 11, 8],
          "circle-stroke-color": style("--panel"),
          "circle-stroke-width": 1.5,
        },
      },
    ],
  };
}

function bounds(areas) {
  const corners = areas.features.flatMap(({ geometry }) => geometry.coordinates[0]);
  const [x, y] = [0, 1].map((axis) => corners.map((corner) => corner[axis]));
  const least = (values) => values.reduce((one, other) => Math.min(one, other));
  const most = (values) => values.reduce((one, other) => Math.max(one, other));
  return [[least(x), least(y)], [most(x), most(y)]];
}

async function start() {
  ({ feature, json, style, world } = await import(box.dataset.ground));
  const maplibre = await import(box.dataset.library);
  maplibre.setWorkerUrl(box.dataset.worker);
  // The node's own map may be broken while the node is well: then the world's is shown.
  const own = box.dataset.tiles ? await ownMap(maplibre).catch(() => null) : null;
  const [base, first] = await Promise.all([world(box.dataset.basemap), cells()]);
  let now = first;
  let chosen = new URLSearchParams(location.search).get("cell");

  const place = Object.assign(document.createElement("div"), { className: "movable" });
  const picture = [...box.children];
  box.append(place);
  // From here on the box is this script's: htmx changes what is around it, also while the map is being made.
  box.dataset.drawn = "making";
  const map = new maplibre.Map({
    container: place,
    style: look(base, own, now, chosen),
    bounds: bounds(now.areas),
    fitBoundsOptions: { padding: 60, maxZoom: 13 },
    cooperativeGestures: true,
    dragRotate: false,
    pitchWithRotate: false,
    attributionControl: { compact: false },
  });
  map.addControl(new maplibre.NavigationControl({ showCompass: false }), "top-right");
  map.addControl(new maplibre.ScaleControl());
  map.touchZoomRotate.disableRotation();
  map.getCanvas().setAttribute("aria-label", "Map of cells; the same cells are listed below");

  const redraw = () => map.setStyle(look(base, own, now, chosen));
  for (const layer of ["areas", "dots"]) {
    map.on("click", layer, ({ features: [{ properties }] }) => {
      chosen = properties.cell;
      const path = "/map?cell=" + chosen;
      history.replaceState(null, "", path);
      // The page is fetched again as the page of this cell, and is from now on.
      main.setAttribute("hx-get", path);
      main.dataset.wanted = "cell";
      htmx.trigger(main, "settle");
      redraw();
    });
    map.on("mouseenter", layer, () => { map.getCanvas().style.cursor = "pointer"; });
    map.on("mouseleave", layer, () => { map.getCanvas().style.cursor = ""; });
  }
  night.addEventListener("change", redraw);

  await new Promise((done, failed) => {
    map.once("load", done);
    // A piece of the node's own map that is broken leaves a hole in it, and the rest stands.
    map.on("error", ({ error, sourceId }) => { if (sourceId !== "own") failed(error); });
  }).catch((error) => {
    map.remove();
    place.remove();
    delete box.dataset.drawn;
    throw error;
  });
  picture.forEach((one) => one.remove());
  box.dataset.drawn = "made";

  let following = false;
  main.addEventListener("htmx:after:swap", async () => {
    if (following) return;
    following = true;
    setTimeout(() => { following = false; }, pause);
    now = await cells();
    map.getSource("areas")?.setData(now.areas);
    map.getSource("middles")?.setData(now.middles);
  });
}

if (box?.dataset.library && document.createElement("canvas").getContext("webgl2")) {
  start().catch((error) => console.warn("The map stays as the server drew it: " + error.message));
}
