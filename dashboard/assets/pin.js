// A map on which a place is chosen: a tap, or the pin dragged, sets the two numbers beside it, and the numbers move the pin.
// The numbers alone are what is sent. Where there is no map to draw with, they are typed.
const box = document.getElementById("pin");
const [latitude, longitude] = ["lat", "lon"].map((id) => document.getElementById(id));
const here = document.getElementById("pin-here");
const alarm = document.getElementById("instruct-alert");
let json, style, world;

const chosen = () => {
  const [lat, lon] = [latitude, longitude].map((field) => field.value.trim() === "" ? NaN : Number(field.value));
  return Math.abs(lat) <= 90 && Math.abs(lon) <= 180 ? [lon, lat] : null;
};

function set([lon, lat]) {
  latitude.value = lat.toFixed(6);
  longitude.value = lon.toFixed(6);
  latitude.dispatchEvent(new Event("input", { bubbles: true }));
}

// Where the network's devices stand, because a new one mostly stands among them; some continent where there is none.
function around({ features }) {
  const corners = features.flatMap(({ geometry }) => geometry.coordinates[0]);
  if (!corners.length) return { center: [10, 50], zoom: 3 };
  const ends = (axis, end) => corners.map((corner) => corner[axis]).reduce((one, other) => Math[end](one, other));
  return {
    bounds: [[ends(0, "min"), ends(1, "min")], [ends(0, "max"), ends(1, "max")]],
    fitBoundsOptions: { padding: 20, maxZoom: 13 },
  };
}

async function look() {
  const [{ land, borders }, cells] = await Promise.all([world(box.dataset.basemap), json(box.dataset.cells)]);
  const line = { "line-color": style("--border"), "line-width": 1 };
  return {
    version: 8,
    sources: {
      land: { type: "geojson", data: land, attribution: "Natural Earth" },
      borders: { type: "geojson", data: borders },
      cells: { type: "geojson", data: cells },
    },
    layers: [
      { id: "sea", type: "background", paint: { "background-color": style("--sea") } },
      { id: "land", type: "fill", source: "land", paint: { "fill-color": style("--land") } },
      { id: "coast", type: "line", source: "land", paint: line },
      { id: "borders", type: "line", source: "borders", paint: line },
      { id: "cells", type: "line", source: "cells", paint: { "line-color": style("--accent"), "line-width": 1.5 } },
    ],
  };
}

async function start() {
  ({ json, style, world } = await import(box.dataset.ground));
  const maplibre = await import(box.dataset.library);
  maplibre.setWorkerUrl(box.dataset.worker);
  const drawn = await look();
  box.hidden = false;
  const map = new maplibre.Map({
    container: box,
    style: drawn,
    ...(chosen() ? { center: chosen(), zoom: 13 } : around(drawn.sources.cells.data)),
    cooperativeGestures: true,
    dragRotate: false,
    attributionControl: { compact: false },
  });
  map.addControl(new maplibre.NavigationControl({ showCompass: false }), "top-right");
  map.getCanvas().setAttribute("aria-label", "Map to choose a place on; the two numbers beside it say the same");
  const pin = new maplibre.Marker({ draggable: true });
  const place = (at) => pin.setLngLat(at).addTo(map);
  if (chosen()) place(chosen());
  map.on("click", ({ lngLat }) => { place(lngLat); set(lngLat.toArray()); });
  pin.on("dragend", () => set(pin.getLngLat().toArray()));
  for (const field of [latitude, longitude]) {
    field.addEventListener("change", () => {
      if (!chosen()) return;
      place(chosen());
      map.easeTo({ center: chosen(), zoom: Math.max(map.getZoom(), 12) });
    });
  }
}

if (here && navigator.geolocation) {
  here.hidden = false;
  here.addEventListener("click", () => navigator.geolocation.getCurrentPosition(
    ({ coords }) => {
      set([coords.longitude, coords.latitude]);
      latitude.dispatchEvent(new Event("change"));
    },
    ({ message }) => {
      alarm.textContent = "This browser does not say where it is: " + message;
      alarm.hidden = false;
    },
    { enableHighAccuracy: true }));
}
if (box?.dataset.library && document.createElement("canvas").getContext("webgl2")) {
  start().catch((error) => {
    box.hidden = true;
    console.warn("The place is typed: " + error.message);
  });
}
