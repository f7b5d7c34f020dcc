// What readers in JavaScript share.
const crypto = require('crypto')
const fs = require('fs')
const path = require('path')

// digest is the SHA-256 of octets with LF as line ends.
exports.digest = octets =>
  crypto.createHash('sha256').update(Buffer.from(octets).toString('latin1').replaceAll('\r\n', '\n'), 'latin1').digest('hex')

// each prints what read makes of each file of the directory in the arguments.
exports.each = async read => {
  const dir = process.argv[2]
  for (const file of fs.readdirSync(dir)) {
    const found = await read(fs.readFileSync(path.join(dir, file))).catch(e => ({ fault: String(e) }))
    console.log(JSON.stringify({ file, ...found }))
  }
}
