// Prints widths.json: how wide the npm package badge-maker draws a message alone.
//   npm install badge-maker@6 && node widths.mjs > widths.json
import { makeBadge } from 'badge-maker'

const digest = 'sha256:0116c9dd59ca86bf8069dc8e56c02eb91d1296bbe66b511c279af77cba44d445'
const messages = [
  'wasmcloud.azurecr.io/wash:0.18.1', 'wasmcloud.azurecr.io/httpserver:0.17.0', 'wasmcloud.azurecr.io/kvredis:0.22.0',
  'wasmcloud.azurecr.io/nats_messaging:0.17.2', 'ghcr.io/acme/app:latest', 'ghcr.io/acme/app:1.2.3-rc.1',
  'localhost:5000/team/app:2.0.0', 'registry.example.com:8443/a/b/c/d:v10.20.30', `wasmcloud.azurecr.io/wash@${digest}`,
  `wasmcloud.azurecr.io/wash:0.18.1@${digest}`, digest, '0.18.1', 'v1.2.3', '22.04', '1.0.0-alpha.1', '1.0.0-beta+build', 'latest',
  'nightly', 'main', 'edge', '20231103', '1f2d3e4', 'Provider not yet published', 'digest unknown', 'Lookup failed, try again',
  'invalid query parameter: sort', 'invalid query parameter: include_prereleases', 'passing', 'failing', 'unknown', '100%', '42', '0',
  'i', 'W', 'iiiiiiiiiiiiiiiiiiii', 'WWWWWWWWWWWWWWWWWWWW', 'mmmmmmmmmm', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz',
  '0123456789', '.,:;!?', '()[]{}<>', '+-*/=_~^', '@#$%&|\\', '"quoted"', "it's", 'two words', 'a  b', '  padded  ', 'Ünïcödé', 'façade',
  'Straße', 'æøå ÆØÅ', '¡Hola!', '£ ¥ § ©', 'naïve café', 'MiXeD CaSe 123', 'a/b/c', 'x'.repeat(128),
  'Привет', 'Ελληνικά', '漢字', 'かな', '한국어', '😀', '🚀 launch', 'עברית', 'العربية', 'ﬁ', '–—…',
]
const width = (message) => Number(/ width="(\d+)"/.exec(makeBadge({ label: '', message, color: 'blue' }))[1])
console.log(JSON.stringify(Object.fromEntries(messages.map((m) => [m, width(m)])), null, 1))
