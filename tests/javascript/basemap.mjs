// Looks at the basemap as a plane map draws it: `node basemap.mjs PACKAGES` prints one line of JSON, naming every place
// that is sea and is drawn as land, or the other way round.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { basemap } from "../../dashboard/basemap.mjs";

const [packages] = process.argv.slice(2);
const { feature, mesh } = createRequire(join(packages, "package.json"))("topojson-client");
const atlas = (name) => JSON.parse(readFileSync(join(packages, `world-atlas/${name}.json`), "utf8"));
const { land } = basemap(feature, mesh, atlas("land-10m"), atlas("countries-50m"));

const unpacked = (line) => {
  const points = [];
  for (let at = 0, x = 0, y = 0; at < line.length; at += 2) points.push([(x += line[at]) / 1000, (y += line[at + 1]) / 1000]);
  return points;
};
const rings = land.flat().map(unpacked);

// By the even-odd rule, in the world and in its copies to the left and right, as map libraries wrap them.
const crossings = (x, y) => rings.reduce((count, ring) => count + ring.filter(([x1, y1], at) => {
  const [x2, y2] = ring[(at + 1) % ring.length];
  return (y1 > y) !== (y2 > y) && x < x1 + (y - y1) / (y2 - y1) * (x2 - x1);
}).length, 0);
const isLand = (x, y) => [-360, 0, 360].some((turn) => crossings(x + turn, y) % 2 === 1);

const places = [
  // On the latitudes of rings that cross the 180th meridian: Russia's, Fiji's, Antarctica's.
  [0, 68, false], [-30, 66, false], [-160, 71.5, false], [-30, -16.5, false], [-120, -16.5, false], [60, -16.5, false],
  [0, -60, false], [-150, 30, false], [-30, 50, false], [3, 56, false], [-1.5, 57.15, false],
  [179.5, 68, true], [-178, 66.5, true], [-175, 67, true], [178, -17.8, true], [0, -80, true], [170, -85, true], [-179, -86, true],
  [-2.6, 57.15, true], [13.4, 52.5, true], [-100, 40, true], [135, -25, true],
];
const wrong = places.filter(([x, y, expected]) => isLand(x, y) !== expected);
const jumps = rings.filter((ring) => ring.some(([x], at) => at && ring[at - 1][1] > -90 && Math.abs(x - ring[at - 1][0]) > 180));
console.log(JSON.stringify({ rings: rings.length, jumps: jumps.length, wrong }));
