"use strict";
// The same checks as verify.py, in the same order and in the same words; each part here has its twin there.
(() => {
const OK = 0, BROKEN = 1, TRUNCATED = 2, BAD_SIGNATURE = 3;
const VERDICTS = ["holds", "broken", "truncated or forked", "bad signature"];
const ZERO = "0".repeat(64);
const CHUNK = 1 << 20, LONGEST_LINE = 1 << 26, LARGEST_SMALL_FILE = 1 << 28, MOST_SHOWN = 20;

class Fault extends Error {}

// Bytes and text ----------------------------------------------------------------------------------------------------

const strictly = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const loosely = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();
const bytesOf = (text) => encoder.encode(text);
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

function hex(bytes) {
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
}

// One character a byte, also above 127, where TextDecoder's latin1 would be Windows-1252.
function binary(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return text;
}

const unbinary = (text) => Uint8Array.from(text, (character) => character.charCodeAt(0));

function joined(pieces) {
  const whole = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0));
  let at = 0;
  for (const piece of pieces) { whole.set(piece, at); at += piece.length; }
  return whole;
}

function stands(bytes, at, text) {
  for (let index = 0; index < text.length; index++) if (bytes[at + index] !== text.charCodeAt(index)) return false;
  return true;
}

const inByteOrder = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

// The bytes, where the text is the one way to write them.
function strictBase64(text) {
  if (typeof text !== "string") return null;
  try {
    const raw = atob(text);
    return btoa(raw) === text ? unbinary(raw) : null;
  } catch {
    return null;
  }
}

// SHA-256 (FIPS 180-4). Millions of short messages: a promise for each would cost more than the hash. ---------------

const K = new Int32Array(64), START = new Int32Array(8), W = new Int32Array(64);
(() => {
  const fraction = (number) => ((number - Math.floor(number)) * 0x100000000) | 0;
  let found = 0;
  for (let candidate = 2; found < 64; candidate++) {
    let prime = true;
    for (let divisor = 2; divisor * divisor <= candidate; divisor++) if (candidate % divisor === 0) prime = false;
    if (!prime) continue;
    if (found < 8) START[found] = fraction(Math.sqrt(candidate));
    K[found++] = fraction(Math.cbrt(candidate));
  }
})();

class Sha256 {
  constructor() {
    this.state = START.slice();
    this.rest = new Uint8Array(64);
    this.held = 0;
    this.length = 0;
  }

  update(bytes) {
    this.length += bytes.length;
    let at = 0;
    if (this.held) {
      at = Math.min(64 - this.held, bytes.length);
      this.rest.set(bytes.subarray(0, at), this.held);
      this.held += at;
      if (this.held < 64) return this;
      this.block(this.rest, 0);
      this.held = 0;
    }
    for (; at + 64 <= bytes.length; at += 64) this.block(bytes, at);
    this.rest.set(bytes.subarray(at), 0);
    this.held = bytes.length - at;
    return this;
  }

  digest() {
    const bits = this.length * 8, end = this.held < 56 ? 64 : 128, tail = new Uint8Array(end);
    tail.set(this.rest.subarray(0, this.held));
    tail[this.held] = 0x80;
    const view = new DataView(tail.buffer);
    view.setUint32(end - 8, Math.floor(bits / 0x100000000));
    view.setUint32(end - 4, bits >>> 0);
    for (let at = 0; at < end; at += 64) this.block(tail, at);
    const found = new Uint8Array(32), words = new DataView(found.buffer);
    this.state.forEach((word, index) => words.setInt32(index * 4, word));
    return found;
  }

  block(bytes, at) {
    for (let i = 0; i < 16; i++, at += 4) {
      W[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
    }
    for (let i = 16; i < 64; i++) {
      const x = W[i - 15], y = W[i - 2];
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      W[i] = (W[i - 16] + s0 + W[i - 7] + s1) | 0;
    }
    const state = this.state;
    let a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i] + W[i]) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + t1) | 0; d = c; c = b; b = a; a = (t1 + t2) | 0;
    }
    state[0] += a; state[1] += b; state[2] += c; state[3] += d;
    state[4] += e; state[5] += f; state[6] += g; state[7] += h;
  }
}

const sha256 = (...pieces) => pieces.reduce((hasher, piece) => hasher.update(piece), new Sha256()).digest();

// Ed25519 (RFC 8032), strict: only s < L, only canonical points, no key of small order ------------------------------

const P = 2n ** 255n - 19n, L = 2n ** 252n + 27742317777372353535851937790883648493n;
const mod = (number) => { const rest = number % P; return rest < 0n ? rest + P : rest; };

function power(base, exponent) {
  let found = 1n;
  for (base = mod(base); exponent; exponent >>= 1n) {
    if (exponent & 1n) found = found * base % P;
    base = base * base % P;
  }
  return found;
}

const D = mod(-121665n * power(121666n, P - 2n)), ROOT = power(2n, (P - 1n) / 4n), NEUTRAL = [0n, 1n, 1n, 0n];

function little(bytes) {
  let text = "0x";
  for (let at = bytes.length - 1; at >= 0; at--) text += HEX[bytes[at]];
  return BigInt(text);
}

function sum(a, b) {
  const low = mod((a[1] - a[0]) * (b[1] - b[0])), high = mod((a[1] + a[0]) * (b[1] + b[0]));
  const t = mod(2n * a[3] * b[3] % P * D), z = mod(2n * a[2] * b[2]);
  const e = high - low, f = z - t, g = z + t, h = high + low;
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
}

function point(encoded) {
  const whole = little(encoded), sign = whole >> 255n, y = whole & ((1n << 255n) - 1n);
  if (y >= P) return null;
  const u = mod(y * y - 1n), v = mod(D * y * y + 1n);
  let x = u * power(v, 3n) % P * power(u * power(v, 7n), (P - 5n) / 8n) % P;
  if (mod(v * x * x - u)) x = x * ROOT % P;
  if (mod(v * x * x - u) || (x === 0n && sign)) return null;
  if ((x & 1n) !== sign) x = P - x;
  return [x, y, 1n, x * y % P];
}

function pressed(found) {
  const inverse = power(found[2], P - 2n), x = found[0] * inverse % P, y = found[1] * inverse % P;
  const bytes = new Uint8Array(32);
  for (let at = 0, rest = y | ((x & 1n) << 255n); at < 32; at++, rest >>= 8n) bytes[at] = Number(rest & 255n);
  return bytes;
}

function isSmall(found) {
  for (let turn = 0; turn < 3; turn++) found = sum(found, found);
  return found[0] === 0n && found[1] === found[2];
}

function littleOf(number) {
  const bytes = new Uint8Array(32);
  for (let at = 0; at < 32; at++, number >>= 8n) bytes[at] = Number(number & 255n);
  return bytes;
}

const BASE = point(littleOf(4n * power(5n, P - 2n) % P));
const known = new Map();

async function ed25519Holds(publicKey, message, signature) {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  const name = hex(publicKey);
  if (!known.has(name)) known.set(name, point(publicKey));
  const key = known.get(name), s = little(signature.subarray(32));
  if (!key || isSmall(key) || s >= L) return false;
  try {
    const ready = await crypto.subtle.importKey("raw", publicKey, { name: "Ed25519" }, false, ["verify"]);
    return await crypto.subtle.verify("Ed25519", ready, signature, message);
  } catch {
    return slowly(publicKey, key, s, message, signature); // this browser has no Ed25519 of its own
  }
}

async function slowly(publicKey, key, s, message, signature) {
  const hashed = await crypto.subtle.digest("SHA-512", joined([signature.subarray(0, 32), publicKey, message]));
  const k = little(new Uint8Array(hashed)) % L, minus = [P - key[0], key[1], 1n, P - key[3]];
  const steps = [NEUTRAL, BASE, minus, sum(BASE, minus)];
  let found = NEUTRAL;
  for (let bit = 252n; bit >= 0n; bit--) {
    found = sum(found, found);
    const step = Number(((s >> bit) & 1n) | (((k >> bit) & 1n) << 1n));
    if (step) found = sum(found, steps[step]);
  }
  return hex(pressed(found)) === hex(signature.subarray(0, 32));
}

// Merkle tree (RFC 6962), known by the roots of its complete subtrees -----------------------------------------------

const LEAF = Uint8Array.of(0), NODE = Uint8Array.of(1);

class Tree {
  constructor() {
    this.size = 0;
    this.frontier = [];
  }

  append(leaf) {
    let current = sha256(LEAF, leaf);
    for (let complete = this.size; complete % 2; complete = (complete - 1) / 2) {
      current = sha256(NODE, this.frontier.pop(), current);
    }
    this.frontier.push(current);
    this.size++;
  }

  root() {
    return hex(this.frontier.length ? this.frontier.reduceRight((right, left) => sha256(NODE, left, right)) : sha256());
  }
}

// Keys, signed notes and checkpoints (c2sp.org/signed-note, c2sp.org/tlog-checkpoint) -------------------------------

const SIGNED_BY = "\u2014 ", NAME = /^[!-*,-~]{1,200}$/;

class Key {
  constructor(name, raw) {
    this.name = name;
    this.public = raw;
    this.id = hex(sha256(bytesOf(`${name}\n\x01`), raw).subarray(0, 4));
  }

  toString() {
    return `${this.name}+${this.id}`;
  }
}

function cut(text, mark) {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + mark.length)];
}

function readKey(text) {
  const [name, rest] = cut(text, "+"), [hashed, encoded] = cut(rest, "+");
  const raw = strictBase64(encoded);
  if (!raw || raw.length !== 33 || raw[0] !== 1 || !NAME.test(name)) {
    throw new Fault("This is no verifier key for Ed25519: it has the form name+hash+key.");
  }
  const found = new Key(name, raw.subarray(1));
  if (hashed !== found.id) throw new Fault("This verifier key is damaged: its hash is not its own.");
  return found;
}

async function opened(note, keys) {
  const [text, signatures] = parts(note);
  const trusted = new Map(keys.map((key) => [String(key), key]));
  const found = signatures.map(([name, raw]) => [trusted.get(`${name}+${hex(raw.subarray(0, 4))}`), raw.subarray(4)]);
  const ours = found.filter(([key]) => key);
  if (!ours.length) {
    const names = [...new Set(signatures.map(([name]) => name))].sort(inByteOrder).join(", ");
    throw new Fault(`The note is signed by ${names}, by no key that is trusted here.`);
  }
  for (const [key, signature] of ours) {
    if (!(await ed25519Holds(key.public, bytesOf(text), signature))) {
      throw new Fault(`The signature of ${key.name} does not fit the note: it was changed, or forged.`);
    }
  }
  return [text, ours[0][0]];
}

function parts(note) {
  const at = note.lastIndexOf("\n\n"), rest = note.slice(at + 2);
  if (note.length > 1000000 || /[\x00-\x09\x0b-\x1f]/.test(note) || at < 0 || !rest.endsWith("\n")) {
    throw new Fault("This is no signed note: text, a blank line and signatures are expected.");
  }
  return [note.slice(0, at + 1), rest.slice(0, -1).split("\n").map(signatureOf)];
}

function signatureOf(line) {
  const [name, encoded] = cut(line.slice(SIGNED_BY.length), " ");
  const raw = strictBase64(encoded);
  if (!line.startsWith(SIGNED_BY) || !NAME.test(name) || !raw || raw.length < 5) {
    throw new Fault("A signature line of the note is malformed.");
  }
  return [name, raw];
}

function readCheckpoint(text) {
  const [origin, size, root, ...others] = [...text.split("\n"), "", ""];
  const raw = strictBase64(root);
  if (!origin || !/^(?:0|[1-9][0-9]{0,14})$/.test(size) || !raw || raw.length !== 32) {
    throw new Fault("This note is no checkpoint: origin, size and root are expected.");
  }
  const head = others.find((line) => line.startsWith("head "));
  const chain = origin.slice(origin.lastIndexOf("/") + 1);
  return { chain, size: Number(size), root: hex(raw), head: head ? head.slice(5) : "" };
}

// The text of a checkpoint in what people keep: the note, or a mail with checkpoint.txt.
function noteIn(content) {
  let found = content;
  if (`\n${binary(content.subarray(0, 65536)).toLowerCase()}`.includes("\ncontent-type:")) {
    found = attached(binary(content).replaceAll("\r\n", "\n"), 0) || content;
  }
  return loosely.decode(found).replaceAll("\r\n", "\n");
}

// The bytes of checkpoint.txt in a mail (RFC 2045), or null.
function attached(message, depth) {
  const [top, body] = cut(message, "\n\n");
  const lines = top.replace(/\n[ \t]+/g, " ").split("\n").map((line) => cut(line, ":"));
  const headers = new Map(lines.map(([name, value]) => [name.toLowerCase(), value.trim()]));
  const kind = headers.get("content-type") || "text/plain";
  const name = parameter(headers.get("content-disposition") || "", "filename") || parameter(kind, "name");
  if (name === "checkpoint.txt") {
    return decoded(body, (headers.get("content-transfer-encoding") || "").toLowerCase());
  }
  if (depth > 8) return null;
  if (/^message\/rfc822/i.test(kind)) return attached(body, depth + 1);
  const boundary = /^multipart\//i.test(kind) ? parameter(kind, "boundary") : "";
  for (const part of boundary ? partsOf(body, boundary) : []) {
    const found = attached(part, depth + 1);
    if (found) return found;
  }
  return null;
}

function partsOf(body, boundary) {
  const found = [];
  let lines = null;
  for (const line of body.split("\n")) {
    const trimmed = line.trimEnd();
    if (trimmed === `--${boundary}` || trimmed === `--${boundary}--`) {
      if (lines) found.push(lines.join("\n"));
      lines = trimmed.endsWith("--") && trimmed !== `--${boundary}` ? null : [];
    } else if (lines) lines.push(line);
  }
  return found;
}

function parameter(header, name) {
  const found = new RegExp(`;\\s*${name}\\s*=\\s*(?:"([^"]*)"|([^;\\s]+))`, "i").exec(header);
  return found ? found[1] ?? found[2] : "";
}

function decoded(body, encoding) {
  if (encoding === "base64") {
    try { return unbinary(atob(body.replace(/[^A-Za-z0-9+/=]/g, ""))); } catch { return null; }
  }
  if (encoding === "quoted-printable") {
    const soft = body.replace(/[ \t]+$/gm, "").replace(/=\n/g, "");
    return unbinary(soft.replace(/=([0-9A-Fa-f]{2})/g, (_, code) => String.fromCharCode(parseInt(code, 16))));
  }
  return unbinary(body);
}

function envelopeBytes(kind, payload) {
  return joined([bytesOf(`DSSEv1 ${bytesOf(kind).length} ${kind} ${payload.length} `), payload]);
}

// JSON in the one form that the bundle writes -----------------------------------------------------------------------

const DEEPEST = 20;
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const isCount = (value) => Number.isSafeInteger(value) && value >= 0;
const isText = (value, pattern) => typeof value === "string" && pattern.test(value);
const hasKeys = (value, names) => isObject(value) && Object.keys(value).sort(inByteOrder).join() === names;

function byCodePoint(a, b) {
  const left = [...a], right = [...b];
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    if (left[at] !== right[at]) return left[at].codePointAt(0) - right[at].codePointAt(0);
  }
  return left.length - right.length;
}

// Keys stand in the order of their code points, which is not that of a browser where a key holds a pair of surrogates.
let order = inByteOrder;

function keysOf(value) {
  const keys = Object.keys(value);
  for (let at = 1; at < keys.length; at++) if (order(keys[at - 1], keys[at]) > 0) return keys.sort(order);
  return keys;
}

function scalar(value) {
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw new Fault("");
    return String(value);
  }
  return JSON.stringify(value);
}

function compact(value, depth = 0) {
  if (depth > DEEPEST) throw new Fault("");
  if (typeof value !== "object" || value === null) return scalar(value);
  if (Array.isArray(value)) {
    let text = "";
    for (const item of value) text += (text ? "," : "") + compact(item, depth + 1);
    return `[${text}]`;
  }
  let text = "";
  for (const key of keysOf(value)) text += `${text ? "," : ""}${JSON.stringify(key)}:${compact(value[key], depth + 1)}`;
  return `{${text}}`;
}

function indented(value, depth = 0) {
  if (depth > DEEPEST) throw new Fault("");
  if (typeof value !== "object" || value === null) return scalar(value);
  const inner = `\n${"  ".repeat(depth + 1)}`, outer = `\n${"  ".repeat(depth)}`;
  const items = Array.isArray(value)
    ? value.map((item) => indented(item, depth + 1))
    : keysOf(value).map((key) => `${JSON.stringify(key)}: ${indented(value[key], depth + 1)}`);
  const [begin, end] = Array.isArray(value) ? "[]" : "{}";
  return items.length ? begin + inner + items.join(`,${inner}`) + outer + end : begin + end;
}

// Half of a surrogate pair can be written in JSON and is no text.
const isBroken = (text) => text.includes("\\ud") && /(?:^|[^\\])(?:\\\\)*\\ud[89a-f]/.test(text);

function parsed(content, write = compact) {
  let text, value;
  try {
    text = strictly.decode(content);
    value = JSON.parse(text);
  } catch {
    throw new Fault("This is not JSON as a bundle writes it.");
  }
  order = /[\ud800-\udfff]/.test(text) ? byCodePoint : inByteOrder;
  if (isBroken(text) || write(value) !== text) throw new Fault("This is not JSON as a bundle writes it.");
  return value;
}

function document_(content) {
  if (content[content.length - 1] !== 10) throw new Fault("This is not JSON as a bundle writes it.");
  return parsed(content.subarray(0, -1), indented);
}

// The log -----------------------------------------------------------------------------------------------------------

const ENTRY = bytesOf("lastgood-entry-v1\n");
const AT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;
const LINE = /^\{"at":"[^"]*","entry":[^]*,"hash":"[0-9a-f]{64}","prev":"([0-9a-f]{64})","seq":([1-9][0-9]{0,14})\}$/;

const isEntry = (value) =>
  hasKeys(value, "actor,body,chain,commits,kind,v") && value.v === 1 && typeof value.chain === "string" &&
  typeof value.kind === "string" && isObject(value.body) && Array.isArray(value.commits);

class Log {
  constructor(sizes = []) {
    this.count = 0;
    this.chain = "";
    this.fault = "";
    this.head = ZERO;
    this.at = "";
    this.tree = new Tree();
    this.heads = new Map([[0, ZERO]]);
    this.roots = new Map([[0, this.tree.root()]]);
    this.sizes = new Set(sizes);
  }

  get brokenAt() {
    return this.fault ? this.count + 1 : null;
  }

  // Returns whether to go on.
  take(line, seen) {
    try {
      const entry = this.next(line);
      if (seen) seen(this.count, entry);
      return true;
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault;
      this.fault = fault.message;
      return false;
    }
  }

  next(line) {
    const seq = this.count + 1, before = this.head, tail = `","prev":"${before}","seq":${seq}}`;
    const end = line.length - tail.length;
    const opened = end >= 118 && stands(line, 0, '{"at":"') && stands(line, 34, '","entry":');
    const framed = opened && stands(line, end - 73, ',"hash":"') && stands(line, end, tail);
    if (!framed) throw new Fault(this.misplaced(line, seq));
    const at = binary(line.subarray(7, 34)), content = line.subarray(44, end - 73);
    const digest = hex(sha256(ENTRY, content));
    const link = sha256(unbinary(`lastgood-link-v1\n${seq}\n${at}\n${before}\n${digest}`)), head = hex(link);
    if (!stands(line, end - 64, head)) throw new Fault(`Entry ${seq} was changed after it was written.`);
    const entry = this.content(seq, at, content);
    this.count = seq;
    this.head = head;
    this.at = at;
    this.tree.append(link);
    if (this.sizes.has(seq)) {
      this.heads.set(seq, head);
      this.roots.set(seq, this.tree.root());
    }
    return entry;
  }

  misplaced(line, seq) {
    const found = LINE.exec(binary(line));
    if (!found) return `Entry ${seq} is not written as the log writes it.`;
    if (Number(found[2]) !== seq) return `Entry ${seq} is missing: the next one found is ${Number(found[2])}.`;
    if (found[1] !== this.head) return `Entry ${seq} does not follow the one before it.`;
    return `Entry ${seq} is not written as the log writes it.`;
  }

  content(seq, at, content) {
    let entry = null;
    try { entry = parsed(content); } catch (fault) { if (!(fault instanceof Fault)) throw fault; }
    if (!isEntry(entry) || !AT.test(at)) throw new Fault(`Entry ${seq} is not written as the log writes it.`);
    if (at < this.at) throw new Fault(`Entry ${seq} is earlier than the one before it.`);
    if (entry.chain !== this.chain) {
      if (this.chain) throw new Fault(`Entry ${seq} belongs to another log.`);
      this.chain = entry.chain;
    }
    return entry;
  }
}

const were = (count, last) => (last === count + 1 ? `Entry ${last} was` : `Entries ${count + 1} to ${last} were`);

function compared(log, said) {
  if (said.chain !== log.chain && log.count) {
    return ["elsewhere", `This checkpoint speaks of another log, ${shown(said.chain)}.`];
  }
  if (said.size > log.count) {
    if (log.fault) return ["cut", `Entry ${said.size} was signed, and the log holds only up to ${log.count}.`];
    return ["cut", `${were(log.count, said.size)} cut off: ${said.size} entries were signed, ${log.count} are there.`];
  }
  if (log.roots.get(said.size) !== said.root || (said.head && log.heads.get(said.size) !== said.head)) {
    return ["rewritten", `Entries 1 to ${said.size} are not those that were signed.`];
  }
  const added = log.count - said.size;
  const since = added ? `${added} ${added === 1 ? "was" : "were"} added since` : "nothing was added since";
  return ["holds", `${begun(said.size)}; ${since}.`];
}

const begun = (size) => (size === 1 ? "Entry 1 is as it was signed" : `Entries 1 to ${size} are as they were signed`);
const rewritten = (held, size) => `${begun(held)}; ${were(held, size).toLowerCase()} rewritten.`;
const shown = (text) => (/^[ -~]{1,200}$/.test(text) ? text : "of a strange name");

// Where a bundle lies -----------------------------------------------------------------------------------------------

const PATH = /^[A-Za-z0-9_-][A-Za-z0-9._-]*(?:\/[A-Za-z0-9_-][A-Za-z0-9._-]*){0,3}$/;
const DAMAGED = "This is no bundle: its zip is damaged, or it is no zip at all.";

class Zip {
  static async read(file) {
    const zip = new Zip(file);
    try {
      await zip.list(...(await zip.directory()));
    } catch (error) {
      if (!(error instanceof Fault) && !(error instanceof RangeError)) throw error;
      zip.members = new Map();
      zip.faults = [DAMAGED];
    }
    return zip;
  }

  constructor(file) {
    this.file = file;
    this.faults = [];
    this.members = new Map();
  }

  get names() {
    return [...this.members.keys()].sort(inByteOrder);
  }

  async at(start, length) {
    if (start < 0 || start + length > this.file.size) throw new Fault(DAMAGED);
    return new Uint8Array(await this.file.slice(start, start + length).arrayBuffer());
  }

  async directory() {
    const length = Math.min(this.file.size, 65557), tail = await this.at(this.file.size - length, length);
    let at = length - 4;
    while (at >= 0 && !stands(tail, at, "PK\x05\x06")) at--;
    if (at < 0 || length - at < 22) throw new Fault(DAMAGED);
    const view = viewOf(tail);
    let count = view.getUint16(at + 10, true);
    let [size, start] = [12, 16].map((offset) => view.getUint32(at + offset, true));
    if (at + 22 + view.getUint16(at + 20, true) !== length) throw new Fault(DAMAGED);
    if (count === 0xffff || size === 0xffffffff || start === 0xffffffff) {
      const locator = await this.at(this.file.size - length + at - 20, 20);
      if (!stands(locator, 0, "PK\x06\x07")) throw new Fault(DAMAGED);
      const found = await this.at(wide(viewOf(locator), 8), 56), end = viewOf(found);
      if (!stands(found, 0, "PK\x06\x06")) throw new Fault(DAMAGED);
      [count, size, start] = [wide(end, 32), wide(end, 40), wide(end, 48)];
    }
    return [start, size, count];
  }

  async list(start, size, count) {
    const listing = await this.at(start, size), view = viewOf(listing);
    let at = 0;
    for (let turn = 0; turn < count; turn++) {
      if (!stands(listing, at, "PK\x01\x02")) throw new Fault(DAMAGED);
      const flags = view.getUint16(at + 8, true), method = view.getUint16(at + 10, true);
      const [named, extra, comment] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
      const narrow = [24, 20, 42].map((offset) => view.getUint32(at + offset, true));
      const name = binary(listing.subarray(at + 46, at + 46 + named));
      const [real, stored, place] = widened(listing.subarray(at + 46 + named, at + 46 + named + extra), narrow);
      at += 46 + named + extra + comment;
      const start = await this.body(place, name, stored);
      this.keep(name, { start, stored, size: real, deflated: method === 8 }, flags, method);
    }
    if (at !== size) throw new Fault(DAMAGED);
  }

  async body(place, name, stored) {
    const local = await this.at(place, 30), view = viewOf(local);
    const named = view.getUint16(26, true), start = place + 30 + named + view.getUint16(28, true);
    const same = stands(local, 0, "PK\x03\x04") && binary(await this.at(place + 30, named)) === name;
    if (!same || start + stored > this.file.size) throw new Fault(DAMAGED);
    return start;
  }

  keep(name, member, flags, method) {
    if (name.endsWith("/") && !member.size && PATH.test(name.slice(0, -1))) return;
    const isOdd = flags & 1 || (method !== 0 && method !== 8) || (method === 0 && member.stored !== member.size);
    if (!PATH.test(name)) this.faults.push("A file in the zip has a name that no bundle uses.");
    else if (this.members.has(name)) this.faults.push(`${name} stands in the zip twice.`);
    else if (isOdd) throw new Fault(DAMAGED);
    else this.members.set(name, member);
  }

  async *chunks(name) {
    const member = this.members.get(name);
    if (member.deflated) {
      yield* this.inflated(name, member);
      return;
    }
    for (let done = 0; done < member.stored; done += CHUNK) {
      yield await this.at(member.start + done, Math.min(CHUNK, member.stored - done));
    }
  }

  async *inflated(name, member) {
    const packed = this.file.slice(member.start, member.start + member.stored).stream();
    const reader = packed.pipeThrough(new DecompressionStream("deflate-raw")).getReader();
    let left = member.size;
    for (;;) {
      let piece;
      try { piece = await reader.read(); } catch { throw new Fault(`${name} cannot be read.`); }
      if (piece.done) break;
      left -= piece.value.length;
      if (left < 0) throw new Fault(`${name} cannot be read.`);
      yield piece.value;
    }
    if (left) throw new Fault(`${name} cannot be read.`);
  }
}

const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function wide(view, at) {
  const found = Number(view.getBigUint64(at, true));
  if (!Number.isSafeInteger(found)) throw new Fault(DAMAGED);
  return found;
}

function widened(extra, narrow) {
  const view = viewOf(extra), found = [...narrow];
  for (let at = 0; at + 4 <= extra.length; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== 1) continue;
    found.map((value, index) => (value === 0xffffffff ? index : -1)).filter((index) => index >= 0)
      .forEach((index, turn) => { found[index] = wide(view, at + 4 + 8 * turn); });
  }
  return found;
}

// Lines without their line feed; a last one that has none is given one, so that no reader takes it for a line.
async function* linesOf(chunks) {
  let rest = new Uint8Array(0);
  for await (const chunk of chunks) {
    const whole = rest.length ? joined([rest, chunk]) : chunk, found = [];
    let start = 0;
    for (let end = whole.indexOf(10); end >= 0; end = whole.indexOf(10, start)) {
      found.push(whole.subarray(start, end));
      start = end + 1;
    }
    rest = whole.subarray(start);
    yield found;
    if (rest.length > LONGEST_LINE) break;
  }
  if (rest.length) yield [joined([rest, Uint8Array.of(10)])];
}

// The bundle --------------------------------------------------------------------------------------------------------

const STATEMENT = "https://in-toto.io/Statement/v1";
const HASH = /^[0-9a-f]{64}$/, PLAIN = /^[ -~]{0,200}$/;

function manifestOf(value) {
  if (!hasKeys(value, "chain,entries,files,head,incident,made_until,product,v") || value.v !== 1) throw new Fault("");
  const texts = ["chain", "incident", "made_until", "product"].every((name) => isText(value[name], PLAIN));
  if (!texts || !isText(value.head, HASH) || !isCount(value.entries)) throw new Fault("");
  if (!Array.isArray(value.files) || !value.files.every(isFile)) throw new Fault("");
  if (value.files.some((row, at) => at && value.files[at - 1].path >= row.path)) throw new Fault("");
  return value;
}

const isFile = (row) =>
  hasKeys(row, "path,sha256,size") && isText(row.path, PATH) && isText(row.sha256, HASH) && isCount(row.size);

const STATES = ["present", "erased", "damaged", "withheld"];

function attachmentsOf(value) {
  const isRow = (row) => isObject(row) && isText(row.sha256, HASH) && STATES.includes(row.state);
  if (!Array.isArray(value) || !value.every(isRow)) throw new Fault("");
  return new Map(value.map((row) => [row.sha256, row.state]));
}

class Private {
  constructor(rows) {
    this.findings = [];
    this.rows = rows;
    this.number = 0;
    this.seq = 0;
    this.advance();
  }

  advance() {
    const before = this.seq, raw = this.rows[this.number++];
    this.seq = 0;
    if (raw === undefined) return;
    try {
      this.row = privateOf(parsed(raw), before);
      this.seq = this.row.seq;
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault;
      this.findings.push({ code: BROKEN, sentence: `private.jsonl is damaged in line ${this.number}.`, entry: null });
      this.rows = [];
    }
  }

  check(seq, entry) {
    while (this.seq === seq) {
      const { path, salt, value } = this.row;
      const commit = hex(sha256(bytesOf(`lastgood-commit-v1\n${compact([entry.chain, path, salt, value])}`)));
      const fits = (known) => hasKeys(known, "commit,path") && known.commit === commit && known.path === path;
      if (!entry.commits.some(fits)) {
        const sentence = `The personal value “${path}” is not the one that entry ${seq} commits to.`;
        this.findings.push({ code: BROKEN, sentence, entry: seq });
      }
      this.advance();
    }
  }

  end(log) {
    if (this.seq > log.count && !log.fault) {
      const sentence = `private.jsonl speaks of entry ${this.seq}, which the log does not hold.`;
      this.findings.push({ code: BROKEN, sentence, entry: null });
    }
  }
}

function privateOf(row, before) {
  const isRow = hasKeys(row, "path,salt,seq,value") && isText(row.path, /^[A-Za-z0-9_.:-]{1,80}$/);
  const fits = isRow && isText(row.salt, HASH) && typeof row.value === "string" && isCount(row.seq);
  if (!fits || row.seq < Math.max(before, 1)) throw new Fault("");
  return row;
}

class Check {
  constructor(place, kept, keys, progress) {
    this.place = place;
    this.kept = kept;
    this.keys = keys;
    this.areGiven = keys.length > 0;
    this.signedBy = null;
    this.findings = [];
    this.remarks = [];
    this.checkpoints = [];
    this.manifest = null;
    this.log = new Log();
    this.names = new Set(place.names);
    this.sums = new Map();
    this.rests = [];
    this.noted = [];
    this.progress = progress;
  }

  async run() {
    this.place.faults.forEach((sentence) => this.broken(sentence));
    if (!this.place.names.length) return this;
    await this.sumUp();
    await this.readKeys();
    await this.readManifest();
    this.checkFiles();
    await this.readStatements();
    const said = await this.readCheckpoints();
    await this.walk(said.map(([, checkpoint]) => checkpoint.size));
    this.compareManifest();
    this.compare(said);
    this.checkRests();
    await this.checkAttachments();
    this.checkNotices();
    await this.checkCustody();
    await this.checkPeople();
    return this;
  }

  get code() {
    return this.findings.length ? Math.min(...this.findings.map((found) => found.code)) : OK;
  }

  get brokenAt() {
    const found = this.findings.filter((one) => one.code === BROKEN && one.entry).map((one) => one.entry);
    return found.length ? found.reduce((a, b) => Math.min(a, b)) : null;
  }

  broken(sentence, entry = null) { this.findings.push({ code: BROKEN, sentence, entry }); }
  truncated(sentence) { this.findings.push({ code: TRUNCATED, sentence, entry: null }); }
  unsigned(sentence) { this.findings.push({ code: BAD_SIGNATURE, sentence, entry: null }); }
  has(name) { return this.names.has(name); }
  below(folder) { return [...this.names].filter((name) => name.startsWith(`${folder}/`)).sort(inByteOrder); }

  async sumUp() {
    const total = [...this.place.members.values()].reduce((size, member) => size + member.size, 0);
    let done = 0;
    for (const name of this.place.names) {
      const hasher = new Sha256();
      try {
        for await (const chunk of this.place.chunks(name)) {
          hasher.update(chunk);
          done += chunk.length;
          await this.progress("Hashing files", done, total);
        }
        this.sums.set(name, hex(hasher.digest()));
      } catch (fault) {
        if (!(fault instanceof Fault)) throw fault;
        this.broken(`${shown(name)} cannot be read.`);
        this.names.delete(name);
      }
    }
  }

  async content(name) {
    const pieces = [];
    let size = 0;
    if (this.has(name)) {
      for await (const chunk of this.place.chunks(name)) {
        pieces.push(chunk);
        size += chunk.length;
        if (size > LARGEST_SMALL_FILE) throw new Fault(`${name} is too large.`);
      }
    }
    return joined(pieces);
  }

  async lines(name) {
    const found = [];
    if (this.has(name)) for await (const some of linesOf(this.place.chunks(name))) found.push(...some);
    return found;
  }

  async trying(work, otherwise) {
    try {
      return await work();
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault;
      return otherwise(fault.message);
    }
  }

  // Who signed, and what

  async readKeys() {
    if (this.areGiven) return;
    await this.trying(async () => {
      const text = loosely.decode(await this.content("vkey.txt"));
      const found = text.split("\n").filter((line) => line).map(readKey);
      if (!found.length) throw new Fault("No key came with this bundle.");
      this.keys = found;
    }, (sentence) => this.unsigned(`vkey.txt: ${sentence}`));
  }

  async readManifest() {
    if (!this.place.members.has("MANIFEST.json")) return this.broken("MANIFEST.json is missing.");
    let content;
    const read = await this.trying(async () => {
      content = await this.content("MANIFEST.json");
      this.manifest = manifestOf(document_(content));
      return true;
    }, () => false);
    if (!read) return this.broken("MANIFEST.json is no manifest of a bundle.");
    if (!this.has("MANIFEST.note")) return this.unsigned("MANIFEST.note is missing: nobody signed the manifest.");
    return this.trying(async () => {
      const [text, key] = await opened(loosely.decode(await this.content("MANIFEST.note")), this.keys);
      this.signedBy = key;
      const ours = text === `${key.name}/bundle\n${hex(sha256(content))}\n`;
      if (!ours) this.broken("MANIFEST.json is not the manifest that was signed.");
    }, (sentence) => this.unsigned(`MANIFEST.note: ${sentence}`));
  }

  checkFiles() {
    if (!this.manifest) return;
    const named = new Map(this.manifest.files.map((row) => [row.path, row.sha256]));
    for (const [name, sum] of named) {
      if (!this.place.members.has(name)) this.broken(`${name} is missing.`);
      else if (name !== "entries.jsonl" && this.sums.has(name) && this.sums.get(name) !== sum) {
        this.broken(`${name} was changed: its SHA-256 is not the one that the manifest names.`);
      }
    }
    const unnamed = ["MANIFEST.json", "MANIFEST.note"];
    for (const name of this.place.names) {
      if (!named.has(name) && !unnamed.includes(name)) this.broken(`${name} is not named by the manifest.`);
    }
  }

  async readStatements() {
    let number = 0;
    for (const line of await this.lines("statements.jsonl")) {
      number++;
      try {
        await this.readStatement(number, line);
      } catch (error) {
        if (!(error instanceof Fault) && !(error instanceof TypeError)) throw error;
        this.broken(`Statement ${number} is damaged.`);
      }
    }
  }

  async readStatement(number, line) {
    const envelope = parsed(line);
    if (!Array.isArray(envelope.signatures) || envelope.signatures.length !== 1) throw new Fault("");
    const [signature] = envelope.signatures;
    const payload = strictBase64(envelope.payload), signed = strictBase64(signature.sig);
    const texts = typeof envelope.payloadType === "string" && typeof signature.keyid === "string";
    if (!payload || !signed || !texts) throw new Fault("");
    const statement = parsed(payload), entry = statement.predicate.entry;
    if (statement._type !== STATEMENT || !isCount(entry.seq) || typeof entry.hash !== "string") throw new Fault("");
    const key = this.keys.find((one) => String(one) === signature.keyid);
    if (!key) this.unsigned(`Statement ${number} is signed by no key that is trusted here.`);
    else if (!(await ed25519Holds(key.public, envelopeBytes(envelope.payloadType, payload), signed))) {
      this.unsigned(`The signature of statement ${number} does not fit: it was changed, or forged.`);
    }
    this.rests.push({ number, seq: entry.seq, hash: entry.hash });
  }

  // The log, and what was signed of it

  async readCheckpoints() {
    const found = [], own = [];
    for (const name of this.below("checkpoints")) own.push([name, await this.content(name)]);
    for (const [source, content] of [...own, ...this.kept]) {
      await this.trying(async () => {
        const [text] = await opened(noteIn(content), this.keys);
        found.push([source, readCheckpoint(text)]);
      }, (sentence) => this.unsigned(`${source}: ${sentence}`));
    }
    return found;
  }

  async walk(sizes) {
    this.log = new Log([...sizes, ...this.rests.map((rest) => rest.seq), this.manifest ? this.manifest.entries : 0]);
    const personal = new Private(await this.lines("private.jsonl"));
    const kinds = ["notice.issued", "notice.sent", "exhibit.added"];
    const seen = (seq, entry) => {
      if (kinds.includes(entry.kind)) this.noted.push({ seq, kind: entry.kind, body: entry.body });
      if (personal.seq === seq) personal.check(seq, entry);
    };
    await this.read(this.log, "entries.jsonl", seen);
    if (this.log.fault) this.broken(this.log.fault, this.log.brokenAt);
    personal.end(this.log);
    this.findings.push(...personal.findings);
  }

  async read(log, name, seen) {
    if (!this.has(name)) return;
    const total = this.place.members.get(name).size;
    let done = 0;
    for await (const some of linesOf(this.place.chunks(name))) {
      for (const line of some) {
        if (!log.take(line, seen)) return;
        done += line.length + 1;
        if (log.count % 1000 === 0) await this.progress(`Entry ${log.count.toLocaleString("en-GB")}`, done, total);
      }
    }
  }

  compareManifest() {
    if (!this.manifest || this.log.fault || !this.has("entries.jsonl")) return;
    const named = this.manifest.entries, count = this.log.count, sum = this.sums.get("entries.jsonl");
    if (count && this.manifest.chain !== this.log.chain) {
      this.broken("The manifest speaks of another log.");
    } else if (count < named) {
      this.truncated(`${were(count, named)} cut off: the manifest names ${named} entries, ${count} are there.`);
    } else if (this.log.heads.get(named) !== this.manifest.head) {
      this.truncated(`Entries 1 to ${named} are not those that the manifest names.`);
    } else if (count > named) {
      this.broken(`${were(named, count)} added after the bundle was made.`, named + 1);
    } else if (!this.manifest.files.some((row) => row.path === "entries.jsonl" && row.sha256 === sum)) {
      this.broken("entries.jsonl was changed: its SHA-256 is not the one that the manifest names.");
    }
  }

  compare(said) {
    const found = said.map(([source, checkpoint]) => {
      const [match, sentence] = compared(this.log, checkpoint);
      return { source, size: checkpoint.size, match, sentence };
    });
    const holding = found.filter((held) => held.match === "holds").map((held) => held.size);
    for (const held of found) {
      const before = holding.filter((size) => size > 0 && size < held.size).reduce((a, b) => Math.max(a, b), 0);
      if (held.match === "rewritten" && before) held.sentence = rewritten(before, held.size);
      this.checkpoints.push(held);
      if (held.match !== "holds") this.truncated(`${held.source}: ${held.sentence}`);
    }
  }

  checkRests() {
    for (const rest of this.rests) {
      const known = rest.seq > this.log.count && this.log.fault;
      if (!known && (!rest.seq || this.log.heads.get(rest.seq) !== rest.hash)) {
        this.broken(`Statement ${rest.number} does not rest on entry ${rest.seq} of this log.`);
      }
    }
  }

  // What the log names

  async checkAttachments() {
    for (const name of this.below("attachments")) {
      const isOwn = this.sums.get(name) === name.slice(12);
      if (!isOwn) this.broken(`${name} does not hold the bytes that it is named after.`);
    }
    const states = await this.attachments();
    for (const [sum, state] of [...states].sort(([a], [b]) => inByteOrder(a, b))) {
      if (state !== "present") this.remarks.push(`attachments/${sum} is not here: ${state}.`);
      else if (!this.place.members.has(`attachments/${sum}`)) this.broken(`attachments/${sum} is missing.`);
    }
    for (const noted of this.noted) {
      const named = noted.kind === "exhibit.added" ? noted.body.sha256 : null;
      if (typeof named === "string" && named && !states.has(named)) {
        this.broken(`attachments.json does not name the file of entry ${noted.seq}.`, noted.seq);
      }
    }
  }

  async attachments() {
    if (!this.has("attachments.json")) return new Map();
    return this.trying(async () => attachmentsOf(document_(await this.content("attachments.json"))), () => {
      this.broken("attachments.json is damaged.");
      return new Map();
    });
  }

  checkNotices() {
    const hasWords = (noted) => noted.kind === "notice.issued" && Object.hasOwn(noted.body, "words_sha256");
    const issued = this.noted.filter(hasWords);
    const expected = new Map();
    issued.forEach((noted, index) => {
      const kind = noted.body.notice, number = String(index + 1).padStart(3, "0");
      const stem = `notices/${number}-${typeof kind === "string" ? kind : ""}`;
      this.checkWords(`${stem}.txt`, noted);
      expected.set(`${stem}.txt`, [noted.seq, noted.body.words_sha256]);
      this.copies(noted.body).forEach((sum, at) => expected.set(`${stem}/${at + 1}.eml`, [noted.seq, sum]));
    });
    for (const name of this.below("notices")) {
      if (!expected.has(name)) {
        if (!this.log.fault) this.broken(`${name} is nothing that the log says was issued.`);
      } else if (name.endsWith(".eml") && this.sums.get(name) !== expected.get(name)[1]) {
        const seq = expected.get(name)[0];
        this.broken(`${name} is not the mail that entry ${seq} issued.`, seq);
      }
    }
  }

  checkWords(name, noted) {
    if (!this.has(name)) this.broken(`The words of the update that entry ${noted.seq} issued are missing.`, noted.seq);
    else if (this.sums.get(name) !== noted.body.words_sha256) {
      this.broken(`${name} does not hold the words that entry ${noted.seq} issued.`, noted.seq);
    }
  }

  copies(issued) {
    let rows = issued.copies;
    if (!Array.isArray(rows) && typeof issued.notice_id === "string") {
      for (const noted of this.noted) {
        if (noted.kind === "notice.sent" && noted.body.notice_id === issued.notice_id) rows = noted.body.copies;
      }
    }
    return Array.isArray(rows) ? rows.filter(isObject).map((row) => row.sha256) : [];
  }

  async checkCustody() {
    const custody = new Log();
    await this.read(custody, "custody.jsonl");
    if (custody.fault) this.broken(`The custody log: ${custody.fault}`);
  }

  async checkPeople() {
    if (!this.has("people.json")) return;
    const people = await this.trying(async () => document_(await this.content("people.json")), () => null);
    const areNames = isObject(people) && Object.values(people).every((name) => typeof name === "string");
    if (!areNames) this.broken("people.json is damaged.");
  }
}

function report(check) {
  const manifest = check.manifest || {};
  return {
    code: check.code,
    verdict: VERDICTS[check.code],
    broken_at: check.brokenAt,
    incident: manifest.incident ?? null,
    product: manifest.product ?? null,
    made_until: manifest.made_until ?? null,
    chain: check.log.chain || null,
    entries: check.log.count,
    head: check.log.head,
    signed_by: check.signedBy ? String(check.signedBy) : null,
    key_from: check.areGiven ? "reader" : "bundle",
    findings: check.findings,
    checkpoints: check.checkpoints,
    remarks: check.remarks,
  };
}

// The page ----------------------------------------------------------------------------------------------------------

const WORDS = [
  ["ok", "Holds", "Every entry, every file and every signature is as it was recorded."],
  ["bad", "Broken", "Something is not what was recorded."],
  ["bad", "Truncated or forked", "The log is not what was signed of it."],
  ["due", "Bad signature", "What is here fits together, but not everything is signed by a key that is trusted."],
];
const MATCHES = {
  holds: ["ok", "Holds"],
  cut: ["bad", "Cut"],
  rewritten: ["bad", "Rewritten"],
  elsewhere: ["due", "Another log"],
};
const SVG = "http://www.w3.org/2000/svg";
const $ = (id) => document.getElementById(id);
let bundle = null, kept = [], run = 0;

function made(name, className = "", text = "") {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.textContent = text;
  return element;
}

function sign(name) {
  const svg = document.createElementNS(SVG, "svg"), use = document.createElementNS(SVG, "use");
  svg.setAttribute("class", "sign");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#sign-${name}`);
  svg.append(use);
  return svg;
}

// Tells how far a check is, and lets the page breathe some twenty times a second.
function teller(mine) {
  let last = performance.now();
  return async (words, done, total) => {
    if (performance.now() - last < 50) return;
    $("progress-words").textContent = words;
    $("progress-bar").value = total ? Math.min(1, done / total) : 0;
    await new Promise((resume) => setTimeout(resume));
    last = performance.now();
    if (mine !== run) throw new Stopped();
  };
}

class Stopped extends Error {}

async function start() {
  const mine = ++run, given = keysGiven();
  if (!bundle || !given) return;
  document.body.dataset.state = "working";
  $("drop-name").textContent = bundle.name;
  try {
    const began = performance.now();
    const notes = await Promise.all(kept.map(async (file) => [file.name, new Uint8Array(await file.arrayBuffer())]));
    const check = await new Check(await Zip.read(bundle), notes, given, teller(mine)).run();
    if (mine === run) show(check, (performance.now() - began) / 1000);
  } catch (error) {
    if (!(error instanceof Stopped)) fail(error);
  }
}

// The keys in the field; null, with the reason beside it, where they are none.
function keysGiven() {
  const field = $("vkey"), problem = $("vkey-problem");
  try {
    const found = field.value.split("\n").map((line) => line.trim()).filter((line) => line).map(readKey);
    problem.textContent = "";
    field.removeAttribute("aria-invalid");
    return found;
  } catch (fault) {
    problem.textContent = fault.message;
    field.setAttribute("aria-invalid", "true");
    return null;
  }
}

function fail(error) {
  document.body.dataset.state = "failed";
  $("failure").textContent = crypto.subtle
    ? `This browser could not finish the check (${error.message}). Use verify.py.`
    : "This browser checks signatures only on a page that was opened from a file. Save it, or use verify.py.";
}

function show(check, seconds) {
  const found = report(check), [kind, word, meaning] = WORDS[found.code];
  const verdict = $("verdict");
  verdict.className = `card verdict ${kind}`;
  verdict.dataset.code = found.code;
  $("verdict-word").replaceChildren(sign(kind), document.createTextNode(word));
  $("verdict-meaning").textContent = meaning;
  fill($("findings"), told(found).map((one) => [one.code === BAD_SIGNATURE ? "due" : "bad", one.sentence]));
  fill($("remarks"), found.remarks.map((sentence) => ["wait", sentence]));
  showTrust(found);
  showFacts(found, seconds);
  showCheckpoints(found.checkpoints);
  $("json").textContent = JSON.stringify(found, null, 2);
  document.body.dataset.state = "done";
  document.body.dataset.runs = run;
  $("verdict-word").focus({ preventScroll: true });
}

// The gravest first. What checkpoints say of a broken log stands below, under their own title.
function told(found) {
  const below = new Set(found.code === BROKEN ? found.checkpoints.map((one) => `${one.source}: ${one.sentence}`) : []);
  return found.findings.filter((one) => !below.has(one.sentence)).sort((a, b) => a.code - b.code);
}

function fill(list, items) {
  list.replaceChildren(...items.slice(0, MOST_SHOWN).map(([kind, sentence]) => {
    const item = made("li", kind);
    item.append(sign(kind), made("span", "", sentence));
    return item;
  }));
  const more = (items.length - MOST_SHOWN).toLocaleString("en-GB");
  if (items.length > MOST_SHOWN) list.append(made("li", "more", `and ${more} more, below under “For machines”`));
  list.hidden = !items.length;
}

function showTrust(found) {
  const trust = $("trust"), key = made("code", "", found.signed_by || "");
  trust.hidden = !found.signed_by;
  if (found.key_from === "reader") trust.replaceChildren("Signed by the key that you gave, ", key, ".");
  else trust.replaceChildren("Signed by ", key, ", a key that came in this bundle. Compare it with the one you know.");
}

function showFacts(found, seconds) {
  const facts = [
    ["Incident", found.incident],
    ["Product", found.product],
    ["Entries that hold", found.entries.toLocaleString("en-GB")],
    ["First entry that does not", found.broken_at && found.broken_at.toLocaleString("en-GB")],
    ["Up to", found.made_until && `${found.made_until.slice(0, 19).replace("T", " ")} UTC`],
    ["Last hash", found.head],
    ["Log", found.chain],
    ["Checked in", `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`],
  ].filter(([, value]) => value);
  const row = ([name, value]) => [made("dt", "", name), made("dd", /hash|Log/.test(name) ? "mono" : "", value)];
  $("facts").replaceChildren(...facts.flatMap(row));
}

// Each that the reader kept, each that does not hold, and the last of the bundle's own.
function showCheckpoints(all) {
  const own = all.filter((one) => one.source.startsWith("checkpoints/") && one.match === "holds");
  const shownOnes = all.filter((one) => !own.includes(one) || one === own[own.length - 1]).slice(0, MOST_SHOWN);
  $("checkpoints-card").hidden = !shownOnes.length;
  $("checkpoints-note").textContent = own.length ? `${own.length.toLocaleString("en-GB")} of the bundle hold` : "";
  $("checkpoints").replaceChildren(...shownOnes.map((one) => {
    const [kind, word] = MATCHES[one.match], item = made("li"), said = made("div");
    const state = made("span", `state ${kind}`);
    state.append(sign(kind), document.createTextNode(word));
    said.append(made("span", "", one.sentence), made("span", "quiet", one.source));
    item.append(state, said);
    return item;
  }));
}

function take(files) {
  const found = [...files], zip = found.find((file) => /\.zip$/i.test(file.name));
  const others = found.filter((file) => file !== zip);
  if (zip) bundle = zip;
  else if (!bundle && found.length === 1) bundle = others.pop();
  if (others.length) keep(others);
  start();
}

function keep(files) {
  kept = [...files];
  $("kept-names").textContent = kept.map((file) => file.name).join(", ");
}

$("bundle").addEventListener("change", (event) => {
  if (!event.target.files.length) return;
  [bundle] = event.target.files;
  start();
});
$("kept").addEventListener("change", (event) => { keep(event.target.files); start(); });
$("vkey").addEventListener("change", start);
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    document.body.classList.toggle("over", name === "dragover");
    if (name === "drop") take(event.dataTransfer.files);
  });
}
document.body.dataset.state = "ready";
})();
