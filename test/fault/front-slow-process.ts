// Opens many TLS connections to a gateway and says a byte of a request now and then, as slowloris does; prints how long
// the gateway put up with each. Arguments: port, connections, seconds, PEM file of the authority.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';

const [port, connections, seconds, caFile] = process.argv.slice(2);
const ca = readFileSync(String(caFile), 'utf8');
const HEAD = `GET / HTTP/1.1\r\nHost: wiki.localhost\r\nX-Slow: ${'a'.repeat(10_000)}`;
/** Connections begun at once: more only queue up in the kernel. */
const BURST = 40;
/** Milliseconds; a gateway promises to close slow connections within ten seconds. */
const AFTER_LAST = 15_000;

const lives: number[] = [];
let open = 0;
let refused = 0;
const over = performance.now() + Number(seconds) * 1000;

function hold(): void {
  let since = 0;
  let at = 0;
  const socket = connect({ host: '127.0.0.1', port: Number(port), ca, servername: 'wiki.localhost' });
  const timer = setInterval(() => {
    if (since > 0) socket.write(HEAD[at++ % HEAD.length] ?? 'a');
  }, 1000);
  socket.once('secureConnect', () => {
    since = performance.now();
    open += 1;
  });
  socket.on('error', () => {}).resume();
  socket.once('close', () => {
    clearInterval(timer);
    if (since === 0) refused += 1;
    else lives.push(performance.now() - since);
  });
}

for (let begun = 0; begun < Number(connections); begun += BURST) {
  for (let one = 0; one < BURST; one += 1) hold();
  await sleep(60);
}
// Whoever was let in last has had time to be closed, however long it took to open them all.
await sleep(Math.max(AFTER_LAST, over - performance.now()));
const longest = Math.round(Math.max(0, ...lives));
console.log(JSON.stringify({ opened: open, refused, closed: lives.length, longestMs: longest }));
process.exit(0);
