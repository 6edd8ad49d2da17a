// Prepares what the pages use of others, from packages that npm has put in place: `node vendor.mjs PACKAGES OUT`.
//
// Each file is written twice, as gzip and as brotli, because it is read far more often than made. The basemap is
// Natural Earth's land and borders (public domain), cut so that a plane can show it. The licences of everything that
// is shipped stand in one text.
import { brotliCompressSync, gzipSync, constants } from "node:zlib";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { basemap } from "./basemap.mjs";

const [packages, out] = process.argv.slice(2);
if (!packages || !out) throw new Error("say where the packages are, and where the files go");
const read = (path) => readFileSync(join(packages, path), "utf8");
const withoutMap = (source) => source.replace(/\n?(\/\/# |\/\*# )sourceMappingURL=.*\n?$/, "\n");
const script = (...paths) => paths.map((path) => withoutMap(read(path))).join(";\n");

const { feature, mesh } = createRequire(join(packages, "package.json"))("topojson-client");
const atlas = (name) => JSON.parse(read(`world-atlas/${name}.json`));

const files = {
  "htmx.js": script("htmx.org/dist/htmx.min.js", "htmx.org/dist/ext/hx-sse.min.js"),
  "uplot.js": script("uplot/dist/uPlot.iife.min.js"),
  "uplot.css": withoutMap(read("uplot/dist/uPlot.min.css")),
  "maplibre-gl.js": script("maplibre-gl/dist/maplibre-gl.mjs"),
  "maplibre-gl-worker.js": script("maplibre-gl/dist/maplibre-gl-worker.mjs"),
  "maplibre-gl.css": withoutMap(read("maplibre-gl/dist/maplibre-gl.css")),
  "pmtiles.js": script("pmtiles/dist/pmtiles.js"),
  "basemap.json": JSON.stringify(basemap(feature, mesh, atlas("land-10m"), atlas("countries-50m"))),
  "licences.txt": licences(["htmx.org", "uplot", "maplibre-gl", "pmtiles", "world-atlas"]),
};

// The text of a package's licence, wherever it keeps it.
function licenceText(name) {
  const directory = join(packages, name);
  const file = readdirSync(directory).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
  return file ? read(join(name, file)).trim() : "";
}

// The named packages and all that they bring along.
function licences(names) {
  const seen = new Set();
  const sections = [];
  const visit = (name) => {
    if (seen.has(name) || name.startsWith("@types/") || !existsSync(join(packages, name))) return;
    seen.add(name);
    const about = JSON.parse(read(join(name, "package.json")));
    const text = licenceText(name) || "(The package has no text of its own; its name for the licence stands above.)";
    sections.push(`${name} ${about.version}\nLicence: ${about.license}\n\n${text}\n`);
    Object.keys(about.dependencies ?? {}).sort().forEach(visit);
  };
  names.forEach(visit);
  const rule = "\n" + "-".repeat(78) + "\n\n";
  const opening = "These pages use the following libraries and data of others, unaltered but for their packing.\n"
    + "The basemap is Natural Earth (naturalearthdata.com), which is in the public domain.\n";
  return [opening, ...sections].join(rule);
}

mkdirSync(out, { recursive: true });
// The browser's module is not npm's: another task puts it there.
const kept = [".gitignore", "browser.wasm"];
for (const old of readdirSync(out)) if (!kept.includes(old)) rmSync(join(out, old), { recursive: true });
for (const [name, content] of Object.entries(files)) {
  const bytes = Buffer.from(content);
  const brotli = { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } };
  const packed = { gz: gzipSync(bytes, { level: 9 }), br: brotliCompressSync(bytes, brotli) };
  for (const [ending, data] of Object.entries(packed)) writeFileSync(join(out, `${name}.${ending}`), data);
  console.log(`${name}: ${bytes.length} bytes, gzip ${packed.gz.length}, brotli ${packed.br.length}`);
}
