// Prints looks.json: how the npm package badge-maker draws badges, and which colors it
// takes, each with its fill in SVG, or null.
//   npm install badge-maker@6 && node looks.mjs > looks.json
import { makeBadge } from 'badge-maker'
import names from 'color-name' // which badge-maker depends on

const badges = []
for (const style of ['flat', 'flat-square']) {
  for (const label of ['', 'oci', ' padded ', 'a <b> & "c"']) {
    for (const [color, labelColor] of [['253746'], ['white'], ['blue', '555'], ['yellow', 'ff0'], ['#ABCDEF80', 'rebeccapurple'], ['b1b1b1', 'b2b2b2']]) {
      const badge = { label, message: label ? '0.18.1' : 'wasmcloud.azurecr.io/wash:0.18.1', color, style }
      if (labelColor) badge.labelColor = labelColor
      badges.push({ ...badge, svg: makeBadge(badge) })
    }
  }
}

const candidates = [
  ...Object.keys(names),
  'brightgreen', 'lightgrey', 'gray', 'lightgray', 'critical', 'important', 'success', 'informational', 'inactive',
  '253746', 'fff', 'FFF', 'AbCdEf', '000', '#253746', '#fff', '#FFF', '#fffe', '#fffeffff', 'fffe', 'fffeffff', '12345', '1234567', '#12', '#12345',
  '#1234567', '#123456789', '12g', '#12g', '##fff', '#', ' ', 'Blue', 'RED', 'not-a-color', 'none', 'transparent', 'currentcolor', 'inherit', 'url(#x)', '"/><script>',
]
const colors = {}
for (const color of candidates) {
  const svg = makeBadge({ label: '', message: 'x', color })
  const fill = /<rect [^>]*fill="([^"]*)"\/><rect [^>]*fill="url/.exec(svg)[1] // of the message's side
  colors[color] = fill === '#4b0' && !['brightgreen', 'success'].includes(color) ? null : fill // the default
}
console.log(JSON.stringify({ badges, colors }, null, 1))
