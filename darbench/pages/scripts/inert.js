// What pages/inert.py packed, unpacked: gzip in base 85, in an inert script element.
const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" +
  "!#$%/()*+-;,=.?@^_`{|}~";

const unpack = async (id) => (await unpacked(id)).text();

// float64, written as the first bytes of all numbers, then the second ones, and so on.
async function unpackNumbers(id) {
  const planes = new Uint8Array(await (await unpacked(id)).arrayBuffer());
  const bytes = new Uint8Array(planes.length), n = planes.length / 8;
  for (let at = 0; at < planes.length; at++) bytes[(at % n) * 8 + Math.floor(at / n)] = planes[at];
  return new Float64Array(bytes.buffer);
}

// Inert elements stand after this script: who asks before the page is there waits for it.
const pageIsThere = new Promise((there) => addEventListener("DOMContentLoaded", there));

async function unpacked(id) {
  await pageIsThere;
  const bytes = bytesOf(document.getElementById(id).textContent);
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
}

// Five digits are four bytes; the last digits that are missing would be the highest.
function bytesOf(text) {
  const values = new Uint8Array(128), padded = text.padEnd(Math.ceil(text.length / 5) * 5, "~");
  [...DIGITS].forEach((digit, value) => { values[digit.charCodeAt(0)] = value; });
  const view = new DataView(new ArrayBuffer((padded.length / 5) * 4));
  for (let at = 0; at < padded.length; at += 5) {
    let word = 0;
    for (let i = at; i < at + 5; i++) word = word * 85 + values[padded.charCodeAt(i)];
    view.setUint32((at / 5) * 4, word);
  }
  return new Uint8Array(view.buffer, 0, Math.floor((text.length * 4) / 5));
}
