// Asks the browser's module as a page would: instantiated without imports, called without glue.
//
//     node ask.mjs MODULE GENESIS PROOF…     prints the steps of each proof, one line of JSON each

import { readFile } from "node:fs/promises";

const [moduleFile, genesisFile, ...proofFiles] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(await readFile(moduleFile), {});
const { memory, input, output, ask } = instance.exports;
const genesis = await readFile(genesisFile, "utf8");

for (const file of proofFiles) {
    const request = new TextEncoder().encode(JSON.stringify({ ask: "steps", genesis, proof: await readFile(file, "utf8") }));
    new Uint8Array(memory.buffer, input(), request.length).set(request);
    const length = ask(request.length);
    console.log(new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(memory.buffer, output(), length)));
}
