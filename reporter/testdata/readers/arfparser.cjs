// Reads feedback reports with the ArfParser of spamscanner.
// It would ask a reputation service about each source.
globalThis.fetch = async () => ({ ok: false })
const { ArfParser } = require('spamscanner/dist/cjs/arf.cjs')
const { each } = require('./files.cjs')

each(async octets => {
  const r = await ArfParser.parse(octets)
  return {
    type: r.feedbackType, agent: r.userAgent, version: r.version, source: r.sourceIp,
    arrival: r.arrivalDate.getTime() / 1000, incidents: r.incidents,
    mailfrom: r.originalMailFrom ?? '', rcptto: r.originalRcptTo?.[0] ?? '',
  }
})
