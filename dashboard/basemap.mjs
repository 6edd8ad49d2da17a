// Land and borders of the world as a plane can show them, small: rings of whole thousandths of a degree, each number
// the difference from the one before.
//
// The atlas is made for a globe: its rings go across the 180th meridian and around the pole. Drawn on a plane as they
// are, they cover seas with land from one edge to the other. So a ring is first unrolled (its longitudes may leave the
// world by up to one turn, which map libraries wrap by themselves), and one that goes around a pole is closed over it.

// Half a kilometre: a street map this is not, and finer lines would only cost bytes.
const TOLERANCE_DEGREES = 0.005;
const PLACES = 1000;

export function basemap(feature, mesh, land, countries) {
  const polygons = feature(land, land.objects.land).features.flatMap(({ geometry }) =>
    geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates);
  const borders = mesh(countries, countries.objects.countries, (one, other) => one !== other).coordinates;
  return {
    land: polygons.map((polygon) => polygon.map(plane).filter((ring) => ring.length > 3).map(packed))
      .filter((polygon) => polygon.length),
    borders: borders.map((line) => simplified(unrolled(line))).map(packed),
  };
}

export function plane(ring) {
  return simplified(closedOverThePole(unrolled(ring)));
}

function unrolled(line) {
  let turn = 0;
  return line.map(([longitude, latitude], at) => {
    const step = at && longitude - line[at - 1][0];
    if (step > 180) turn -= 360;
    if (step < -180) turn += 360;
    return [longitude + turn, latitude];
  });
}

function closedOverThePole(ring) {
  const [first, last] = [ring[0], ring[ring.length - 1]];
  if (Math.abs(last[0] - first[0]) < 180) return ring;
  const pole = first[1] < 0 ? -90 : 90;
  return [...ring, [last[0], pole], [first[0], pole], first];
}

// Douglas and Peucker, without recursion: a point stays if leaving it out would move the line by the tolerance.
function simplified(line) {
  const kept = new Uint8Array(line.length);
  kept[0] = kept[line.length - 1] = 1;
  const spans = [[0, line.length - 1]];
  while (spans.length) {
    const [from, to] = spans.pop();
    const narrow = Math.cos(((line[from][1] + line[to][1]) / 2) * Math.PI / 180);
    const across = (line[to][0] - line[from][0]) * narrow, up = line[to][1] - line[from][1];
    const length = across * across + up * up;
    let farthest = TOLERANCE_DEGREES ** 2, at = 0;
    for (let i = from + 1; i < to; i++) {
      const x = (line[i][0] - line[from][0]) * narrow, y = line[i][1] - line[from][1];
      const along = length ? Math.max(0, Math.min(1, (x * across + y * up) / length)) : 0;
      const distance = (x - along * across) ** 2 + (y - along * up) ** 2;
      if (distance > farthest) [farthest, at] = [distance, i];
    }
    if (at) {
      kept[at] = 1;
      spans.push([from, at], [at, to]);
    }
  }
  return line.filter((_, at) => kept[at]);
}

function packed(line) {
  let [x, y] = [0, 0];
  return line.flatMap(([longitude, latitude]) => {
    const [east, north] = [Math.round(longitude * PLACES), Math.round(latitude * PLACES)];
    const step = [east - x, north - y];
    [x, y] = [east, north];
    return step;
  });
}
