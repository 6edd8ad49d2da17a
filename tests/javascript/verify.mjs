// Verifies proofs with the browser's module as a page would: instantiated without imports, called without glue.
//
//     node verify.mjs MODULE GENESIS PROOF…     prints one line of JSON for each proof

import { readFile } from "node:fs/promises";

const [moduleFile, genesisFile, ...proofFiles] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(await readFile(moduleFile), {});
const { memory, input, input_bytes_max, output, verify } = instance.exports;
const genesis = await readFile(genesisFile);

for (const file of proofFiles) {
    const proof = await readFile(file);
    if (genesis.length + proof.length > input_bytes_max()) throw new Error(`${file} is too long`);
    const place = new Uint8Array(memory.buffer, input(), genesis.length + proof.length);
    place.set(genesis, 0);
    place.set(proof, genesis.length);
    const length = verify(genesis.length, proof.length);
    // Looked up after the call, because the memory may have grown in it.
    const answer = new Uint8Array(memory.buffer, output(), length);
    console.log(JSON.stringify(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(answer))));
}
