// What both maps stand on: the coasts and borders of the world, and the page's own colours.
export const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export const feature = (type, coordinates) => ({ type: "Feature", properties: {}, geometry: { type, coordinates } });

export async function json(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(response.statusText);
  return response.json();
}

// Rings of differences in thousandths of a degree, as dashboard/basemap.mjs packs them.
function unpacked(line) {
  const points = [];
  for (let at = 0, x = 0, y = 0; at < line.length; at += 2) {
    x += line[at];
    y += line[at + 1];
    points.push([x / 1000, y / 1000]);
  }
  return points;
}

export async function world(basemap) {
  const { land, borders } = await json(basemap);
  return {
    land: feature("MultiPolygon", land.map((polygon) => polygon.map(unpacked))),
    borders: feature("MultiLineString", borders.map(unpacked)),
  };
}
